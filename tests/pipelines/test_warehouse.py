"""What the warehouse holds of each run: marks beside it say so, and only what has changed is due."""

import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipelines import warehouse as module
from pipelines.contracts import CONTRACTS, schema_of
from pipelines.places import PROJECT_ROOT
from pipelines.raw_store import NO_RUN, RawStore
from pipelines.run_days import run_and_store_days
from pipelines.runs import load_run
from pipelines.warehouse import Build, Warehouse, WarehouseBusy


def simulate(store: RawStore, scenario: str) -> None:
    run = load_run(PROJECT_ROOT / "scenarios" / f"{scenario}.yaml")
    assert list(run_and_store_days(run, store, 0, run.days - 1))


@pytest.fixture
def store(tmp_path: Path) -> RawStore:
    store = RawStore(tmp_path)
    store.prepare()
    simulate(store, "three_bank_ring")
    simulate(store, "carried_over_night")
    return store


@pytest.fixture
def warehouse(store: RawStore) -> Warehouse:
    """A warehouse that holds both runs."""
    with duckdb.connect(str(store.root / "warehouse.duckdb")) as connection:
        connection.execute("create table cycles (run_id varchar, cycle_seq bigint)")
        connection.execute("create table agents (agent varchar, run_id varchar)")
        connection.execute("create table quantiles (q double)")
        connection.execute("create view seen as select * from cycles")
        connection.execute("insert into cycles values ('three_bank_ring', 0), ('carried_over_night', 0), (null, 1)")
        connection.execute("insert into agents values ('A', 'three_bank_ring')")
        connection.execute("insert into quantiles values (0.5)")
    warehouse = Warehouse(store.root)
    warehouse.mark(Build(("carried_over_night", "three_bank_ring"), whole=True), store)
    return warehouse


def test_everything_is_due_where_nothing_was_built(store: RawStore) -> None:
    warehouse = Warehouse(store.root)
    assert warehouse.standing("three_bank_ring", store) == "absent"
    assert warehouse.due(store) == Build(("carried_over_night", "three_bank_ring"), whole=True)


def test_a_run_that_is_stored_again_is_due_alone(store: RawStore, warehouse: Warehouse) -> None:
    assert warehouse.standing("three_bank_ring", store) == "current"
    simulate(store, "three_bank_ring")
    assert warehouse.standing("three_bank_ring", store) == "out of date"
    assert warehouse.holds("three_bank_ring")
    assert warehouse.due(store) == Build(("three_bank_ring",), whole=False)


def test_a_run_that_lost_a_day_is_due(store: RawStore, warehouse: Warehouse) -> None:
    store.drop_days_from("carried_over_night", 1)
    assert warehouse.due(store) == Build(("carried_over_night",), whole=False)


def test_a_run_that_is_stored_no_more_is_due_and_leaves_no_mark(store: RawStore, warehouse: Warehouse) -> None:
    store.drop_days_from("three_bank_ring", 0)
    due = warehouse.due(store)
    assert due == Build(("three_bank_ring",), whole=False)
    warehouse.unmark(due)
    warehouse.mark(due, store)
    assert warehouse.standing("three_bank_ring", store) == "absent"
    assert warehouse.standing("carried_over_night", store) == "current"


def test_what_is_launched_is_due_in_any_case(store: RawStore, warehouse: Warehouse) -> None:
    assert warehouse.due(store, launched=["three_bank_ring"]) == Build(("three_bank_ring",), whole=False)


def test_everything_is_due_where_nothing_has_changed(store: RawStore, warehouse: Warehouse) -> None:
    """Whoever asks for a build without a reason wants it made anew."""
    assert warehouse.due(store) == Build(("carried_over_night", "three_bank_ring"), whole=True)


def test_everything_is_due_when_a_model_has_changed(
    store: RawStore, warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "dbt_project"
    (project / "models").mkdir(parents=True)
    (project / "dbt_project.yml").write_text("name: changed")
    (project / "models" / "fct.sql").write_text("select 1")
    monkeypatch.setattr(module, "DBT_FOLDER", project)
    module.models_version.cache_clear()
    try:
        assert warehouse.standing("three_bank_ring", store) == "out of date"
        both = Build(("carried_over_night", "three_bank_ring"), whole=True)
        assert warehouse.due(store, launched=["three_bank_ring"]) == both
    finally:
        module.models_version.cache_clear()


def test_everything_is_due_when_the_file_is_gone(store: RawStore, warehouse: Warehouse) -> None:
    warehouse.file.unlink()
    assert not warehouse.holds("three_bank_ring")
    assert warehouse.due(store, launched=["three_bank_ring"]).whole


def test_a_build_that_is_broken_off_leaves_its_runs_due(store: RawStore, warehouse: Warehouse) -> None:
    due = warehouse.due(store, launched=["three_bank_ring"])
    warehouse.unmark(due)
    assert warehouse.standing("three_bank_ring", store) == "absent"
    assert warehouse.due(store) == due


def test_a_run_of_another_versions_columns_is_left_out_and_named(store: RawStore, warehouse: Warehouse) -> None:
    part = store.part("simulations", "three_bank_ring", 0)
    pl.read_parquet(part, hive_partitioning=False).drop("baseline_arm").write_parquet(part)
    assert not store.fits_contracts("three_bank_ring")
    simulate(store, "carried_over_night")
    due = warehouse.due(store)
    assert due == Build(("carried_over_night",), whole=False, left_out=("three_bank_ring",))
    assert "three_bank_ring; run them again, or remove them" in str(due.warning)

    # Nothing else is due now: everything is built, but it has to be said of what.
    warehouse.mark(due, store)
    everything = warehouse.due(store)
    assert everything == Build(("carried_over_night",), whole=True, left_out=("three_bank_ring",))
    assert everything.named == ("carried_over_night",)
    assert Build(("carried_over_night",), whole=True).named == ()


def test_the_typed_empty_part_of_another_version_is_made_anew(store: RawStore) -> None:
    empty = store.part("simulations", NO_RUN, 0)
    pl.read_parquet(empty, hive_partitioning=False).drop("baseline_arm").write_parquet(empty)
    sound = {table: store.part(table, NO_RUN, 0).stat().st_ino for table in CONTRACTS if table != "simulations"}
    store.prepare()
    assert dict(pl.read_parquet_schema(empty)) == dict(schema_of("simulations"))
    assert {table: store.part(table, NO_RUN, 0).stat().st_ino for table in sound} == sound


def test_removing_a_run_removes_its_rows_from_every_table(store: RawStore, warehouse: Warehouse) -> None:
    warehouse.remove("three_bank_ring")
    with duckdb.connect(str(warehouse.file), read_only=True) as connection:
        cycles = connection.sql("from cycles order by all").fetchall()
        counts = [connection.sql(f"select count(*) from {table}").fetchall() for table in ("agents", "quantiles")]
    assert cycles == [("carried_over_night", 0), (None, 1)]
    assert counts == [[(0,)], [(1,)]]
    assert warehouse.standing("three_bank_ring", store) == "absent"
    assert warehouse.standing("carried_over_night", store) == "current"


def test_many_runs_are_not_named_one_by_one(
    store: RawStore, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_NAMED_RUNS_MAX", 1)
    both = ["three_bank_ring", "carried_over_night"]
    assert warehouse.due(store, launched=both).whole
    assert not warehouse.due(store, launched=both[:1]).whole


HOLDS = "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('open', flush=True); time.sleep(600)"


def test_a_warehouse_that_is_open_elsewhere_is_waited_for_then_refused(warehouse: Warehouse) -> None:
    warehouse.wait_until_free(0.0, on_wait=pytest.fail)
    holder = subprocess.Popen([sys.executable, "-c", HOLDS, str(warehouse.file)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        told: list[str] = []
        with pytest.raises(WarehouseBusy) as refused:
            warehouse.wait_until_free(1.0, on_wait=told.append)
        assert len(told) == 1
        assert f"PID {holder.pid}" in told[0]
        assert f"PID {holder.pid}" in str(refused.value)
        assert "close it there and launch again" in str(refused.value)
    finally:
        holder.kill()
        holder.wait()
    warehouse.wait_until_free(0.0, on_wait=pytest.fail)
