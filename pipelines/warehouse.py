"""What the warehouse holds of each run, and what a build has to bring up to date.

    built/<run>.json    says from which raw days, by which models, a run's marts were built

As in the raw store, the mark is written last and taken away first: a run without one is not, or not wholly, in the
warehouse.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Literal

import duckdb

from pipelines.files import remove_if_empty, replace_file
from pipelines.places import DBT_FOLDER, warehouse_file
from pipelines.raw_store import RawStore
from sim_engine import InputError, Problem
from sim_engine.errors import ABSENT

Standing = Literal["current", "out of date", "absent"]

_MODEL_SOURCES = ("models", "macros", "seeds")
_NAMED_RUNS_MAX = 1000
"""Runs that a build names one by one: the environment, which names them, has room for about these."""
_SAID_RUNS_MAX = 5
_ASKED_EVERY_SECONDS = 0.5
_RUNS_ASKED_AT_ONCE = 8


@dataclass(frozen=True)
class Build:
    """What is to be built: these runs; every table anew if `whole`.

    left_out: runs whose tables models of this version cannot read, as another version stored them, or are damaged.
    """

    runs: tuple[str, ...]
    whole: bool
    left_out: tuple[str, ...] = ()

    @property
    def named(self) -> tuple[str, ...]:
        """The runs that the build has to name; none if it is of all that is stored."""
        return () if self.whole and not self.left_out else self.runs

    @property
    def said(self) -> str:
        """What is built, in words."""
        shown = _shown(self.runs)
        return f"every table anew, of {shown or 'no run'}" if self.whole else f"of {shown}"

    @property
    def warning(self) -> str | None:
        """What is left out, why, and what to do; nothing if nothing is."""
        if not self.left_out:
            return None
        return (
            f"not in the marts, as their tables are another version's, or damaged: {_shown(self.left_out)}; "
            "run them again, or remove them: payment-sim prune RUN"
        )


def _shown(runs: Sequence[str]) -> str:
    more = f" and {len(runs) - _SAID_RUNS_MAX:,} more" if len(runs) > _SAID_RUNS_MAX else ""
    return ", ".join(runs[:_SAID_RUNS_MAX]) + more


class WarehouseBusy(Exception):
    """Another program holds the warehouse open; the message says which."""


class Warehouse:
    """The marts of a data folder, by run."""

    def __init__(self, data_root: Path) -> None:
        self.file = warehouse_file(data_root)
        self._marks = data_root / "built"

    def marked_runs(self) -> list[str]:
        """Runs that are marked as built, ascending."""
        return sorted(mark.stem for mark in self._marks.glob("*.json"))

    def runs_with_rows(self) -> set[str]:
        """Runs of which a table has a row, marked or not. Raises duckdb.Error if the file cannot be opened now."""
        if not self.file.exists():
            return set()
        with duckdb.connect(str(self.file), read_only=True) as connection:
            selects = [f'select run_id from "{table}"' for table in _tables_by_run(connection)]
            return {run_id for (run_id,) in connection.sql(" union ".join(selects)).fetchall()} if selects else set()

    def holds(self, run_id: str) -> bool:
        """Whether the run is wholly in the warehouse, however old."""
        return self.file.exists() and self._mark(run_id).exists()

    def built_from(self, run_id: str) -> bytes | None:
        """From which raw days, by which models, the run's marts were built; nothing if it is not wholly there."""
        return self._mark(run_id).read_bytes() if self.holds(run_id) else None

    def standing(self, run_id: str, store: RawStore) -> Standing:
        """Whether the warehouse holds the run as it is stored now."""
        if not self.holds(run_id):
            return "absent"
        return "current" if self._mark(run_id).read_bytes() == _version(run_id, store) else "out of date"

    def due(self, store: RawStore, launched: Iterable[str] = ()) -> Build:
        """What has to be built: runs that were stored again, or removed, since; all, if the models have changed.

        launched: runs that are to be built in any case. If nothing needs to be, all: whoever asks for a build without
        a reason wants it made anew.
        """
        stored, built = store.run_ids(), self.marked_runs()
        known = sorted({*stored, *built})
        with ThreadPoolExecutor(_RUNS_ASKED_AT_ONCE) as pool:  # a store at a URL takes its time to answer
            fits = list(pool.map(store.fits_contracts, stored))
            standings = list(pool.map(partial(self.standing, store=store), known))
        left_out = tuple(run_id for run_id, fitting in zip(stored, fits, strict=True) if not fitting)
        of_these_models = all(_models_of(self._mark(run_id)) == models_version() for run_id in built)
        changed = {run_id for run_id, standing in zip(known, standings, strict=True) if standing != "current"}
        changed = (changed | {*launched}) - {*left_out}
        if built and self.file.exists() and of_these_models and 0 < len(changed) <= _NAMED_RUNS_MAX:
            return Build(tuple(sorted(changed)), whole=False, left_out=left_out)
        return Build(tuple(run_id for run_id in stored if run_id not in left_out), whole=True, left_out=left_out)

    def unmark(self, build: Build) -> None:
        """Takes the marks of what is about to be built away."""
        marks = self._marks.glob("*.json") if build.whole else map(self._mark, build.runs)
        for mark in list(marks):
            mark.unlink(missing_ok=True)

    def mark(self, build: Build, store: RawStore) -> None:
        """Says that what was to be built is there, built from what is stored."""
        for run_id in build.runs:
            if store.days_stored(run_id):
                replace_file(self._mark(run_id), _version(run_id, store))

    def remove(self, run_id: str) -> None:
        """Removes a run: its mark, then its rows from every table, all or none."""
        self._mark(run_id).unlink(missing_ok=True)
        remove_if_empty(self._marks)
        if not self.file.exists():
            return
        with duckdb.connect(str(self.file)) as connection:
            connection.begin()
            for table in _tables_by_run(connection):
                connection.execute(f'delete from "{table}" where run_id = $run_id', {"run_id": run_id})
            connection.commit()

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Opens the file for reading, which others may do at the same time.

        Raises WarehouseBusy if another program writes to it, and InputError if it is not there or no database.
        """
        try:
            if not self.file.exists():
                raise InputError(self.file, [Problem("", ABSENT, "is not there; build it: payment-sim pipeline FILE")])
            connection = duckdb.connect(str(self.file), read_only=True)
        except duckdb.IOException as error:
            if "lock" in str(error):
                said = f"the warehouse {self.file} is open elsewhere ({_holder(error)})"
                raise WarehouseBusy(f"{said}; wait for it, or close it there") from None
            remedy = f"cannot be opened ({error}); move it away: payment-sim pipeline FILE builds it anew"
            raise InputError(self.file, [Problem("", ABSENT, remedy)]) from error
        with connection:
            yield connection

    def wait_until_free(self, seconds: float, on_wait: Callable[[str], None]) -> None:
        """Waits for another program that has the warehouse open, such as a notebook, to close it.

        on_wait: called once, with a message, if there is one. Raises WarehouseBusy after so many seconds.
        """
        started, told = time.monotonic(), False
        while self.file.exists():
            try:
                duckdb.connect(str(self.file)).close()
            except duckdb.IOException as error:
                if "lock" not in str(error):
                    raise
                said = f"the warehouse {self.file} is open elsewhere ({_holder(error)})"
                if time.monotonic() - started > seconds:
                    raise WarehouseBusy(f"{said}; close it there and launch again: raw tables are kept") from None
                if not told:
                    on_wait(f"Waiting: {said}")
                    told = True
                time.sleep(_ASKED_EVERY_SECONDS)
            else:
                return

    def _mark(self, run_id: str) -> Path:
        return self._marks / f"{run_id}.json"


def _tables_by_run(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Tables whose rows each belong to a run."""
    tables = connection.sql(
        "select table_name from duckdb_columns() inner join duckdb_tables() using (schema_name, table_name) "
        "where column_name = 'run_id' order by table_name"
    ).fetchall()
    return [table for (table,) in tables]


def _holder(error: duckdb.IOException) -> str:
    """Who holds the file open, in DuckDB's words."""
    _, _, said = str(error).partition("Conflicting lock is held in ")
    return said.partition(". ")[0] or "by another program"


def _version(run_id: str, store: RawStore) -> bytes:
    """What a run's marts depend on: its committed days, each as of its commit, and the models."""
    content = {"raw": _digest(store.commits(run_id)), "models": models_version()}
    return (json.dumps(content) + "\n").encode()


def _models_of(mark: Path) -> object:
    return json.loads(mark.read_text(encoding="utf-8"))["models"]


@cache
def models_version() -> str:
    """A digest of everything that the tables of the warehouse are built by."""
    files = [DBT_FOLDER / "dbt_project.yml"]
    for folder in _MODEL_SOURCES:
        files += sorted(path for path in (DBT_FOLDER / folder).rglob("*") if path.is_file())
    return _digest((str(file.relative_to(DBT_FOLDER)), file.read_bytes().hex()) for file in files)


def _digest(facts: Iterable[object]) -> str:
    digest = hashlib.sha256()
    for fact in facts:
        digest.update(f"{fact!r}\n".encode())
    return digest.hexdigest()
