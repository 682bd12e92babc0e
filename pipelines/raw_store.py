"""Where raw tables and closing states live: a part per table, run, day and chunk, and states as many.

    raw/<table>/run_id=<run>/day=<nnnn>/part-<k>.parquet
    state/run_id=<run>/day=<nnnn>/closing.jsonl, closing-1.jsonl, ...

A chunk is some of a run's simulations, in their order. A day is committed by the states of its first chunk, which are
put in their place last: a day without closing.jsonl is not there. `day` stands in the tables as a column, which is the
authority; the folder repeats it so that a reader can skip days.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import polars as pl

from pipelines.contracts import CONTRACTS, schema_of
from pipelines.files import File, Files, Place, files_at, is_staged, staged_beside
from sim_engine import InputError, Problem, SystemState
from sim_engine.errors import ABSENT

NO_RUN = "no-run"
"""Stands for a run in the path of the typed, empty parts that let tables be read before any run is stored; no run can
bear this name."""

_MARK = re.compile(r"day=(\d+)/closing\.jsonl")
_STATES = re.compile(r"day=(\d+)/closing(?:-(\d+))?\.jsonl")
_PART = re.compile(r"day=(\d+)/part-(\d+)\.parquet")
_PART_OR_STATES = re.compile(r"day=(\d+)/(?:part-\d+\.parquet|closing(?:-\d+)?\.jsonl)")


class RawStore:
    """Raw tables and states under one folder, here or at a URL; every file is replaced whole and atomically."""

    def __init__(self, root: Place | str) -> None:
        self.root = Path(root) if isinstance(root, str) else root

    @property
    def files(self) -> Files:
        """How the store's files are worked with."""
        return files_at(self.root)

    @property
    def raw(self) -> Place:
        """The folder of the raw tables."""
        return self.root / "raw"

    def part(self, table: str, run_id: str, day: int, chunk: int = 0) -> Place:
        """Where a chunk's rows of a table for a run and day are."""
        return self.raw / table / f"run_id={run_id}" / f"day={day:04d}" / f"part-{chunk}.parquet"

    def parts(self, table: str, run_id: str, day: int) -> list[Place]:
        """Where the rows of a table for a run and day are, by chunk; where they would be if there are none."""
        return [self.part(table, run_id, day, chunk) for chunk in range(max(1, self.chunks(run_id, day)))]

    def state_file(self, run_id: str, day: int, chunk: int = 0) -> Place:
        """Where a chunk's closing states of a run's day are."""
        name = f"closing-{chunk}.jsonl" if chunk else "closing.jsonl"
        return self._states_of(run_id) / f"day={day:04d}" / name

    def states(self, run_id: str, day: int) -> list[Place]:
        """Where the closing states of a run's day are, by chunk; where they would be if there are none."""
        return [self.state_file(run_id, day, chunk) for chunk in range(max(1, self.chunks(run_id, day)))]

    def prepare(self) -> None:
        """Makes every table readable, also before its first row, by a typed, empty part."""
        for table in CONTRACTS:
            empty = self.part(table, NO_RUN, 0)
            if not self._has_columns_of(table, empty):  # it is not there, or another version's
                staged = staged_beside(empty)
                self.files.write_table(staged, pl.DataFrame(schema=schema_of(table)))
                self.files.move([(staged, empty)])

    def days_stored(self, run_id: str) -> list[int]:
        """Days of a run that are committed, ascending."""
        return [day for day, _ in self._marks(run_id)]

    def chunks(self, run_id: str, day: int) -> int:
        """Into how many chunks a day is cut as it is stored; 0 if it is not."""
        names = self.files.listing(self.state_file(run_id, day).parent)
        return sum(_STATES.fullmatch(f"day={day}/{name}") is not None for name in names)

    def run_ids(self) -> list[str]:
        """Every run that has left something here, ascending, also if none of its days is committed."""
        parents = [self.root / "state", *(self.raw / table for table in self.files.folders_in(self.raw))]
        names = {name for parent in parents for name in self.files.folders_in(parent) if name.startswith("run_id=")}
        return sorted({name.removeprefix("run_id=") for name in names} - {NO_RUN})

    def commits(self, run_id: str) -> list[tuple[int, str]]:
        """Committed days of a run, ascending, each with the stamp of its commit.

        On a disk, a day that is stored again has another stamp, also if its content is the same.
        """
        return [(day, mark.stamp) for day, mark in self._marks(run_id)]

    def committed_at(self, run_id: str) -> float | None:
        """When a day of a run was committed last, seconds since 1970; None if none is."""
        return max((mark.modified for _, mark in self._marks(run_id)), default=None)

    def days_torn(self, run_id: str) -> list[int]:
        """Days of a run that have parts but no mark, ascending: what a crash, or a run that goes on, leaves."""
        parts = [found for folder in self._folders_of(run_id) for found in self._matching(_PART, folder)]
        return sorted({int(part[1]) for part in parts} - set(self.days_stored(run_id)))

    def has_table(self, table: str, run_id: str) -> bool:
        """Whether a run has a part of a table, on whatever day: another version may not have known it."""
        return bool(self._matching(_PART, self.raw / table / f"run_id={run_id}"))

    def is_whole(self, run_id: str) -> bool:
        """Whether every committed day of a run has as many states as parts of each table that the run has, by chunk."""
        states_folder, *folders = self._folders_of(run_id)
        states = {(int(found[1]), int(found[2] or 0)) for found in self._matching(_STATES, states_folder)}
        days = {day for day, chunk in states if chunk == 0}
        expected = {(day, chunk) for day, chunk in states if day in days}
        tables = [{(int(part[1]), int(part[2])) for part in self._matching(_PART, folder)} for folder in folders]
        return all(expected == {at for at in parts if at[0] in days} for parts in tables if parts)

    def size_of(self, run_id: str) -> int:
        """Bytes of everything that is stored of a run, closing states included."""
        return sum(file.size for folder in self._folders_of(run_id) for file in self.files.listing(folder).values())

    def fits_contracts(self, run_id: str) -> bool:
        """Whether a run is stored with the columns that tables have in this version; its last day speaks for all."""
        return all(
            self._has_columns_of(table, self.part(table, run_id, day))
            for day in self.days_stored(run_id)[-1:]
            for table in CONTRACTS
        )

    def drop_uncommitted(self, run_id: str) -> None:
        """Removes parts of days that are not committed: what a crash left of days that are not there."""
        torn = set(self.days_torn(run_id))
        for folder in self._folders_of(run_id) if torn else ():
            found = self._matching(_PART_OR_STATES, folder)
            self.files.remove([folder / match.string for match in found if int(match[1]) in torn])

    def clear_staged(self, run_id: str) -> None:
        """Removes what a run has staged and not committed, and folders made for nothing else."""
        for folder in self._folders_of(run_id):
            staged = [folder / name for name in self.files.listing(folder) if is_staged(name)]
            self.files.remove(staged)
            for file in staged:
                self.files.remove_empty(file.parent)
            for made in (folder, folder.parent) if staged else ():
                self.files.remove_empty(made)

    def scan(self, table: str, run_id: str, day: int) -> pl.LazyFrame:
        """The rows of a table for a run and day, to choose from before they are read."""
        return self.files.scan(self.parts(table, run_id, day))

    def read_table(self, table: str, run_id: str, day: int) -> pl.DataFrame:
        """The rows of a table for a run and day."""
        return self.scan(table, run_id, day).collect()

    def read_columns(self, table: str, run_id: str, day: int, columns: list[str]) -> pl.DataFrame:
        """Some columns of a table for a run and day."""
        return self.scan(table, run_id, day).select(columns).collect()

    def read_head(self, table: str, run_id: str, day: int, rows: int) -> pl.DataFrame:
        """The first rows of a table for a run and day; chunks after those that have them are not looked at."""
        head = self.files.scan([self.part(table, run_id, day)]).head(rows).collect()
        if head.height < rows and self.chunks(run_id, day) > 1:
            return self.scan(table, run_id, day).head(rows).collect()
        return head

    def height(self, table: str, run_id: str, day: int) -> int:
        """How many rows of a table there are for a run and day."""
        return self.files.height(self.parts(table, run_id, day))

    def read_closing(self, run_id: str, day: int, chunk: int | None = None) -> dict[str, SystemState]:
        """The closing states of a run's day, or of one chunk of it, by simulation_id.

        Raises InputError if that day is not committed, or if its states are those of another version.
        """
        places = self.states(run_id, day) if chunk is None else [self.state_file(run_id, day, chunk)]
        try:
            content = self.files.read(places)
        except FileNotFoundError:
            stored = ", ".join(str(stored_day) for stored_day in self.days_stored(run_id)) or "none"
            remedy = f"day {day} of run {run_id} is not stored (stored: {stored}); run the days in order from 0"
            raise InputError(places[0], [Problem("", ABSENT, remedy)]) from None
        states = {}
        for place, lines in zip(places, content, strict=True):
            for line in lines.splitlines():  # bytes: a text would also be split inside an id, at U+2028 and the like
                member = json.loads(line)
                try:
                    states[member["simulation_id"]] = SystemState.from_content(member["state"])
                except ValueError as error:
                    remedy = f"{error}; another version wrote it, so run {run_id} again from day 0"
                    raise InputError(place, [Problem("", ABSENT, remedy)]) from error
        return states

    def drop_days_from(self, run_id: str, first_day: int) -> None:
        """Removes the days of a run from first_day on, latest first, each day's mark before its tables."""
        folders = [self._states_of(run_id), *(self.raw / table / f"run_id={run_id}" for table in CONTRACTS)]
        names = {name for folder in folders for name in self.files.folders_in(folder) if name.startswith("day=")}
        for name in sorted(names, reverse=True):
            day = int(name.removeprefix("day="))
            if day >= first_day:
                self.files.remove([self.state_file(run_id, day)])
                for folder in folders:
                    self.files.remove_tree(folder / name)

    def remove_run(self, run_id: str) -> None:
        """Removes everything that is stored of a run: marks first, the latest day's first, then states and tables.

        What stops it in the middle leaves no day that has its mark and lacks a table.
        """
        for day in reversed(self.days_stored(run_id)):
            self.files.remove([self.state_file(run_id, day)])
        for folder in self._folders_of(run_id):
            self.files.remove_tree(folder)
            self.files.remove_empty(folder.parent)
        self.files.remove_empty(self.raw)

    def _states_of(self, run_id: str) -> Place:
        return self.root / "state" / f"run_id={run_id}"

    def _folders_of(self, run_id: str) -> list[Place]:
        """Where a run's folders are, if they are: that of its states, then that of each table, of any version."""
        tables = [self.raw / table / f"run_id={run_id}" for table in self.files.folders_in(self.raw)]
        return [self._states_of(run_id), *tables]

    def _matching(self, pattern: re.Pattern[str], folder: Place) -> list[re.Match[str]]:
        """The files below a folder whose path from there is of a form, ascending."""
        return [found for name in self.files.listing(folder) if (found := pattern.fullmatch(name))]

    def _marks(self, run_id: str) -> list[tuple[int, File]]:
        """The commit marks of a run by day, ascending."""
        states = self.files.listing(self._states_of(run_id))
        return sorted((int(mark[1]), states[mark.string]) for mark in map(_MARK.fullmatch, states) if mark)

    def _has_columns_of(self, table: str, part: Place) -> bool:
        """Whether a part is there, can be read and has the columns of a table's contract."""
        try:
            return self.files.schema(part) == dict(schema_of(table))
        except (OSError, pl.exceptions.PolarsError):
            return False


class NewPart:
    """A chunk of a run's day on its way into the store: what is staged lies beside its place until it is committed.

    attempt: tells what is staged here from what another process may stage of the same chunk.
    """

    def __init__(self, store: RawStore, run_id: str, day: int, chunk: int = 0) -> None:
        self._store, self._at = store, (run_id, day, chunk)
        self._tables: list[str] = []
        self.attempt = uuid4().hex

    def stage(self, table: str, frame: pl.DataFrame) -> None:
        """Writes the chunk's rows of a table where no reader looks; threads may stage a table each."""
        place = self._store.part(table, *self._at)
        self._store.files.write_table(staged_beside(place, self.attempt), frame)
        self._tables.append(table)

    def stage_closing(self, closing: Sequence[tuple[str, SystemState]]) -> None:
        """Writes the chunk's closing states, given as (simulation_id, state), when all its tables are staged."""
        assert {*self._tables} == {*CONTRACTS}, sorted(self._tables)
        content = "".join(
            f'{{"simulation_id":{json.dumps(name)},"state":{state.to_json()}}}\n' for name, state in closing
        ).encode()
        place = self._store.state_file(*self._at)
        self._store.files.write(staged_beside(place, self.attempt), content)


class NewDay:
    """A day of a run whose chunks are all staged. attempts: those of its chunks, in order."""

    def __init__(self, store: RawStore, run_id: str, day: int, attempts: Sequence[str]) -> None:
        self._store, self._run_id, self._day = store, run_id, day
        self._tables = [
            self._move(store.part(table, run_id, day, chunk), attempt)
            for table in CONTRACTS
            for chunk, attempt in enumerate(attempts)
        ]
        self._states = [
            self._move(store.state_file(run_id, day, chunk), attempt) for chunk, attempt in enumerate(attempts)
        ]

    def commit(self) -> None:
        """Puts tables in their places, then closing states, those of the first chunk last.

        Days after one whose closing states change are removed. A crash leaves the day as it was or as it is to be, or,
        if it replaces other content, not committed.
        """
        files, chunks = self._store.files, len(self._states)
        mark = self._store.state_file(self._run_id, self._day)
        stored = self._store.chunks(self._run_id, self._day) if mark.exists() else 0
        if stored and not self._closes_as(stored):
            # What the later days started from is no more: they would not follow from this day.
            self._store.drop_days_from(self._run_id, self._day + 1)
        if stored and not (stored == chunks and files.hold_same([*self._tables, *self._states])):
            files.remove([mark])
            files.remove([place for chunk in range(chunks, stored) for place in self._places_of(chunk)])
        for moves in (self._tables, self._states[1:], self._states[:1]):
            files.move(moves)

    def _closes_as(self, stored: int) -> bool:
        """Whether the closing states are those that are stored, into however many chunks either are cut."""
        read = self._store.files.read
        old = [self._store.state_file(self._run_id, self._day, chunk) for chunk in range(stored)]
        return b"".join(read([staged for staged, _ in self._states])) == b"".join(read(old))

    def _places_of(self, chunk: int) -> list[Place]:
        at = (self._run_id, self._day, chunk)
        return [*(self._store.part(table, *at) for table in CONTRACTS), self._store.state_file(*at)]

    @staticmethod
    def _move(place: Place, attempt: str) -> tuple[Place, Place]:
        return staged_beside(place, attempt), place
