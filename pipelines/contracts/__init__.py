"""The contracts of the raw tables: the single authority on their columns, types, units and row laws.

Frames must be eager: on a lazy frame pandera checks types alone and lets bad values pass.
"""

import threading
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandera.errors
import polars as pl

from pipelines.contracts import tables
from pipelines.contracts.columns import RawTable
from pipelines.contracts.verdict import surely_keeps

CONTRACTS: dict[str, type[RawTable]] = {
    "simulations": tables.Simulations,
    "agents": tables.Agents,
    "arrivals": tables.Arrivals,
    "settlements": tables.Settlements,
    "lsm_cycles": tables.LsmCycles,
    "lsm_runs": tables.LsmRuns,
    "ticks": tables.Ticks,
    "agent_days": tables.AgentDays,
    "queue_snapshots": tables.QueueSnapshots,
    "policy_snapshots": tables.PolicySnapshots,
    "collateral_events": tables.CollateralEvents,
}
"""Every raw table's contract by the table's name."""

_ONE_AT_A_TIME = threading.Lock()
"""pandera keeps settings that are not meant to be shared by threads."""


@dataclass(frozen=True)
class Column:
    """One column of a raw table as its contract states it."""

    name: str
    dtype: pl.DataType
    nullable: bool
    description: str
    unit: str


def columns_of(table: str) -> list[Column]:
    """The columns of a raw table, in order."""
    return list(_columns_of(table))


def schema_of(table: str) -> pl.Schema:
    """The types of a raw table's columns, in order."""
    return pl.Schema({column.name: column.dtype for column in columns_of(table)})


def primary_key_of(table: str) -> list[str]:
    """The columns that together name a row of a raw table."""
    return list(_pandera_schema(table).unique or [])


def grain_of(table: str) -> str:
    """What one row of a raw table is."""
    return (CONTRACTS[table].__doc__ or "").partition("\n")[0].strip()


class ContractBroken(Exception):
    """A frame that breaks its table's contract.

    table: its name. cases: the failing values, one row each: column, check, failure_case, index.
    """

    def __init__(self, table: str, cases: pl.DataFrame) -> None:
        self.table = table
        self.cases = cases
        first = cases.row(0, named=True)
        super().__init__(
            f"{table}: {cases.height} failing value{'s' if cases.height != 1 else ''}; the first: {first['column']} "
            f"{first['failure_case']!r} fails '{first['check']}'"
        )

    def __reduce__(self) -> tuple[type["ContractBroken"], tuple[str, pl.DataFrame]]:
        return type(self), (self.table, self.cases)  # an exception is pickled by its message else


def validate(table: str, frame: pl.DataFrame) -> None:
    """Holds an eager frame against its table's contract. Raises ContractBroken with every failing value."""
    if not isinstance(frame, pl.DataFrame):
        raise TypeError(f"{table}: contracts check eager frames; collect the {type(frame).__name__} first")
    if surely_keeps(_pandera_schema(table), schema_of(table), frame):
        return
    try:
        with _ONE_AT_A_TIME:
            _pandera_schema(table).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases.select("column", "check", "failure_case", "index")
        raise ContractBroken(table, cases) from None


@cache
def _pandera_schema(table: str) -> Any:
    """A contract as pandera checks it; making it takes as long as checking a small table."""
    return CONTRACTS[table].to_schema()


@cache
def _columns_of(table: str) -> tuple[Column, ...]:
    return tuple(
        Column(name, column.dtype.type, column.nullable, column.description, column.metadata["unit"])
        for name, column in _pandera_schema(table).columns.items()
    )
