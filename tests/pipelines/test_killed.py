"""kill -9 at any step of a launch, then the launch again: tables as if nothing had happened, byte for byte.

Each launch that is killed is a process of its own that ends itself, as the system would end it, when it comes to a
given place. What pipelines leave is compared with what two launches at once left that nothing befell.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import duckdb
import polars as pl
import pytest
import yaml
from click.testing import CliRunner

from pipelines.checks import raw_key
from pipelines.cli import main
from pipelines.contracts import CONTRACTS
from pipelines.lock import launch_lock
from pipelines.partitions import RUNS, partition_key
from pipelines.places import dagster_home, warehouse_file
from pipelines.raw_store import RawStore
from tests.dbt.warehouse import FIVE_BANKS
from tests.pipelines.test_prune import instance_of

RUN_ID, OTHER = "killed", "other"
DAYS = 2
MEMBERS = 4

LAUNCH = """
import os, signal, sys
from pathlib import Path

def die_at(call, owner, name, *, when=lambda *arguments: True, first=lambda *arguments: None):
    original, calls = getattr(owner, name), 0
    def dying(*arguments, **options):
        nonlocal calls
        calls += when(*arguments)
        if calls == call and when(*arguments):
            first(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **options)
    setattr(owner, name, dying)

def of_tables(source, target=None):
    return Path(target or source).name == "part-0.parquet" and "no-run" not in str(target or source)

def of_states(source, target=None):
    return Path(target or source).name == "closing.jsonl"

place, call, *command = sys.argv[1:]
call = int(call)
from pipelines import chunks
if place == "simulation":
    die_at(call, chunks, "run_day")
elif place == "table staged":
    die_at(call, chunks, "validate")
elif place == "table write":
    die_at(call, os, "replace", when=of_tables)
elif place == "state write":
    die_at(call, os, "replace", when=of_states)
elif place in ("dbt", "dbt and its child"):
    import pipelines.dbt, pipelines.marts
    original = pipelines.dbt.told_events
    def told_events(build, on_event):
        events = 0
        def dying(name):
            nonlocal events
            events += 1
            if events == call:
                if place != "dbt":
                    build.process.kill()
                os.kill(os.getpid(), signal.SIGKILL)
            on_event(name)
        return original(build, dying)
    pipelines.marts.told_events = told_events
from pipelines.cli import main
main(command)
"""


def launch_to_die(place: str, call: int, *command: str) -> int:
    """The exit code of a launch that dies at the given call of a place."""
    result = subprocess.run(
        [sys.executable, "-c", LAUNCH, place, str(call), *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=300,
    )
    return result.returncode


def launch(*command: str) -> int:
    """The exit code of a launch that nothing befalls; in this process, which has imported what it needs."""
    with patch.dict(os.environ):  # the command names its data folder to the processes that it starts
        return CliRunner().invoke(main, command).exit_code


KILLED = -9


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The run to be launched, and another of the same name and other content, which it replaces."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "five_banks.yaml").write_text(FIVE_BANKS)
    arms = {
        "lsm_on": {},
        "lsm_off": {"baseline": True, "set": {"lsm": {"bilateral": False, "ring": False, "gridlock": False}}},
    }
    files = {}
    for name, first_seed in (("wanted", 1), ("before", 8)):
        files[name] = folder / f"{name}.yaml"
        seeds = {"from": first_seed, "count": 2}
        content = {"run_id": RUN_ID, "scenario": "five_banks.yaml", "days": DAYS, "seeds": seeds, "arms": arms}
        files[name].write_text(yaml.safe_dump(content))
    return files


def raw_content(data: Path) -> dict[str, bytes]:
    """Every file below raw and state, also such as no reader looks at."""
    files = [file for folder in ("raw", "state") for file in (data / folder).rglob("*") if file.is_file()]
    return {str(file.relative_to(data)): file.read_bytes() for file in sorted(files)}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, files: dict[str, Path]) -> dict[str, bytes]:
    data = tmp_path_factory.mktemp("undisturbed") / "data"
    assert launch("run", "--quiet", "--config", str(files["wanted"]), "--data", str(data)) == 0
    content = raw_content(data)
    assert len(content) == DAYS * (len(CONTRACTS) + 1)
    return content


@pytest.fixture(scope="module")
def stored_before(tmp_path_factory: pytest.TempPathFactory, files: dict[str, Path]) -> Path:
    """A data folder that holds the other run of the name."""
    data = tmp_path_factory.mktemp("before") / "data"
    assert launch("run", "--quiet", "--config", str(files["before"]), "--data", str(data)) == 0
    return data


@pytest.mark.parametrize(
    ("place", "call", "over_another"),
    [
        ("simulation", 1, True),
        ("simulation", MEMBERS + 2, False),
        ("table staged", 4, True),
        ("table write", 3, False),
        ("table write", 3, True),
        ("table write", len(CONTRACTS) + 1, True),
        ("table write", 2 * len(CONTRACTS), False),
        ("state write", 1, False),
        ("state write", 1, True),
        ("state write", DAYS, True),
    ],
)
def test_a_killed_run_that_is_run_again_is_as_if_undisturbed(
    tmp_path: Path,
    files: dict[str, Path],
    undisturbed: dict[str, bytes],
    stored_before: Path,
    place: str,
    call: int,
    over_another: bool,
) -> None:
    data = tmp_path / "data"
    if over_another:
        shutil.copytree(stored_before, data)
    wanted = ["run", "--quiet", "--config", str(files["wanted"]), "--data", str(data)]
    assert launch_to_die(place, call, *wanted) == KILLED

    # Whatever is committed is whole: all tables of a day are those of one run, of this one or of the one before.
    store = RawStore(data)
    for day in store.days_stored(RUN_ID):
        simulations = {
            tuple(sorted(store.read_table(table, RUN_ID, day)["simulation_id"].unique()))
            for table in ("simulations", "agents", "arrivals", "ticks", "agent_days")
        }
        assert simulations == {tuple(sorted(store.read_closing(RUN_ID, day)))}

    assert launch(*wanted) == 0
    assert raw_content(data) == undisturbed


def marts_content(data: Path) -> dict[str, pl.DataFrame]:
    with duckdb.connect(str(warehouse_file(data)), read_only=True) as connection:
        tables = [name for (name,) in connection.sql("select table_name from duckdb_tables() order by 1").fetchall()]
        return {table: connection.sql(f'select * from "{table}" order by all').pl() for table in tables}


@dataclass(frozen=True)
class Both:
    """The wanted run and the same one under another name, launched at once while a third launch went on.

    waiting: the first lines that each printed, before that one ended. exit_codes: how each ended. said: all the rest.
    """

    data: Path
    waiting: list[list[str]]
    exit_codes: list[int]
    said: list[str]

    def raw_content(self, run_id: str) -> dict[str, bytes]:
        """Every file below raw and state but those of the other run."""
        other = {RUN_ID: OTHER, OTHER: RUN_ID}[run_id]
        return {place: content for place, content in raw_content(self.data).items() if f"run_id={other}/" not in place}

    def marts_content(self, run_id: str) -> dict[str, pl.DataFrame]:
        """Every table, without rows of the other run."""
        marts = marts_content(self.data)
        return {
            table: rows.filter(pl.col("run_id") == run_id) if "run_id" in rows.columns else rows
            for table, rows in marts.items()
        }


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, files: dict[str, Path]) -> Both:
    data = tmp_path_factory.mktemp("both") / "data"
    other = files["wanted"].with_name("other.yaml")
    other.write_text(files["wanted"].read_text().replace(RUN_ID, OTHER))
    home = dagster_home(data)
    home.mkdir(parents=True)
    with launch_lock(home, "the test"):  # until both wait: else the one may be done before the other has begun
        processes = [
            subprocess.Popen(
                [str(Path(sys.executable).with_name("payment-sim")), "pipeline", str(file), "--data", str(data)],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "COLUMNS": "400"},
            )
            for file in (files["wanted"], other)
        ]  # fmt: skip
        waiting = [[process.stdout.readline() for _ in range(2)] for process in processes if process.stdout]
    said = [process.communicate(timeout=300)[0] for process in processes]
    return Both(data, waiting, [process.returncode for process in processes], said)


@pytest.mark.slow
def test_a_pipeline_killed_at_every_stage_ends_as_if_undisturbed(
    tmp_path: Path, files: dict[str, Path], both: Both
) -> None:
    """One launch after another dies a little later, the last ones in the middle of building the marts."""
    assert both.exit_codes == [0, 0], both.said
    expected = both.marts_content(RUN_ID)
    assert len(expected) >= 10
    assert expected["fct_transactions"].height > 100

    data = tmp_path / "killed"
    pipeline = ["pipeline", str(files["wanted"]), "--data", str(data)]
    deaths = [("state write", 2), ("dbt", 20), ("dbt and its child", 100)]
    for place, call in deaths:
        assert launch_to_die(place, call, *pipeline) == KILLED, place
        assert not (data / "built" / f"{RUN_ID}.json").exists(), place
    assert launch(*pipeline) == 0
    assert (data / "built" / f"{RUN_ID}.json").exists()
    assert raw_content(data) == both.raw_content(RUN_ID)
    found = marts_content(data)
    assert list(found) == list(expected)
    for table, rows in expected.items():
        assert found[table].equals(rows), table


@pytest.mark.slow
def test_two_launches_at_once_follow_one_another_and_lose_nothing(both: Both) -> None:
    assert len(both.waiting) == 2
    for said in both.waiting:
        assert f"Waiting for process {os.getpid()} (the test, since " in said[1], said
    assert both.exit_codes == [0, 0], both.said

    store = RawStore(both.data)
    assert [store.days_stored(run_id) for run_id in (RUN_ID, OTHER)] == [[0, 1], [0, 1]]
    marts = marts_content(both.data)
    for table in ("fct_transactions", "fct_lsm_cycles", "fct_lsm_effectiveness_days"):
        rows = marts[table]
        of_one, of_other = (
            rows.filter(pl.col("run_id") == run_id)
            .drop("run_id")
            .with_columns(pl.col("simulation_id").str.split(".").list.slice(1))
            for run_id in (RUN_ID, OTHER)
        )
        assert of_one.height > 0
        assert of_one.equals(of_other), table


@pytest.mark.slow
def test_after_pipelines_a_pruned_run_leaves_the_marts_exactly_the_rows_of_the_other(
    tmp_path: Path, both: Both
) -> None:
    data = Path(shutil.copytree(both.data, tmp_path / "data"))

    def rows() -> dict[str, dict[str, pl.DataFrame]]:
        return {
            table: {run_id: rows.filter(pl.col("run_id") == run_id) for run_id in (RUN_ID, OTHER)}
            for table, rows in marts_content(data).items()
            if "run_id" in rows.columns
        }

    before = rows()
    assert len(before) >= 8
    assert {table: one[OTHER].height for table, one in before.items()} == {
        table: one[RUN_ID].height for table, one in before.items()
    }
    assert sum(one[RUN_ID].height > 0 for one in before.values()) >= 7
    assert launch("prune", OTHER, "--yes", "--data", str(data)) == 0
    after = rows()
    assert list(after) == list(before)
    assert {table: one[OTHER].height for table, one in after.items()} == dict.fromkeys(before, 0)
    assert [table for table, one in after.items() if not one[RUN_ID].equals(before[table][RUN_ID])] == []
    assert list(data.rglob(f"*{OTHER}*")) == []
    with instance_of(data) as instance:
        assert list(instance.get_dynamic_partitions(str(RUNS.name))) == [RUN_ID]
        kept = {partition_key(RUN_ID, day) for day in range(DAYS)}
        assert [instance.get_materialized_partitions(raw_key(table)) for table in CONTRACTS] == [kept] * len(CONTRACTS)
