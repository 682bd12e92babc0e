"""What a build's tests found is kept by run: of a build that fails too, and of those tests alone that it ran.

Two runs: `worked`, whose days tests/dbt/warehouse.py works out by hand, and the smallest ring.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from pipelines.contracts import CONTRACTS
from pipelines.raw_store import RawStore
from pipelines.run_days import run_and_store_days
from pipelines.runs import load_run
from tests.dbt.warehouse import PROJECT, REPO, WORKED, Dbt, outcomes

pytestmark = pytest.mark.slow

HOOK = "payment_sim-on-run-end-0"
NO_UNIT_TESTS = ("--exclude-resource-type", "unit_test")
BROKEN = "assert_tick_counts_equal_events"
"""The law that `wrong_ticks` breaks."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """Both runs, built at once."""
    dbt = Dbt(tmp_path_factory.mktemp("data_tests"))
    store_worked(dbt.folder)
    store_run(dbt.folder, REPO / "scenarios" / "three_bank_ring.yaml")
    assert dbt("build", *NO_UNIT_TESTS).success
    return dbt


def store_worked(folder: Path) -> None:
    (folder / "worked.yaml").write_text(WORKED)
    store_run(folder, folder / "worked.yaml")


def store_run(folder: Path, file: Path) -> None:
    store, run = RawStore(folder), load_run(file)
    store.prepare()
    assert len(list(run_and_store_days(run, store, 0, run.days - 1))) == run.days


@contextmanager
def wrong_ticks(dbt: Dbt) -> Iterator[None]:
    """`worked` states one arrival too many in two of its ticks."""
    part = RawStore(dbt.folder).part("ticks", "worked", 0)
    sound = part.read_bytes()
    ticks = pl.read_parquet(part, hive_partitioning=False)
    wrong = pl.when(pl.col("tick").is_in([2, 6])).then(1).otherwise(0)
    ticks.with_columns(arrivals=pl.col("arrivals") + wrong).write_parquet(part)
    try:
        yield
    finally:
        part.write_bytes(sound)


@contextmanager
def asked_for(*runs: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAYMENT_SIM_RUNS", ",".join(runs))
        yield


def found(dbt: Dbt, *, run_id: str | None = None) -> pl.DataFrame:
    """What is kept of tests, in the order in which it was written, run by run."""
    where = f"where run_id = '{run_id}'" if run_id else ""
    return dbt.query(f"select * from fct_data_tests {where} order by run_id, rowid")


def found_of(dbt: Dbt, run_id: str, test: str) -> tuple[Any, ...]:
    rows = found(dbt, run_id=run_id).filter(pl.col("test") == test)
    assert rows.height == 1
    return rows.select("status", "failures").row(0)


def change(dbt: Dbt, sql: str) -> None:
    with duckdb.connect(str(dbt.folder / "warehouse.duckdb")) as connection:
        connection.execute(sql)


def nodes_by_test(dbt: Dbt) -> dict[str, dict[str, Any]]:
    """The project's tests of data by name, as dbt's manifest of the last command has them."""
    nodes = json.loads((dbt.folder / "target" / "manifest.json").read_text())["nodes"].values()
    named = [node for node in nodes if node["resource_type"] == "test"]
    assert len(named) > 140
    tests = {node["name"]: node for node in named}
    assert len(tests) == len(named)
    return tests


def test_every_test_has_its_row_for_every_run_in_order(built: Dbt) -> None:
    tests = nodes_by_test(built)
    rows = found(built)
    assert rows.height == 2 * len(tests)
    assert rows["run_id"].to_list() == ["three_bank_ring"] * len(tests) + ["worked"] * len(tests)
    assert rows["test"].to_list() == 2 * sorted(tests)
    assert rows.select("status", "failures").unique().rows() == [("pass", 0)]


def test_a_row_says_what_the_test_is_and_what_it_is_of(built: Dbt) -> None:
    rows = {row["test"]: row for row in found(built, run_id="worked").to_dicts()}
    law = rows["assert_cycle_transactions_were_in_queue2"]
    assert (law["kind"], law["tested"]) == ("law", "stg_raw__lsm_cycles, stg_raw__settlements")
    assert law["description"] == "Fails if a transaction of a cycle had not joined Queue 2 by then."
    key = rows["unique_key_fct_ticks_simulation_id__tick"]
    assert (key["kind"], key["tested"], key["description"]) == ("unique_key", "fct_ticks", None)
    foreign = rows["foreign_key_fct_ticks_simulation_id__ref_dim_simulations_"]
    assert (foreign["kind"], foreign["tested"], foreign["description"]) == ("foreign_key", "fct_ticks", None)
    folders = rows["assert_folders_agree_with_their_rows"]["tested"]
    assert folders == ", ".join([*(f"raw.{table}" for table in sorted(CONTRACTS)), "stg_raw__simulations"])


def test_laws_are_told_from_generic_tests_and_said_in_their_own_words(built: Dbt) -> None:
    tests = nodes_by_test(built)
    rows = found(built, run_id="worked").to_dicts()
    assert len(rows) == len(tests)
    for row in rows:
        node = tests[row["test"]]
        is_law = node["original_file_path"] == f"tests/{node['name']}.sql"
        assert (row["kind"] == "law") == is_law, row
        assert row["description"] == (node["description"] if is_law else None), row


def test_a_broken_law_is_kept_with_its_rows_for_the_run_that_broke_it_alone(built: Dbt) -> None:
    before = found(built)
    with wrong_ticks(built), asked_for("worked"):
        result = built("build", *NO_UNIT_TESTS)
    outcome = outcomes(result)
    assert not result.success
    assert (outcome[BROKEN], outcome[HOOK]) == ("fail", "success")
    assert found_of(built, "worked", BROKEN) == ("fail", 2)
    assert found_of(built, "worked", "assert_money_is_conserved") == ("pass", 0)
    assert found_of(built, "worked", "assert_ticks_add_up_to_the_day") == ("skipped", None)
    assert found(built, run_id="worked").height == before.height // 2
    other = before.filter(pl.col("run_id") == "three_bank_ring")
    assert found(built, run_id="three_bank_ring").equals(other)
    with asked_for("worked"):
        assert built("build", *NO_UNIT_TESTS).success
    assert found(built).equals(before)


def test_a_first_build_that_fails_before_any_mart_is_kept(tmp_path: Path) -> None:
    """No other table of the warehouse knows the run."""
    dbt = Dbt(tmp_path)
    store_worked(tmp_path)
    part = RawStore(tmp_path).part("simulations", "worked", 2)
    pl.read_parquet(part, hive_partitioning=False).with_columns(num_days=pl.lit(2, pl.Int64)).write_parquet(part)
    outcome = outcomes(dbt("build", *NO_UNIT_TESTS))
    assert outcome["dim_simulations"] == "skipped"
    assert found_of(dbt, "worked", "assert_days_follow_each_other_from_0") == ("fail", 1)
    assert found(dbt).height == len(nodes_by_test(dbt))


def test_tests_alone_replace_their_own_rows_of_the_runs_asked_for_alone(built: Dbt) -> None:
    before = found(built)
    selected = ["assert_money_is_conserved", "unique_key_fct_ticks_simulation_id__tick"]
    change(built, "update fct_data_tests set status = 'fail', failures = 7")
    with asked_for("worked"):
        assert built("test", "--select", *selected).success
    replaced = found(built).filter(pl.col("status") == "pass").select("run_id", "test", "failures")
    assert replaced.sort("test").rows() == [("worked", test, 0) for test in sorted(selected)]
    assert built("test", "--select", *selected).success
    replaced = found(built).filter(pl.col("status") == "pass").select("run_id", "test", "failures")
    assert replaced.height == 2 * len(selected)
    assert built("build", "--full-refresh", *NO_UNIT_TESTS).success
    assert found(built).equals(before)


def test_commands_that_test_nothing_leave_rows_as_they_are(built: Dbt) -> None:
    before = found(built)
    for command in (["run", "--select", "fct_data_tests", "fct_ticks"], ["seed"], ["compile"], ["parse"], ["list"]):
        assert built(*command).success, command
        assert found(built).equals(before), command


def test_rows_of_runs_that_are_not_stored_go(built: Dbt) -> None:
    before = found(built)
    change(built, "insert into fct_data_tests select * replace ('gone' as run_id) from fct_data_tests limit 5")
    with asked_for("worked"):
        assert built("test", "--select", "assert_money_is_conserved").success
    assert found(built, run_id="gone").height == 5
    with asked_for("worked", "gone"):
        assert built("test", "--select", "assert_money_is_conserved").success
    assert found(built).sort("run_id", "test").equals(before.sort("run_id", "test"))


def test_a_failure_to_keep_rows_hides_no_broken_law_and_leaves_what_was_kept(built: Dbt) -> None:
    change(built, "alter table fct_data_tests rename column tested to other")
    before = found(built)
    with wrong_ticks(built), asked_for("worked"):
        result = built("test", "--select", BROKEN, "assert_money_is_conserved")
    outcome = outcomes(result)
    assert not result.success
    assert outcome == {BROKEN: "fail", "assert_money_is_conserved": "pass", HOOK: "error"}
    assert found(built).equals(before)
    with asked_for("worked"):
        result = built("test", "--select", "assert_money_is_conserved")
    assert not result.success
    change(built, "alter table fct_data_tests rename column other to tested")


def test_a_law_that_was_removed_leaves_no_row(built: Dbt, tmp_path: Path) -> None:
    """Also of runs that are not asked for. Until then it says what its head does, where YAML does not know it.

    Of banks whose index is above 3 `worked` has two, above 1 it has four; the ring has three banks in all.
    """
    before = found(built)
    project = tmp_path / "dbt_project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    laws = {
        "assert_banks_are_four.sql": "-- Fails if a bank isn't one of four,\n-- or there is none.\n\n"
        "select agent from {{ of_runs(ref('dim_agents')) }} where agent_index > 3",
        "assert_nothing_can_be_said.sql": "-- Fails if it can.\nselect no_such_column from {{ ref('dim_agents') }}",
        "assert_banks_may_be_few.sql": "-- Fails if it may not.\n{{ config(severity='warn') }}\n"
        "select agent from {{ of_runs(ref('dim_agents')) }} where agent_index > 1",
    }
    for name, sql in laws.items():
        (project / "tests" / name).write_text(sql)
    names = sorted(name.removesuffix(".sql") for name in laws)
    with_laws = Dbt(built.folder, project)
    assert not with_laws("test", "--select", *names).success
    kept = found(built).filter(pl.col("test").is_in(names)).sort("run_id", "test")
    assert kept.select("run_id", "test", "status", "failures").rows() == [
        ("three_bank_ring", "assert_banks_are_four", "fail", 2),
        ("three_bank_ring", "assert_banks_may_be_few", "warn", 5),
        ("three_bank_ring", "assert_nothing_can_be_said", "error", None),
        ("worked", "assert_banks_are_four", "fail", 2),
        ("worked", "assert_banks_may_be_few", "warn", 5),
        ("worked", "assert_nothing_can_be_said", "error", None),
    ]
    assert kept["description"][0] == "Fails if a bank isn't one of four, or there is none."
    assert kept["description"][1] == "Fails if it may not."
    with asked_for("worked"):
        assert built("test", "--select", "assert_money_is_conserved").success
    assert found(built).sort("run_id", "test").equals(before.sort("run_id", "test"))
