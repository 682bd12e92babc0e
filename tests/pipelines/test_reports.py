"""`payment-sim report` and the asset `report`: which pages are written, where, and what is refused."""

import html
import re
import subprocess
import sys
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.partitions import range_tags
from pipelines.places import report_file, warehouse_file
from pipelines.progress import ProgressInLog
from pipelines.raw_store import RawStore
from pipelines.report.pages import Pages
from pipelines.reports import report as report_asset
from pipelines.resources import Data
from pipelines.warehouse import Warehouse
from tests.dbt.warehouse import Dbt
from tests.helpers.stored_runs import files_below, store_swap, store_two_arms

pytestmark = pytest.mark.slow

HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read_only=True")
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the marts of two runs."""
    folder = tmp_path_factory.mktemp("built")
    store = RawStore(folder / "data")
    store.prepare()
    store_swap(store, folder)
    store_two_arms(store, folder)
    assert Dbt(folder / "data")("build", "--exclude-resource-type", "unit_test").success
    warehouse = Warehouse(folder / "data")
    warehouse.mark(warehouse.due(store), store)
    return folder / "data"


@pytest.fixture
def data(built: Path) -> Path:
    """That folder, without any page and with its marks."""
    for page in (built / "reports").glob("*"):
        page.unlink()
    warehouse = Warehouse(built)
    warehouse.mark(warehouse.due(RawStore(built), launched=RawStore(built).run_ids()), RawStore(built))
    return built


def report(*arguments: object) -> Result:
    result = CliRunner().invoke(main, ["report", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def pages(data: Path) -> list[str]:
    return sorted(file.name for file in (data / "reports").glob("*"))


# The command


def test_a_run_has_its_page_and_nothing_else_changes(data: Path) -> None:
    before = files_below(data)
    result = report("swap", "--data", data)
    assert (result.exit_code, result.stdout) == (0, f"Report: {report_file(data, 'swap')}\n")
    after = files_below(data)
    assert set(after) - set(before) == {"reports/swap.html"}
    assert {place: after[place] for place in before} == before


def test_an_arm_that_is_named_is_looked_at_in_a_page_of_its_own(data: Path) -> None:
    assert report("two_arms", "--data", data).exit_code == 0
    assert report("two_arms", "--arm", "lsm_off", "--data", data).exit_code == 0
    assert pages(data) == ["two_arms.html", "two_arms.lsm_off.html"]
    on, off = (report_file(data, "two_arms", arm).read_text() for arm in (None, "lsm_off"))
    assert "2 arms, of which lsm_on in detail" in on
    assert "2 arms, of which lsm_off in detail" in off
    assert "The LSM is off." in off
    assert "The LSM is off." not in on


def test_a_page_can_be_written_elsewhere(data: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    assert report("swap", "--data", data, "--out", target).exit_code == 0
    assert target.read_text().startswith("<!doctype html>")
    assert pages(data) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["swop"], "run: found 'swop'; has no marts here; build them: payment-sim pipeline FILE; did you mean 'swap'?"),
        (["two_arms", "--arm", "lsm_of"], "--arm: found 'lsm_of'; no such arm in two_arms; did you mean 'lsm_off'?"),
        (["swap", "--out", "."], "--out: found '.'; name a file in a folder that is there"),
        (["swap", "--out", "no/such/folder.html"], "name a file in a folder that is there"),
    ],
)
def test_what_is_not_there_is_refused_and_nothing_is_written(arguments: list[str], said: str, data: Path) -> None:
    before = files_below(data)
    result = report(*arguments, "--data", data)
    assert result.exit_code == 2
    assert said in result.stderr
    assert files_below(data) == before


def test_without_marts_it_says_how_to_build_them(tmp_path: Path) -> None:
    result = report("swap", "--data", tmp_path / "data")
    assert result.exit_code == 2
    assert (
        f"{warehouse_file(tmp_path / 'data')}: 1 problem\n  is not there; build it: payment-sim pipeline FILE"
        in result.stderr
    )
    assert not (tmp_path / "data").exists()


def test_a_warehouse_that_is_no_database_is_refused(tmp_path: Path) -> None:
    warehouse_file(tmp_path).write_text("no database\n" * 1000)
    result = report("swap", "--data", tmp_path)
    assert result.exit_code == 2
    assert "payment-sim pipeline FILE builds it anew" in result.stderr


def test_a_warehouse_of_another_version_is_refused(tmp_path: Path) -> None:
    with duckdb.connect(str(warehouse_file(tmp_path))) as connection:
        connection.execute("create table dim_simulations as select 'swap' as run_id")
    result = report("swap", "--data", tmp_path)
    assert result.exit_code == 2
    assert "marts: found 'fct_agent_cost_days'; is not there: another version built these marts" in result.stderr


def test_while_another_program_writes_to_the_warehouse_it_says_who(data: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(warehouse_file(data)), "read_only=False"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        result = report("swap", "--data", data)
        holder.communicate("", timeout=30)
    assert result.exit_code == 1
    assert f"Nothing was written: the warehouse {warehouse_file(data)} is open elsewhere" in result.stderr
    assert f"(PID {holder.pid})" in result.stderr
    assert pages(data) == []


def test_while_another_program_reads_the_warehouse_it_is_written(data: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(warehouse_file(data)), "read_only=True"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        assert report("swap", "--data", data).exit_code == 0
        holder.communicate("", timeout=30)
    assert pages(data) == ["swap.html"]


# What a page says


def said(page: str, start: str, end: str) -> list[str]:
    """The paragraphs of a part of a page, as they read."""
    part = page[page.index(start) : page.index(end, page.index(start))]
    return [
        html.unescape(re.sub(r"<[^>]+>", "", paragraph.replace("</span><span>", " · "))).strip()
        for paragraph in re.findall(r"<p[ >].*?</p>", part, re.DOTALL)
    ]


def test_the_findings_of_two_arms_worked_by_hand(data: Path) -> None:
    """2 payments of 5 settle in 3 days. On day 1 the LSM saves 1 tick: 10 waits 5 in place of 15 tick-units.

    Left at the ends of the days are 5, 0 and 7.
    """
    assert report("two_arms", "--data", data).exit_code == 0
    page = report_file(data, "two_arms").read_text()
    facts = said(page, '<p class="facts">', "</header>")
    assert facts == ["scenario swap · 2 banks · 2 seeds · 3 days of 2 ticks · 2 arms, of which lsm_on in detail"]
    *findings, laws = said(page, '<section id="findings"', "</section>")
    assert findings == [
        "On a mean day 0.667 payments worth 0.03 settle. 0.04 is left unsettled at its end.",
        "The LSM settles 100.0 % of that value in 0.333 cycles: 0.03 gross on 0.00 of liquidity, which saves 100.0 % "
        "of what they would have taken.",
        "Beside the same payments without LSM, value settles 0.333 ticks earlier (95 % interval 0.333 to 0.333, "
        "2 seeds), and 0.03 more of it by the end of a day.",
        "The cycle that saved most: 2 transactions between 2 banks, 0.10 gross on 0.00 of liquidity, at tick 3 on "
        "day 1 (seed 1), found by the bilateral search; without LSM none of them settles.",
    ]
    assert re.fullmatch(r"All \d+ laws of settlement hold on the tables behind this page\.", laws)
    (made, *_) = said(page, '<section id="provenance">', "</section>")
    assert "Partitions: run two_arms, days d001 to d003; in the tables they are days 0 to 2." in made


# What it says of the marts that it was made from


def test_a_page_of_a_build_that_did_not_end_says_so(data: Path) -> None:
    warehouse = Warehouse(data)
    warehouse.unmark(warehouse.due(RawStore(data), launched=["swap"]))
    assert report("swap", "--data", data).exit_code == 0
    assert "The last build of these marts did not come to its end" in report_file(data, "swap").read_text()


def test_a_page_of_marts_that_days_have_outrun_says_so(data: Path) -> None:
    (data / "built" / "swap.json").write_text('{"raw": "other days", "models": "these"}\n')
    assert report("swap", "--data", data).exit_code == 0
    assert "These marts were built from other days than are stored now" in report_file(data, "swap").read_text()


def test_a_page_of_current_marts_warns_of_nothing(data: Path) -> None:
    assert report("swap", "--data", data).exit_code == 0
    assert 'role="alert"' not in report_file(data, "swap").read_text()


def test_a_law_that_does_not_hold_stands_first(data: Path) -> None:
    file = warehouse_file(data)
    broken = "assert_money_is_conserved"
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            f"update fct_data_tests set status = 'fail', failures = 7 where run_id = 'swap' and test = '{broken}'"
        )
    try:
        assert report("swap", "--data", data).exit_code == 0
    finally:
        with duckdb.connect(str(file)) as connection:
            connection.execute(f"update fct_data_tests set status = 'pass', failures = 0 where test = '{broken}'")
    page = report_file(data, "swap").read_text()
    assert "laws of settlement do not hold: see Data quality." in page
    laws = page[page.index('<table data-question="laws"') :]
    assert laws.index(broken) == laws.index("assert_")


# The asset


def materialise(data: Path, **tags: str) -> dict[str, object]:
    result = dg.materialize(
        [report_asset], resources={"data": Data(data_root=str(data)), "progress": ProgressInLog()}, tags=tags
    )
    assert result.success
    (event,) = result.asset_materializations_for_node("report")
    return {name: value.value for name, value in event.metadata.items()}


def test_the_asset_writes_pages_that_are_not_there_or_older_than_their_marts(data: Path) -> None:
    both = {"reports": 2, **{f"page of {run}": str(report_file(data, run)) for run in ("swap", "two_arms")}}
    assert materialise(data) == both
    assert materialise(data) == {"reports": 0}
    (data / "built" / "swap.json").write_text('{"raw": "other days", "models": "these"}\n')
    assert materialise(data) == {"reports": 1, "page of swap": str(report_file(data, "swap"))}


def test_the_asset_writes_the_page_of_the_run_that_was_launched_and_no_other(data: Path) -> None:
    Pages(data).write("swap")
    written = materialise(data, **range_tags("swap", 3))
    assert written == {"reports": 1, "page of swap": str(report_file(data, "swap"))}
    assert pages(data) == ["swap.html"]
