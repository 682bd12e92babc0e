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
            if not _has_columns_of(table, empty):  # it is not there, or another version's
                _replace(_staged_parquet(pl.DataFrame(schema=schema_of(table)), empty), empty)

    def days_stored(self, run_id: str) -> list[int]:
        """Days of a run that are committed, ascending."""
        marks = (self.root / "state" / f"run_id={run_id}").glob("day=*/closing.jsonl")
        return sorted(int(mark.parent.name.removeprefix("day=")) for mark in marks)

    def run_ids(self) -> list[str]:
        """Every run that has left something here, ascending, also if none of its days is committed."""
        folders = [*(self.root / "raw").glob("*/run_id=*"), *(self.root / "state").glob("run_id=*")]
        return sorted({folder.name.removeprefix("run_id=") for folder in folders} - {NO_RUN})

    def commits(self, run_id: str) -> list[tuple[int, int]]:
        """Committed days of a run, ascending, each with when it was committed: nanoseconds of the file system's clock.

        A day that is stored again has another time, also if its content is the same.
        """
        return [(day, self.state_file(run_id, day).stat().st_mtime_ns) for day in self.days_stored(run_id)]

    def days_torn(self, run_id: str) -> list[int]:
        """Days of a run that have parts but no mark, ascending: what a crash, or a run that goes on, leaves."""
        parts = [part for folder in self._folders_of(run_id) for part in folder.glob("day=*/part-0.parquet")]
        return sorted({int(part.parent.name.removeprefix("day=")) for part in parts} - set(self.days_stored(run_id)))

    def is_whole(self, run_id: str) -> bool:
        """Whether every committed day of a run has its part of each table that the run has."""
        days = self.days_stored(run_id)
        tables = [folder for folder in self._folders_of(run_id)[1:] if folder.is_dir()]
        return all((folder / f"day={day:04d}" / "part-0.parquet").is_file() for folder in tables for day in days)

    def size_of(self, run_id: str) -> int:
        """Bytes of everything that is stored of a run, closing states included."""
        size = 0
        for run_folder in self._folders_of(run_id):
            for folder, _, names in os.walk(run_folder):
                for name in names:
                    with suppress(FileNotFoundError):  # whoever writes it has just moved it to its place
                        size += os.stat(Path(folder) / name).st_size
        return size

    def fits_contracts(self, run_id: str) -> bool:
        """Whether a run is stored with the columns that tables have in this version; its last day speaks for all."""
        return all(
            _has_columns_of(table, self.part(table, run_id, day))
            for day in self.days_stored(run_id)[-1:]
            for table in CONTRACTS
        )

    def drop_uncommitted(self, run_id: str) -> None:
        """Removes parts of days that are not committed: what a crash left of days that are not there."""
        for day in self.days_torn(run_id):
            for folder in self._folders_of(run_id):
                part = folder / f"day={day:04d}" / "part-0.parquet"
                if part.exists():
                    part.unlink()
                    _flush(part.parent)

    def read_table(self, table: str, run_id: str, day: int) -> pl.DataFrame:
        """The rows of a table for a run and day."""
        return pl.read_parquet(self.part(table, run_id, day), hive_partitioning=False)

    def read_columns(self, table: str, run_id: str, day: int, columns: list[str]) -> pl.DataFrame:
        """Some columns of a table for a run and day; the others are not read."""
        return pl.read_parquet(self.part(table, run_id, day), hive_partitioning=False, columns=columns)

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

    def remove_run(self, run_id: str) -> None:
        """Removes everything that is stored of a run: marks first, the latest day's first, then states and tables.

        What stops it in the middle leaves no day that has its mark and lacks a table.
        """
        for day in reversed(self.days_stored(run_id)):
            mark = self.state_file(run_id, day)
            mark.unlink()
            _flush(mark.parent)
        for folder in self._folders_of(run_id):
            if folder.exists():
                shutil.rmtree(folder)
                _flush(folder.parent)
            remove_if_empty(folder.parent)
        remove_if_empty(self.root / "raw")

    def _folders_of(self, run_id: str) -> list[Path]:
        """Where a run's folders are, if they are: that of its states, then that of each table, of any version."""
        parents = [self.root / "state", *sorted(self.root.glob("raw/*"))]
        return [parent / f"run_id={run_id}" for parent in parents]


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
                remove_if_empty(folder)

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


def _has_columns_of(table: str, part: Path) -> bool:
    """Whether a part is there, can be read and has the columns of a table's contract."""
    try:
        return dict(pl.read_parquet_schema(part)) == dict(schema_of(table))
    except (OSError, pl.exceptions.PolarsError):
        return False


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


def remove_if_empty(folder: Path) -> None:
    """Removes a folder unless something is in it."""
    with suppress(OSError):  # something else is in it, or it is not there
        folder.rmdir()


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
