"""Days of a run from opening states to committed tables: load, simulate, frame, validate, write."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl

from pipelines.contracts import CONTRACTS, ContractBroken, validate
from pipelines.frames import MembersDay, frame_of
from pipelines.raw_store import NewDay, RawStore
from pipelines.runs import Member, Run
from sim_engine import DayRecord, InputError, Problem, SystemState, __version__, run_day
from sim_engine.errors import ABSENT

_TABLES_AT_ONCE = 2
"""Of the tables of a day, how many are in memory: the largest two take as much as all others."""


@dataclass(frozen=True)
class StoredDay:
    """A day of a run that has been committed; its tables are read from where they are stored.

    heights: rows by table.
    """

    store: RawStore
    run_id: str
    day: int
    heights: dict[str, int]

    def table(self, table: str) -> pl.DataFrame:
        """All rows of a table."""
        return self.store.read_table(table, self.run_id, self.day)

    def head(self, table: str, rows: int) -> pl.DataFrame:
        """The first rows of a table."""
        return self.store.read_head(table, self.run_id, self.day, rows)


class DayRefused(Exception):
    """A day whose tables break their contracts; nothing of it is stored.

    heights: rows by table. frames: the tables that break their contracts. broken: those contracts by table.
    """

    def __init__(
        self,
        run_id: str,
        day: int,
        heights: dict[str, int],
        frames: dict[str, pl.DataFrame],
        broken: dict[str, ContractBroken],
    ) -> None:
        self.run_id = run_id
        self.day = day
        self.heights = heights
        self.frames = frames
        self.broken = broken
        said = "; ".join(str(contract) for contract in broken.values())
        super().__init__(f"run {run_id}, day {day} breaks its contracts and is not stored: {said}")


class RunStopped(Exception):
    """A run that its input stops after days of it were stored.

    reason: what is wrong with the input. days_stored: how many days this launch has stored.
    """

    def __init__(self, reason: InputError, days_stored: int) -> None:
        self.reason = reason
        self.days_stored = days_stored
        days = f"{days_stored} day{'s' if days_stored > 1 else ''}"
        super().__init__(f"{reason}\n  {days} of this run came before and {'are' if days_stored > 1 else 'is'} stored")


def run_and_store_days(
    run: Run,
    store: RawStore,
    first_day: int,
    last_day: int,
    *,
    workers: int | None = None,
    on_member: Callable[[], None] | None = None,
) -> Iterator[StoredDay]:
    """Simulates days first_day..last_day of a run from the stored closing of the day before, committing each.

    workers: how many members are simulated at once, as many as there are cores if not given; it changes no byte.
    on_member: called after each simulated day of one member, by the thread that called this.
    Raises InputError, before anything is stored, if the day before is not there or belongs to another scenario or
    engine version, or if the first day cannot be simulated; RunStopped if a later one cannot; and DayRefused if a
    contract is broken.
    """
    if last_day >= run.days:
        remedy = f"the run's days are 0..{run.days - 1}; raise them in the file and run it again from day 0"
        raise InputError(run.source, [Problem("day", last_day, remedy)])
    states = opening_states(run, store, first_day)
    for day in range(first_day, last_day + 1):
        try:
            simulated = _simulate_day(run, states, workers or _cores(), on_member)
        except InputError as error:
            refused = InputError(run.source, error.problems)
            raise (refused if day == first_day else RunStopped(refused, day - first_day)) from error
        states = [closing for _, closing in simulated]
        stored = _store_day(run, store, day, simulated)
        del simulated  # while the next day is simulated, this one's records are not needed
        yield stored


def _cores() -> int:
    """How many cores this process may use, where the system says so; else how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _simulate_day(
    run: Run, states: list[SystemState], workers: int, on_member: Callable[[], None] | None
) -> list[tuple[DayRecord, SystemState]]:
    """A day of every member, several at a time: the engine's compiled code lets other threads run beside it.

    Raises the InputError of the first member, in the order of the run, that has one.
    """
    with ThreadPoolExecutor(workers) as pool:
        simulating = [
            pool.submit(run_day, member.scenario, state) for member, state in zip(run.members, states, strict=True)
        ]
        simulated = []
        try:
            for member_day in simulating:
                simulated.append(member_day.result())
                if on_member:
                    on_member()
        finally:  # also if someone presses Ctrl-C
            pool.shutdown(wait=False, cancel_futures=True)
        return simulated


def _store_day(run: Run, store: RawStore, day: int, simulated: list[tuple[DayRecord, SystemState]]) -> StoredDay:
    """Commits a simulated day; each table is made, checked and written before memory is needed for the next.

    Raises DayRefused with every contract that is broken.
    """
    members_day = MembersDay((member, record) for member, (record, _) in zip(run.members, simulated, strict=True))
    new_day = NewDay(store, run.run_id, day)
    frames: dict[str, pl.DataFrame] = {}
    broken: dict[str, ContractBroken] = {}

    def stage(table: str) -> int:
        frame = frame_of(table, members_day)
        try:
            validate(table, frame)
        except ContractBroken as error:
            frames[table], broken[table] = frame, error
        else:
            new_day.stage(table, frame)
        return frame.height

    with ThreadPoolExecutor(_TABLES_AT_ONCE) as pool:
        heights = dict(zip(CONTRACTS, pool.map(stage, CONTRACTS), strict=True))
    if broken:
        new_day.discard()
        in_order = {table: broken[table] for table in CONTRACTS if table in broken}
        raise DayRefused(run.run_id, day, heights, frames, in_order)
    new_day.commit([(member.simulation_id, state) for member, (_, state) in zip(run.members, simulated, strict=True)])
    return StoredDay(store, run.run_id, day, heights)


def opening_states(run: Run, store: RawStore, day: int) -> list[SystemState]:
    """The state that each member opens a day with, in member order.

    Raises InputError if the day before is not stored.
    """
    if day == 0:
        return [SystemState.opening(member.scenario) for member in run.members]
    closing = store.read_closing(run.run_id, day - 1)
    return [closing.get(member.simulation_id) or _unknown(run, member, day) for member in run.members]


def reusable_day(run: Run, store: RawStore, day: int) -> StoredDay | None:
    """A committed day, if it is what simulating it again would give: same scenarios and baselines, same engine."""
    try:
        closing = store.read_closing(run.run_id, day)
    except InputError:  # the day is not there, or another version wrote it in a shape that this one cannot read
        return None
    expected = {member.simulation_id: (member.scenario.scenario_hash, __version__) for member in run.members}
    if {name: (state.scenario_hash, state.engine_version) for name, state in closing.items()} != expected:
        return None
    compared = store.read_columns("simulations", run.run_id, day, ["simulation_id", "baseline_arm"]).rows()
    if compared != [(member.simulation_id, member.baseline_arm) for member in run.members]:
        return None
    return StoredDay(store, run.run_id, day, {table: store.height(table, run.run_id, day) for table in CONTRACTS})


def _unknown(run: Run, member: Member, day: int) -> SystemState:
    remedy = f"has no stored state before day {day}; the run's arms or seeds have changed, so run it again from day 0"
    raise InputError(run.source, [Problem(member.simulation_id, ABSENT, remedy)])
