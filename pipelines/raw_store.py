"""Where raw tables and closing states live: a Parquet part per table, run and day, and a state file per run and day.

    raw/<table>/run_id=<run>/day=<nnnn>/part-0.parquet
    state/run_id=<run>/day=<nnnn>/closing.jsonl

A day is committed by its state file, which is written last: a day without one is not there. `day` stands in the tables
as a column, which is the authority; the folder repeats it so that a reader can skip days.
"""

import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import polars as pl

from pipelines.contracts import CONTRACTS, schema_of
from sim_engine import InputError, Problem, SystemState
from sim_engine.errors import ABSENT

NO_RUN = "no-run"
"""Stands for a run in the path of the typed, empty parts that let tables be read before any run is stored; no run can
bear this name."""


class RawStore:
    """Raw tables and states under one folder; every part is replaced whole and atomically."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def part(self, table: str, run_id: str, day: int) -> Path:
        """Where the rows of a table for a run and day are."""
        return self.root / "raw" / table / f"run_id={run_id}" / f"day={day:04d}" / "part-0.parquet"

    def state_file(self, run_id: str, day: int) -> Path:
        """Where the closing states of a run's day are."""
        return self.root / "state" / f"run_id={run_id}" / f"day={day:04d}" / "closing.jsonl"

    def prepare(self) -> None:
        """Makes every table readable, also before its first row, by a typed, empty part."""
        for table in CONTRACTS:
            empty = self.part(table, NO_RUN, 0)
            if not empty.exists():
                _replace(_staged_parquet(pl.DataFrame(schema=schema_of(table)), empty), empty)

    def days_stored(self, run_id: str) -> list[int]:
        """Days of a run that are committed, ascending."""
        marks = (self.root / "state" / f"run_id={run_id}").glob("day=*/closing.jsonl")
        return sorted(int(mark.parent.name.removeprefix("day=")) for mark in marks)

    def read_table(self, table: str, run_id: str, day: int) -> pl.DataFrame:
        """The rows of a table for a run and day."""
        return pl.read_parquet(self.part(table, run_id, day), hive_partitioning=False)

    def read_head(self, table: str, run_id: str, day: int, rows: int) -> pl.DataFrame:
        """The first rows of a table for a run and day."""
        return pl.read_parquet(self.part(table, run_id, day), hive_partitioning=False, n_rows=rows)

    def height(self, table: str, run_id: str, day: int) -> int:
        """How many rows of a table there are for a run and day."""
        rows = pl.scan_parquet(self.part(table, run_id, day), hive_partitioning=False).select(pl.len())
        return int(rows.collect().item())

    def read_closing(self, run_id: str, day: int) -> dict[str, SystemState]:
        """The closing states of a run's day by simulation_id.

        Raises InputError if that day is not committed, or if its states are those of another version.
        """
        file = self.state_file(run_id, day)
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            stored = ", ".join(str(stored_day) for stored_day in self.days_stored(run_id)) or "none"
            remedy = f"day {day} of run {run_id} is not stored (stored: {stored}); run the days in order from 0"
            raise InputError(file, [Problem("", ABSENT, remedy)]) from None
        states = {}
        for line in content.splitlines():  # bytes: a text would also be split inside an id, at U+2028 and the like
            member = json.loads(line)
            try:
                states[member["simulation_id"]] = SystemState.from_content(member["state"])
            except ValueError as error:
                remedy = f"{error}; another version wrote it, so run {run_id} again from day 0"
                raise InputError(file, [Problem("", ABSENT, remedy)]) from error
        return states

    def drop_days_from(self, run_id: str, first_day: int) -> None:
        """Removes the days of a run from first_day on, latest first, each day's mark before its tables."""
        root = self.root / "state" / f"run_id={run_id}"
        tables = [self.root / "raw" / table / f"run_id={run_id}" for table in CONTRACTS]
        names = {folder.name for parent in (root, *tables) for folder in parent.glob("day=*")}
        for name in sorted(names, reverse=True):
            if int(name.removeprefix("day=")) >= first_day:
                for folder in (parent / name for parent in (root, *tables)):
                    if folder.exists():
                        shutil.rmtree(folder)
                        _flush(folder.parent)


class NewDay:
    """A day of a run on its way into the store: its tables lie beside their places until it is committed."""

    def __init__(self, store: RawStore, run_id: str, day: int) -> None:
        self._store, self._run_id, self._day = store, run_id, day
        self._staged: dict[str, Path] = {}

    def stage(self, table: str, frame: pl.DataFrame) -> None:
        """Writes a table of the day where no reader looks; threads may stage a table each."""
        self._staged[table] = _staged_parquet(frame, self._place(table))

    def discard(self) -> None:
        """Takes away what has been staged, and folders made for nothing else."""
        for table, staged in self._staged.items():
            staged.unlink()
            day = self._place(table).parent
            for folder in (day, day.parent):
                with suppress(OSError):  # something else is in it
                    folder.rmdir()

    def commit(self, closing: Sequence[tuple[str, SystemState]]) -> None:
        """Commits the day: its tables, all of them staged, then its closing states, given as (simulation_id, state).

        Days after one whose closing states change are removed. A crash leaves the day as it was or as it is to
        be, or, if it replaces other content, not committed.
        """
        assert set(self._staged) == set(CONTRACTS), sorted(self._staged)
        mark = self._store.state_file(self._run_id, self._day)
        content = "".join(
            f'{{"simulation_id":{json.dumps(name)},"state":{state.to_json()}}}\n' for name, state in closing
        ).encode()
        staged_mark = _staged(mark, content)
        parts = [(self._staged[table], self._place(table)) for table in CONTRACTS]
        staged_files = [*parts, (staged_mark, mark)]
        if mark.exists() and not _holds_same(staged_mark, mark):
            # What the later days started from is no more: they would not follow from this day.
            self._store.drop_days_from(self._run_id, self._day + 1)
        if mark.exists() and not all(_holds_same(new, old) for new, old in staged_files):
            mark.unlink()
            _flush(mark.parent)
        for new, old in staged_files:
            _replace(new, old)

    def _place(self, table: str) -> Path:
        return self._store.part(table, self._run_id, self._day)


def replace_file(target: Path, content: bytes) -> None:
    """Puts content in a file's place atomically: a crash leaves the old content or the new."""
    _replace(_staged(target, content), target)


def _staged_parquet(frame: pl.DataFrame, target: Path) -> Path:
    file = _stage_path(target)
    frame.write_parquet(file, compression="zstd")
    _flush(file)
    return file


def _staged(target: Path, content: bytes) -> Path:
    file = _stage_path(target)
    file.write_bytes(content)
    _flush(file)
    return file


def _stage_path(target: Path) -> Path:
    """A file beside the target that no reader looks at; what a crash left there is overwritten."""
    _make_folder(target.parent)
    return target.with_name(f".{target.name}.staged")


def _make_folder(folder: Path) -> None:
    """Makes a folder and those above it, each known to the one above also after a loss of power."""
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _flush(folder.parent)


def _holds_same(one: Path, other: Path) -> bool:
    return other.exists() and one.read_bytes() == other.read_bytes()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(staged: Path, target: Path) -> None:
    """Puts a staged file in the target's place, also in the eyes of a file system that loses power."""
    os.replace(staged, target)
    _flush(target.parent)
