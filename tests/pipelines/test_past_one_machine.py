"""Past one machine: Dask workers and an object store, each a process of its own, give what threads and a folder give.

One scheduler, two workers, an S3-compatible server; what they are told is an address and a URL, and nothing else.
"""

import itertools
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from distributed import Client

from pipelines.assets import raw_days
from pipelines.cli import main
from pipelines.contracts import CONTRACTS
from pipelines.dask_workers import dask_of
from pipelines.fanout import Threads
from pipelines.partitions import RANGE_END_TAG, RANGE_START_TAG, RUNS, partition_key
from pipelines.progress import ProgressInLog
from pipelines.raw_store import RawStore
from pipelines.resources import Data, Workers
from pipelines.run_days import run_and_store_days
from pipelines.run_files import run_file
from pipelines.runs import Run, load_run
from pipelines.stores import STORE_VARIABLE
from tests.helpers.object_store import SECRET, ObjectStore, objects_of, running_object_store
from tests.helpers.stored_runs import files_below

pytestmark = pytest.mark.slow

RUN_ID = "sweep"
DAYS, MEMBERS, CHUNKS = 2, 64, 6
EVERY = 16
"""Days of simulations between two lines that the log says."""

SIX_BANKS = """
name: six_banks
ticks_per_day: 12
num_days: 2
agents:
  - {id: A, opening_balance: 9000, credit_limit: 3000}
  - {id: B, opening_balance: 5000}
  - {id: C, opening_balance: 0, posted_collateral: 4000, haircut_bp: 1500}
  - {id: D, opening_balance: 2000}
  - {id: E, opening_balance: 0}
  - {id: F, opening_balance: 1000}
generate: {default: {payments_per_day: 10, amount: {median: 2500, sigma: 1.0}}}
"""
SWEEP = """
run_id: sweep
scenario: six_banks.yaml
seeds: {from: 1, count: 32}
chunk_size: 11
arms:
  lsm_on: {}
  lsm_off: {baseline: true, set: {lsm: {bilateral: false, ring: false, gridlock: false}}}
"""

STOPPING = """
import os, time
from pathlib import Path
from pipelines import chunks
from pipelines.contracts import validate

here = Path({folder!r})

def validate_or_stop(table, frame):
    if table == "ticks" and (here / "armed").exists():
        (here / "stopped").write_text(str(os.getpid()))
        while True:
            time.sleep(60)
    return validate(table, frame)

chunks.validate = validate_or_stop
"""
"""What a worker loads when it starts: once it is armed, it stops in the middle of a chunk, some of whose tables it has
staged, and says so. It never goes on."""


# Who is there


@dataclass
class Machines:
    """A scheduler and its workers, by name, each a process of its own that this test has started."""

    folder: Path
    address: str = ""
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start_scheduler(self) -> None:
        file = self.folder / "scheduler.json"
        self._start("scheduler", "scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
        wait_until(lambda: file.exists() and file.read_text().endswith("}"), "the scheduler does not come up")
        self.address = json.loads(file.read_text())["address"]

    def start_worker(self, name: str) -> None:
        """Starts a worker unless it is running."""
        if name in self.processes and self.processes[name].poll() is None:
            return
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / "stopping.py").write_text(STOPPING.format(folder=str(folder)))
        self._start(
            name, "worker", self.address, "--name", name, "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1",
            "--local-directory", str(folder), "--preload", str(folder / "stopping.py"), "--death-timeout", "60",
        )  # fmt: skip

    def _start(self, name: str, kind: str, *options: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{kind}", *options, "--dashboard-address", "127.0.0.1:0"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder,
            )  # fmt: skip

    def chunks_given_to(self, name: str) -> list[str]:
        """Numbers of the chunks that a worker has been given and has not done."""
        with Client(self.address) as client:
            addresses = {worker["name"]: address for address, worker in client.scheduler_info(-1)["workers"].items()}
            tasks = client.processing([addresses[name]])[addresses[name]]
        return [re.fullmatch(rf"{RUN_ID}-day-0-chunk-(\d+)-\w+", task)[1] for task in tasks]

    def end(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


def wait_until(is_so, otherwise: str) -> None:
    for _ in range(1200):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError(otherwise)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with running_object_store(tmp_path_factory.mktemp("objects")) as server:
        yield server


@pytest.fixture(scope="module")
def scheduler(objects: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A scheduler; its workers are started with the environment that names the object store."""
    machines = Machines(tmp_path_factory.mktemp("machines"))
    try:
        machines.start_scheduler()
        yield machines
    finally:
        machines.end()


@pytest.fixture
def machines(scheduler: Machines) -> Machines:
    """The scheduler with two workers."""
    for name in ("one", "other"):
        scheduler.start_worker(name)
    with Client(scheduler.address) as client:
        client.wait_for_workers(2, timeout=60)
    return scheduler


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("files")
    (folder / "six_banks.yaml").write_text(SIX_BANKS)
    (folder / "sweep.yaml").write_text(SWEEP)
    loaded = load_run(folder / "sweep.yaml")
    assert len(loaded.members) == MEMBERS
    return loaded


@dataclass(frozen=True)
class Local:
    """What threads of this process make of the run in a folder: content by place, rows by day and table."""

    content: dict[str, bytes]
    heights: list[dict[str, int]]


@pytest.fixture(scope="module")
def local(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Local:
    store = RawStore(tmp_path_factory.mktemp("local"))
    days = list(run_and_store_days(run, store, 0, DAYS - 1, fanout=Threads(2)))
    content = files_below(store.root)
    assert len(content) == DAYS * CHUNKS * (len(CONTRACTS) + 1)
    cycles = store.read_table("lsm_cycles", RUN_ID, 1)
    assert cycles.height > MEMBERS
    assert set(cycles["mechanism"]) == {"bilateral", "ring", "gridlock"}
    return Local(content, [day.heights for day in days])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


# What they make


def test_workers_and_an_object_store_give_what_threads_and_a_folder_give(
    machines: Machines, objects: ObjectStore, run: Run, local: Local, data: Path
) -> None:
    url = objects.url("undisturbed")
    command = ["run", "--config", str(run.source), "--data", str(data), "--store", url, "--dask", machines.address]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert f"Raw tables: {url}/raw (run_id={RUN_ID})" in result.output
    assert objects_of(objects.store("undisturbed")) == local.content
    assert files_below(data) == {}
    assert SECRET not in result.output
    assert holders_of_the_secret(machines.folder) == []


def test_the_asset_gives_the_same_and_says_how_far_it_is_and_nothing_secret(
    machines: Machines, objects: ObjectStore, run: Run, local: Local, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STORE_VARIABLE, objects.url("asset"))
    resources = {
        "data": Data(data_root=str(data), run_folders=[str(run.source.parent)]),
        "workers": Workers(dask=machines.address),
        "progress": ProgressInLog(every_seconds=EVERY, clock=map(float, itertools.count()).__next__),
    }
    job = dg.define_asset_job("raw_only", selection=dg.AssetSelection.assets(raw_days))
    defined = dg.Definitions(assets=[run_file, raw_days], resources=resources, jobs=[job])
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(str(RUNS.name), [RUN_ID])
        days = {RANGE_START_TAG: partition_key(RUN_ID, 0), RANGE_END_TAG: partition_key(RUN_ID, 0)}
        result = defined.resolve_job_def("raw_only").execute_in_process(
            instance=instance, tags=days, run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        )
        entries = instance.all_logs(result.run_id)
    assert result.success
    prepared = {place: content for place, content in objects_of(objects.store("asset")).items() if "=no-run/" in place}
    assert len(prepared) == len(CONTRACTS)
    first_day = {place: content for place, content in local.content.items() if "/day=0000/" in place}
    assert len(first_day) == CHUNKS * (len(CONTRACTS) + 1)
    assert objects_of(objects.store("asset")) == prepared | first_day
    said = [entry.user_message for entry in entries]
    units = MEMBERS
    told = [re.search(rf"^{RUN_ID}: .*day 0: (\d+) of {units} days of simulations, ", line) for line in said]
    assert [int(found[1]) for found in told if found] == [*range(EVERY, units, EVERY)]
    assert sum(" committed (" in line for line in said) == 1
    assert len(entries) > len(CONTRACTS)
    assert [entry for entry in entries if SECRET in dg.serialize_value(entry)] == []
    assert holders_of_the_secret(data) == holders_of_the_secret(machines.folder) == []


def test_a_worker_killed_in_the_middle_of_a_chunk_changes_nothing(
    machines: Machines, objects: ObjectStore, run: Run, local: Local
) -> None:
    """One worker has staged some tables of a chunk and will never go on: the first day waits until it is killed."""
    store = objects.store("disturbed")
    doomed = machines.processes["other"]
    armed, stopped = (machines.folder / "other" / name for name in ("armed", "stopped"))
    armed.touch()
    begun: list[list[str]] = []
    told = 0

    def kill_when_a_chunk_is_done() -> None:
        nonlocal told
        told += 1
        if doomed.poll() is None:
            wait_until(stopped.exists, "the worker does not come to its chunk")
            begun.append(machines.chunks_given_to("other"))
            assert store.days_stored(RUN_ID) == []
            assert {*begun[0]} & staged_chunks(store, "arrivals") - staged_chunks(store, "ticks") != set()
            doomed.send_signal(signal.SIGKILL)
            assert doomed.wait() == -signal.SIGKILL

    try:
        with dask_of(machines.address, "--dask") as dask:
            days = list(run_and_store_days(run, store, 0, DAYS - 1, fanout=dask, on_member=kill_when_a_chunk_is_done))
    finally:  # it would stop other tests
        armed.unlink(missing_ok=True)
        doomed.kill()
    assert len(begun) == 1
    assert machines.processes["one"].poll() is None
    assert objects_of(store) == local.content
    assert [day.heights for day in days] == local.heights
    assert told == MEMBERS * DAYS


def test_a_bucket_that_is_not_there_is_refused_and_nothing_written(objects: ObjectStore, run: Run, data: Path) -> None:
    command = ["run", "--config", str(run.source), "--data", str(data), "--store", "s3://nobody/sweep"]
    result = CliRunner().invoke(main, command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"  {STORE_VARIABLE}=s3://nobody/sweep: cannot be written to (" in result.stderr
    assert SECRET not in result.stderr
    assert not data.exists()


def test_the_secret_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "log").write_bytes(b"key=" + SECRET.encode() + b"\x00")
    assert holders_of_the_secret(tmp_path) == ["folder/log"]


def holders_of_the_secret(folder: Path) -> list[str]:
    """Files below a folder that the secret stands in."""
    return [place for place, content in files_below(folder).items() if SECRET.encode() in content]


def staged_chunks(store: RawStore, table: str) -> set[str]:
    """Numbers of the chunks that have staged a table of the first day."""
    folder = store.part(table, RUN_ID, 0).parent
    staged = [re.fullmatch(r"\.part-(\d+)\.parquet\.\w+\.staged", name) for name in store.files.listing(folder)]
    return {found[1] for found in staged if found}
