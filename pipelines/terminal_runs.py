"""What the commands that keep house show a person: the runs there are, how two differ, what goes with one."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, JustifyMethod
from rich.filesize import decimal
from rich.table import Table

from pipelines.terminal import counted, shown_path

if TYPE_CHECKING:  # each command imports what it shows, and not what the others show
    from pipelines.prune import Remains
    from pipelines.run_difference import RunDifference, StoredRun
    from pipelines.run_listing import ListedRun
    from pipelines.table_difference import RowDifference, TableDifference

_NOTHING = "-"
_NAMES_SHOWN_MAX = 6
_STATED_SHOWN_MAX = 20
_VALUE_LENGTH_MAX = 60
_WIDTH_WITHOUT_TERMINAL = 1000

_MENDED = {
    "unfinished": "days are missing, or one is not committed; unless it goes on now, launch the run again.",
    "damaged": "a committed day lacks a table or cannot be read; run it again from day 0, or prune it.",
}
"""What a state that no run should stay in means, and what to do."""

_COLUMNS: dict[str, JustifyMethod] = {
    "Run": "left", "Scenario": "left", "Simu-\nlations": "right", "Days": "right", "Payments": "right",
    "Size": "right", "Engine": "left", "Committed": "left", "State": "left", "Ware-\nhouse": "left",
}  # fmt: skip
_FOLDED = {"Run": 10, "Scenario": 10, "Ware-\nhouse": 7}
"""Columns that may take several lines, and how narrow they become."""
_DROPPED = ("Engine", "Committed", "Scenario")
"""Columns that go, in this order, where a terminal is too narrow for all."""


def print_runs(runs: Sequence["ListedRun"]) -> None:
    """Shows a line per run; exactly one, whatever its length, where no terminal is."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_WITHOUT_TERMINAL
    unbounded = console.options.update(max_width=_WIDTH_WITHOUT_TERMINAL)
    for dropped in range(len(_DROPPED) + 1):
        narrow = _runs_table(runs, _DROPPED[:dropped], as_narrow_as_can_be=True)
        if console.measure(narrow, options=unbounded).maximum <= console.width:
            break
    console.print(_runs_table(runs, _DROPPED[:dropped]), markup=False)
    console.print("Days of days asked for; size of raw tables and states; last committed, UTC.", style="dim")
    if dropped:
        console.print(f"Too narrow for {', '.join(_DROPPED[:dropped])}; --json has all.", style="dim")
    for state, meaning in _MENDED.items():
        if any(run.state == state for run in runs):
            console.print(f"{state}: {meaning}", style="dim", soft_wrap=True)


def _runs_table(runs: Sequence["ListedRun"], dropped: Sequence[str], *, as_narrow_as_can_be: bool = False) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", show_edge=False, pad_edge=False, collapse_padding=True)
    for header, side in _COLUMNS.items():
        if header in _FOLDED and header not in dropped:
            width = _FOLDED[header]
            width_max = width if as_narrow_as_can_be else None
            table.add_column(header, justify=side, overflow="fold", min_width=width, max_width=width_max)
        elif header not in dropped:
            table.add_column(header, justify=side, no_wrap=True)
    for run in runs:
        cells = zip(_COLUMNS, _cells(run), strict=True)
        table.add_row(*(cell for header, cell in cells if header not in dropped))
    return table


def _cells(run: "ListedRun") -> tuple[str, ...]:
    asked = "?" if run.days_asked is None else str(run.days_asked)
    return (
        run.run_id,
        run.scenario or _NOTHING,
        _number(run.simulations),
        f"{run.days_stored} of {asked}",
        _number(run.payments),
        decimal(run.size_bytes),
        run.engine_version or _NOTHING,
        f"{run.committed_at:%Y-%m-%d}" if run.committed_at else _NOTHING,
        run.state,
        run.warehouse,
    )


def print_difference(a: "StoredRun", b: "StoredRun", difference: "RunDifference") -> None:
    """Shows how two runs differ, and where first."""
    console = Console(highlight=False, soft_wrap=True)
    for line in _difference_lines(a, b, difference):
        console.print(line, markup=False)


def _difference_lines(a: "StoredRun", b: "StoredRun", difference: "RunDifference") -> Iterator[str]:
    yield f"A: {a.run_id} in {shown_path(a.store.root)}"
    yield f"B: {b.run_id} in {shown_path(b.store.root)}"
    compared = f"{counted(len(difference.pairs), 'simulation')} of {counted(len(difference.days), 'day')}"
    yield f"Compared: {compared}" if difference.pairs else "No simulation of A has the arm and seed of one of B."
    for name, only_a, only_b in (
        ("simulations", difference.simulations_only_in_a, difference.simulations_only_in_b),
        ("days", difference.days_only_in_a, difference.days_only_in_b),
    ):
        for side, only in (("A", only_a), ("B", only_b)):
            if only:
                yield f"Only in {side}: {name} {_listed(only)}"
    yield from _stated_lines(difference)
    yield from _table_lines(difference)
    yield ""
    if difference.first:
        yield f"First difference: {_row_line(difference, difference.first, moment=True)}"
    elif not difference.tables and difference.days:
        yield f"No row differs, in any table of the {counted(len(difference.days), 'day')} compared."


def _stated_lines(difference: "RunDifference") -> Iterator[str]:
    if difference.stated:
        yield ""
        yield "Stated in the table simulations, A | B:"
    for stated in difference.stated[:_STATED_SHOWN_MAX]:
        simulations = counted(stated.simulations, "simulation")
        yield f"  {stated.what}: {_value(stated.a)} | {_value(stated.b)}  ({simulations})"
    if len(difference.stated) > _STATED_SHOWN_MAX:
        yield f"  and {len(difference.stated) - _STATED_SHOWN_MAX:,} more"


def _table_lines(difference: "RunDifference") -> Iterator[str]:
    if difference.tables:
        yield ""
        yield "Tables, each on the first day on which it differs:"
    for table in difference.tables:
        yield f"  {table.table}, day {table.day}: {_extent(table)}"
        if table.first:
            yield f"    first row: {_row_line(difference, table.first, moment=False)}"


def _extent(table: "TableDifference") -> str:
    """How much of a table differs."""
    parts = [
        f"{counted(number, 'row')} {what}"
        for number, what in ((table.only_in_a, "only in A"), (table.only_in_b, "only in B"), (table.changed, "changed"))
        if number
    ]
    if table.first and not parts:
        parts.append("the same rows in another order")
    for side, columns in (("A", table.columns_only_in_a), ("B", table.columns_only_in_b)):
        if columns:
            parts.append(f"only {side} has columns {', '.join(columns)}")
    return "; ".join(parts)


def _row_line(difference: "RunDifference", row: "RowDifference", *, moment: bool) -> str:
    """A row that differs: when, in which table, where and in what."""
    when = {"opening": "at its opening", "end": "at its end"}.get(row.when, f"tick {row.tick}")
    start = f"day {row.day}, {when}: {row.table}, " if moment else ""
    key = "".join(f", {name} {_value(value)}" for name, value in row.key.items() if not (moment and name == "tick"))
    place = f"{start}{difference.pairs[row.simulation].label}{key}"
    if row.how == "changed":
        return f"{place}: {row.column} is {_value(row.a)} in A, {_value(row.b)} in B"
    if row.how == "moved":
        return f"{place}: row {row.a:,} of its table in A, row {row.b:,} in B"
    return f"{place}: only in {'A' if row.how == 'only_in_a' else 'B'}"


def print_remains(remains: "Remains", data_root: Path) -> None:
    """Shows what there is of a run, all of which would go, and what would stay."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"Run {remains.run_id} in {shown_path(data_root)}:", markup=False)
    for line in [*_remains_lines(remains)] or ["nothing but its name"]:
        console.print(f"  {line}", markup=False)
    for file in remains.asked_by:
        console.print(f"Stays: {shown_path(file)}, which asks for the run", markup=False)


def _remains_lines(remains: "Remains") -> Iterator[str]:
    if run := remains.listed:
        content = [counted(run.days_stored, "day")]
        if run.simulations is not None:
            content.append(counted(run.simulations, "simulation"))
        if run.payments is not None:
            content.append(counted(run.payments, "payment"))
        yield f"raw tables and states: {', '.join(content)}, {decimal(run.size_bytes)}"
    if remains.in_warehouse:
        yield "warehouse: its rows in every table"
    if traces := remains.dagster:
        if traces.is_partition:
            yield "Dagster: the partition of that name"
        if traces.alone:
            yield f"Dagster: {counted(len(traces.alone), 'Dagster run')} of this run alone, with what they recorded"
        if traces.unended:
            yield f"  of which not ended: {_listed(traces.unended)}; if one goes on, stop it first"
        if traces.shared:
            yield f"Dagster: {counted(traces.shared, 'Dagster run')} of other runs too: kept"
    for file in remains.files:
        yield shown_path(file)


def _listed(names: Sequence[object]) -> str:
    more = len(names) - _NAMES_SHOWN_MAX
    return ", ".join(str(name) for name in names[:_NAMES_SHOWN_MAX]) + (f" and {more:,} more" if more > 0 else "")


def _value(value: Any) -> str:
    """A value as JSON would write it, cut if it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _VALUE_LENGTH_MAX else text[: _VALUE_LENGTH_MAX - 1] + "…"


def _number(number: int | None) -> str:
    return _NOTHING if number is None else f"{number:,}"
