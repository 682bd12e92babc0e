"""Which runs a data folder holds. Read from marks, from the footers of tables and from the smallest table alone."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Literal

import polars as pl

from pipelines.raw_store import RawStore
from pipelines.warehouse import Standing, Warehouse
from sim_engine import Problem
from sim_engine.errors import did_you_mean

State = Literal["complete", "unfinished", "damaged"]

_RUNS_ASKED_AT_ONCE = 8
_STATED = ["scenario", "num_days", "engine_version"]


@dataclass(frozen=True)
class ListedRun:
    """A run of which something is stored.

    scenario, simulations, days_asked, engine_version, committed_at (UTC): None if no day is committed or readable.
    payments: arrivals of all committed days and simulations; None if they cannot be read.
    size_bytes: raw tables and closing states, as files.
    state: complete, if every day that was asked for is committed; damaged, if a committed day lacks a table or cannot
    be read; else unfinished. warehouse: whether the warehouse holds the run as it is stored.
    """

    run_id: str
    scenario: str | None
    simulations: int | None
    days_stored: int
    days_asked: int | None
    payments: int | None
    size_bytes: int
    engine_version: str | None
    committed_at: datetime | None
    state: State
    warehouse: Standing

    def as_dict(self) -> dict[str, object]:
        """The same in plain values; committed_at as ISO 8601 text."""
        moment = self.committed_at.isoformat(timespec="seconds") if self.committed_at else None
        return asdict(self) | {"committed_at": moment}


@dataclass(frozen=True)
class _Stated:
    """What the last committed day says of its run."""

    scenario: str
    simulations: int
    days_asked: int
    engine_version: str


def listed_runs(store: RawStore, warehouse: Warehouse) -> list[ListedRun]:
    """Every run of which something is stored, ascending by name."""
    with ThreadPoolExecutor(_RUNS_ASKED_AT_ONCE) as pool:  # a store at a URL takes its time to answer
        return list(pool.map(partial(listed_run, store, warehouse), store.run_ids()))


def listed_run(store: RawStore, warehouse: Warehouse, run_id: str) -> ListedRun:
    """A run of which something is stored."""
    days, committed_at = store.days_stored(run_id), store.committed_at(run_id)
    try:
        stated = _stated(store, run_id, days[-1]) if days else None
        payments = sum(store.height("arrivals", run_id, day) for day in days)
    except (OSError, pl.exceptions.PolarsError):
        stated = payments = None
    return ListedRun(
        run_id=run_id,
        scenario=stated.scenario if stated else None,
        simulations=stated.simulations if stated else None,
        days_stored=len(days),
        days_asked=stated.days_asked if stated else None,
        payments=payments,
        size_bytes=store.size_of(run_id),
        engine_version=stated.engine_version if stated else None,
        committed_at=None if committed_at is None else datetime.fromtimestamp(committed_at, UTC),
        state=_state(store, run_id, days, stated),
        warehouse=warehouse.standing(run_id, store),
    )


def unknown_run(key: str, run_id: str, known: list[str], place: object) -> Problem:
    """What is wrong with a run that is named and is not there.

    key: what names it. known: the runs that are there. place: where they were looked for.
    """
    if known:
        return Problem(key, run_id, f"no such run in {place}; {did_you_mean(run_id, known)}")
    return Problem(key, run_id, f"there are no runs in {place}; to make one: payment-sim run --config FILE")


def _stated(store: RawStore, run_id: str, day: int) -> _Stated:
    rows = store.read_columns("simulations", run_id, day, _STATED)
    scenarios, versions = (
        ", ".join(rows[column].unique(maintain_order=True)) for column in ("scenario", "engine_version")
    )
    return _Stated(scenarios, rows.height, max(rows["num_days"].to_list()), versions)


def _state(store: RawStore, run_id: str, days: list[int], stated: _Stated | None) -> State:
    if days and (stated is None or not store.is_whole(run_id)):
        return "damaged"
    if stated and days == [*range(stated.days_asked)] and not store.days_torn(run_id):
        return "complete"
    return "unfinished"
