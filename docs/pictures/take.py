"""Takes the pictures of the Dagster UI that lie in this folder, with a headless Chromium.

    PAYMENT_SIM_NIGHTLY_CRON="*/2 * * * *" .venv/bin/payment-sim ui --data FOLDER     # in another terminal
    .venv/bin/python -m docs.pictures.take --port 3000

The UI must have done what is to be seen: switch on the sensor run_files, the schedule for some minutes, and wait until
the runs have ended. Chromium must be installed. Nothing outside this machine is asked.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.browser import Page, launched

FOLDER = Path(__file__).resolve().parent
LOCATION = "/locations/__repository__@payment_sim"
SIZE_MAX = 300_000


@dataclass(frozen=True)
class Picture:
    """name: of the file. path: of the page. shows: a text that is there when the page is ready. height: pixels.

    clicks: what is clicked before the picture is taken, by how its text begins. top: what is scrolled to the top.
    opens: what is clicked in the end, the last on the page that says so.
    """

    name: str
    path: str
    shows: str
    height: int = 800
    clicks: tuple[str, ...] = ()
    top: str = ""
    opens: str = ""


PICTURES = [
    Picture("asset_graph", "/assets/fct_lsm_cycles?view=lineage&lineageScope=upstream&lineageDepth=4", "run_file", 700),
    Picture(
        "run_day_grid",
        "/assets/raw/settlements?view=partitions",
        "nightly_research",
        700,
        clicks=("Missing (", "d001", "lsm_on_off"),
    ),
    Picture(
        "day_chart",
        "/assets/raw/lsm_cycles?view=partitions",
        "nightly_research",
        700,
        clicks=("Missing (", "d002", "lsm_on_off"),
        opens="[Show Markdown]",
    ),
    Picture(
        "sensor_ticks",
        f"{LOCATION}/sensors/run_files",
        "run_files",
        clicks=("All ticks", "Requested"),
        top="Evaluations",
    ),
    Picture("schedule_ticks", f"{LOCATION}/schedules/nightly_research", "nightly_research", 700),
    Picture("raw_checks", "/assets/raw/lsm_cycles?view=checks", "contract", 560),
    Picture("mart_checks", "/assets/fct_lsm_cycles?view=checks", "unique_key", 650),
]

FIND = """
(text) => [...document.querySelectorAll("body *")]
    .filter((element) => element.innerText?.trim().startsWith(text) && element.getClientRects().length)
    .reduce((found, element) => (!found || found.contains(element) ? element : found), null)
"""


OPEN_LAST = """
(text) => [...document.querySelectorAll("body *")]
    .filter((element) => element.childElementCount === 0 && element.textContent.trim() === text).at(-1).click()
"""


def take(page: Page, address: str, picture: Picture, target: Path) -> None:
    """Opens a page of the UI, waits until it is ready and stores its picture."""
    page.resize(1400, picture.height)
    page.open(f"{address}{picture.path}")
    page.wait_for_text(picture.shows)
    time.sleep(3)  # pages fill in what they have asked for bit by bit
    for text in picture.clicks:
        assert page.call(f"(text) => {{ const at = ({FIND})(text); at?.click(); return Boolean(at); }}", text), (
            f"no {text!r} to click"
        )
        time.sleep(2)
    if picture.top:
        page.call(f"(text) => ({FIND})(text).scrollIntoView(true)", picture.top)
        time.sleep(1)
    if picture.opens:
        page.call(OPEN_LAST, picture.opens)
        time.sleep(1)
    target.write_bytes(page.screenshot())


def main() -> None:
    """Takes all pictures, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True, help="Port of a running UI.")
    parser.add_argument("names", nargs="*", help="Pictures to take; all if none is named.")
    arguments = parser.parse_args()
    with launched() as browser, browser.page() as page:
        for picture in PICTURES:
            if not arguments.names or picture.name in arguments.names:
                target = FOLDER / f"{picture.name}.png"
                take(page, f"http://127.0.0.1:{arguments.port}", picture, target)
                assert target.stat().st_size < SIZE_MAX, f"{target} has {target.stat().st_size:,} bytes"
                print(f"{target.name}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
