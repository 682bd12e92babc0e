"""Who simulates: Dask's workers give what threads give, and whatever cannot work is told before anything is stored."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from dask import config
from distributed import Client, LocalCluster

from pipelines import chunks, dask_workers
from pipelines.chunks import ChunkDay, chunks_of
from pipelines.cli import main
from pipelines.contracts import CONTRACTS
from pipelines.dask_workers import Dask, WorkersLost
from pipelines.fanout import DASK_VARIABLE, Threads, check_fanout, fanout_of
from pipelines.places import PROJECT_ROOT
from pipelines.raw_store import RawStore
from pipelines.run_days import DayRefused, RunStopped, run_and_store_days
from pipelines.runs import Run, load_run
from sim_engine import InputError, Problem
from tests.helpers.stored_runs import SWAP, TWO_ARMS, files_below

RING = PROJECT_ROOT / "scenarios" / "three_bank_ring.yaml"
RUN_ID, DAYS, MEMBERS = "two_arms", 3, 4


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def run(tmp_path) -> Run:
    """Four simulations, each a chunk."""
    (tmp_path / "swap.yaml").write_text(SWAP)
    (tmp_path / "two_arms.yaml").write_text(TWO_ARMS.format(run_id=RUN_ID, days=DAYS))
    loaded = load_run(tmp_path / "two_arms.yaml")
    assert len(loaded.members) == MEMBERS
    return replace(loaded, chunk_size=1)


@pytest.fixture
def store(tmp_path) -> RawStore:
    return RawStore(tmp_path / "data")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A scheduler and a worker of one thread, both in this process."""
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        yield client


@pytest.fixture
def dask(client: Client) -> Dask:
    return Dask(client, "--dask=here")


def days_of(run: Run, store: RawStore, **how) -> list[dict[str, int]]:
    return [day.heights for day in run_and_store_days(run, store, 0, DAYS - 1, **how)]


# The same as threads


def test_workers_give_the_bytes_and_the_counts_of_threads(run, store, dask, tmp_path):
    told = []
    by_threads = RawStore(tmp_path / "threads")
    heights = days_of(run, by_threads, fanout=Threads(2))
    assert days_of(run, store, fanout=dask, on_member=lambda: told.append(1)) == heights
    files = files_below(by_threads.root)
    assert len(files) == DAYS * MEMBERS * (len(CONTRACTS) + 1)
    assert files_below(store.root) == files
    assert len(told) == MEMBERS * DAYS


def test_a_store_named_from_here_is_the_same_for_workers_elsewhere(run, dask, tmp_path, monkeypatch):
    seen, stage = [], dask_workers.stage

    def note(chunk, threads):
        seen.append(chunk.store.root)
        return stage(chunk, threads)

    monkeypatch.setattr(dask_workers, "stage", note)
    monkeypatch.chdir(tmp_path)
    assert len(days_of(run, RawStore(Path("data")), fanout=dask)) == DAYS
    assert seen == [tmp_path / "data"] * (DAYS * MEMBERS)
    assert len(files_below(tmp_path / "data")) == DAYS * MEMBERS * (len(CONTRACTS) + 1)


def refuse_members(monkeypatch: pytest.MonkeyPatch, run: Run, *refused: int, day: int = 0) -> list[int]:
    """Lets members, by their place, fail on a day. Returns the places of those that are simulated, as they are."""
    simulate, simulated = chunks.run_day, []
    places = {
        (member.scenario.scenario_hash, member.scenario.stated.rng_seed): place
        for place, member in enumerate(run.members)
    }

    def run_day(scenario, opening):
        place = places[scenario.scenario_hash, scenario.stated.rng_seed]
        simulated.append(place)
        if place in refused and opening.day == day:
            raise InputError("anywhere", [Problem("generate", place, "cannot be simulated")])
        return simulate(scenario, opening)

    monkeypatch.setattr(chunks, "run_day", run_day)
    return simulated


@pytest.mark.parametrize("workers", [False, True], ids=["threads", "Dask"])
def test_of_several_chunks_that_fail_the_first_is_told(run, store, dask, monkeypatch, workers):
    refuse_members(monkeypatch, run, 1, 3)
    with pytest.raises(InputError, match=r"two_arms\.yaml: 1 problem\s+generate: found 1; cannot be simulated"):
        days_of(run, store, fanout=dask if workers else Threads(1))
    assert files_below(store.root) == {}


def test_of_chunks_after_one_that_fails_only_those_that_a_worker_has_are_waited_for(run, store, client, monkeypatch):
    """There is one worker of one thread, which has a chunk beside the one that it is about; both end before the run."""
    many = replace(run, members=run.members[:1] + run.members[1:2] * 7)
    cancelled, ended = threading.Event(), []
    cancel = client.cancel

    def run_day(scenario, opening):
        ended.append(scenario.stated.rng_seed)
        if len(ended) == 1:
            for _ in range(3000):
                if any(len(keys) > 1 for keys in client.processing().values()):
                    break
                time.sleep(0.01)
            raise InputError("anywhere", [Problem("generate", 1, "cannot be simulated")])
        assert cancelled.wait(30)
        return simulate(scenario, opening)

    def cancel_and_tell(futures, **options):
        cancel(futures, **options)
        cancelled.set()

    simulate = chunks.run_day
    monkeypatch.setattr(chunks, "run_day", run_day)
    monkeypatch.setattr(client, "cancel", cancel_and_tell)
    with pytest.raises(InputError, match="generate: found 1; cannot be simulated"):
        list(run_and_store_days(many, store, 0, 0, fanout=Dask(client, "--dask=here")))
    assert 2 <= len(ended) <= 4
    assert files_below(store.root) == {}


def test_a_later_day_that_fails_leaves_the_days_before(run, store, dask, monkeypatch):
    refuse_members(monkeypatch, run, 2, day=1)
    with pytest.raises(RunStopped, match=r"generate: found 2; cannot be simulated\n  1 day of this run came before"):
        days_of(run, store, fanout=dask)
    assert store.days_stored(RUN_ID) == [0]
    assert len(files_below(store.root)) == MEMBERS * (len(CONTRACTS) + 1)


def test_a_broken_contract_is_told_as_threads_tell_it(run, store, dask, tmp_path, monkeypatch):
    whole = chunks.frame_of

    def spoilt(table, day):
        frame = whole(table, day)
        is_spoilt = table == "ticks" and day.records[0].day == 1
        return frame.with_columns(pl.col("tick") - 7) if is_spoilt else frame

    monkeypatch.setattr(chunks, "frame_of", spoilt)
    told = []
    for fanout, data in ((Threads(1), RawStore(tmp_path / "threads")), (dask, store)):
        with pytest.raises(DayRefused) as refused:
            days_of(run, data, fanout=fanout)
        told.append((str(refused.value), refused.value.heights, list(refused.value.broken)))
        assert data.days_stored(RUN_ID) == [0]
        assert len(files_below(data.root)) == MEMBERS * (len(CONTRACTS) + 1)
    assert told[0] == told[1]
    assert told[0][2] == ["ticks"]


def test_what_the_scheduler_has_lost_stops_the_run_with_what_to_do(run, store, client):
    def lose_everything():
        for key in list(client.futures):
            client.futures[key].cancel()

    with pytest.raises(WorkersLost, match="the Dask scheduler was lost; launch again"):
        days_of(run, store, fanout=Dask(client, "--dask=here"), on_member=lose_everything)
    assert store.days_stored(RUN_ID) == []


def test_a_run_whose_workers_are_gone_for_good_is_stopped_with_what_to_do(run, store):
    """A scheduler that is told to wait no longer than this for one to come back."""
    with (
        config.set({"distributed.scheduler.no-workers-timeout": "500ms"}),
        LocalCluster(n_workers=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        dask = Dask(client, "--dask=here")
        dask.check(store)
        cluster.scale(0)
        chunk = ChunkDay(store, run.run_id, 0, 0, chunks_of(run)[0], None)
        with pytest.raises(WorkersLost, match=r"^no worker was left for 0\.5 s; start some, and launch again"):
            list(dask.staged([chunk], None))


# Before anything is stored


def sees_nothing(file):
    return False


def sees_no_library(file):
    raise ModuleNotFoundError("No module named 's3fs'")


@pytest.mark.parametrize(("looks", "why"), [(sees_nothing, ""), (sees_no_library, r" \(No module named 's3fs'\)")])
def test_a_worker_that_does_not_see_the_store_is_refused(run, store, dask, monkeypatch, looks, why):
    monkeypatch.setattr(dask_workers, "_sees", looks)
    remedy = r"--dask=here: worker \S+ does not see \S+data" + why + r"; name a store that all machines reach, as PAYM"
    with pytest.raises(InputError, match=remedy):
        days_of(run, store, fanout=dask)
    assert not store.root.exists()


def test_a_scheduler_without_workers_is_refused(run, store, monkeypatch):
    monkeypatch.setattr(dask_workers, "_ANSWERS_WITHIN_SECONDS", 0.1)
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
        pytest.raises(InputError, match="--dask=x: the scheduler has no worker; start some: dask worker ADDRESS"),
    ):
        days_of(run, store, fanout=Dask(client, "--dask=x"))
    assert not store.root.exists()


@pytest.mark.parametrize("stated", ["nonsense", "local:0", "local:x", "local:", "tcp://", "tcp://a b", "http://host:1"])
def test_what_is_no_dask_is_refused(stated):
    with pytest.raises(InputError) as refused:
        fanout_of(stated)
    remedy = "is no Dask; state local, local:N for N workers, or the address of a scheduler, as tcp://HOST:8786"
    assert str(refused.value) == f"configuration: 1 problem\n  {DASK_VARIABLE}={stated}: {remedy}"


NOBODY = "tcp://127.0.0.1:1"


def test_a_scheduler_that_does_not_answer_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(dask_workers, "_ANSWERS_WITHIN_SECONDS", 0.1)
    for ask in (check_fanout, lambda stated: fanout_of(stated).__enter__()):
        with pytest.raises(InputError, match=rf"{DASK_VARIABLE}={NOBODY}: no scheduler answers there .*dask scheduler"):
            ask(NOBODY)


def test_nothing_is_started_to_look_at_local_workers(monkeypatch):
    monkeypatch.setattr(dask_workers, "LocalCluster", None)
    for stated in ("", "local", "local:2"):
        check_fanout(stated)


@pytest.mark.parametrize("stated", ["nonsense", NOBODY])
def test_a_command_line_whose_dask_cannot_be_had_writes_nothing(tmp_path, monkeypatch, stated):
    monkeypatch.setattr(dask_workers, "_ANSWERS_WITHIN_SECONDS", 0.1)
    command = ["run", "--config", str(RING), "--data", str(tmp_path / "data"), "--dask", stated]
    result = CliRunner().invoke(main, command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{DASK_VARIABLE}={stated}: " in result.stderr
    assert list(tmp_path.iterdir()) == []


# Without the extras

WITHOUT = """
import sys
for name in ("dask", "distributed", "s3fs", "boto3", "botocore", "aiobotocore", "moto", "dagster_postgres", "psycopg2"):
    sys.modules[name] = None  # as if it were not installed
from pipelines.cli import main
main()
"""


@pytest.fixture
def without_extras(tmp_path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs a command line where no extra is installed."""

    def run_command(*options: str) -> "subprocess.CompletedProcess[str]":
        command = ["run", "--quiet", "--config", str(RING), "--data", str(tmp_path / "data"), *options]
        return subprocess.run(
            [sys.executable, "-c", WITHOUT, *command], capture_output=True, text=True, timeout=120, cwd=tmp_path
        )

    return run_command


def test_without_the_extras_a_run_is_stored(without_extras, tmp_path):
    result = without_extras()
    assert (result.returncode, result.stderr) == (0, "")
    assert RawStore(tmp_path / "data").days_stored("three_bank_ring") == [0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--dask", "local"), "PAYMENT_SIM_DASK=local: needs Dask, which is not installed; install the extra: "
         "pip install 'payment-sim[dask]'"),
        (("--store", "s3://bucket/prefix"), "PAYMENT_SIM_STORE=s3://bucket/prefix: needs a library that is not "
         "installed; install the extra: pip install 'payment-sim[s3]'"),
    ],
)  # fmt: skip
def test_asking_for_an_extra_that_is_not_installed_names_it(without_extras, tmp_path, options, said):
    result = without_extras(*options)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"configuration: 1 problem\n  {said}\n"
    assert list(tmp_path.iterdir()) == []
