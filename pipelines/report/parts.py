"""What a page is put together from: numbers in sentences, tables that say what they asked, figures, drawn cycles."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import polars as pl
from markupsafe import Markup

from pipelines.report import charts, wording
from pipelines.report.netting import Drawing
from pipelines.report.questions import Subject
from pipelines.report.theme import svg

Kind = Literal["text", "count", "number", "money", "exact_money", "share"]
"""How a value is shown; money is in minor units."""

ROWS_SHOWN_MAX = 200

_SHOWN = {
    "count": wording.count,
    "number": wording.number,
    "money": wording.money,
    "exact_money": wording.exact_money,
    "share": wording.share,
}
_MONEY_PARTS = ("value", "liquidity_", "cost_", "paid", "received", "net_position")
_RATIO_PARTS = ("_share", "_ratio")


@dataclass(frozen=True)
class Table:
    """Rows of a statement, as they are shown. is_number: of each column. left_out: rows that it gives beyond those."""

    name: str
    columns: tuple[str, ...]
    is_number: tuple[bool, ...]
    rows: tuple[tuple[Markup, ...], ...]
    left_out: int
    statement: str


@dataclass(frozen=True)
class Figure:
    """A chart, drawn for a wide page and for a narrow one, and the numbers in it."""

    name: str
    title: str
    wide: Markup
    narrow: Markup
    caption: Markup
    source: Table
    legend: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Panels:
    """Small charts of one kind beside each other, each under its title, and the numbers in them."""

    charts: tuple[tuple[str, Markup], ...]
    caption: Markup
    source: Table
    legend: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Cycle:
    """A settled cycle: what it is, its drawing, its agents and its transactions."""

    title: Markup
    said: Markup
    drawing: Drawing
    members: Table
    transactions: Table
    note: str


@dataclass(frozen=True)
class Listing:
    """A table that stands open on the page."""

    title: str
    table: Table
    note: Markup


@dataclass(frozen=True)
class Text:
    """Preformatted text, folded away under its title."""

    title: str
    text: str


@dataclass(frozen=True)
class Section:
    """A part of the page, under a heading that `anchor` leads to."""

    anchor: str
    title: str
    said: tuple[Markup, ...]
    parts: tuple[Figure | Panels | Cycle | Listing | Text, ...] = ()


def figure(kind: Kind, value: float | None, says: str = "") -> Markup:
    """A number in a sentence: its exact value for whoever reads the page by program, and as it is said.

    says: what number it is; empty in tables, whose columns say it.
    """
    if value is None:
        return Markup(wording.NOTHING)
    named = Markup(' data-says="{}"').format(says) if says else ""
    return Markup('<data value="{}"{}>{}</data>').format(repr(value), named, _shown(kind, value))


def table(name: str, rows: pl.DataFrame, statement: str, *, most: int = ROWS_SHOWN_MAX, **kinds: Kind) -> Table:
    """What a statement gave, as a table.

    kinds: of columns of which their name does not say it. Where rows have a unit, their numbers are in it.
    """
    by_column = {column: kinds.get(column, kind_of(column, rows.schema[column])) for column in rows.columns}
    shown = rows.head(most)
    return Table(
        name=name,
        columns=tuple(rows.columns),
        is_number=tuple(kind != "text" for kind in by_column.values()),
        rows=tuple(
            tuple(
                _cell_of_unit(row[column]) if column == "unit" else _cell(_in_unit(kind, row.get("unit")), row[column])
                for column, kind in by_column.items()
            )
            for row in shown.iter_rows(named=True)
        ),
        left_out=rows.height - shown.height,
        statement=statement.strip(),
    )


def kind_of(column: str, dtype: pl.DataType) -> Kind:
    """How a column's values are shown, by its name and type."""
    if not dtype.is_numeric():
        return "text"
    if any(part in column for part in _RATIO_PARTS):
        return "share"
    if column == "amount":
        return "exact_money"
    if any(part in column for part in _MONEY_PARTS):
        return "money"
    return "count" if dtype.is_integer() or "count" in column or column.startswith("cycles") else "number"


def _cell(kind: Kind, value: Any) -> Markup:
    if value is None or kind == "text":
        return Markup(wording.NOTHING) if value is None else Markup("{}").format(value)
    return figure(kind, value)


def _cell_of_unit(unit: str) -> Markup:
    """A unit as the numbers beside it are shown."""
    return Markup('<span data-value="{}">{}</span>').format(unit, "money" if unit == "minor units" else unit)


def _in_unit(kind: Kind, unit: str | None) -> Kind:
    return "money" if kind == "number" and unit == "minor units" else kind


def _shown(kind: Kind, value: Any) -> str:
    assert kind != "text"
    return _SHOWN[kind](value)


def drawn(
    title: str,
    draw: Callable[[int], alt.TopLevelMixin],
    caption: Markup,
    source: Table,
    legend: tuple[tuple[str, str], ...] = (),
) -> Figure:
    """A figure, drawn at both widths. legend: marks in the drawing, and what they stand for."""
    wide, narrow = (Markup(svg(draw(width), f"{source.name}-{width}", title)) for width in (charts.WIDE, charts.NARROW))
    return Figure(source.name, title, wide, narrow, caption, source, legend)


def in_sum(subject: Subject, mart: str) -> Markup:
    """What a table counts over, and where it comes from."""
    over = f"In sum over {subject.days:,} simulated days. " if subject.days > 1 else ""
    return Markup("{}From the mart {}.").format(over, mart)
