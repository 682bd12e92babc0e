"""What the command line shows a person: a progress bar, tables of figures, failing rows."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from pipelines.contracts import ContractBroken, primary_key_of
from pipelines.progress import BarOfWork, Unit, progress_bar
from pipelines.run_days import DayRefused
from pipelines.run_figures import RunFigures
from pipelines.runs import Run

ROWS = Unit("rows", one="row")

_FAILING_ROWS_SHOWN_MAX = 10
_ARMS_SHOWN_MAX = 6
_PAYERS_SHOWN_MAX = 12
_ARMS_WIDTH = 100
"""Columns that two bounds of an interval in cents need beside the rest."""


class _Lines(Console):
    """Standard output for lines as they come; a run goes on when whoever reads them has left."""

    def on_broken_pipe(self) -> None:
        """Prints into nothing from now on, where rich would end the process in the middle of its work."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class RunProgress:
    """A bar on standard error while a run goes on, if that is a terminal, and lines on standard output beside it.

    A day of a simulation counts when it is simulated. Storing a day, all its simulations at once, is said beside the
    bar, and its time is part of the pace: of the days before, so that no time is left while the last one is stored.
    """

    def __init__(self, bar: Progress, run: Run) -> None:
        self._bar, self._members, self._days, self._done = bar, len(run.members), run.days, 0
        self._simulated = BarOfWork(bar, self._days * self._members, simulated_units(run), "simulating day 0")

    def member_day_done(self) -> None:
        """One day of one simulation has been simulated."""
        self._done += 1
        day, simulated = divmod(self._done, self._members)
        self._simulated.advance(1, f"simulating day {day}" if simulated else f"storing day {day - 1}")

    def day_stored(self) -> None:
        """All that has been simulated is stored."""
        day = self._done // self._members
        self._simulated.say(f"simulating day {day}" if day < self._days else "all days are stored")

    @contextmanager
    def writing(self, file: str, rows: int) -> Iterator[Callable[[str, int], None]]:
        """The simulations are stored and so many of their rows are being written to a file.

        Gives what is to be called with a table and how many more of its rows are written, first of all with none.
        """
        self._simulated.remove()
        bar, left = BarOfWork(self._bar, rows, ROWS, f"opening {file}", warm_up=True), rows

        def written(table: str, number: int) -> None:
            nonlocal left
            left -= number
            bar.advance(number, f"writing {table}" if left else f"closing {file}")

        yield written
        bar.remove()

    def line(self, text: str) -> None:
        """Shows a line without breaking the bar: on a terminal that both share, the bar's console must place it."""
        if self._bar.disable or not sys.stdout.isatty():
            _Lines(soft_wrap=True, highlight=False, markup=False).print(text)
        else:
            self._bar.console.print(text, highlight=False, markup=False)


@contextmanager
def run_progress(run: Run, *, shown: bool) -> Iterator[RunProgress]:
    """Shows how far a run has come, if it is to be shown and standard error is a terminal."""
    bar = progress_bar(Console(stderr=True), shown=shown)
    with bar:
        yield RunProgress(bar, run)


def simulated_units(run: Run) -> Unit:
    """What a run's simulations are counted in."""
    return Unit("days", one="day") if len(run.members) == 1 else Unit("days of simulations", one="day")


def print_figures(run: Run, figures: RunFigures) -> None:
    """Shows what a run did: what settled and by what, and what the cycles netted."""
    console = Console(highlight=False)
    console.print()
    console.print(run_title(run), markup=False)
    console.print(_settled_table(figures))
    console.print(_netting_table(figures))
    console.print("Money in minor units (cents).", style="dim")


def shown_path(path: Path) -> str:
    """A path as a person would type it: from the working directory, if it lies below."""
    absolute = path.absolute()
    return str(absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute)


def print_cycle_statistics(run: Run, statistics: pl.DataFrame) -> None:
    """Shows what each mechanism's cycles did: a column per row of statistics, which starts with mechanism and type."""
    console = Console(highlight=False)
    console.print()
    console.print(run_title(run), markup=False)
    if statistics.is_empty():
        console.print("No LSM cycle settled.")
        return
    headers = [
        f"{mechanism}\n{cycle_type}" for mechanism, cycle_type in statistics.select("mechanism", "cycle_type").rows()
    ]
    table = _table("LSM cycles", *headers)
    for measure in statistics.drop("mechanism", "cycle_type"):
        cells = (f"{cell:.1%}" if isinstance(cell, float) else _number(cell) for cell in measure)
        table.add_row(measure.name.replace("_", " "), *cells)
    console.print(table)
    console.print("From the mart fct_cycle_type_days; money in minor units (cents).", style="dim")


def print_arm_differences(differences: pl.DataFrame) -> None:
    """Shows what sets arms apart from those that they are compared with: a row per arm and metric; nothing if none."""
    if differences.is_empty():
        return
    console = Console(highlight=False)
    console.width = max(console.width, _ARMS_WIDTH)
    arms = differences.partition_by("arm", maintain_order=True)
    for rows in arms[:_ARMS_SHOWN_MAX]:
        arm, baseline_arm, pairing = rows.select("arm", "baseline_arm", "pairing").row(0)
        console.print(f"{arm}, compared with {baseline_arm}", markup=False)
        if pairing != "paired":
            console.print(f"Not comparable seed by seed: {pairing.replace('_', ' ')}.")
            continue
        table = _table("Mean of a day", "Mean", "Difference", "95 % interval", "Seeds")
        for row in rows.iter_rows(named=True):
            table.add_row(row["metric"].replace("_", " "), *_compared(row), _number(row["pairs"]))
        console.print(table)
    if len(arms) > _ARMS_SHOWN_MAX:
        console.print(f"and {len(arms) - _ARMS_SHOWN_MAX:,} more arms.")
    foot = "From the mart fct_experiment_arms: paired by seed, 95 % by Student's t; ticks, minor units."
    console.print(foot, style="dim")


def print_payers(payers: pl.DataFrame) -> None:
    """Shows which agents an arm costs more or less than its baseline: a row per arm and agent; nothing if none.

    Rows of an arm are in order of the size of their difference; the first of them are shown.
    """
    if payers.is_empty():
        return
    console = Console(highlight=False)
    console.width = max(console.width, _ARMS_WIDTH)
    arms = payers.partition_by("arm", maintain_order=True)
    for rows in arms[:_ARMS_SHOWN_MAX]:
        arm, baseline_arm = rows.select("arm", "baseline_arm").row(0)
        console.print(f"Who pays for {arm}, compared with {baseline_arm}", markup=False)
        table = _table("Cost of a day", "Policy", "Mean", "Difference", "95 % interval")
        for row in rows.head(_PAYERS_SHOWN_MAX).iter_rows(named=True):
            table.add_row(escape(row["agent"]), row["policy"], *_compared(row))
        console.print(table)
        if rows.height > _PAYERS_SHOWN_MAX:
            console.print(f"and {counted(rows.height - _PAYERS_SHOWN_MAX, 'more agent')} with smaller differences.")
    if len(arms) > _ARMS_SHOWN_MAX:
        console.print(f"and {len(arms) - _ARMS_SHOWN_MAX:,} more arms.")
    foot = "From the mart fct_experiment_agents, which has each cost; booked, not debited; minor units."
    console.print(foot, style="dim")


def print_refused(refused: DayRefused) -> None:
    """Shows, on standard error, the rows of a day that break their contracts."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"Run {refused.run_id}, day {refused.day}: nothing of this day is stored.", markup=False)
    for table, contract in refused.broken.items():
        console.print(f"{table}: {contract.cases.height:,} failing", style="bold")
        for line in _failing_lines(table, contract, refused.frames[table]):
            console.print(f"  {line}", markup=False)
    console.print("The engine made rows that its contracts forbid: that is a bug in payment-sim; please report it.")


def run_title(run: Run) -> str:
    """Which simulations the figures that follow are of."""
    days = counted(run.days, "day")
    if len(run.members) == 1:
        return f"{run.members[0].simulation_id}: 1 simulation of {days}"
    arms = len({member.arm for member in run.members})
    seeds = len(run.members) // arms
    return (
        f"{run.run_id}: totals over {len(run.members):,} simulations "
        f"({counted(arms, 'arm')} x {counted(seeds, 'seed')}) of {days} each"
    )


def _settled_table(figures: RunFigures) -> Table:
    table = _table("Settled by", "Payments", "Value")
    for mechanism, volume in figures.settled_by.items():
        if volume.transactions:
            table.add_row(mechanism, _number(volume.transactions), _number(volume.value))
    table.add_section()
    for name, volume in (("all", figures.settled), ("not settled", figures.unsettled)):
        table.add_row(name, _number(volume.transactions), _number(volume.value))
    return table


def _netting_table(figures: RunFigures) -> Table:
    columns = {**figures.netting_by, "all": figures.netting}
    table = _table("LSM cycles", *columns)
    figures_by_name = [netting.as_dict() for netting in columns.values()]
    names = {
        "cycles": "cycles",
        "transactions": "payments",
        "gross": "gross value",
        "net": "net value",
        "saved": "saved",
    }
    for key, name in names.items():
        table.add_row(name, *(_number(column[key]) for column in figures_by_name))
    return table


def _table(*headers: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for place, header in enumerate(headers):
        table.add_column(header, justify="right" if place else "left", min_width=0 if place else 11, overflow="fold")
    return table


def _failing_lines(table: str, contract: ContractBroken, frame: pl.DataFrame) -> Iterator[str]:
    """Which rows fail what, a few of them: the row by its key, the values that matter to a check of one column."""
    key = primary_key_of(table)
    for case in contract.cases.head(_FAILING_ROWS_SHOWN_MAX).iter_rows(named=True):
        if case["index"] is None:
            yield f"{case['column']}: {case['failure_case']} fails {case['check']}"
            continue
        row = frame.row(case["index"], named=True)
        name = ", ".join(f"{column} {row[column]}" for column in key)
        if case["column"] in row:
            yield f"{name}: {case['column']} is {case['failure_case']}, fails {case['check']}"
        else:
            yield f"{name}: fails '{case['check']}': {json.dumps(row, ensure_ascii=False, default=str)}"
    if contract.cases.height > _FAILING_ROWS_SHOWN_MAX:
        yield f"and {contract.cases.height - _FAILING_ROWS_SHOWN_MAX:,} more"


def _compared(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """A mean, what it differs by from the baseline's, and the interval of the difference."""
    bounds = row["paired_difference_ci95_low"], row["paired_difference_ci95_high"]
    interval = "-" if None in bounds else " to ".join(map(_rounded, bounds))
    return _rounded(row["mean"]), _rounded(row["paired_difference"]), interval


def counted(number: int, noun: str) -> str:
    """A number of things, in words."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _number(number: int) -> str:
    return f"{number:,}"


def _rounded(number: float | None) -> str:
    """A number to four digits, whole from there on; '-' if there is none."""
    if number is None:
        return "-"
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"
