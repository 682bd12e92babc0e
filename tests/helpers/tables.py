"""Raw tables of a scenario, as rows."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from pipelines.contracts import CONTRACTS
from pipelines.frames import frames_of_day
from pipelines.runs import Member
from sim_engine import DayRecord, Scenario, SystemState, run_days

Rows = list[dict[str, Any]]


def member_of(scenario: Scenario) -> Member:
    return Member("told", "base", scenario)


def run_all_days(scenario: Scenario) -> list[tuple[DayRecord, SystemState]]:
    return list(run_days(scenario, SystemState.opening(scenario), scenario.stated.num_days))


def frames_of(scenario: Scenario, records: Sequence[DayRecord]) -> dict[str, pl.DataFrame]:
    """All days' frames in one, by table."""
    days = [frames_of_day([(member_of(scenario), record)]) for record in records]
    return {table: pl.concat([frames[table] for frames in days]) for table in CONTRACTS}


def rows_of(scenario: Scenario, records: Sequence[DayRecord]) -> dict[str, Rows]:
    """All days' rows, by table."""
    return {table: frame.rows(named=True) for table, frame in frames_of(scenario, records).items()}
