"""Days of a run from opening states to committed tables: load, simulate, frame, validate, write."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl

from pipelines.contracts import CONTRACTS, ContractBroken, validate
from pipelines.frames import frames_of_day
from pipelines.raw_store import RawStore
from pipelines.runs import Member, Run
from sim_engine import DayRecord, InputError, Problem, SystemState, __version__, run_day
from sim_engine.errors import ABSENT


@dataclass(frozen=True)
class StoredDay:
    """A day of a run that has just been committed, with its raw tables."""

    day: int
    frames: dict[str, pl.DataFrame]


class DayRefused(Exception):
    """A day whose tables break their contracts; nothing of it is stored.

    frames: the day's tables. broken: the broken contracts by table.
    """

    def __init__(
        self, run_id: str, day: int, frames: dict[str, pl.DataFrame], broken: dict[str, ContractBroken]
    ) -> None:
        self.run_id = run_id
        self.day = day
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
    run: Run, store: RawStore, first_day: int, last_day: int, *, on_member: Callable[[], None] | None = None
) -> Iterator[StoredDay]:
    """Simulates days first_day..last_day of a run from the stored closing of the day before, committing each.

    on_member: called after each simulated day of one member.
    Raises InputError, before anything is stored, if the day before is not there or belongs to another scenario or
    engine version, or if the first day cannot be simulated; RunStopped if a later one cannot; and DayRefused if a
    contract is broken.
    """
    if last_day >= run.days:
        remedy = f"the run's days are 0..{run.days - 1}; raise them in the file and run it again from day 0"
        raise InputError(run.source, [Problem("day", last_day, remedy)])
    states = opening_states(run, store, first_day)
    for day in range(first_day, last_day + 1):
        records: list[tuple[Member, DayRecord]] = []
        for place, member in enumerate(run.members):
            try:
                record, states[place] = run_day(member.scenario, states[place])
            except InputError as error:
                refused = InputError(run.source, error.problems)
                raise (refused if day == first_day else RunStopped(refused, day - first_day)) from error
            records.append((member, record))
            if on_member:
                on_member()
        frames = frames_of_day(records)
        check_contracts(run.run_id, day, frames)
        names = [member.simulation_id for member in run.members]
        store.write_day(run.run_id, day, frames, list(zip(names, states, strict=True)))
        yield StoredDay(day, frames)


def opening_states(run: Run, store: RawStore, day: int) -> list[SystemState]:
    """The state that each member opens a day with, in member order.

    Raises InputError if the day before is not stored.
    """
    if day == 0:
        return [SystemState.opening(member.scenario) for member in run.members]
    closing = store.read_closing(run.run_id, day - 1)
    return [closing.get(member.simulation_id) or _unknown(run, member, day) for member in run.members]


def reusable_day(run: Run, store: RawStore, day: int) -> StoredDay | None:
    """A committed day, if it is what simulating it again would give: same scenarios, same engine version."""
    if day not in store.days_stored(run.run_id):
        return None
    closing = store.read_closing(run.run_id, day)
    expected = {member.simulation_id: (member.scenario.scenario_hash, __version__) for member in run.members}
    if {name: (state.scenario_hash, state.engine_version) for name, state in closing.items()} != expected:
        return None
    return StoredDay(day, {table: store.read_table(table, run.run_id, day) for table in CONTRACTS})


def _unknown(run: Run, member: Member, day: int) -> SystemState:
    remedy = f"has no stored state before day {day}; the run's arms or seeds have changed, so run it again from day 0"
    raise InputError(run.source, [Problem(member.simulation_id, ABSENT, remedy)])


def check_contracts(run_id: str, day: int, frames: dict[str, pl.DataFrame]) -> None:
    """Holds a day's tables against their contracts. Raises DayRefused with every contract that is broken."""
    broken: dict[str, ContractBroken] = {}
    for table, frame in frames.items():
        try:
            validate(table, frame)
        except ContractBroken as error:
            broken[table] = error
    if broken:
        raise DayRefused(run_id, day, frames, broken)
