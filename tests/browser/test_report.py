"""A report in a browser: its numbers are the marts', it asks nobody for anything, and it fits wherever it is read."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.report.pages import Pages
from tests.helpers.browser import Browser, Page, numbers, overflowing, overlapping_texts
from tests.helpers.built_reports import LONG, PAGES, Reports

pytestmark = pytest.mark.slow

SIZE_MAX = 5_000_000


def value_of(shown: str) -> tuple[float, float]:
    """What a number as it is shown stands for, in the unit of its exact value, and by how much it may be off."""
    digits, unit = re.fullmatch(r"([−\d.,]+) ?(tn|bn|M|k|%)?", shown).groups()
    number = float(digits.replace(",", "").replace("−", "-"))
    decimals = len(digits.partition(".")[2])
    scale = {"tn": 1e12, "bn": 1e9, "M": 1e6, "k": 1e3, "%": 0.01, None: 1.0}[unit]
    return number * scale, max(0.5 * 10**-decimals * scale, 0.005 * abs(number * scale))


def is_shown_right(exact: float, shown: str) -> bool:
    """Whether a text says a value to three digits: as it is, or minor units in units of money."""
    value, off = value_of(shown)
    return any(abs(value - exact / per) <= off * 1.0001 for per in (1, 100))


@pytest.fixture(scope="module", params=PAGES, ids=[run_id[-20:] for run_id in PAGES])
def unfolded(request: pytest.FixtureRequest, reports: Reports, browser: Browser) -> Iterator[tuple[str, Page]]:
    """A run, and its page in the browser with everything on it unfolded; opened once for all tests."""
    with browser.page() as page:
        page.resize(1400, 900)
        page.open(reports.page(request.param).as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((details) => details.open = true)")
        yield request.param, page


@pytest.fixture
def opened(unfolded: tuple[str, Page]) -> tuple[str, Page]:
    """The same, looked at as it was opened whatever the test before did."""
    _, page = unfolded
    page.resize(1400, 900)
    page.emulate(scheme="light", media="screen")
    return unfolded


# Numbers


def test_every_table_has_the_rows_that_its_statement_gives(opened: tuple[str, Page], reports: Reports) -> None:
    run_id, page = opened
    tables: list[dict[str, Any]] = page.evaluate(
        """[...document.querySelectorAll("table[data-question]")].map((table) => ({
            name: table.dataset.question,
            leftOut: Number(table.dataset.leftOut ?? 0),
            columns: [...table.tHead.querySelectorAll("th:not(.mark)")].map((cell) => cell.textContent),
            rows: [...table.tBodies[0].rows].map((row) => [...row.querySelectorAll("td:not(.mark)")].map(
                (cell) => [cell.querySelector("data")?.value ?? cell.querySelector("span")?.dataset.value ?? null,
                           cell.textContent]))
        }))"""
    )
    statements = dict(
        page.evaluate(
            """[...document.querySelectorAll("pre[data-statement]")].map(
                (pre) => [pre.dataset.statement, pre.textContent])"""
        )
    )
    least = {"idle": 6, "settles_without_lsm": 6}.get(run_id, 12)
    assert len(tables) >= least
    assert {table["name"] for table in tables} == set(statements)
    for table in tables:
        asked = reports.ask(statements[table["name"]])
        assert table["columns"] == [column.replace("_", " ") for column in asked.columns]
        assert len(table["rows"]) + table["leftOut"] == asked.height
        assert len(table["rows"]) == asked.height or len(table["rows"]) in (12, 200)
        for shown, row in zip(table["rows"], asked.iter_rows(), strict=False):
            wrong = [
                (table["name"], cell, exact) for cell, exact in zip(shown, row, strict=True) if not says(cell, exact)
            ]
            assert wrong == []


def says(cell: tuple[str | None, str], exact: object) -> bool:
    """Whether a cell says a value: its text, or its number exactly and to three digits."""
    value, shown = cell
    if exact is None:
        return (value, shown) == (None, "–")
    if isinstance(exact, str | bool):
        return value == exact or (value is None and shown == str(exact))
    if value is None:  # a number that is a name, as a seed
        return shown == str(exact)
    assert isinstance(exact, int | float)
    return float(value) == float(exact) and type(exact)(value) == exact and is_shown_right(exact, shown)


HEADLINES_WITH_CYCLES = {
    "settled_count_a_day", "settled_value_a_day", "lsm_value_share", "cycles_a_day", "gross_value_a_day",
    "net_value_a_day", "netting_ratio", "largest_transactions", "largest_banks", "largest_gross", "largest_net",
    "laws_tested",
}  # fmt: skip


def test_the_findings_are_what_the_marts_say(opened: tuple[str, Page], reports: Reports) -> None:
    run_id, page = opened
    found = [(attributes["data-says"], float(attributes["value"]), shown)
             for attributes, shown in numbers(page) if "data-says" in attributes]  # fmt: skip
    expected = findings(reports, run_id)
    stated = {says for says, _, _ in found}
    needed = (
        {"settled_count_a_day", "laws_tested"} if run_id in ("idle", "settles_without_lsm") else HEADLINES_WITH_CYCLES
    )
    assert needed <= stated <= set(expected)
    for what, value, shown in found:
        assert value == pytest.approx(expected[what], rel=1e-12), what
        assert is_shown_right(value, shown), (what, value, shown)


def findings(reports: Reports, run_id: str) -> dict[str, float]:
    """What the page may say of a run, worked out from whole marts, row by row."""
    of_run = f"where run_id = '{run_id}'"
    simulations = reports.ask(f"select * exclude (config) from dim_simulations {of_run}")
    arm = "lsm_on" if "lsm_on" in simulations["arm"].to_list() else {"netted": "twice_a_day"}.get(run_id, "base")
    ids = simulations.filter(pl.col("arm") == arm)["simulation_id"].to_list()
    assert ids
    days = [row for row in rows(reports, "fct_lsm_effectiveness_days", of_run) if row["simulation_id"] in ids]
    cycles = [row for row in rows(reports, "fct_lsm_cycles", of_run) if row["simulation_id"] in ids]
    legs = [row for row in rows(reports, "fct_lsm_cycle_transactions", of_run) if row["simulation_id"] in ids]
    laws = [row for row in rows(reports, "fct_data_tests", of_run) if row["kind"] == "law"]
    pairs = {tuple(sorted((leg["sender"], leg["receiver"]))) for leg in legs}
    settled = sum(day["settled_value"] for day in days)
    said: dict[str, float] = {
        "settled_count_a_day": sum(day["settled_count"] for day in days) / len(days),
        "settled_value_a_day": settled / len(days),
        "unsettled_value_a_day": sum(day["unsettled_value"] for day in days) / len(days),
        "laws_tested": len(laws),
        "laws": len(laws),
        "laws_held": sum(law["status"] == "pass" for law in laws),
        "stored_rows": sum(row["row_count"] for row in rows(reports, "fct_raw_table_days", of_run)),
        "agents_in_cycles": len({agent for pair in pairs for agent in pair}),
        "pairs_in_cycles": len(pairs),
    }
    if cycles:
        gross, net = (sum(cycle[value] for cycle in cycles) for value in ("total_value", "settled_value"))
        most = max(cycle["liquidity_saved"] for cycle in cycles)
        largest = min(
            (cycle for cycle in cycles if cycle["liquidity_saved"] == most),
            key=lambda cycle: (cycle["simulation_id"], cycle["day"], cycle["cycle_seq"]),
        )
        said |= {
            "lsm_value_share": gross / settled,
            "cycles_a_day": len(cycles) / len(days),
            "gross_value_a_day": gross / len(days),
            "net_value_a_day": net / len(days),
            "netting_ratio": (gross - net) / gross,
            "largest_transactions": len(largest["transactions"]),
            "largest_banks": largest["cycle_length"],
            "largest_gross": largest["total_value"],
            "largest_net": largest["settled_value"],
        }
        twins = {row["simulation_id"]: row["twin_simulation_id"]
                 for row in rows(reports, "fct_lsm_counterfactual", of_run)}  # fmt: skip
        if largest["simulation_id"] in twins:
            said |= beside_the_twin(reports, of_run, arm, largest, twins[largest["simulation_id"]])
    return said


def beside_the_twin(reports: Reports, of_run: str, arm: str, largest: dict[str, Any], twin: str) -> dict[str, float]:
    metrics = {row["metric"]: row for row in rows(reports, "fct_experiment_arms", f"{of_run} and arm = '{arm}'")}
    settled_in_twin = {
        row["transaction"]: row["settlement_tick"]
        for row in rows(reports, "fct_transactions", f"{of_run} and simulation_id = '{twin}'")
    }
    there = [
        (settled_in_twin[transaction] - largest["tick"], amount)
        for transaction, amount in zip(largest["transactions"], largest["amounts"], strict=True)
        if settled_in_twin[transaction] is not None
    ]
    said = {
        "delay_saved": abs(metrics["delay_saved"]["mean"]),
        "delay_saved_low": metrics["delay_saved"]["ci95_low"],
        "delay_saved_high": metrics["delay_saved"]["ci95_high"],
        "extra_settled_value": abs(metrics["extra_settled_value"]["mean"]),
        "largest_never_settled": len(largest["transactions"]) - len(there),
    }
    if there:
        later = sum(ticks * amount for ticks, amount in there) / sum(amount for _, amount in there)
        said["largest_ticks_earlier"] = abs(later)
    return said


def rows(reports: Reports, mart: str, where: str) -> list[dict[str, Any]]:
    return list(reports.ask(f"select * from {mart} {where}").iter_rows(named=True))


def test_drawn_cycles_say_the_amounts_and_net_positions_of_their_transactions(reports: Reports, page: Page) -> None:
    page.open(reports.page("three_bank_ring").as_uri())
    drawn = {
        part: page.evaluate(
            f"[...document.querySelectorAll('svg.drawing .{part}')].map((element) => element.textContent)"
        )
        for part in ("name", "net", "amount", "arrow title")
    }
    assert drawn == {
        "name": ["BANK_A", "BANK_B", "BANK_C"],
        "net": ["0.00", "0.00", "0.00"],
        "amount": ["500.00", "500.00", "500.00"],
        "arrow title": [
            f"BANK_{ends} in 1 transaction"
            for ends in ("A to BANK_B: 500.00", "B to BANK_C: 500.00", "C to BANK_A: 500.00")
        ],
    }


# What a page asks for, and how it looks


def test_a_page_asks_for_itself_alone(opened: tuple[str, Page], reports: Reports) -> None:
    run_id, page = opened
    assert page.requests == [reports.page(run_id).as_uri()]
    assert page.errors == []


def test_nothing_overlaps_or_runs_out(opened: tuple[str, Page]) -> None:
    _, page = opened
    faults: list[object] = []
    for width, scheme in itertools.product((1400, 400), ("light", "dark")):
        page.resize(width, 900)
        page.emulate(scheme=scheme)
        faults += [(width, scheme, fault) for fault in (*overflowing(page), *overlapping_texts(page))]
    assert faults == []


def test_on_paper_nothing_runs_out(opened: tuple[str, Page]) -> None:
    _, page = opened
    page.resize(720, 1000)  # A4 within margins, at 96 pixels an inch
    page.emulate(media="print")
    assert overflowing(page) == []


def test_dark_and_light_differ_in_colour_alone(reports: Reports, page: Page) -> None:
    page.open(reports.page("carried").as_uri())
    seen = {}
    for scheme in ("light", "dark"):
        page.emulate(scheme=scheme)
        seen[scheme] = page.evaluate(
            """[getComputedStyle(document.body).backgroundColor,
                document.body.innerText,
                [...document.querySelectorAll("svg [fill], svg [stroke]")].filter((mark) =>
                    ["fill", "stroke"].some((name) => /^#|^rgb/.test(mark.getAttribute(name) ?? ""))).length]"""
        )
    assert seen["light"][0] == "rgb(255, 255, 255)" != seen["dark"][0]
    assert seen["light"][1] == seen["dark"][1]
    assert seen["light"][2] == 0  # every colour of a drawing is the page's


def test_every_chart_says_what_its_axes_are_and_in_what_unit(opened: tuple[str, Page]) -> None:
    run_id, page = opened
    charts: list[list[str]] = page.evaluate(
        """[...document.querySelectorAll("figure .wide svg, figure .panel svg")].map(
            (svg) => [...svg.querySelectorAll("text")].map((text) => text.lastChild.textContent))"""
    )
    assert len(charts) >= (1 if run_id in ("idle", "settles_without_lsm") else 6)
    titled = [
        [text for text in texts if re.fullmatch(r".+ \(.+\)", text) or text in ("agent", "arm", "kind of cycle")]
        for texts in charts
        if not all(text.isdigit() for text in texts)  # the network has no axes
    ]
    assert [titles for titles in titled if len(titles) < 2] == []


def test_pages_stay_small(reports: Reports) -> None:
    sizes = {run_id: reports.page(run_id).stat().st_size for run_id in PAGES}
    assert max(sizes.values()) < SIZE_MAX, sizes


def test_the_same_marts_give_the_same_bytes(reports: Reports, tmp_path: Path) -> None:
    for run_id in ("carried", "thousand"):
        again = Pages(reports.folder).write(run_id, target=tmp_path / "again.html")
        assert again.read_bytes() == reports.page(run_id).read_bytes()


def test_without_cycles_the_page_says_why(reports: Reports, page: Page) -> None:
    page.open(reports.page("settles_without_lsm").as_uri())
    text = page.evaluate("document.body.innerText")
    assert "The LSM found nothing to settle." in text
    assert "No LSM cycle settled." in text
    assert page.texts("h2") == ["Cycles over the day", "What waits", "Data quality", "Where it comes from"]


def test_names_are_shown_as_they_are(reports: Reports, page: Page) -> None:
    page.open(reports.page(f"{LONG}_odd").as_uri())
    names = page.texts("table[data-question$=transactions] tbody tr td:first-child")
    assert names == ["<b>&amp;T1</b>", "T2'\"or=1", LONG]
