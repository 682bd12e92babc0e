"""A chunk of a run on a day: what is simulated, checked and staged at once, by one worker.

Chunks are cut from the members of a run, in their order, by the size that its file states: whoever simulates them, and
how many do, changes no byte.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

import polars as pl

from pipelines.contracts import CONTRACTS, ContractBroken, validate
from pipelines.frames import MembersDay, frame_of
from pipelines.raw_store import NewPart, RawStore
from pipelines.runs import Member, Run
from sim_engine import DayRecord, InputError, Problem, SystemState, __version__, run_day

_TABLES_AT_ONCE = 2
"""Of the tables of a chunk, how many are in memory: the largest two take as much as all others, and a store at a URL
answers the one while the other is made."""

MemberDone = Callable[[], None]
"""Called after each simulated day of a member."""


@dataclass(frozen=True)
class ChunkDay:
    """A chunk of a run on a day.

    number: its place among the chunks of the run. opening: the members' states, in their order; None if the chunk that
    the day before was stored with has them. engine_version: that of whoever asks.
    """

    store: RawStore
    run_id: str
    day: int
    number: int
    members: tuple[Member, ...]
    opening: tuple[SystemState, ...] | None
    engine_version: str = __version__

    def states(self) -> Sequence[SystemState]:
        """The states that the members open the day with."""
        if self.opening is not None:
            return self.opening
        closing = self.store.read_closing(self.run_id, self.day - 1, self.number)
        return [closing[member.simulation_id] for member in self.members]


@dataclass(frozen=True)
class Staged:
    """A chunk that waits beside its places for its day to be committed.

    attempt: what its staged files are known by. heights: rows by table. closing: the members' states; empty if they are
    to be read from where they are stored.
    """

    attempt: str
    heights: dict[str, int]
    closing: tuple[SystemState, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A chunk whose tables break their contracts.

    heights: rows by table. broken: by table, in their order, its rows and how they break its contract.
    """

    heights: dict[str, int]
    broken: dict[str, tuple[pl.DataFrame, ContractBroken]]


def chunks_of(run: Run) -> list[tuple[Member, ...]]:
    """The members of a run, cut into chunks."""
    return [tuple(run.members[first : first + run.chunk_size]) for first in range(0, len(run.members), run.chunk_size)]


def stage(chunk: ChunkDay, threads: int, on_member: MemberDone | None = None) -> Staged | Refused:
    """Simulates a day of a chunk and stages its tables and closing states; nothing if a contract is broken.

    threads: how many members are simulated at once. on_member: called by the thread that calls this.
    Raises InputError if a member's day cannot be simulated, that of the first in their order, or if the engine is of
    another version than that of whoever asks.
    """
    if chunk.engine_version != __version__:
        remedy = f"this worker's engine is {__version__}; all that a run is simulated by are of one version"
        raise InputError(f"chunk {chunk.number} of {chunk.run_id}", [Problem("engine", chunk.engine_version, remedy)])
    simulated = _simulate(chunk, threads, on_member)
    part = NewPart(chunk.store, chunk.run_id, chunk.day, chunk.number)
    heights, broken = _stage_tables(chunk, part, [record for record, _ in simulated])
    if broken:
        return Refused(heights, broken)
    closing = tuple(state for _, state in simulated)
    names = [member.simulation_id for member in chunk.members]
    part.stage_closing(list(zip(names, closing, strict=True)))
    return Staged(part.attempt, heights, closing)


def _simulate(chunk: ChunkDay, threads: int, on_member: MemberDone | None) -> list[tuple[DayRecord, SystemState]]:
    """A day of every member, several at a time: the engine's compiled code lets other threads run beside it."""
    with ThreadPoolExecutor(threads) as pool:
        simulating = [
            pool.submit(run_day, member.scenario, state)
            for member, state in zip(chunk.members, chunk.states(), strict=True)
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


def _stage_tables(
    chunk: ChunkDay, part: NewPart, records: list[DayRecord]
) -> tuple[dict[str, int], dict[str, tuple[pl.DataFrame, ContractBroken]]]:
    """Stages the tables that keep their contracts, each made, checked and written before memory is needed for the next.

    Returns the rows of each table, and those tables that break their contracts.
    """
    members_day = MembersDay(zip(chunk.members, records, strict=True))
    broken: dict[str, tuple[pl.DataFrame, ContractBroken]] = {}
    lock = Lock()

    def stage_table(table: str) -> int:
        frame = frame_of(table, members_day)
        try:
            validate(table, frame)
        except ContractBroken as error:
            error.__cause__ = error.__context__ = None  # pandera's own, which cannot be pickled whole
            with lock:
                broken[table] = frame, error
        else:
            part.stage(table, frame)
        return frame.height

    with ThreadPoolExecutor(_TABLES_AT_ONCE) as pool:
        heights = dict(zip(CONTRACTS, pool.map(stage_table, CONTRACTS), strict=True))
    return heights, {table: broken[table] for table in CONTRACTS if table in broken}
