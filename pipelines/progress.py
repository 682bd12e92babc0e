"""How far long work has come, how fast, and how long the rest takes: lines in a log, or a bar at a terminal."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

Advance = Callable[[str], None]
"""Called after each unit of the work with what it belongs to, as `lsm_on_off: day 2`."""

MILESTONE = {"milestone": True}
"""What marks a line of a run's log as one that whoever launched it from a terminal sees too."""

_SAID_EVERY_SECONDS = 10.0

_PACE_OVER_SECONDS = 60.0
"""A pace is that of the last minute, so that it follows work that becomes slower or faster."""

_PACE_OVER_MOMENTS_MIN = 8
"""Of slow work, where few units take a minute, it is that of so many moments at which units were done."""

_MOMENTS_APART_SECONDS = 0.5

_TELLING_FROM_SECONDS = 1.0
"""What units took tells something of the others when it has been this long."""

_WIDE_FROM, _BAR_WIDE, _BAR_NARROW = 100, 30, 8
"""On terminals of so many columns the bar takes 30 of them, on narrower ones 8."""


@dataclass(frozen=True)
class Unit:
    """What work is counted in: `many`, and what a rate calls `one` of them; "" if they are of several kinds."""

    many: str
    one: str = ""

    def __str__(self) -> str:
        return self.many


class Shows(Protocol):
    """Whoever shows how far work has come."""

    def work(
        self, units: int, unit: Unit, say: Callable[[str], None], *, warm_up: bool = False
    ) -> AbstractContextManager[Advance]:
        """Opens work of so many units. say: writes a line to the log of whoever does the work.

        warm_up: whether what comes before the first unit is getting ready, and tells nothing of the units.
        """


class Pace:
    """How fast units are done, by the times, in seconds of any origin, at which some were."""

    def __init__(self, now: float, *, warm_up: bool = False) -> None:
        self._warming_up = warm_up
        self._moments = deque([(now, 0)])
        self._last = (now, 0)

    @property
    def done(self) -> int:
        """Units that are done."""
        return self._last[1]

    def advance(self, units: int, now: float) -> None:
        """So many more units are done."""
        self._last = (now, self.done + units)
        if self._warming_up:
            self._warming_up = False
            self._moments = deque([self._last])
        elif now - self._moments[-1][0] >= _MOMENTS_APART_SECONDS:
            self._moments.append(self._last)
        while len(self._moments) > _PACE_OVER_MOMENTS_MIN and now - self._moments[1][0] >= _PACE_OVER_SECONDS:
            self._moments.popleft()

    @property
    def seconds_each(self) -> float | None:
        """What a unit takes, storing and whatever else comes between units included; None if nothing tells yet."""
        first_time, first_done = self._moments[0]
        last_time, last_done = self._last
        if last_done == first_done or last_time - first_time < _TELLING_FROM_SECONDS:
            return None
        return (last_time - first_time) / (last_done - first_done)

    def seconds_left(self, units: int, now: float) -> float | None:
        """What is left of so many units at this pace; it falls as time passes, by one unit's time at most."""
        left = units - self.done
        if self.seconds_each is None or left <= 0:
            return None
        return self.seconds_each * left - min(now - self._last[0], self.seconds_each)


def shown_rate(unit: Unit, seconds_each: float) -> str:
    """A rate as a person says it, to two digits: units a second, or what one takes where that is a second or more."""
    if seconds_each >= 1:
        return f"{duration(seconds_each)}/{unit.one}" if unit.one else f"{duration(seconds_each)} each"
    a_second = _two_digits(1 / seconds_each)
    number = f"{a_second:,.0f}" if a_second >= 10 else f"{a_second:g}"
    return f"{number} {unit.one}s/s" if unit.one else f"{number}/s"


def duration(seconds: float) -> str:
    """A time as a person says it, to two digits."""
    rounded = _two_digits(seconds)
    for unit, length in (("h", 3600), ("min", 60)):
        if rounded >= 2 * length:
            return f"{_two_digits(seconds / length):,g} {unit}"
    return f"{rounded:g} s"


def _two_digits(number: float) -> float:
    return round(number, 1 - floor(log10(number))) if number > 0 else 0.0


class ProgressInLog:
    """Says how far work has come in its log.

    every_seconds: at least this long lies between two lines, and before the first. clock: seconds, of any origin.
    """

    def __init__(self, every_seconds: float = _SAID_EVERY_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_seconds, self._clock = every_seconds, clock

    @contextmanager
    def work(self, units: int, unit: Unit, say: Callable[[str], None], *, warm_up: bool = False) -> Iterator[Advance]:
        """Says, after the first seconds and then at intervals, what is done, how fast, and what time is left."""
        started = said = self._clock()
        pace = Pace(started, warm_up=warm_up)

        def advance(what: str) -> None:
            nonlocal said
            now = self._clock()
            pace.advance(1, now)
            if pace.done < units and now - said >= self._every_seconds:
                said = now
                rest = _rest(pace, units, unit, now)
                say(f"{what}: {pace.done:,} of {units:,} {unit}, {duration(now - started)}{rest}")

        yield advance


def _rest(pace: Pace, units: int, unit: Unit, now: float) -> str:
    each, left = pace.seconds_each, pace.seconds_left(units, now)
    return "" if each is None or left is None else f", {shown_rate(unit, each)}, about {duration(ceil(left))} left"


class BarOfWork:
    """One bar of a display: work of so many units, and what is being done."""

    def __init__(self, bars: Progress, units: int, unit: Unit, what: str = "", *, warm_up: bool = False) -> None:
        self._bars = bars
        self._pace = Pace(bars.get_time(), warm_up=warm_up)
        self._task = bars.add_task(escape(what), total=units, unit=unit, pace=self._pace)

    def advance(self, units: int = 1, what: str | None = None) -> None:
        """So many more units are done. what: what is being done now, or was done last; the same as before if None."""
        self._pace.advance(units, self._bars.get_time())
        self._bars.update(self._task, completed=self._pace.done)
        if what is not None:
            self.say(what)

    def say(self, what: str) -> None:
        """What is being done now."""
        self._bars.update(self._task, description=escape(what))

    def remove(self) -> None:
        """Takes the bar away."""
        self._bars.remove_task(self._task)


class ProgressAsBar:
    """Shows work as a bar, which goes when the work is done."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars

    @contextmanager
    def work(self, units: int, unit: Unit, say: Callable[[str], None], *, warm_up: bool = False) -> Iterator[Advance]:
        """A bar of so many units; nothing is said to the log."""
        bar = BarOfWork(self._bars, units, unit, warm_up=warm_up)
        try:
            yield lambda what: bar.advance(1, what)
        finally:
            bar.remove()


class _RateColumn(ProgressColumn):
    """How fast the work goes; nothing until a unit is done."""

    def render(self, task: Task) -> Text:
        """The rate of a bar."""
        each = task.fields["pace"].seconds_each
        return Text("" if each is None else shown_rate(task.fields["unit"], each), style="progress.data.speed")


class _TimeLeftColumn(ProgressColumn):
    """How long the rest takes; nothing while that cannot be told, and nothing when all that is counted is done."""

    def render(self, task: Task) -> Text:
        """The time left of a bar."""
        left = task.fields["pace"].seconds_left(int(task.total or 0), task.get_time())
        return Text("" if left is None else f"{duration(ceil(left))} left", style="progress.remaining")


def progress_bar(console: Console, *, shown: bool, clock: Callable[[], float] = time.monotonic) -> Progress:
    """Bars on a console: share done, number done and what of, rate, time left, and what is being done.

    What is being done comes last and gives way where the terminal is narrow. clock: seconds, of any origin.
    """
    numbers = Column(no_wrap=True)
    count = "{task.completed:,.0f}/{task.total:,.0f} {task.fields[unit]}"
    return Progress(
        SpinnerColumn(),
        BarColumn(bar_width=_BAR_WIDE if console.width >= _WIDE_FROM else _BAR_NARROW),
        TextColumn(count, "progress.download", table_column=numbers),
        _RateColumn(table_column=numbers),
        _TimeLeftColumn(table_column=numbers),
        TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        expand=True,
        console=console,
        transient=True,
        disable=not (shown and console.is_terminal),
        get_time=clock,
        redirect_stdout=False,
        redirect_stderr=False,
    )
