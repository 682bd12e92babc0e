"""What `payment-sim state` shows a person: agents, then what waits, as wide as the terminal allows."""

from collections.abc import Callable, Sequence

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from pipelines.state_at_tick import AgentAtTick, StateAtTick, Waiting
from pipelines.terminal import counted

ROWS_SHOWN_MAX = 20
"""Rows of a table, unless one agent is asked for."""

_WIDTH_WITHOUT_TERMINAL = 1000
_NAME_WIDTH_MAX = 40
"""How long a name may be that is left in one line, if need be by leaving out other columns."""

_AGENT_COLUMNS: dict[str, Callable[[AgentAtTick], int]] = {
    "Balance": lambda agent: agent.balance,
    "Credit\ncapacity": lambda agent: agent.credit_capacity,
    "Available\nliquidity": lambda agent: agent.available_liquidity,
    "Posted\ncollateral": lambda agent: agent.posted_collateral,
    "Queue 1\npayments": lambda agent: agent.queue1_size,
    "Queue 1\nvalue": lambda agent: agent.queue1_value,
    "Queue 2\npayments": lambda agent: agent.queue2_size,
    "Queue 2\nvalue": lambda agent: agent.queue2_value,
    "Queue 2\nreceipts": lambda agent: agent.queue2_receipts_value,
}
"""Figures of an agent by header."""

_UNLESS_ALL_ZERO = {
    "Credit\ncapacity": "credit capacity",
    "Posted\ncollateral": "posted collateral",
    "Queue 1\npayments": "Queue 1",
    "Queue 1\nvalue": "",
}
"""Columns that go if no agent has anything there, and how the line that says so calls them."""

_AGENT_COLUMNS_DROPPED = (
    "Queue 2\nreceipts",
    "Posted\ncollateral",
    "Credit\ncapacity",
    "Queue 1\nvalue",
    "Queue 2\npayments",
)
"""Columns that go, in this order, where a terminal is too narrow for all."""
_AGENT_NAMES = ("Agent",)

_QUEUE_COLUMNS: dict[str, JustifyMethod] = {
    "#": "right", "Transaction": "left", "From → to": "left", "Amount": "right", "Priority": "left",
    "Arrived": "right", "Entered": "right", "Waited": "right", "Deadline": "right", "Why": "left",
}  # fmt: skip
_QUEUE_NAMES = ("Transaction", "From → to")
_QUEUE_COLUMNS_DROPPED = ("Why", "Entered", "Arrived", "Priority")


def print_state(state: StateAtTick, agent: str | None = None) -> None:
    """Shows a state: of all agents, as much as a person can look through, or of one agent, whole.

    Without a terminal a row is one line, whatever its length.
    """
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_WITHOUT_TERMINAL
    console.print(Text(_title(state), style="bold"))
    _print_agents(console, state, agent)
    by_or_to, held_by = (f" paid by or to {agent}", f" held by {agent}") if agent else ("", "")
    _print_queue(console, 2, state.queue2_of(agent), len(state.queue2), by_or_to)
    _print_queue(console, 1, state.queue1_of(agent), len(state.queue1), held_by)
    console.print("Minor units (cents). Ticks count through all days; waited: since arrival.", style="dim")


def _title(state: StateAtTick) -> str:
    ticks_per_day = state.simulation.ticks_per_day
    place = f"day {state.day}, tick {state.tick_of_day} of 0 to {ticks_per_day - 1}"
    return f"{state.simulation.simulation_id} at the end of tick {state.tick} ({place})"


def _print_agents(console: Console, state: StateAtTick, agent: str | None) -> None:
    totals = state.totals
    unused = [header for header in _UNLESS_ALL_ZERO if _AGENT_COLUMNS[header](totals) == 0]
    shown = {name: figures for name, figures in state.agents.items() if agent in (None, name)}
    left_out = max(0, len(shown) - ROWS_SHOWN_MAX)
    rows = [[name, *_cells(figures)] for name, figures in list(shown.items())[: len(shown) - left_out]]
    rows.append([f"all {len(state.agents):,}", *_cells(totals)])
    headers: dict[str, JustifyMethod] = {"Agent": "left", **dict.fromkeys(_AGENT_COLUMNS, "right")}
    dropped = _print_fitted(console, headers, _AGENT_NAMES, rows, unused, _AGENT_COLUMNS_DROPPED, has_totals=True)
    console.print(f"Intraday credit used: {totals.credit_used:,}")
    if names := [_UNLESS_ALL_ZERO[header] for header in unused if _UNLESS_ALL_ZERO[header]]:
        console.print(f"0 for every agent: {', '.join(names)}.", style="dim")
    _print_what_is_missing(console, left_out, dropped)


def _print_queue(console: Console, queue: int, waiting: Sequence[Waiting], of: int, whose: str) -> None:
    """Shows what waits in Queue 2, or in all Queues 1. whose: of which agent it is, if not everything that waits."""
    heading = _queue_heading(waiting, of, whose) if of else "empty"
    console.print()
    console.print(Text(f"{'Queue 2' if queue == 2 else 'Queues 1'}: {heading}", style="bold"))
    if not waiting:
        return
    left_out = 0 if whose else max(0, len(waiting) - ROWS_SHOWN_MAX)
    rows = [_queued_cells(one) for one in waiting[: len(waiting) - left_out]]
    unused = ["Entered", "Why"] if queue == 1 else []
    if all(one.deadline_tick is None for one in waiting):
        unused.append("Deadline")
    if _is_alike(waiting):
        unused.append("Priority")
    dropped = _print_fitted(console, _QUEUE_COLUMNS, _QUEUE_NAMES, rows, unused, _QUEUE_COLUMNS_DROPPED)
    _print_what_is_missing(console, left_out, dropped)


def _queue_heading(waiting: Sequence[Waiting], of: int, whose: str) -> str:
    parts = [f"{counted(of, 'payment')}, {len(waiting):,}{whose}" if whose else counted(of, "payment")]
    parts[0] += f"; value {sum(one.amount for one in waiting):,}"
    if overdue := sum(one.is_overdue for one in waiting):
        parts.append(f"{overdue:,} overdue")
    if _is_alike(waiting):
        parts.append(f"all {waiting[0].priority}")
    return ", ".join(parts)


def _is_alike(waiting: Sequence[Waiting]) -> bool:
    """Whether there are several, all of one priority, so that it need be said once."""
    return len(waiting) > 1 and len({one.priority for one in waiting}) == 1


def _print_what_is_missing(console: Console, rows: int, columns: Sequence[str]) -> None:
    if rows:
        console.print(f"{rows:,} more: --agent AGENT shows all of one agent, --json everything.", style="dim")
    if columns:
        names = ", ".join(" ".join(column.split()) for column in columns)
        console.print(f"Too narrow for {names}; --json has all.", style="dim")


def _print_fitted(
    console: Console,
    headers: dict[str, JustifyMethod],
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    unused: Sequence[str],
    droppable: Sequence[str],
    *,
    has_totals: bool = False,
) -> list[str]:
    """Shows a table without columns that are not used, and without as many others as the width asks for: these."""
    unbounded = console.options.update(max_width=_WIDTH_WITHOUT_TERMINAL)
    candidates = [column for column in droppable if column not in unused]
    for narrow in (False, True):  # a row should be one line, if leaving out columns can make it so
        for count in range(len(candidates) + 1):
            table = _table(headers, names, rows, {*unused, *candidates[:count]}, has_totals, narrow=narrow)
            width = console.measure(table, options=unbounded).maximum
            if width <= console.width:
                console.print(table)
                return candidates[:count]
    own_width, console.width = console.width, width  # no figure is cut: it is for the terminal to break the lines
    console.print(table)
    console.width = own_width
    return candidates


def _table(
    headers: dict[str, JustifyMethod],
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    without: set[str],
    has_totals: bool,
    *,
    narrow: bool,
) -> Table:
    """A table without some columns. narrow: whether sender and receiver have a line each, and long names several."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", show_edge=False, pad_edge=False, collapse_padding=True)
    for header, side in headers.items():
        if header in without:
            continue
        if header in names:
            width = _NAME_WIDTH_MAX if narrow else None
            table.add_column(Text(header), justify=side, overflow="fold", max_width=width)
        else:
            table.add_column(Text(header), justify=side, no_wrap=True)
    for place, row in enumerate(rows):
        if has_totals and place == len(rows) - 1:
            table.add_section()
        cells = (cell for header, cell in zip(headers, row, strict=True) if header not in without)
        table.add_row(*(Text(cell.replace("→ ", "→\n") if narrow else cell) for cell in cells))
    return table


def _cells(agent: AgentAtTick) -> list[str]:
    return [f"{figure(agent):,}" for figure in _AGENT_COLUMNS.values()]


def _queued_cells(one: Waiting) -> list[str]:
    deadline = "" if one.deadline_tick is None else f"{one.deadline_tick:,}{' overdue' if one.is_overdue else ''}"
    return [
        f"{one.position:,}",
        one.transaction,
        f"{one.sender} → {one.receiver}",
        f"{one.amount:,}",
        one.priority,
        str(one.arrival_tick),
        "" if one.entry_tick is None else str(one.entry_tick),
        f"{one.waited_ticks:,}",
        deadline,
        one.wait_reason.replace("_", " "),
    ]
