"""`payment-sim prune`: one run goes everywhere, all else stays as it was, and what is stopped the next completes."""

import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import duckdb
import pytest
from click.testing import CliRunner, Result
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value
from dagster._core.test_utils import create_run_for_test
from filelock import FileLock, Timeout

from pipelines import cli
from pipelines import prune as pruning
from pipelines.checks import raw_key
from pipelines.cli import main
from pipelines.contracts import CONTRACTS
from pipelines.partitions import (
    PARTITION_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    RUN_DAYS,
    RUNS,
    partition_key,
    range_tags,
    register_runs,
)
from pipelines.places import DATA_VARIABLE, PROJECT_ROOT, RUN_FILES_VARIABLE, dagster_home, report_file, warehouse_file
from pipelines.raw_store import NO_RUN, RawStore
from pipelines.warehouse import Build, Warehouse
from tests.helpers.stored_runs import files_below, store_swap, store_two_arms
from tests.pipelines.test_raw_store import crash_everywhere

ARRIVALS = raw_key("arrivals")
RUN_NAME = str(RUNS.name)


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with all that there can be of two runs, `gone` and `kept`."""
    folder = tmp_path_factory.mktemp("filled")
    data = folder / "data"
    store = RawStore(data)
    store.prepare()
    fill_warehouse(data)
    with instance_of(data) as instance:
        for run_id in ("kept", "gone"):
            store_two_arms(store, folder, run_id)
            Warehouse(data).mark(Build((run_id,), whole=False), store)
            note = {"run_id": run_id, "file": str(folder / f"{run_id}.yaml")}
            write(data / "catalogue" / f"{run_id}.json", json.dumps(note))
            write(data / "logs" / f"{run_id}.log", f"what was said of {run_id}")
            write(report_file(data, run_id), f"the page of {run_id}")
            write(report_file(data, run_id, "lsm_off"), f"the page of {run_id}, with another arm in detail")
            register_runs(instance, [run_id])
            launch(instance, range_tags(run_id, 3))
        launch(instance, {PARTITION_TAG: partition_key("gone", 1)})
        create_run_for_test(
            instance,
            tags={RANGE_START_TAG: partition_key("gone", 0), RANGE_END_TAG: partition_key("kept", 1)},
            status=dg.DagsterRunStatus.SUCCESS,
        )
        create_run_for_test(instance, status=dg.DagsterRunStatus.SUCCESS)
    return data


@pytest.fixture
def data(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    monkeypatch.setenv(RUN_FILES_VARIABLE, str(tmp_path / "runs"))
    return Path(shutil.copytree(filled, tmp_path / "data"))


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def fill_warehouse(data: Path) -> None:
    data.mkdir(exist_ok=True)
    with duckdb.connect(str(warehouse_file(data))) as connection:
        connection.execute("create table dim_simulations as from (values ('gone', 1), ('kept', 1)) t(run_id, seed)")
        connection.execute("create table fct_days (day int, run_id varchar)")
        connection.execute("insert into fct_days values (0, 'kept'), (0, 'gone'), (1, 'gone'), (1, 'kept')")
        connection.execute("create table quantiles as select 975 as permille")
        connection.execute("create view stg_days as select run_id from fct_days")


def warehouse_rows(data: Path) -> dict[str, list[tuple[object, ...]]]:
    tables = ("dim_simulations", "fct_days", "quantiles", "stg_days")
    with duckdb.connect(str(warehouse_file(data)), read_only=True) as connection:
        return {table: connection.sql(f"from {table} order by all").fetchall() for table in tables}


WAREHOUSE_WITHOUT_GONE = {
    "dim_simulations": [("kept", 1)],
    "fct_days": [(0, "kept"), (1, "kept")],
    "quantiles": [(975,)],
    "stg_days": [("kept",), ("kept",)],
}


def instance_of(data: Path) -> dg.DagsterInstance:
    home = dagster_home(data)
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT_ROOT / "pipelines" / "dagster.yaml", home / "dagster.yaml")
    return dg.DagsterInstance.from_config(str(home))


def everything() -> dg.JobDefinition:
    """A raw table, cut as the real ones are, and a mart of all of it."""

    @dg.asset(key=ARRIVALS, partitions_def=RUN_DAYS, backfill_policy=dg.BackfillPolicy.single_run())
    def raw_arrivals() -> None: ...

    @dg.asset(deps=[ARRIVALS])
    def mart() -> None: ...

    jobs = [dg.define_asset_job("everything")]
    return dg.Definitions(assets=[raw_arrivals, mart], jobs=jobs).resolve_job_def("everything")


def launch(instance: dg.DagsterInstance, tags: dict[str, str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        job = everything()
    if PARTITION_TAG in tags:
        assert job.execute_in_process(instance=instance, partition_key=tags[PARTITION_TAG]).success
    else:
        assert job.execute_in_process(instance=instance, tags=tags).success


def gone_dagster_runs(instance: dg.DagsterInstance) -> list[str]:
    named = {
        run.run_id: {key.partition("|")[2] for key in run.tags.values() if "|" in key} for run in instance.get_runs()
    }
    return [name for name, run_ids in named.items() if run_ids == {"gone"}]


def days_in_grid(data: Path) -> set[str]:
    """The partitions of raw arrivals that the UI shows as materialised."""
    with instance_of(data) as instance:
        value = get_and_update_asset_status_cache_value(instance, ARRIVALS, RUN_DAYS, instance)
        assert value is not None
        return set(value.deserialize_materialized_partition_subsets(RUN_DAYS).get_partition_keys())


def days_of(run_id: str) -> set[str]:
    return {partition_key(run_id, day) for day in range(3)}


def prune(*arguments: str, answer: str | None = None) -> Result:
    result = CliRunner().invoke(main, ["prune", *arguments], input=answer)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def other_files(data: Path, *names: str) -> dict[str, bytes]:
    """All that does not bear the run's name or one of these, but for what Dagster and DuckDB write to for every run."""
    shared = ("dagster/history/", "dagster/schedules/", "warehouse.duckdb", "writer.lock")
    return {
        place: content
        for place, content in files_below(data).items()
        if not place.startswith(shared) and not any(name in place for name in ("gone", *names))
    }


def left_of_gone(data: Path) -> list[str]:
    return sorted(str(path.relative_to(data)) for path in data.rglob("*gone*"))


def assert_gone_everywhere(data: Path) -> None:
    assert left_of_gone(data) == []
    assert warehouse_rows(data) == WAREHOUSE_WITHOUT_GONE
    with instance_of(data) as instance:
        assert list(instance.get_dynamic_partitions(RUN_NAME)) == ["kept"]
        assert gone_dagster_runs(instance) == []
        assert instance.get_materialized_partitions(ARRIVALS) == days_of("kept")


# What goes and what stays


def test_a_pruned_run_is_gone_everywhere_and_every_other_file_is_as_it_was(data: Path) -> None:
    with instance_of(data) as instance:
        of_gone = gone_dagster_runs(instance)
    before = other_files(data, *of_gone)
    assert len([place for place in before if "kept" in place]) == 3 * (len(CONTRACTS) + 1) + 5
    assert len([place for place in before if "compute_logs" in place]) > 0
    assert prune("gone", "--yes").exit_code == 0
    assert other_files(data) == before
    assert_gone_everywhere(data)
    listed = json.loads(CliRunner().invoke(main, ["runs", "--json"]).stdout)
    assert [(run["run_id"], run["state"], run["warehouse"]) for run in listed] == [("kept", "complete", "current")]


def test_what_dagster_recorded_of_the_run_is_gone_and_its_other_runs_stay(data: Path) -> None:
    with instance_of(data) as instance:
        of_gone = gone_dagster_runs(instance)
        assert len(instance.get_runs()) == 5

    def left() -> list[str]:
        return [path.parent.name for name in of_gone for path in (data / "dagster").rglob(f"{name}*")]

    assert left() == ["runs", "storage"] * 2, "events and what was printed, of two Dagster runs"
    prune("gone", "--yes")
    assert left() == []
    with instance_of(data) as instance:
        assert len(instance.get_runs()) == 3, "one of the other run, one of both, one of none"


@pytest.mark.parametrize("comes_again", [False, True])
def test_the_grid_of_days_forgets_the_run_also_if_it_comes_again(comes_again: bool, data: Path) -> None:
    """Dagster keeps what it has shown, and shows it again where the partitions are those of then."""
    assert days_in_grid(data) == days_of("gone") | days_of("kept")
    prune("gone", "--yes")
    with instance_of(data) as instance:
        register_runs(instance, ["gone"] if comes_again else [])
    assert days_in_grid(data) == days_of("kept")


def test_with_the_last_run_go_the_folders_that_it_leaves_empty_but_the_typed_parts_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RawStore(tmp_path / "data")
    monkeypatch.setenv(DATA_VARIABLE, str(store.root))
    store.prepare()
    typed = files_below(store.root)
    assert len(typed) == len(CONTRACTS)
    store_swap(store, tmp_path)
    write(store.root / "logs" / "swap.log", "said")
    write(store.root / "catalogue" / "swap.json", "{}")
    write(store.root / "built" / "swap.json", "{}")
    write(report_file(store.root, "swap"), "<!doctype html>")
    assert prune("swap", "--yes").exit_code == 0
    assert {place: content for place, content in files_below(store.root).items() if place != "writer.lock"} == typed
    assert sorted(path.name for path in store.root.iterdir() if path.is_dir()) == ["raw"]


def test_tables_that_were_never_prepared_go_with_their_last_run(tmp_path: Path) -> None:
    store = RawStore(tmp_path / "data")
    store_swap(store, tmp_path)
    assert prune("swap", "--yes", "--data", str(store.root)).exit_code == 0
    assert [path.name for path in store.root.iterdir()] == ["writer.lock"]


def test_a_table_of_another_version_goes_too(data: Path) -> None:
    part = data / "raw" / "of_another_version" / "run_id=gone" / "day=0000" / "part-0.parquet"
    write(part, "of a version to come")
    prune("gone", "--yes")
    assert not (data / "raw" / "of_another_version").exists()


def test_files_that_ask_for_the_run_stay_and_are_named(data: Path, tmp_path: Path) -> None:
    write(tmp_path / "runs" / "asks.yaml", "run_id: gone\n")
    write(tmp_path / "elsewhere" / "launched.yaml", "run_id: gone\n")
    write(data / "catalogue" / "gone.json", json.dumps({"file": str(tmp_path / "elsewhere" / "launched.yaml")}))
    before = files_below(tmp_path / "runs") | files_below(tmp_path / "elsewhere")
    lines = prune("gone", "--yes").stdout.splitlines()
    assert [line for line in lines if line.startswith("Stays")] == [
        f"Stays: {tmp_path}/runs/asks.yaml, which asks for the run",
        f"Stays: {tmp_path}/elsewhere/launched.yaml, which asks for the run",
    ]
    assert files_below(tmp_path / "runs") | files_below(tmp_path / "elsewhere") == before


# Asking first


def size_of_gone(data: Path) -> int:
    return sum(len(content) for place, content in files_below(data).items() if "run_id=gone" in place)


def test_it_shows_what_goes_and_asks(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_can_be_asked", lambda: True)
    asked_by = json.loads((data / "catalogue" / "gone.json").read_text())["file"]
    kilobytes = f"{size_of_gone(data) / 1000:.1f} kB"
    result = prune("gone", answer="y\n")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"Run gone in {data}:",
        f"  raw tables and states: 3 days, 4 simulations, 12 payments, {kilobytes}",
        "  warehouse: its rows in every table",
        "  Dagster: the partition of that name",
        "  Dagster: 2 Dagster runs of this run alone, with what they recorded",
        "  Dagster: 1 Dagster run of other runs too: kept",
        f"  {data}/logs/gone.log",
        f"  {data}/catalogue/gone.json",
        f"  {data}/reports/gone.html",
        f"  {data}/reports/gone.lsm_off.html",
        f"Stays: {asked_by}, which asks for the run",
        "Remove all of it? [y/N]: y",
        "Removed run gone.",
    ]
    assert_gone_everywhere(data)


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_without_a_yes_nothing_goes(answer: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_can_be_asked", lambda: True)
    before = files_below(data)
    result = prune("gone", answer=answer)
    assert result.exit_code == 1
    assert result.stderr.strip() == "Aborted!"
    assert files_below(data) == before


def test_where_nobody_can_be_asked_yes_must_be_said(data: Path) -> None:
    before = files_below(data)
    result = prune("gone")
    assert result.exit_code == 2
    assert result.stderr == "command line: 1 problem\n  --yes: there is no terminal to ask on; add --yes\n"
    assert files_below(data) == before


@pytest.mark.parametrize("name", ["gon", "../gone", "*", "", "gone/day=0000", NO_RUN, "run_id=gone"])
def test_a_name_that_no_run_has_is_refused(name: str, data: Path) -> None:
    before = files_below(data)
    result = prune(name, "--yes")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"command line: 1 problem\n  RUN: found {name!r}; no such run in {data}; ")
    assert files_below(data) == before


def test_a_close_name_is_offered(data: Path) -> None:
    assert prune("gonne", "--yes").stderr.endswith("; did you mean 'gone'?\n")


def test_in_a_folder_without_runs_it_says_how_to_make_one(tmp_path: Path) -> None:
    result = prune("gone", "--yes", "--data", str(tmp_path / "none"))
    assert result.exit_code == 2
    remedy = f"there are no runs in {tmp_path}/none; to make one: payment-sim run --config FILE"
    assert result.stderr == f"command line: 1 problem\n  RUN: found 'gone'; {remedy}\n"
    assert not (tmp_path / "none").exists()


def test_a_dagster_run_that_has_not_ended_is_named(data: Path) -> None:
    with instance_of(data) as instance:
        started = create_run_for_test(instance, tags=range_tags("gone", 3), status=dg.DagsterRunStatus.STARTED)
    said = prune("gone", "--yes").stdout
    assert f"of which not ended: {started.run_id}; if one goes on, stop it first" in said


# Stopped in the middle


class Stopped(Exception):
    """What ends the process here."""


def stopping_after(
    steps: int, removals: Callable[..., Iterator[Callable[[], None]]]
) -> Callable[..., Iterator[Callable[[], None]]]:
    def stopped(*arguments: object) -> Iterator[Callable[[], None]]:
        for done, remove in enumerate(removals(*arguments)):
            if done == steps:
                raise Stopped
            yield remove

    return stopped


def whole_days(store: RawStore, run_id: str) -> bool:
    days = store.days_stored(run_id)
    return all(store.part(table, run_id, day).exists() for table in CONTRACTS for day in days)


STEPS = ["raw store", "warehouse", "dagster", "log", "note", "page", "page of an arm"]


@pytest.mark.parametrize("steps", range(len(STEPS) + 1))
def test_stopped_between_two_steps_the_next_prune_completes_it(
    steps: int, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(pruning, "_removals", stopping_after(steps, pruning._removals))
        with pytest.raises(Stopped):
            pruning.prune(data, "gone", on_wait=pytest.fail)
    assert RawStore(data).days_stored("gone") == ([0, 1, 2] if steps == 0 else [])
    is_known = steps < len(STEPS)
    assert ("gone" in pruning.known_runs(data)) == is_known
    assert prune("gone", "--yes").exit_code == (0 if is_known else 2)
    assert_gone_everywhere(data)


def test_every_step_is_stopped_at(data: Path) -> None:
    """After those that are named, only folders go that are empty by then."""
    removals = list(pruning._removals(data, Warehouse(data), "gone"))
    assert [remove.func.__name__ for remove in removals[len(STEPS) :]] == ["remove_if_empty"] * 3


def test_stopped_anywhere_in_the_raw_store_no_day_is_half_there_and_the_next_removal_completes_it(
    tmp_path: Path,
) -> None:
    """Every removal and flush fails in turn."""
    seen = []

    def fill(store: RawStore) -> None:
        store.prepare()
        store_swap(store, tmp_path, "gone", days=2)
        store_swap(store, tmp_path, "kept", days=1)

    def check(store: RawStore) -> None:
        seen.append(tuple(store.days_stored("gone")))
        assert whole_days(store, "gone")
        assert "gone" in store.run_ids() or not left_of_gone(store.root)
        store.remove_run("gone")
        assert left_of_gone(store.root) == []
        assert store.days_stored("kept") == [0]

    crashes = crash_everywhere(tmp_path, fill, lambda store: store.remove_run("gone"), check)
    assert crashes > 3 * len(CONTRACTS)
    assert set(seen) == {(0, 1), (0,), ()}


IN_DAGSTER = [
    "dagster._core.storage.event_log.sqlite.SqliteEventLogStorage.delete_events",
    "dagster._core.storage.runs.sqlite.SqliteRunStorage.delete_run",
    "dagster.DagsterInstance.wipe_asset_cached_status",
    "dagster.DagsterInstance.delete_dynamic_partition",
]


@pytest.mark.parametrize("place", IN_DAGSTER)
def test_stopped_in_dagsters_records_the_next_prune_completes_it(place: str, data: Path) -> None:
    with patch(place, side_effect=Stopped), pytest.raises(Stopped):
        pruning.prune(data, "gone", on_wait=pytest.fail)
    assert prune("gone", "--yes").exit_code == 0
    assert_gone_everywhere(data)
    assert days_in_grid(data) == days_of("kept")


def only_rows(data: Path) -> None:
    RawStore(data).remove_run("gone")
    shutil.rmtree(dagster_home(data))
    for file in ("logs/gone.log", "catalogue/gone.json", "built/gone.json"):
        (data / file).unlink()


def only_a_partition(data: Path) -> None:
    only_rows(data)
    warehouse_file(data).unlink()
    with instance_of(data) as instance:
        register_runs(instance, ["gone"])


def only_a_dagster_run(data: Path) -> None:
    only_rows(data)
    warehouse_file(data).unlink()
    with instance_of(data) as instance:
        create_run_for_test(instance, tags={PARTITION_TAG: partition_key("gone", 0)})


def only_an_observed_file(data: Path) -> None:
    """A Dagster run of an asset that is partitioned by run alone."""
    only_rows(data)
    warehouse_file(data).unlink()
    with instance_of(data) as instance:
        create_run_for_test(instance, tags={PARTITION_TAG: "gone"})


def only_a_torn_day(data: Path) -> None:
    shutil.rmtree(data / "state")


@pytest.mark.parametrize(
    ("remains", "said"),
    [
        (only_rows, "  warehouse: its rows in every table"),
        (only_a_partition, "  Dagster: the partition of that name"),
        (only_a_dagster_run, "  Dagster: 1 Dagster run of this run alone, with what they recorded"),
        (only_an_observed_file, "  Dagster: 1 Dagster run of this run alone, with what they recorded"),
        (only_a_torn_day, "  warehouse: its rows in every table"),
    ],
)
def test_what_is_left_of_a_run_can_be_pruned_whatever_it_is(
    remains: Callable[[Path], None], said: str, data: Path
) -> None:
    remains(data)
    result = prune("gone", "--yes")
    assert result.exit_code == 0
    assert said in result.stdout.splitlines()
    assert "gone" not in pruning.known_runs(data)
    assert prune("gone", "--yes").exit_code == 2


# Not alone


def test_while_it_removes_no_other_process_writes(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    def attempt() -> None:
        try:
            FileLock(data / "writer.lock").acquire(blocking=False)
        except Timeout:
            taken.append(True)

    monkeypatch.setattr(pruning, "_removals", lambda *_: [attempt])
    assert prune("gone", "--yes").exit_code == 0
    assert taken == [True]


HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


def test_while_another_program_has_the_warehouse_open_nothing_is_removed(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_WAREHOUSE_WAIT_SECONDS", 0)
    before = other_files(data) | files_below(data / "raw") | files_below(data / "state")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(warehouse_file(data))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    result = prune("gone", "--yes")
    holder.communicate("", timeout=30)
    assert result.exit_code == 1
    assert f"Nothing was removed: the warehouse {warehouse_file(data)} is open elsewhere" in result.stderr
    assert other_files(data) | files_below(data / "raw") | files_below(data / "state") == before
    assert prune("gone", "--yes").exit_code == 0
    assert_gone_everywhere(data)


def test_a_warehouse_that_is_no_database_is_refused_before_anything_is_removed(data: Path) -> None:
    warehouse_file(data).write_text("no database\n" * 1000)
    before = files_below(data / "raw") | files_below(data / "state")
    result = prune("gone", "--yes")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{warehouse_file(data)}: 1 problem\n  cannot be opened (")
    assert "nothing was removed. Move it away: payment-sim pipeline builds it anew" in result.stderr
    assert files_below(data / "raw") | files_below(data / "state") == before


def test_what_the_disk_refuses_is_said_and_the_same_command_completes_it(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", lambda folder: (_ for _ in ()).throw(PermissionError(13, "read-only", "x")))
        result = prune("gone", "--yes")
    assert result.exit_code == 1
    assert "What is left of the run goes with the same command." in result.stderr
    assert prune("gone", "--yes").exit_code == 0
    assert_gone_everywhere(data)
