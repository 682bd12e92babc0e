"""Raw tables of a scenario, as rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from pipelines.contracts import CONTRACTS
from pipelines.frames import MembersDay, frame_of
from pipelines.raw_store import NewDay, NewPart, RawStore
from pipelines.runs import Member
from sim_engine import DayRecord, Scenario, SystemState, run_days

Rows = list[dict[str, Any]]


def member_of(scenario: Scenario) -> Member:
    return Member("told", "base", "base", scenario)


def frames_of_day(day_of_members: Iterable[tuple[Member, DayRecord]]) -> dict[str, pl.DataFrame]:
    """Every table of a day of a run, its members' rows in the order given."""
    day = MembersDay(day_of_members)
    return {table: frame_of(table, day) for table in CONTRACTS}


def write_day(
    store: RawStore,
    run_id: str,
    day: int,
    frames: Mapping[str, pl.DataFrame],
    closing: Sequence[tuple[str, SystemState]],
) -> None:
    """Commits a day of a run, all of whose tables are there, with its closing states."""
    part = NewPart(store, run_id, day)
    for table, frame in frames.items():
        part.stage(table, frame)
    part.stage_closing(closing)
    NewDay(store, run_id, day, [part.attempt]).commit()


def run_all_days(scenario: Scenario) -> list[tuple[DayRecord, SystemState]]:
    return list(run_days(scenario, SystemState.opening(scenario), scenario.stated.num_days))


def frames_of(scenario: Scenario, records: Sequence[DayRecord]) -> dict[str, pl.DataFrame]:
    """All days' frames in one, by table."""
    days = [frames_of_day([(member_of(scenario), record)]) for record in records]
    return {table: pl.concat([frames[table] for frames in days]) for table in CONTRACTS}


def rows_of(scenario: Scenario, records: Sequence[DayRecord]) -> dict[str, Rows]:
    """All days' rows, by table."""
    return {table: frame.rows(named=True) for table, frame in frames_of(scenario, records).items()}
