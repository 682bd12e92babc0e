"""`payment-sim runs`: a line per stored run, true of what is on disk, without reading the tables."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.contracts import CONTRACTS
from pipelines.places import DATA_VARIABLE, warehouse_file
from pipelines.raw_store import RawStore
from pipelines.warehouse import Build, Warehouse
from sim_engine import __version__
from tests.helpers.stored_runs import store_swap, store_two_arms

NOVEMBER = 1_795_364_371
"""2026-11-22 16:19:31 UTC."""


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RawStore:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "100")
    store = RawStore(tmp_path / "data")
    store.prepare()
    return store


def listing(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["runs", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def listed() -> dict[str, dict[str, object]]:
    """The runs of the JSON listing by name, in its order."""
    result = listing("--json")
    assert (result.exit_code, result.stderr) == (0, "")
    return {run["run_id"]: run for run in json.loads(result.stdout)}


def test_a_run_is_listed_with_what_was_asked_and_what_is_stored(store: RawStore, tmp_path: Path) -> None:
    store_two_arms(store, tmp_path)
    for day in range(3):
        os.utime(store.state_file("two_arms", day), (NOVEMBER + day, NOVEMBER + day))
    folders = [*store.root.glob("raw/*/run_id=two_arms"), *store.root.glob("state/run_id=two_arms")]
    sizes = [path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(sizes) == 3 * (len(CONTRACTS) + 1)
    assert listed() == {
        "two_arms": {
            "run_id": "two_arms",
            "scenario": "swap",
            "simulations": 4,
            "days_stored": 3,
            "days_asked": 3,
            "payments": 4 * 3,
            "size_bytes": sum(sizes),
            "engine_version": __version__,
            "committed_at": "2026-11-22T16:19:33+00:00",
            "state": "complete",
            "warehouse": "absent",
        }
    }


def test_runs_stand_in_order_of_their_names_and_what_is_no_run_is_not_listed(store: RawStore, tmp_path: Path) -> None:
    for run_id in ("b", "a", "c"):
        store_swap(store, tmp_path, run_id, days=1)
    assert list(listed()) == ["a", "b", "c"]


def without_last_mark(store: RawStore) -> None:
    store.state_file("swap", 2).unlink()


def without_last_day(store: RawStore) -> None:
    store.drop_days_from("swap", 2)


def with_a_torn_day_too_many(store: RawStore) -> None:
    part = store.part("ticks", "swap", 3)
    part.parent.mkdir()
    part.write_bytes(store.part("ticks", "swap", 2).read_bytes())


def without_a_part(store: RawStore) -> None:
    store.part("lsm_cycles", "swap", 1).unlink()


def without_payments(store: RawStore) -> None:
    store.part("arrivals", "swap", 0).write_bytes(b"no table")


def without_what_was_asked(store: RawStore) -> None:
    store.part("simulations", "swap", 2).write_bytes(b"no table")


@pytest.mark.parametrize(
    ("mishap", "days_stored", "state"),
    [
        (without_last_mark, 2, "unfinished"),
        (without_last_day, 2, "unfinished"),
        (with_a_torn_day_too_many, 3, "unfinished"),
        (without_a_part, 3, "damaged"),
        (without_payments, 3, "damaged"),
        (without_what_was_asked, 3, "damaged"),
    ],
)
def test_a_run_is_complete_only_if_all_its_days_are_whole(
    mishap: Callable[[RawStore], None], days_stored: int, state: str, store: RawStore, tmp_path: Path
) -> None:
    store_swap(store, tmp_path)
    store_swap(store, tmp_path, "other")
    mishap(store)
    runs = listed()
    assert {name: run["state"] for name, run in runs.items()} == {"other": "complete", "swap": state}
    assert runs["swap"]["days_stored"] == days_stored


def test_a_run_whose_first_day_was_torn_has_nothing_to_tell_but_its_size(store: RawStore, tmp_path: Path) -> None:
    store_swap(store, tmp_path, days=1)
    store.state_file("swap", 0).unlink()
    run = listed()["swap"]
    unknown = ("scenario", "simulations", "days_asked", "engine_version", "committed_at")
    assert {key: run[key] for key in unknown} == dict.fromkeys(unknown)
    assert (run["days_stored"], run["payments"], run["state"]) == (0, 0, "unfinished")
    assert run["size_bytes"] == sum(path.stat().st_size for path in store.root.glob("raw/*/run_id=swap/*/*"))
    assert "0 of ?" in listing().stdout


def test_tables_other_than_the_two_smallest_needed_are_never_read(store: RawStore, tmp_path: Path) -> None:
    store_swap(store, tmp_path)
    before = listed()["swap"]
    for table in sorted({*CONTRACTS} - {"simulations", "arrivals"}):
        for day in range(3):
            part = store.part(table, "swap", day)
            part.write_bytes(b"x" * part.stat().st_size)
    for day in range(2):  # what was asked is read from the last day alone
        part = store.part("simulations", "swap", day)
        part.write_bytes(b"x" * part.stat().st_size)
    assert listed()["swap"] == before


def test_the_warehouse_is_current_until_the_run_is_stored_again(store: RawStore, tmp_path: Path) -> None:
    store_swap(store, tmp_path)
    warehouse = Warehouse(store.root)
    warehouse_file(store.root).touch()
    assert listed()["swap"]["warehouse"] == "absent"
    warehouse.mark(Build(("swap",), whole=False), store)
    assert listed()["swap"]["warehouse"] == "current"
    os.utime(store.state_file("swap", 1), (NOVEMBER, NOVEMBER))
    assert listed()["swap"]["warehouse"] == "out of date"


@pytest.mark.parametrize("there", [True, False])
def test_where_no_run_is_it_says_how_to_make_one(there: bool, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    if there:
        RawStore(folder).prepare()
    result = listing("--data", str(folder))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"There are no runs in {folder}. To make one: payment-sim run --config FILE\n"
    assert json.loads(listing("--data", str(folder), "--json").stdout) == []
    assert folder.exists() == there


def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("no folder")
    result = listing("--data", str(tmp_path / "text.txt"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"command line: 1 problem\n  --data {tmp_path}/text.txt: is a file; name a folder\n"


LONG = "a_name_that_is_as_long_as_names_of_runs_with_many_arms_become"


def lines_of(output: str) -> list[str]:
    """Lines as a terminal shows them."""
    return re.sub(r"\x1b\[[0-9;]*m", "", output).splitlines()


def test_without_a_terminal_a_run_is_one_line(store: RawStore, tmp_path: Path) -> None:
    store_swap(store, tmp_path, LONG)
    lines = [line.split() for line in listing().stdout.splitlines() if line.startswith(LONG)]
    assert [line[:7] for line in lines] == [[LONG, LONG, "1", "3", "of", "3", "3"]]
    assert lines[0][9:10] + lines[0][11:] == [__version__, "complete", "absent"]


@pytest.mark.parametrize(("columns", "missing"), [(100, set()), (80, {"Engine", "Committed"})])
def test_a_terminals_width_is_kept_by_folding_names_then_by_leaving_columns_out(
    columns: int, missing: set[str], store: RawStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_swap(store, tmp_path, LONG)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = lines_of(listing().stdout)
    assert max(map(len, lines)) <= columns
    titles = {"Run", "Scenario", "Days", "Payments", "Size", "Engine", "Committed", "State"}
    assert titles - set(lines[1].split()) == missing
    assert len([line for line in lines if "3 of 3" in line]) == 1
    width = min(lines[1].index(title) for title in ("Scenario", "lations"))
    assert "".join(line[:width].strip() for line in lines[3:-2] if line[:width].strip("─")).startswith(LONG[:40])


def test_what_a_state_means_is_said_where_a_run_is_in_it(store: RawStore, tmp_path: Path) -> None:
    store_swap(store, tmp_path)
    assert "unfinished" not in listing().stdout
    without_last_mark(store)
    assert "unfinished: days are missing" in listing().stdout
    without_a_part(store)
    assert "damaged: a committed day lacks a table" in listing().stdout
