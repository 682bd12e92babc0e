"""kill -9 at any step of a launch, then the launch again: tables as if nothing had happened, byte for byte.

Each launch is a process of its own that ends itself, as the system would end it, when it comes to a given place.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest
import yaml

from pipelines.contracts import CONTRACTS
from pipelines.lock import launch_lock
from pipelines.places import dagster_home, warehouse_file
from pipelines.raw_store import RawStore
from tests.dbt.warehouse import FIVE_BANKS

RUN_ID = "killed"
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


def launch(place: str, call: int, *command: str) -> int:
    """The exit code of a launch that dies at the given call of a place, or comes to its end."""
    result = subprocess.run(
        [sys.executable, "-c", LAUNCH, place, str(call), *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=300,
    )
    return result.returncode


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
    assert launch("nowhere", 0, "run", "--quiet", "--config", str(files["wanted"]), "--data", str(data)) == 0
    content = raw_content(data)
    assert len(content) == DAYS * (len(CONTRACTS) + 1)
    return content


@pytest.fixture(scope="module")
def stored_before(tmp_path_factory: pytest.TempPathFactory, files: dict[str, Path]) -> Path:
    """A data folder that holds the other run of the name."""
    data = tmp_path_factory.mktemp("before") / "data"
    assert launch("nowhere", 0, "run", "--quiet", "--config", str(files["before"]), "--data", str(data)) == 0
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
    assert launch(place, call, *wanted) == KILLED

    # Whatever is committed is whole: all tables of a day are those of one run, of this one or of the one before.
    store = RawStore(data)
    for day in store.days_stored(RUN_ID):
        simulations = {
            tuple(sorted(store.read_table(table, RUN_ID, day)["simulation_id"].unique()))
            for table in ("simulations", "agents", "arrivals", "ticks", "agent_days")
        }
        assert simulations == {tuple(sorted(store.read_closing(RUN_ID, day)))}

    assert launch("nowhere", 0, *wanted) == 0
    assert raw_content(data) == undisturbed


def marts_content(data: Path) -> dict[str, pl.DataFrame]:
    with duckdb.connect(str(warehouse_file(data)), read_only=True) as connection:
        tables = [name for (name,) in connection.sql("select table_name from duckdb_tables() order by 1").fetchall()]
        return {table: connection.sql(f'select * from "{table}" order by all').pl() for table in tables}


@pytest.mark.slow
def test_a_pipeline_killed_at_every_stage_ends_as_if_undisturbed(tmp_path: Path, files: dict[str, Path]) -> None:
    """One launch after another dies a little later, the last ones in the middle of building the marts."""
    pipeline = ["pipeline", str(files["wanted"]), "--data"]
    undisturbed = tmp_path / "undisturbed"
    assert launch("nowhere", 0, *pipeline, str(undisturbed)) == 0
    expected = marts_content(undisturbed)
    assert len(expected) >= 10
    assert expected["fct_transactions"].height > 100

    data = tmp_path / "killed"
    deaths = [("state write", 2), ("dbt", 20), ("dbt and its child", 100)]
    for place, call in deaths:
        assert launch(place, call, *pipeline, str(data)) == KILLED, place
        assert not (data / "built" / f"{RUN_ID}.json").exists(), place
    assert launch("nowhere", 0, *pipeline, str(data)) == 0
    assert (data / "built" / f"{RUN_ID}.json").exists()
    assert raw_content(data) == raw_content(undisturbed)
    found = marts_content(data)
    assert list(found) == list(expected)
    for table, rows in expected.items():
        assert found[table].equals(rows), table


@pytest.mark.slow
def test_two_launches_at_once_follow_one_another_and_lose_nothing(tmp_path: Path, files: dict[str, Path]) -> None:
    data = tmp_path / "data"
    other = files["wanted"].with_name("other.yaml")
    other.write_text(files["wanted"].read_text().replace(RUN_ID, "other"))
    home = dagster_home(data)
    home.mkdir(parents=True)
    with launch_lock(home, "the test"):  # until both wait: else the one may be done before the other has begun
        both = [
            subprocess.Popen(
                [str(Path(sys.executable).with_name("payment-sim")), "pipeline", str(file), "--data", str(data)],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "COLUMNS": "400"},
            )
            for file in (files["wanted"], other)
        ]  # fmt: skip
        for process in both:
            assert process.stdout is not None
            said = [process.stdout.readline(), process.stdout.readline()]
            assert f"Waiting for process {os.getpid()} (the test, since " in said[1], said
    said = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said

    store = RawStore(data)
    assert [store.days_stored(run_id) for run_id in (RUN_ID, "other")] == [[0, 1], [0, 1]]
    marts = marts_content(data)
    for table in ("fct_transactions", "fct_lsm_cycles", "fct_lsm_effectiveness_days"):
        rows = marts[table]
        of_one, of_other = (
            rows.filter(pl.col("run_id") == run_id)
            .drop("run_id")
            .with_columns(pl.col("simulation_id").str.split(".").list.slice(1))
            for run_id in (RUN_ID, "other")
        )
        assert of_one.height > 0
        assert of_one.equals(of_other), table
