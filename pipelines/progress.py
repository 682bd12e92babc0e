"""How far long work has come: lines in a log now and then, or a bar for whoever sits at a terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Column

Advance = Callable[[str], None]
"""Called after each unit of the work with what it belongs to, as `lsm_on_off: day 2`."""

MILESTONE = {"milestone": True}
"""What marks a line of a run's log as one that whoever launched it from a terminal sees too."""

_SAID_EVERY_SECONDS = 10.0


class Shows(Protocol):
    """Whoever shows how far work has come."""

    def work(self, units: int, noun: str, say: Callable[[str], None]) -> AbstractContextManager[Advance]:
        """Opens work of so many units, called by this noun. say: writes a line to the log of whoever does the work."""


class ProgressInLog:
    """Says how far work has come in its log.

    every_seconds: at least this long lies between two lines, and before the first. clock: seconds, of any origin.
    """

    def __init__(self, every_seconds: float = _SAID_EVERY_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_seconds, self._clock = every_seconds, clock

    @contextmanager
    def work(self, units: int, noun: str, say: Callable[[str], None]) -> Iterator[Advance]:
        """Says, after the first seconds and then at intervals, what is done and about how long the rest will take."""
        started = said = self._clock()
        done = 0

        def advance(what: str) -> None:
            nonlocal said, done
            done += 1
            now = self._clock()
            if done < units and now - said >= self._every_seconds:
                said = now
                taken = now - started
                left = taken / done * (units - done)
                say(f"{what}: {done:,} of {units:,} {noun}, {taken:.0f} s, about {left:.0f} s left")

        yield advance


class ProgressAsBar:
    """Shows work as a bar, which goes when the work is done."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar

    @contextmanager
    def work(self, units: int, noun: str, say: Callable[[str], None]) -> Iterator[Advance]:
        """A bar of so many units; nothing is said to the log."""
        task = self._bar.add_task("", total=units, noun=noun)
        try:
            yield lambda what: self._bar.update(task, advance=1, description=escape(what))
        finally:
            self._bar.remove_task(task)


def progress_bar(console: Console, *, shown: bool) -> Progress:
    """A bar on a console, with a line for each task: share done, `noun` of its units, time left, description.

    The description comes last and gives way where the terminal is narrow.
    """
    return Progress(
        SpinnerColumn(),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[noun]}"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        expand=True,
        console=console,
        transient=True,
        disable=not (shown and console.is_terminal),
        redirect_stdout=False,
        redirect_stderr=False,
    )
