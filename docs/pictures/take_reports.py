"""Takes the pictures of reports that lie in this folder, with a headless Chromium.

    .venv/bin/payment-sim pipeline runs/lsm_on_off.yaml --data FOLDER
    .venv/bin/payment-sim pipeline scenarios/three_bank_ring.yaml --data FOLDER
    .venv/bin/payment-sim pipeline scenarios/settles_without_lsm.yaml --data FOLDER
    .venv/bin/python -m benchmarks.workloads W3 --seed 1 --out w3.yaml
    .venv/bin/payment-sim pipeline w3.yaml --data FOLDER
    .venv/bin/python -m docs.pictures.take_reports --data FOLDER

They show how a page begins, wide and narrow, light and dark; nothing on it may overlap or run out anywhere.
"""

import argparse
from pathlib import Path
from typing import Literal

from pipelines.places import report_file
from tests.helpers.browser import Page, launched, overflowing, overlapping_texts

FOLDER = Path(__file__).resolve().parent
SIZE_MAX = 400_000

Scheme = Literal["light", "dark"]

RUNS = {
    "experiment": "lsm_on_off",
    "one_ring": "three_bank_ring",
    "no_cycles": "settles_without_lsm",
    "thousand_banks": "W3_s1",
}
"""What a picture calls each run."""

LOOKS: tuple[tuple[int, int, Scheme], ...] = (
    (1400, 2400, "light"),
    (1400, 2400, "dark"),
    (400, 2400, "light"),
    (400, 2400, "dark"),
)
"""Width, height and scheme."""

ABRIDGE = """
(sections) => {
    const kept = new Set(sections);
    document.querySelectorAll("nav, details, .listing, figcaption").forEach((element) => element.remove());
    document.querySelectorAll("main figure, main .cycle").forEach((element) => {
        const name = element.id || element.querySelector("h3").textContent.split(":")[0];
        if (!kept.delete(name)) element.remove();
    });
    document.querySelectorAll("main > section:not(.findings)").forEach((section) => {
        if (!section.querySelector("figure, .cycle")) section.remove();
    });
    return kept.size;
}
"""


def take(page: Page, file: Path, width: int, height: int, scheme: Scheme) -> bytes:
    """How a page begins, unfolded in no place. Fails if anything on it overlaps or runs out."""
    page.resize(width, height)
    page.emulate(scheme=scheme)
    page.open(file.as_uri())
    assert overflowing(page) == []
    assert overlapping_texts(page) == []
    return page.screenshot()


def abridged(page: Page, file: Path) -> bytes:
    """A page in short: what was found, three of its charts and one of its rings."""
    page.resize(1000, 900)
    page.emulate(scheme="light")
    page.open(file.as_uri())
    assert page.call(ABRIDGE, ["cycles_over_the_day", "queues_over_the_day", "Ring"]) == 0
    return page.screenshot(full_page=True)


def main() -> None:
    """Takes all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="Data folder of the four runs.")
    data = parser.parse_args().data
    with launched() as browser, browser.page() as page:
        pictures = {"report": abridged(page, report_file(data, RUNS["experiment"]))}
        for name, run_id in RUNS.items():
            for width, height, scheme in LOOKS:
                pictures[f"report_{name}_{width}_{scheme}"] = take(
                    page, report_file(data, run_id), width, height, scheme
                )
    for name, picture in pictures.items():
        assert len(picture) < SIZE_MAX, f"{name} has {len(picture):,} bytes"
        (FOLDER / f"{name}.png").write_bytes(picture)
        print(f"{name}.png: {len(picture):,} bytes")


if __name__ == "__main__":
    main()
