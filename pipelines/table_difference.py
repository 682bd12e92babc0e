"""How one table of one day differs between two runs, row by row, rows being known by the table's primary key."""

from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from pipelines.contracts import primary_key_of

How = Literal["changed", "only_in_a", "only_in_b", "moved"]
When = Literal["opening", "tick", "end"]

OPENING_TABLES = ("simulations", "agents", "policy_snapshots")
"""Tables that tell of a day's opening. Of the others, those without a tick tell of its end."""

_TICKS = ("tick", "arrival_tick")
_PLACE_A, _PLACE_B, _HOW, _TICK = "place in A", "place in B", "how", "tick of either"
_IN_B = " in B"
"""No column of a table has a space in its name, so that these names are free."""


@dataclass(frozen=True)
class RowDifference:
    """A row that differs.

    simulation: place of the simulation among those compared. key: the rest of the row's primary key, without the day.
    when: at the day's opening, at a tick of it, or at its end. tick: of the whole simulation, the earlier if the runs
    differ in it; None unless it happened at a tick. how: whether the row is in one run only, has changed, or has
    changed its place alone. column, a, b: the first column that differs, and both runs' values; for a row that has
    moved, its place among the table's rows of the day, from 0; None for a row that only one run has.
    """

    table: str
    day: int
    simulation: int
    key: dict[str, Any]
    when: When
    tick: int | None
    how: How
    column: str | None
    a: Any
    b: Any

    @property
    def moment(self) -> tuple[int, int, int]:
        """Orders differences by time: day, opening before ticks before end, tick."""
        return self.day, ("opening", "tick", "end").index(self.when), self.tick or 0


@dataclass(frozen=True)
class TableDifference:
    """A table on the first day on which it differs.

    columns_only_in_a, columns_only_in_b: columns that the other version's table has not, or has in another type.
    only_in_a, only_in_b, changed: numbers of rows; all 0 if rows have but changed places, or columns alone differ.
    first: the first row that differs, as rows are stored. earliest: the first one in time. None if no row differs.
    """

    table: str
    day: int
    columns_only_in_a: tuple[str, ...]
    columns_only_in_b: tuple[str, ...]
    only_in_a: int = 0
    only_in_b: int = 0
    changed: int = 0
    first: RowDifference | None = None
    earliest: RowDifference | None = None


def table_difference(table: str, day: int, a: pl.DataFrame, b: pl.DataFrame) -> TableDifference | None:
    """How a table of a day differs; None if it does not.

    a, b: the table's rows, in which simulation_id is the place (int) of the simulation among those compared.
    """
    if a.equals(b):
        return None
    common = [name for name, dtype in a.schema.items() if b.schema.get(name) == dtype]
    columns_only = (_others(a, common), _others(b, common))
    if set(primary_key_of(table)) - set(common):
        return TableDifference(table, day, *columns_only)
    rows = _differing_rows(table, a.select(common), b.select(common))
    counts = dict(rows.group_by(_HOW).len().iter_rows())
    first = earliest = None
    if not rows.is_empty():
        in_order = rows.sort(pl.min_horizontal(_PLACE_A, _PLACE_B), _PLACE_A, nulls_last=True)
        first = _row_difference(table, day, common, in_order.row(0, named=True))
        earliest = _row_difference(
            table, day, common, in_order.sort(_TICK, maintain_order=True, nulls_last=True).row(0, named=True)
        )
    found = TableDifference(
        table,
        day,
        *columns_only,
        only_in_a=counts.get("only_in_a", 0),
        only_in_b=counts.get("only_in_b", 0),
        changed=counts.get("changed", 0),
        first=first,
        earliest=earliest,
    )
    return found if found.first or any(columns_only) else None


def _others(frame: pl.DataFrame, common: list[str]) -> tuple[str, ...]:
    return tuple(f"{name} ({dtype})" for name, dtype in frame.schema.items() if name not in common)


def _differing_rows(table: str, a: pl.DataFrame, b: pl.DataFrame) -> pl.DataFrame:
    """Rows of both runs side by side, a row per primary key that is not the same in both, nor in the same place.

    Rows that have but moved are left out if any other row differs: what comes or goes moves those behind it.
    """
    key = primary_key_of(table)
    a, b = a.with_row_index(_PLACE_A), b.with_row_index(_PLACE_B)
    if a.height == b.height:
        values = a.columns[1:]
        both = pl.concat([a, b.rename(lambda name: name if name == _PLACE_B else name + _IN_B)], how="horizontal")
        is_other = both.select(pl.any_horizontal(_differs(name) for name in values)).to_series()
        a, b = a.filter(is_other), b.filter(is_other)
    values = [name for name in a.columns[1:] if name not in key]
    rows = a.join(b, on=key, how="full", coalesce=True, suffix=_IN_B)
    rows = rows.with_columns(
        pl.when(pl.col(_PLACE_B).is_null())
        .then(pl.lit("only_in_a"))
        .when(pl.col(_PLACE_A).is_null())
        .then(pl.lit("only_in_b"))
        .when(pl.any_horizontal(pl.lit(False), *(_differs(name) for name in values)))
        .then(pl.lit("changed"))
        .otherwise(pl.lit("moved"))
        .alias(_HOW),
        pl.min_horizontal([pl.lit(None, pl.Int64), *_ticks_of(key, values)]).alias(_TICK),
    )
    others = rows.filter(pl.col(_HOW) != "moved")
    return rows if others.is_empty() else others


def _differs(name: str) -> pl.Expr:
    return pl.col(name).ne_missing(pl.col(name + _IN_B))


def _ticks_of(key: list[str], values: list[str]) -> list[pl.Expr]:
    """When a row happened, by either run."""
    names = [name for name in _TICKS if name in key] + [name for name in _TICKS if name in values]
    return [pl.col(name) for name in names] + [pl.col(name + _IN_B) for name in names if name in values]


def _row_difference(table: str, day: int, common: list[str], row: dict[str, Any]) -> RowDifference:
    key = {name: row[name] for name in primary_key_of(table) if name not in ("simulation_id", "day")}
    how = row[_HOW]
    column = a = b = None
    if how == "changed":
        names = [name for name in common if name + _IN_B in row]
        column = next(name for name in names if row[name] != row[name + _IN_B])
        a, b = row[column], row[column + _IN_B]
    elif how == "moved":
        a, b = row[_PLACE_A], row[_PLACE_B]
    has_ticks = any(name in common for name in _TICKS)
    when: When = "tick" if has_ticks else "opening" if table in OPENING_TABLES else "end"
    return RowDifference(
        table, day, row["simulation_id"], key, when, row[_TICK] if has_ticks else None, how, column, a, b
    )
