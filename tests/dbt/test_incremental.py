"""Building run by run leaves what building everything at once does; a run that is built again is replaced, no more."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
import yaml

from pipelines.raw_store import RawStore
from pipelines.run_days import run_and_store_days
from pipelines.runs import load_run
from tests.dbt.warehouse import FIVE_BANKS, Dbt, outcomes

pytestmark = pytest.mark.slow

NO_LSM = {"lsm": {"bilateral": False, "ring": False, "gridlock": False}}


def store(folder: Path, run_id: str, settings: dict[str, object], *, days: int = 2) -> None:
    """Runs five banks under some settings, beside themselves without any LSM, in place of what the run was before."""
    (folder / "five_banks.yaml").write_text(FIVE_BANKS)
    file = folder / f"{run_id}.yaml"
    arms = {"tried": {"set": settings}, "lsm_off": {"baseline": True, "set": NO_LSM}}
    file.write_text(
        yaml.safe_dump(
            {
                "run_id": run_id,
                "scenario": "five_banks.yaml",
                "days": days,
                "seeds": {"from": 1, "count": 2},
                "arms": arms,
            }
        )
    )
    raw = RawStore(folder)
    raw.prepare()
    run = load_run(file)
    assert len(list(run_and_store_days(run, raw, 0, days - 1))) == days
    raw.drop_days_from(run_id, days)


def content(dbt: Dbt) -> dict[str, pl.DataFrame]:
    """Every table, rows in an order that does not depend on when they were written."""
    tables = dbt.query("select table_name from duckdb_tables() order by table_name")["table_name"]
    assert len(tables) >= 10
    return {table: dbt.query(f'select * from "{table}" order by all') for table in tables}


def built(dbt: Dbt, *runs: str) -> None:
    """Builds some runs, or all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAYMENT_SIM_RUNS", ",".join(runs))
        outcome = outcomes(dbt("build", "--exclude-resource-type", "unit_test"))
    assert len(outcome) > 100
    assert {node: status for node, status in outcome.items() if status not in ("success", "pass")} == {}


@pytest.fixture(scope="module")
def step_by_step(tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """Run `first` is built, then `second`, then `first` again: without any LSM now, and a day shorter. `gone` goes."""
    folder = tmp_path_factory.mktemp("step_by_step")
    dbt = Dbt(folder)
    store(folder, "first", {})
    store(folder, "gone", {})
    built(dbt)
    store(folder, "second", {"queue2": {"discipline": "fifo"}})
    built(dbt, "second")
    store(folder, "first", NO_LSM, days=1)
    for part in folder.glob("*/*/run_id=gone"):
        shutil.rmtree(part)
    shutil.rmtree(folder / "state" / "run_id=gone")
    built(dbt, "first", "gone")
    return dbt


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """What is stored in the end, built in one go."""
    folder = tmp_path_factory.mktemp("at_once")
    store(folder, "first", NO_LSM, days=1)
    store(folder, "second", {"queue2": {"discipline": "fifo"}})
    dbt = Dbt(folder)
    built(dbt)
    return dbt


def test_run_by_run_is_all_at_once(step_by_step: Dbt, at_once: Dbt) -> None:
    expected, found = content(at_once), content(step_by_step)
    assert sorted(found) == sorted(expected)
    filled = {table for table, rows in expected.items() if rows.height}
    assert len(filled) >= 10
    for table, rows in expected.items():
        assert found[table].equals(rows), table


def test_a_run_that_has_no_cycles_any_more_has_none_in_the_marts(step_by_step: Dbt) -> None:
    runs = step_by_step.query("select distinct run_id from fct_lsm_cycles order by all")["run_id"].to_list()
    assert runs == ["second"]


@dataclass(frozen=True)
class Beside:
    """What building `first` did beside `second`, and what testing `second` then found: its days had been tampered with.

    before, after: places of the rows of all runs but `first` in the file, by table.
    """

    before: dict[str, pl.DataFrame]
    after: dict[str, pl.DataFrame]
    outcome: dict[str, str]


@pytest.fixture(scope="module")
def beside(step_by_step: Dbt) -> Beside:
    def places() -> dict[str, pl.DataFrame]:
        tables = [t for t, rows in content(step_by_step).items() if rows.height and "run_id" in rows.columns]
        kept = "run_id <> 'first'"
        return {t: step_by_step.query(f'select rowid, run_id from "{t}" where {kept} order by rowid') for t in tables}

    part = RawStore(step_by_step.folder).part("ticks", "second", 0)
    sound = part.read_bytes()
    pl.read_parquet(part, hive_partitioning=False).with_columns(arrivals=pl.col("arrivals") + 1).write_parquet(part)
    try:
        before = places()
        built(step_by_step, "first")
        after = places()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PAYMENT_SIM_RUNS", "second")
            result = step_by_step("test", "--select", "assert_tick_counts_equal_events")
    finally:
        part.write_bytes(sound)
    return Beside(before, after, outcomes(result))


def test_building_one_run_leaves_the_rows_of_others_where_they_are(beside: Beside) -> None:
    """Rows that are not replaced keep their places in the file."""
    before, after = beside.before, beside.after
    assert sum(rows.height for rows in before.values()) > 100
    assert {table: rows.equals(after[table]) for table, rows in before.items()} == dict.fromkeys(before, True)


def test_tests_look_at_the_runs_asked_for_alone(beside: Beside) -> None:
    """A mistake in a run is found when that run is built, and does not keep others from being built."""
    assert beside.outcome["assert_tick_counts_equal_events"] == "fail"
