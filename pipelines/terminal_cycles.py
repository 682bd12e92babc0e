"""What `payment-sim cycles` shows a person: of each simulation what was netted in all, then each cycle."""

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from pipelines.day_cycles import DayCycles
from pipelines.run_figures import Netting
from pipelines.terminal import counted

TRANSACTIONS_SHOWN_MAX = 12
POSITIONS_SHOWN_MAX = 6

_BLANK_THAT_HOLDS = "\N{NO-BREAK SPACE}"
"""Keeps a figure with its name where a line is broken; shown as any other blank."""


def print_cycles(days: Sequence[DayCycles], *, whole: bool) -> None:
    """Shows the described cycles of a day; whole: with all transactions and positions of each, however many.

    Without a terminal a cycle, a transaction and a cycle's positions are one line each, whatever their length.
    """
    console = Console(highlight=False, soft_wrap=True)
    if len(days) > 1:
        run_id, day = days[0].simulation.run_id, days[0].day
        total = sum((one.netting for one in days), Netting())
        console.print(Text(f"{run_id}, day {day}: {len(days):,} simulations, {_counts(total)}", style="bold"))
        console.print()
    for one in days:
        _print_day(console, one, whole=whole)
    console.print("Money in minor units (cents). Net positions: received - paid.", style="dim")


def _print_day(console: Console, day: DayCycles, *, whole: bool) -> None:
    title = f"{day.simulation.simulation_id}, day {day.day}"
    if not day.netting.cycles:
        console.print(Text(f"{title}: no LSM cycle settled", style="bold"))
        console.print()
        return
    console.print(Text(f"{title}: {_counts(day.netting)}", style="bold"))
    kinds = (f"{netting.cycles:,} {kind}" for kind, netting in day.netting_by.items())
    width = console.width if console.is_terminal else None
    console.print(Text(_broken(f"{', '.join(kinds)}; {_values(day.netting)}", width)))
    for cycle in day.cycles:
        head, text = _cycle_text(cycle, width, whole=whole)
        # Past rich, which would look at every character of what may be a hundred thousand lines.
        click.echo(f"\n{click.style(head, bold=True)}{text}", color=console.is_terminal)
    console.print()
    if more := day.netting.cycles - len(day.cycles):
        console.print(f"and {counted(more, 'more cycle')}: --limit 0 shows all.", style="dim")
        console.print()


def _cycle_text(cycle: dict[str, Any], width: int | None, *, whole: bool) -> tuple[str, str]:
    """Which cycle it is, and the rest of its lines."""
    netting = Netting(1, len(cycle["transactions"]), cycle["total_value"], cycle["settled_value"])
    kind = f"{cycle['mechanism']} ({cycle['cycle_type']}, {counted(cycle['cycle_length'], 'agent')})"
    place = f"#{cycle['cycle_seq']} tick {cycle['tick']}, pass {cycle['lsm_pass']}"
    below = [*_transaction_lines(cycle, whole), _positions_line(cycle, whole)]
    lines = [f"{place}: {kind}, {_values(netting)}", *(f"  {line}" for line in below)]
    text = "\n".join(_broken(line, width) for line in lines)
    return place, text.removeprefix(place)


def _broken(line: str, width: int | None) -> str:
    """A line, broken where it is wider than a terminal; what does not fit is indented below it. width: None: any."""
    if width is not None and len(line) > width:
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        line = "\n".join(wrap(line, width, subsequent_indent=indent, break_on_hyphens=False))
    return line.replace(_BLANK_THAT_HOLDS, " ")


def _transaction_lines(cycle: dict[str, Any], whole: bool) -> Iterator[str]:
    shown = len(cycle["transactions"]) if whole else TRANSACTIONS_SHOWN_MAX
    ends = [f"{sender} → {receiver}" for sender, receiver in zip(cycle["senders"], cycle["receivers"], strict=True)]
    amounts = [f"{amount:,}" for amount in cycle["amounts"]]
    ends_width, amount_width = (max(map(len, texts[:shown])) for texts in (ends, amounts))
    for end, amount, name in zip(ends[:shown], amounts, cycle["transactions"], strict=False):
        yield f"{end:<{ends_width}}  {amount:>{amount_width}}  ({name})"
    if len(ends) > shown:
        yield f"and {counted(len(ends) - shown, 'more transaction')}: --limit 0 shows all"


def _positions_line(cycle: dict[str, Any], whole: bool) -> str:
    positions = [
        f"{agent} {position:+,}" if position else f"{agent} 0"
        for agent, position in zip(cycle["agents"], cycle["net_positions"], strict=True)
    ]
    shown = len(positions) if whole else POSITIONS_SHOWN_MAX
    more = f" and {len(positions) - shown:,} more" if len(positions) > shown else ""
    return f"net: {', '.join(positions[:shown])}{more}"


def _counts(netting: Netting) -> str:
    return f"{counted(netting.cycles, 'LSM cycle')} of {counted(netting.transactions, 'payment')}"


def _values(netting: Netting) -> str:
    values = {"gross": netting.gross, "net": netting.net, "saved": netting.saved}
    return ", ".join(f"{name}{_BLANK_THAT_HOLDS}{value:,}" for name, value in values.items())
