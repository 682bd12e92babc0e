"""Removes one run everywhere: closing states, raw tables, the warehouse, Dagster's records, log, note and pages.

The files that ask for the run are never touched. Every step can be repeated, so that a removal that was stopped is
completed by the next.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from pipelines.catalogue import Catalogue
from pipelines.files import remove_if_empty
from pipelines.lock import data_lock
from pipelines.places import SCENARIOS_FOLDER, dagster_home, run_file_folders
from pipelines.run_listing import ListedRun, listed_run
from pipelines.stores import store_of
from pipelines.warehouse import Warehouse
from sim_engine import InputError, Problem
from sim_engine.errors import ABSENT

if TYPE_CHECKING:
    from pipelines.dagster_records import DagsterRecords, DagsterTraces

_BY_RUN = {"logs": ".log", "catalogue": ".json", "reports": ".html"}
"""Folders of files that are named after runs: what was said of them, where their files are, their pages.

A run's name has no dot: what stands behind one in a file's name is of the same run."""

_WAREHOUSE_WAIT_SECONDS = 30
"""How long another program may keep the warehouse open before nothing is removed."""


@dataclass(frozen=True)
class Remains:
    """Everything that there is of a run.

    listed: what is stored of it; None if nothing is. in_warehouse: whether the warehouse has rows of it.
    dagster: what Dagster remembers of it; None if Dagster was never used. files: those in the data folder that are
    named after it, such as its log. asked_by: the files that ask for it, which stay.
    """

    run_id: str
    listed: ListedRun | None
    in_warehouse: bool
    dagster: "DagsterTraces | None"
    files: tuple[Path, ...]
    asked_by: tuple[Path, ...]


def known_runs(data_root: Path) -> list[str]:
    """Every run that has left something in the data folder, ascending, also if it is but a partition."""
    named = [
        file.name.split(".")[0]
        for folder, suffix in _BY_RUN.items()
        for file in (data_root / folder).glob(f"*{suffix}")
    ]
    with _dagster(data_root) as records:
        in_dagster = records.run_ids() if records else []
    warehouse = Warehouse(data_root)
    built = {*warehouse.marked_runs(), *_runs_in_warehouse(warehouse)}
    return sorted({*store_of(data_root).run_ids(), *built, *in_dagster, *named})


def remains_of(data_root: Path, run_id: str) -> Remains:
    """Everything that there is of a run; data_root holds something of it."""
    store, warehouse = store_of(data_root), Warehouse(data_root)
    with _dagster(data_root) as records:
        traces = records.traces_of(run_id) if records else None
    return Remains(
        run_id=run_id,
        listed=listed_run(store, warehouse, run_id) if run_id in store.run_ids() else None,
        in_warehouse=warehouse.holds(run_id) or run_id in _runs_in_warehouse(warehouse),
        dagster=traces,
        files=tuple(_files_of(data_root, run_id)),
        asked_by=tuple(_files_asking_for(data_root, run_id)),
    )


def prune(data_root: Path, run_id: str, *, on_wait: Callable[[str], None]) -> None:
    """Removes a run everywhere in the data folder, when no other process writes there.

    on_wait: called with a message if there is somebody to wait for. Raises WarehouseBusy if another program keeps the
    warehouse open, and InputError if the warehouse is no database; nothing has been removed then.
    """
    warehouse = Warehouse(data_root)
    with data_lock(data_root, f"prune {run_id}", on_wait=on_wait):
        _check_warehouse(warehouse, on_wait)
        for remove in _removals(data_root, warehouse, run_id):
            remove()


def _removals(data_root: Path, warehouse: Warehouse, run_id: str) -> Iterator[Callable[[], None]]:
    """The steps of a removal, in order: days lose their marks before anything that was made from them goes."""
    yield partial(store_of(data_root).remove_run, run_id)
    yield partial(warehouse.remove, run_id)
    yield partial(_forget_in_dagster, data_root, run_id)
    for file in _files_of(data_root, run_id):
        yield partial(file.unlink, missing_ok=True)
    for folder in _BY_RUN:
        yield partial(remove_if_empty, data_root / folder)


def _check_warehouse(warehouse: Warehouse, on_wait: Callable[[str], None]) -> None:
    try:
        warehouse.wait_until_free(_WAREHOUSE_WAIT_SECONDS, on_wait)
    except duckdb.Error as error:
        remedy = f"cannot be opened ({error}); nothing was removed. Move it away: payment-sim pipeline builds it anew"
        raise InputError(warehouse.file, [Problem("", ABSENT, remedy)]) from error


def _runs_in_warehouse(warehouse: Warehouse) -> set[str]:
    """Runs of which the warehouse has a row, marked or not; none can be told while another program writes to it."""
    with suppress(duckdb.Error):
        return warehouse.runs_with_rows()
    return set()


@contextmanager
def _dagster(data_root: Path) -> "Iterator[DagsterRecords | None]":
    """Dagster's records, if Dagster has ever been used here: it is slow to import."""
    home = dagster_home(data_root)
    if not home.is_dir():
        yield None
        return
    from pipelines.dagster_records import dagster_records

    with dagster_records(home) as records:
        yield records


def _forget_in_dagster(data_root: Path, run_id: str) -> None:
    with _dagster(data_root) as records:
        if records:
            records.forget(run_id)


def _files_of(data_root: Path, run_id: str) -> list[Path]:
    """The files that are named after a run."""
    return [
        file
        for folder, suffix in _BY_RUN.items()
        for name in (f"{run_id}{suffix}", f"{run_id}.*{suffix}")
        for file in sorted((data_root / folder).glob(name))
    ]


def _files_asking_for(data_root: Path, run_id: str) -> list[Path]:
    """Files of the known folders that ask for a run, and the one that it was last launched from, if it is there."""
    files = Catalogue(data_root, (*run_file_folders(), SCENARIOS_FOLDER)).files_by_run().get(run_id, [])
    with suppress(OSError, ValueError, KeyError):
        note = json.loads((data_root / "catalogue" / f"{run_id}.json").read_text(encoding="utf-8"))
        if (noted := Path(note["file"])).is_file() and noted not in files:
            files.append(noted)
    return files
