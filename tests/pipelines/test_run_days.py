"""Days of a run: committed one by one, the same bytes however they are cut, resumed from what is stored (SPEC 10)."""

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import chunks, run_days
from pipelines.contracts import CONTRACTS
from pipelines.fanout import Threads
from pipelines.raw_store import RawStore
from pipelines.run_days import DayRefused, RunStopped, opening_states, reusable_day, run_and_store_days
from pipelines.runs import Member, Run, load_run
from sim_engine import InputError, Problem, Scenario, SystemState, run_day
from sim_engine import run_days as simulate_days
from tests.helpers.drawing import crowded_scenarios, scenarios
from tests.helpers.tables import frames_of_day

SCENARIO = """
name: research_days
ticks_per_day: 30
num_days: 3
rng_seed: 1
agents:
  - {id: A, opening_balance: 900, credit_limit: 100}
  - {id: B, opening_balance: 0, posted_collateral: 500, haircut_bp: 1250}
  - {id: C, opening_balance: 300}
  - {id: D, opening_balance: 0}
arrivals:
  - {id: L1, sender: A, receiver: B, amount: 5000, tick: 3}
generate: {default: {payments_per_day: 25, amount: {median: 300, sigma: 1.0}}}
lsm: {every_ticks: 4}
"""
CHANGED = SCENARIO.replace("opening_balance: 900", "opening_balance: 901")
RUN = """
run_id: two_arms
scenario: research_days.yaml
seeds: [1, 2]
arms:
  with_lsm: {}
  without_lsm: {baseline: true, set: {lsm: {bilateral: false, ring: false, gridlock: false}}}
"""


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def written_run(folder: Path, scenario: str = SCENARIO, run: str = RUN) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "research_days.yaml").write_text(scenario, encoding="utf-8")
    (folder / "two_arms.yaml").write_text(run, encoding="utf-8")
    return folder / "two_arms.yaml"


@pytest.fixture
def run(tmp_path) -> Run:
    return load_run(written_run(tmp_path / "files"))


@pytest.fixture
def store(tmp_path) -> RawStore:
    return RawStore(tmp_path / "data")


def single(scenario: Scenario) -> Run:
    """A run of one simulation."""
    name = scenario.stated.name
    return Run(name, Path("drawn.yaml"), scenario.stated.num_days, (Member(name, "base", "base", scenario),))


def files_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def store_days(run: Run, store: RawStore, first: int, last: int) -> list[int]:
    return [stored.day for stored in run_and_store_days(run, store, first, last)]


# The same bytes


def test_days_at_once_and_one_by_one_give_the_same_bytes(run, tmp_path):
    at_once, by_day, mixed = (RawStore(tmp_path / name) for name in ("at_once", "by_day", "mixed"))
    assert store_days(run, at_once, 0, 2) == [0, 1, 2]
    assert [store_days(run, by_day, day, day) for day in range(3)] == [[0], [1], [2]]
    assert store_days(run, mixed, 0, 0) + store_days(run, mixed, 1, 2) == [0, 1, 2]
    files = files_of(at_once.root)
    assert len(files) == 3 * (len(CONTRACTS) + 1)
    assert files_of(by_day.root) == files
    assert files_of(mixed.root) == files


def check_days_can_be_cut_anywhere(scenario: Scenario) -> None:
    """Each day from the text of the state before it, against all days in one go."""
    at_once = list(simulate_days(scenario, SystemState.opening(scenario), scenario.stated.num_days))
    assert len(at_once) == scenario.stated.num_days
    text = SystemState.opening(scenario).to_json()
    for record, closing in at_once:
        again, state = run_day(scenario, SystemState.from_json(text))
        text = state.to_json()
        assert state == closing
        assert text == closing.to_json()
        frames = frames_of_day([(single(scenario).members[0], again)])
        expected = frames_of_day([(single(scenario).members[0], record)])
        assert [table for table in CONTRACTS if not frames[table].equals(expected[table])] == []


@settings(max_examples=40)
@given(scenarios())
def test_a_day_from_a_stored_state_is_the_uninterrupted_one(scenario):
    check_days_can_be_cut_anywhere(scenario)


@pytest.mark.slow
@settings(max_examples=100)
@given(st.one_of(scenarios(), crowded_scenarios()))
def test_a_day_of_many_scenarios_from_a_stored_state_is_the_uninterrupted_one(scenario):
    check_days_can_be_cut_anywhere(scenario)


@settings(max_examples=8)
@given(scenario=scenarios(days_max=3))
def test_any_run_stored_at_once_or_day_by_day_has_the_same_bytes(tmp_path_factory, scenario):
    run, days = single(scenario), scenario.stated.num_days
    at_once, by_day = (RawStore(tmp_path_factory.mktemp(name)) for name in ("at_once", "by_day"))
    store_days(run, at_once, 0, days - 1)
    for day in range(days):
        store_days(run, by_day, day, day)
    assert at_once.days_stored(run.run_id) == [*range(days)]
    assert files_of(at_once.root) == files_of(by_day.root)


def test_running_a_day_again_changes_no_byte(run, store):
    store_days(run, store, 0, 2)
    files = files_of(store.root)
    store_days(run, store, 1, 1)
    assert files_of(store.root) == files


PROCESS = """
import sys
from pipelines.raw_store import RawStore
from pipelines.run_days import run_and_store_days
from pipelines.runs import load_run
run = load_run(sys.argv[1])
assert len(list(run_and_store_days(run, RawStore(sys.argv[2]), 0, run.days - 1))) == 3
"""


def test_hash_seed_and_threads_change_no_byte(run, tmp_path):
    """Two processes of their own, and this one."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(run.source), str(tmp_path / f"process-{hash_seed}")],
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "POLARS_MAX_THREADS": threads},
            cwd=Path(run_days.__file__).parents[1],
        )
        for hash_seed, threads in (("1", "1"), ("4242", "5"))
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    one, other = (files_of(tmp_path / f"process-{hash_seed}") for hash_seed in ("1", "4242"))
    here = RawStore(tmp_path / "here")
    store_days(run, here, 0, 2)
    assert len(one) == 3 * (len(CONTRACTS) + 1)
    assert {name: digest(content) for name, content in one.items()} == {
        name: digest(content) for name, content in other.items()
    }
    assert files_of(here.root) == one


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# What is stored


def test_tables_hold_the_members_in_the_order_of_the_run(run, store):
    store_days(run, store, 0, 0)
    names = [member.simulation_id for member in run.members]
    assert names == [
        "two_arms.with_lsm.s1",
        "two_arms.with_lsm.s2",
        "two_arms.without_lsm.s1",
        "two_arms.without_lsm.s2",
    ]
    for table in ("simulations", "agents", "arrivals", "settlements", "ticks"):
        rows = store.read_table(table, "two_arms", 0)
        assert rows["simulation_id"].unique(maintain_order=True).to_list() == names
    assert list(store.read_closing("two_arms", 0)) == names


def test_arms_of_a_seed_see_the_same_arrivals(run, store):
    store_days(run, store, 0, 1)
    for day in (0, 1):
        arrivals = store.read_table("arrivals", "two_arms", day)
        of_member = {
            name: arrivals.filter(pl.col("simulation_id") == name).drop("simulation_id")
            for name in arrivals["simulation_id"].unique(maintain_order=True)
        }
        assert of_member["two_arms.with_lsm.s1"].height > 60
        assert of_member["two_arms.with_lsm.s1"].equals(of_member["two_arms.without_lsm.s1"])
        assert not of_member["two_arms.with_lsm.s1"].equals(of_member["two_arms.with_lsm.s2"])


def test_each_day_is_handed_out_as_it_was_stored(run, store):
    days = list(run_and_store_days(run, store, 0, 2))
    assert [stored.day for stored in days] == [0, 1, 2]
    for stored in days:
        for table in CONTRACTS:
            kept = store.read_table(table, "two_arms", stored.day)
            assert stored.table(table).equals(kept)
            assert stored.head(table, 2).equals(kept.head(2))
            assert stored.heights[table] == kept.height


def test_days_are_committed_one_by_one(run, store):
    days = run_and_store_days(run, store, 0, 2)
    committed = [store.days_stored("two_arms") for _ in days]
    assert committed == [[0], [0, 1], [0, 1, 2]]


def test_progress_is_told_once_per_member_and_day(run, store):
    told = []
    list(run_and_store_days(run, store, 0, 1, on_member=lambda: told.append(1)))
    assert len(told) == 8


# Resuming


def test_a_run_resumes_after_the_last_stored_day(run, store, tmp_path):
    whole = RawStore(tmp_path / "whole")
    store_days(run, whole, 0, 2)
    interrupted = run_and_store_days(run, store, 0, 2)
    next(interrupted)
    interrupted.close()
    assert store.days_stored("two_arms") == [0]
    again = load_run(run.source)
    assert store_days(again, store, 1, 2) == [1, 2]
    assert files_of(store.root) == files_of(whole.root)


def test_a_day_whose_yesterday_is_not_stored_is_refused(run, store):
    with pytest.raises(InputError, match=r"day 0 of run two_arms is not stored \(stored: none\)"):
        store_days(run, store, 1, 1)
    assert files_of(store.root) == {}


def test_a_stored_state_of_another_scenario_is_refused(run, store, tmp_path):
    store_days(run, store, 0, 0)
    files = files_of(store.root)
    changed = load_run(
        written_run(tmp_path / "changed", SCENARIO.replace("opening_balance: 900", "opening_balance: 901"))
    )
    with pytest.raises(InputError, match=r"scenario_hash: .*it has changed, so run it again from day 0"):
        store_days(changed, store, 1, 1)
    assert files_of(store.root) == files


def test_a_member_without_a_stored_state_is_refused(run, store, tmp_path):
    store_days(run, store, 0, 0)
    more = load_run(written_run(tmp_path / "more", run=RUN.replace("[1, 2]", "[1, 2, 3]")))
    with pytest.raises(InputError, match=r"two_arms\.with_lsm\.s3: has no stored state before day 1"):
        store_days(more, store, 1, 1)


def test_days_after_the_last_are_refused(run, store):
    with pytest.raises(InputError, match=r"day: found 3; the run's days are 0\.\.2"):
        store_days(run, store, 0, 3)
    assert store.days_stored("two_arms") == []


def test_opening_states_are_those_that_the_day_before_closed_with(run, store):
    assert opening_states(run, store, 0) == [SystemState.opening(member.scenario) for member in run.members]
    store_days(run, store, 0, 1)
    for day in (1, 2):
        opening = opening_states(run, store, day)
        assert [state.day for state in opening] == [day] * 4
        assert opening == list(store.read_closing("two_arms", day - 1).values())


def test_a_changed_run_from_day_0_leaves_no_day_of_the_old_one(run, store, tmp_path):
    store_days(run, store, 0, 2)
    changed = load_run(
        written_run(tmp_path / "changed", SCENARIO.replace("opening_balance: 900", "opening_balance: 901"))
    )
    store_days(changed, store, 0, 0)
    assert store.days_stored("two_arms") == [0]
    assert not list(store.root.glob("raw/*/run_id=two_arms/day=0001"))


def test_a_stored_day_is_reused_only_where_simulating_it_would_give_the_same(run, store, tmp_path):
    assert reusable_day(run, store, 0) is None
    (first,) = run_and_store_days(run, store, 0, 0)
    reused = reusable_day(run, store, 0)
    assert reused == first
    assert first.heights["arrivals"] > 200
    assert reusable_day(run, store, 1) is None

    assert reusable_day(load_run(written_run(tmp_path / "changed", CHANGED)), store, 0) is None
    assert reusable_day(load_run(written_run(tmp_path / "more", run=RUN.replace("2]", "2, 3]"))), store, 0) is None
    other_baseline = RUN.replace("with_lsm: {}", "with_lsm: {baseline: true}").replace("baseline: true, set", "set")
    assert reusable_day(load_run(written_run(tmp_path / "baseline", run=other_baseline)), store, 0) is None


# Contracts


def spoil(monkeypatch, day: int, **spoilt: pl.Expr) -> None:
    """Replaces columns of tables, named as table__column, on one day."""
    whole = chunks.frame_of

    def frame_of(table, members_day):
        changes = {name.partition("__")[2]: to for name, to in spoilt.items() if name.startswith(f"{table}__")}
        frame = whole(table, members_day)
        return frame.with_columns(**changes) if members_day.records[0].day == day else frame

    monkeypatch.setattr(chunks, "frame_of", frame_of)


def test_a_day_that_breaks_a_contract_is_not_stored(run, store, monkeypatch):
    spoil(monkeypatch, 1, arrivals__amount=pl.col("amount") * 0)
    with pytest.raises(DayRefused, match="run two_arms, day 1 breaks its contracts and is not stored: arrivals: "):
        store_days(run, store, 0, 2)
    assert store.days_stored("two_arms") == [0]
    assert not list(store.root.rglob("day=0001"))


def test_a_first_day_that_breaks_a_contract_leaves_nothing_of_its_run(run, store, monkeypatch):
    spoil(monkeypatch, 0, arrivals__amount=pl.col("amount") * 0)
    with pytest.raises(DayRefused):
        store_days(run, store, 0, 2)
    assert files_of(store.root) == {}
    assert not list(store.root.rglob("run_id=*"))


def test_a_day_is_refused_with_every_contract_it_breaks(run, store, monkeypatch):
    spoil(monkeypatch, 0, ticks__tick=pl.col("tick") - 1, arrivals__amount=pl.col("amount") * 0)
    with pytest.raises(DayRefused, match=r"^run two_arms, day 0 breaks its contracts.*: arrivals.*; ticks") as refused:
        store_days(run, store, 0, 0)
    assert list(refused.value.broken) == ["arrivals", "ticks"]
    assert refused.value.frames.keys() == {"arrivals", "ticks"}
    assert list(refused.value.heights) == list(CONTRACTS)
    assert refused.value.heights["ticks"] == refused.value.frames["ticks"].height == 4 * 30
    assert refused.value.broken["ticks"].cases["column"].to_list() == ["tick"] * 4


def test_a_refused_day_leaves_what_was_stored_of_it_before(run, store, monkeypatch):
    store_days(run, store, 0, 1)
    files = files_of(store.root)
    spoil(monkeypatch, 1, ticks__tick=pl.col("tick") * -1)
    with pytest.raises(DayRefused):
        store_days(run, store, 1, 1)
    assert files_of(store.root) == files


# Members at once


def test_how_many_members_are_simulated_at_once_changes_no_byte(run, tmp_path):
    stores = {workers: RawStore(tmp_path / str(workers)) for workers in (1, 2, 4)}
    for workers, store in stores.items():
        assert len(list(run_and_store_days(run, store, 0, 2, fanout=Threads(workers)))) == 3
    files = files_of(stores[1].root)
    assert len(files) == 3 * (len(CONTRACTS) + 1)
    assert files_of(stores[2].root) == files
    assert files_of(stores[4].root) == files


def test_members_keep_their_order_whichever_is_ready_first(run, store, tmp_path, monkeypatch):
    """The first member waits until all others are done."""
    others_done = threading.Semaphore(0)
    last_first = run.members[0].scenario

    def simulate(scenario, state):
        simulated = run_day(scenario, state)
        if scenario is last_first:
            assert all(others_done.acquire(timeout=60) for _ in run.members[1:])
        else:
            others_done.release()
        return simulated

    monkeypatch.setattr(chunks, "run_day", simulate)
    list(run_and_store_days(run, store, 0, 0, fanout=Threads(2)))
    monkeypatch.undo()
    plain = RawStore(tmp_path / "plain")
    store_days(run, plain, 0, 0)
    assert files_of(store.root) == files_of(plain.root)


def test_progress_is_told_by_the_thread_that_asked(run, store):
    told = []
    list(run_and_store_days(run, store, 0, 0, fanout=Threads(2), on_member=lambda: told.append(threading.get_ident())))
    assert told == [threading.get_ident()] * 4


def refuse_members(monkeypatch, run: Run, *places: int, day: int = 0) -> list[int]:
    """Lets members of these places be refused, the later the place the sooner. Returns what lists those simulated."""
    simulated = []
    later_refused = {place: threading.Event() for place in places}

    def simulate(scenario, state):
        place = [member.scenario for member in run.members].index(scenario)
        if place not in places or state.day != day:
            simulated.append(place)
            return run_day(scenario, state)
        assert all(later_refused[later].wait(60) for later in places if later > place)
        later_refused[place].set()
        raise InputError("scenario", [Problem("generate", place, "cannot be simulated")])

    monkeypatch.setattr(chunks, "run_day", simulate)
    return simulated


def test_the_first_member_that_is_refused_is_told_whichever_fails_first(run, store, monkeypatch):
    refuse_members(monkeypatch, run, 1, 2)
    told = []
    with pytest.raises(InputError, match=r"generate: found 1; cannot be simulated"):
        list(run_and_store_days(run, store, 0, 0, fanout=Threads(4), on_member=lambda: told.append(1)))
    assert len(told) == 1
    assert files_of(store.root) == {}


def test_a_later_day_that_cannot_be_simulated_stops_the_run_after_those_stored(run, store, monkeypatch):
    refuse_members(monkeypatch, run, 0, day=1)
    with pytest.raises(RunStopped, match=r"1 day of this run came before and is stored"):
        store_days(run, store, 0, 2)
    assert store.days_stored("two_arms") == [0]


def test_members_that_wait_for_their_turn_are_not_begun_after_a_failure(run, store, monkeypatch):
    simulated = refuse_members(monkeypatch, run, 0)
    with pytest.raises(InputError):
        list(run_and_store_days(run, store, 0, 0, fanout=Threads(1)))
    assert len(simulated) <= 1  # the thread may have taken up the next before it heard of the failure


def test_an_interrupt_ends_the_run_and_stores_nothing_of_the_day(run, store):
    def interrupt():
        raise KeyboardInterrupt

    threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        list(run_and_store_days(run, store, 0, 0, on_member=interrupt))
    assert files_of(store.root) == {}
    assert threading.active_count() == threads
