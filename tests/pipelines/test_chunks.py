"""Chunks: a run is cut into them in its order, and neither their size nor whoever simulates them changes a row."""

import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import chunks
from pipelines.chunks import ChunkDay, Refused, Staged, chunks_of, stage
from pipelines.contracts import CONTRACTS, ContractBroken, validate
from pipelines.fanout import Threads
from pipelines.raw_store import RawStore
from pipelines.run_days import run_and_store_days
from pipelines.runs import Run, load_run
from sim_engine import InputError, Problem, SystemState, run_day
from sim_engine.errors import ABSENT
from tests.helpers.stored_runs import files_below
from tests.helpers.tables import frames_of_day

SCENARIO = """
name: three_banks
ticks_per_day: 8
num_days: 2
agents:
  - {id: A, opening_balance: 600}
  - {id: B, opening_balance: 0, credit_limit: 200}
  - {id: C, opening_balance: 100}
generate: {default: {payments_per_day: 6, amount: {median: 300, sigma: 1.0}}}
"""
RUN = """
run_id: five
scenario: three_banks.yaml
seeds: {from: 1, count: 5}
"""
MEMBERS, DAYS = 5, 2


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("files")
    (folder / "three_banks.yaml").write_text(SCENARIO)
    (folder / "five.yaml").write_text(RUN)
    return load_run(folder / "five.yaml")


def store_run(run: Run, folder: Path, chunk_size: int, threads: int = 1) -> RawStore:
    store = RawStore(folder)
    days = run_and_store_days(replace(run, chunk_size=chunk_size), store, 0, DAYS - 1, fanout=Threads(threads))
    assert len(list(days)) == DAYS
    return store


def names_of(members) -> list[str]:
    return [member.simulation_id for member in members]


@pytest.mark.parametrize(
    ("chunk_size", "sizes"), [(1, [1, 1, 1, 1, 1]), (2, [2, 2, 1]), (4, [4, 1]), (5, [5]), (64, [5])]
)
def test_a_run_is_cut_into_chunks_of_its_size_in_its_order(run, chunk_size, sizes):
    cut = chunks_of(replace(run, chunk_size=chunk_size))
    assert [len(members) for members in cut] == sizes
    assert names_of(member for members in cut for member in members) == names_of(run.members)


def test_a_part_holds_the_rows_of_its_chunks_members_in_their_order(run, tmp_path):
    store = store_run(run, tmp_path / "data", 2)
    names = names_of(run.members)
    for chunk, expected in enumerate([names[:2], names[2:4], names[4:]]):
        for table in ("simulations", "agents", "arrivals", "ticks", "agent_days"):
            rows = pl.read_parquet(store.part(table, "five", 1, chunk), hive_partitioning=False)
            assert rows["simulation_id"].unique(maintain_order=True).to_list() == expected
        assert list(store.read_closing("five", 1, chunk)) == expected


@pytest.fixture(scope="module")
def simulated(run) -> list[tuple[dict[str, pl.DataFrame], dict[str, SystemState]]]:
    """Each day's tables and closing states, from the members one by one: no chunks, no store."""
    states = [SystemState.opening(member.scenario) for member in run.members]
    days = []
    for _ in range(DAYS):
        done = [run_day(member.scenario, state) for member, state in zip(run.members, states, strict=True)]
        states = [state for _, state in done]
        frames = frames_of_day(zip(run.members, [record for record, _ in done], strict=True))
        days.append((frames, dict(zip(names_of(run.members), states, strict=True))))
    assert days[1][0]["lsm_cycles"].height > 0
    return days


@settings(max_examples=8)
@given(chunk_size=st.integers(1, MEMBERS + 1), threads=st.sampled_from([1, 3]))
def test_any_size_of_chunks_gives_the_same_rows_and_states(run, simulated, tmp_path_factory, chunk_size, threads):
    store = store_run(run, tmp_path_factory.mktemp("data"), chunk_size, threads)
    for day, (frames, states) in enumerate(simulated):
        assert store.chunks("five", day) == -(-MEMBERS // chunk_size)
        assert [table for table in CONTRACTS if not store.read_table(table, "five", day).equals(frames[table])] == []
        assert store.read_closing("five", day) == states
        assert list(store.read_closing("five", day)) == list(states)


def test_threads_change_no_byte_of_any_chunk(run, tmp_path):
    one, three = (store_run(run, tmp_path / str(threads), 2, threads) for threads in (1, 3))
    files = files_below(one.root)
    assert len(files) == DAYS * 3 * (len(CONTRACTS) + 1)
    assert files_below(three.root) == files


def test_a_run_goes_on_from_days_that_were_cut_otherwise(run, simulated, tmp_path):
    store = store_run(run, tmp_path / "data", 2)
    list(run_and_store_days(replace(run, chunk_size=3), store, 1, 1))
    assert [store.chunks("five", day) for day in range(DAYS)] == [3, 2]
    for day, (frames, states) in enumerate(simulated):
        assert [table for table in CONTRACTS if not store.read_table(table, "five", day).equals(frames[table])] == []
        assert store.read_closing("five", day) == states
    list(run_and_store_days(replace(run, chunk_size=4), store, 0, 0))
    assert store.days_stored("five") == [0, 1], "another chunk_size alone changes no state"
    assert [store.chunks("five", day) for day in range(DAYS)] == [2, 2]
    assert store.is_whole("five")


def test_a_first_chunk_that_cannot_be_simulated_stores_nothing_of_later_ones(run, tmp_path, monkeypatch):
    simulated = []

    def refuse(scenario, opening):
        simulated.append(scenario)
        raise InputError("anywhere", [Problem("generate", 1, "cannot be simulated")])

    monkeypatch.setattr(chunks, "run_day", refuse)
    store = RawStore(tmp_path / "data")
    with pytest.raises(InputError, match="cannot be simulated"):
        list(run_and_store_days(replace(run, chunk_size=1), store, 0, 0, fanout=Threads(1)))
    assert len(simulated) == 1
    assert not list(store.root.rglob("*.*"))


# What goes to workers, and what comes back


def chunk_of(run: Run, store: RawStore) -> ChunkDay:
    states = tuple(SystemState.opening(member.scenario) for member in run.members)
    return ChunkDay(store, run.run_id, 0, 0, run.members, states)


def test_a_chunk_that_was_pickled_is_staged_as_it_would_have_been(run, tmp_path):
    staged = []
    for folder, pickled in (("here", False), ("there", True)):
        chunk = chunk_of(run, RawStore(tmp_path / folder))
        outcome = stage(pickle.loads(pickle.dumps(chunk)) if pickled else chunk, 1)
        back = pickle.loads(pickle.dumps(outcome))
        assert isinstance(back, Staged)
        assert back == outcome
        content = files_below(tmp_path / folder)
        staged.append({place.replace(back.attempt, "ATTEMPT"): bytes_ for place, bytes_ in content.items()})
    assert len(staged[0]) == len(CONTRACTS) + 1
    assert staged[0] == staged[1]


def test_a_refused_chunk_says_the_same_when_it_was_pickled(run, tmp_path, monkeypatch):
    whole = chunks.frame_of

    def spoilt(table, day):
        frame = whole(table, day)
        return frame.with_columns(pl.col("amount") * 0) if table == "arrivals" else frame

    monkeypatch.setattr(chunks, "frame_of", spoilt)
    outcome = stage(chunk_of(run, RawStore(tmp_path)), 1)
    assert isinstance(outcome, Refused)
    back = pickle.loads(pickle.dumps(outcome))
    assert back.heights == outcome.heights
    assert list(back.broken) == list(outcome.broken) == ["arrivals"]
    (frame, broken), (frame_back, broken_back) = outcome.broken["arrivals"], back.broken["arrivals"]
    assert frame.height > 0
    assert frame_back.equals(frame)
    assert (str(broken_back), broken_back.table) == (str(broken), "arrivals")
    assert broken_back.cases.equals(broken.cases)


def test_what_is_wrong_says_the_same_when_it_was_pickled(simulated):
    problems = [Problem("generate", ABSENT, "leave it out"), Problem("agents[0].id", None, "needs a name")]
    error = InputError(Path("file.yaml"), problems)
    back = pickle.loads(pickle.dumps(error))
    assert (str(back), back.source, back.problems) == (str(error), "file.yaml", tuple(problems))
    assert back.problems[0].value is ABSENT
    with pytest.raises(ContractBroken) as broken:
        validate("ticks", simulated[0][0]["ticks"].with_columns(pl.col("tick") - 1))
    back = pickle.loads(pickle.dumps(broken.value))
    assert str(back) == str(broken.value)
    assert back.cases.equals(broken.value.cases)


def test_a_chunk_for_an_engine_of_another_version_is_refused(run, tmp_path):
    chunk = replace(chunk_of(run, RawStore(tmp_path / "data")), engine_version="0.0.1")
    with pytest.raises(InputError, match=r"chunk 0 of five: 1 problem\s+engine: found '0\.0\.1'; this worker's engine"):
        stage(chunk, 1)
    assert not (tmp_path / "data").exists()


FILE_SCENARIO = """
name: filed
ticks_per_day: 4
num_days: 1
agents: [{id: A, opening_balance: 10}, {id: B, opening_balance: 0}]
arrivals_file: payments.csv
"""
PAYMENTS = """transaction,sender,receiver,amount,tick,priority,deadline
T1,A,B,7,0,urgent,2
T2,B,A,5,1,,
T3,A,B,9,3,low,3
"""


def test_a_payments_file_that_was_pickled_is_the_same_and_as_fast(tmp_path):
    """An unpickled array's dtype is equal to numpy's and another object, which takes numpy's generic ways."""
    (tmp_path / "filed.yaml").write_text(FILE_SCENARIO)
    (tmp_path / "payments.csv").write_text(PAYMENTS)
    (member,) = load_run(tmp_path / "filed.yaml").members
    back = pickle.loads(pickle.dumps(member))
    file, file_back = member.scenario.payments_file, back.scenario.payments_file
    arrays = {name: value for name, value in vars(file).items() if isinstance(value, np.ndarray)}
    assert list(arrays) == ["senders", "receivers", "amounts", "ticks", "priorities", "deadlines"]
    for name, array in arrays.items():
        array_back = getattr(file_back, name)
        assert array_back.tolist() == array.tolist()
        assert array_back.dtype is np.dtype(array.dtype.name), name
    assert (file_back.name, file_back.sha256, file_back.ids) == (file.name, file.sha256, file.ids)
    record, state = run_day(member.scenario, SystemState.opening(member.scenario))
    record_back, state_back = run_day(back.scenario, SystemState.opening(back.scenario))
    assert state_back == state
    frames, frames_back = frames_of_day([(member, record)]), frames_of_day([(back, record_back)])
    assert frames["settlements"]["transaction"].to_list() == ["T1", "T2"]
    assert [table for table in CONTRACTS if not frames_back[table].equals(frames[table])] == []
