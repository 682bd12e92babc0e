"""Days of a run from opening states to committed tables: each cut into chunks, which whoever is asked simulates."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from pipelines.chunks import ChunkDay, MemberDone, Refused, Staged, chunks_of
from pipelines.contracts import CONTRACTS, ContractBroken
from pipelines.fanout import Fanout, Threads
from pipelines.raw_store import NewDay, RawStore
from pipelines.runs import Member, Run
from sim_engine import InputError, Problem, SystemState, __version__
from sim_engine.errors import ABSENT


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

    Of the first chunk that has such tables, heights: rows by table. frames: the tables that break their contracts.
    broken: those contracts by table.
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
    fanout: Fanout | None = None,
    on_member: MemberDone | None = None,
) -> Iterator[StoredDay]:
    """Simulates days first_day..last_day of a run from the stored closing of the day before, committing each.

    fanout: who simulates the chunks, threads of this process if not given; it changes no byte.
    on_member: called after each simulated day of one member, by the thread that called this.
    Raises InputError, before anything is stored, if the day before is not there or belongs to another scenario or
    engine version, or if the first day cannot be simulated; RunStopped if a later one cannot; and DayRefused if a
    contract is broken.
    """
    if last_day >= run.days:
        remedy = f"the run's days are 0..{run.days - 1}; raise them in the file and run it again from day 0"
        raise InputError(run.source, [Problem("day", last_day, remedy)])
    fanout = fanout or Threads()
    opening = _cut(run, opening_states(run, store, first_day))
    fanout.check(store)
    _clear(run, store)
    try:
        for day in range(first_day, last_day + 1):
            try:
                staged = _stage_day(run, store, day, opening, fanout, on_member)
            except InputError as error:
                refused = InputError(run.source, error.problems)
                raise (refused if day == first_day else RunStopped(refused, day - first_day)) from error
            NewDay(store, run.run_id, day, [chunk.attempt for chunk in staged]).commit()
            opening = [chunk.closing or None for chunk in staged]
            heights = {table: sum(chunk.heights[table] for chunk in staged) for table in CONTRACTS}
            yield StoredDay(store, run.run_id, day, heights)
    finally:
        store.clear_staged(run.run_id)


def _clear(run: Run, store: RawStore) -> None:
    """Takes away what a crash left: days that are not committed may have more chunks than they will have now."""
    store.drop_uncommitted(run.run_id)
    store.clear_staged(run.run_id)


def _cut(run: Run, states: list[SystemState]) -> list[tuple[SystemState, ...] | None]:
    """States of the members, as the run is cut into chunks."""
    remaining = iter(states)
    return [tuple(next(remaining) for _ in members) for members in chunks_of(run)]


def _stage_day(
    run: Run,
    store: RawStore,
    day: int,
    opening: list[tuple[SystemState, ...] | None],
    fanout: Fanout,
    on_member: MemberDone | None,
) -> list[Staged]:
    """Has every chunk of a day simulated and staged.

    Raises the InputError of the first member that has one, in the order of the run, and DayRefused with every contract
    that the first chunk that breaks one breaks.
    """
    chunks = [
        ChunkDay(store, run.run_id, day, number, members, states)
        for number, (members, states) in enumerate(zip(chunks_of(run), opening, strict=True))
    ]
    staged = []
    for outcome in fanout.staged(chunks, on_member):
        if isinstance(outcome, Refused):
            frames = {table: frame for table, (frame, _) in outcome.broken.items()}
            broken = {table: contract for table, (_, contract) in outcome.broken.items()}
            raise DayRefused(run.run_id, day, outcome.heights, frames, broken)
        staged.append(outcome)
    return staged


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
