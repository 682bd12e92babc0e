"""How far long work has come, how fast and how long the rest takes, as a log and as a terminal are told."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from rich.console import Console
from rich.progress import Progress

from pipelines.progress import (
    BarOfWork,
    Pace,
    ProgressAsBar,
    ProgressInLog,
    Unit,
    duration,
    progress_bar,
    shown_rate,
)

SIMULATIONS = Unit("simulations", one="simulation")
DAYS = Unit("days of simulations", one="day")
MIXED = Unit("models and tests")


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# Rates and times in words


@pytest.mark.parametrize(
    ("seconds_each", "of_days", "of_many_kinds"),
    [
        (1 / 123_456, "120,000 days/s", "120,000/s"),
        (0.01, "100 days/s", "100/s"),
        (0.0305, "33 days/s", "33/s"),
        (0.1005, "10 days/s", "10/s"),
        (0.3125, "3.2 days/s", "3.2/s"),
        (0.5, "2 days/s", "2/s"),
        (1.0, "1 s/day", "1 s each"),
        (1.24, "1.2 s/day", "1.2 s each"),
        (12.3, "12 s/day", "12 s each"),
        (119.0, "2 min/day", "2 min each"),
        (150.0, "2.5 min/day", "2.5 min each"),
        (9000.0, "2.5 h/day", "2.5 h each"),
    ],
)
def test_a_fast_rate_is_units_a_second_and_a_slow_one_the_time_of_a_unit(
    seconds_each: float, of_days: str, of_many_kinds: str
) -> None:
    assert shown_rate(DAYS, seconds_each) == of_days
    assert shown_rate(MIXED, seconds_each) == of_many_kinds


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0 s"),
        (0.25, "0.25 s"),
        (7.0, "7 s"),
        (95.2, "95 s"),
        (118.0, "2 min"),
        (600.0, "10 min"),
        (399_990.0, "110 h"),
    ],
)
def test_a_time_is_said_to_two_digits(seconds: float, said: str) -> None:
    assert duration(seconds) == said


# The pace


def paced(*moments: tuple[float, int], warm_up: bool = False) -> Pace:
    """A pace that began at 0 and was told of so many units at these times."""
    pace = Pace(0.0, warm_up=warm_up)
    for now, units in moments:
        pace.advance(units, now)
    return pace


def test_nothing_is_known_before_a_unit_is_done_or_a_second_has_passed() -> None:
    assert Pace(0.0).seconds_each is None
    assert paced((0.9, 5)).seconds_each is None
    assert paced((1.0, 5)).seconds_each == 0.2


def test_units_that_are_done_at_once_share_their_time() -> None:
    pace = paced((10.0, 1), (10.0, 1), (20.0, 1), (20.0, 1))
    assert (pace.done, pace.seconds_each) == (4, 5.0)


def test_the_pace_is_that_of_the_last_minute() -> None:
    """Ten units a second for 100 seconds, then one a second: after 70 more seconds only the slow ones are looked at."""
    moments = [(second + 1.0, 10) for second in range(100)] + [(101.0 + second, 1) for second in range(70)]
    assert paced(*moments).seconds_each == 1.0
    assert paced(*moments[:100]).seconds_each == 0.1


def test_of_slow_work_the_pace_is_that_of_several_units() -> None:
    """Units of 50 seconds; the last took 100. Of the last seven steps between eight moments, six took 50."""
    moments = [(50.0 * unit, 1) for unit in range(1, 11)] + [(600.0, 1)]
    assert paced(*moments).seconds_each == pytest.approx((6 * 50 + 100) / 7)


def test_getting_ready_is_no_part_of_the_pace() -> None:
    assert paced((30.0, 1), (31.0, 1), (32.0, 1), warm_up=True).seconds_each == 1.0
    assert paced((30.0, 1), warm_up=True).seconds_each is None
    assert paced((30.0, 1), (31.0, 1), (32.0, 1)).seconds_each == pytest.approx(32 / 3)


def test_time_left_falls_as_time_passes_by_one_unit_at_most() -> None:
    pace = paced((10.0, 1), (20.0, 1))
    assert [pace.seconds_left(5, now) for now in (20.0, 24.0, 30.0, 99.0)] == [30.0, 26.0, 20.0, 20.0]


def test_no_time_is_left_of_what_is_done_and_none_is_known_of_what_has_not_begun() -> None:
    assert paced((10.0, 2)).seconds_left(2, 11.0) is None
    assert Pace(0.0).seconds_left(2, 11.0) is None


# The log


def logged(units: int, seconds_each: float, unit: Unit = SIMULATIONS, every_seconds: float = 10.0) -> list[str]:
    """What is said of work whose units take so long each."""
    said: list[str] = []
    clock = Clock()
    progress = ProgressInLog(every_seconds, clock)
    with progress.work(units, unit, said.append) as advance:
        for done in range(units):
            clock.now += seconds_each
            advance(f"my_run: day {done // 4}")
    return said


def test_the_log_says_what_is_done_how_fast_and_about_how_long_the_rest_takes() -> None:
    assert logged(units=12, seconds_each=2.5) == [
        "my_run: day 0: 4 of 12 simulations, 10 s, 2.5 s/simulation, about 20 s left",
        "my_run: day 1: 8 of 12 simulations, 20 s, 2.5 s/simulation, about 10 s left",
    ]


def test_what_is_left_is_said_in_whole_seconds_and_is_never_none() -> None:
    assert logged(units=5, seconds_each=2.6)[-1].endswith("4 of 5 simulations, 10 s, 2.6 s/simulation, about 3 s left")
    assert " 1 s left " in shown(units=11, done=10, width=120, seconds_each=0.125)


def test_two_lines_lie_at_least_the_interval_apart() -> None:
    assert logged(units=6, seconds_each=7.0, every_seconds=10.0) == [
        "my_run: day 0: 2 of 6 simulations, 14 s, 7 s/simulation, about 28 s left",
        "my_run: day 0: 4 of 6 simulations, 28 s, 7 s/simulation, about 14 s left",
    ]


def test_short_work_is_not_spoken_of() -> None:
    assert logged(units=1000, seconds_each=0.009) == []


def test_large_numbers_are_readable() -> None:
    first = logged(units=40_000, seconds_each=1 / 128, unit=DAYS)[0]
    assert first == "my_run: day 319: 1,280 of 40,000 days of simulations, 10 s, 130 days/s, about 5 min left"


def test_what_comes_before_the_first_unit_may_tell_nothing() -> None:
    said: list[str] = []
    clock = Clock()
    with ProgressInLog(10.0, clock).work(10, MIXED, said.append, warm_up=True) as advance:
        for seconds in (12.0, 8.0, 2.0):
            clock.now += seconds
            advance("marts: dim_agents")
    assert said == [
        "marts: dim_agents: 1 of 10 models and tests, 12 s",
        "marts: dim_agents: 3 of 10 models and tests, 22 s, 5 s each, about 35 s left",
    ]


# The bar


@contextmanager
def bars(width: int, clock: Clock) -> Iterator[Progress]:
    """Bars on a terminal of so many columns."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width)
    with progress_bar(console, shown=True, clock=clock) as shown:
        yield shown


def lines(shown: Progress) -> list[str]:
    """What the bars show now, as plain text."""
    paper = Console(file=io.StringIO(), width=shown.console.width)
    paper.print(shown.get_renderable())
    assert isinstance(paper.file, io.StringIO)
    return paper.file.getvalue().splitlines()


def shown(
    units: int, done: int, width: int, what: str = "my_run: day 1", unit: Unit = SIMULATIONS, seconds_each: float = 0.1
) -> str:
    """The bar's line when so many units are done."""
    clock = Clock()
    with bars(width, clock) as display:
        with ProgressAsBar(display).work(units, unit, _said_to_nobody) as advance:
            for _ in range(done):
                clock.now += seconds_each
                advance(what)
            (line,) = lines(display)
        assert display.tasks == []
    return line


def _said_to_nobody(text: str) -> None:
    raise AssertionError(text)


def test_the_bar_shows_what_is_done_how_fast_and_what_is_left() -> None:
    line = shown(units=8, done=2, width=120, seconds_each=12)
    assert " 2/8 simulations 12 s/simulation 72 s left my_run: day 1 " in line


def test_large_numbers_on_the_bar_are_readable() -> None:
    line = shown(units=40_000, done=3_200, width=120, unit=DAYS, seconds_each=1 / 128)
    assert " 3,200/40,000 days of simulations 130 days/s 4.8 min left my_run: day 1 " in line


def test_the_time_left_falls_while_a_unit_is_waited_for() -> None:
    clock = Clock()
    with bars(120, clock) as display:
        bar = BarOfWork(display, 10, DAYS, "simulating")
        assert " left" not in lines(display)[0]
        clock.now += 10
        bar.advance()
        said = []
        for _ in range(3):
            said.append(lines(display)[0].split(" s/day ")[1].split(" left")[0])
            clock.now += 4
    assert said == ["90 s", "86 s", "82 s"]


def test_when_all_is_done_no_time_is_said_to_be_left() -> None:
    line = shown(units=3, done=3, width=120, what="storing day 2", seconds_each=2)
    assert "3/3 simulations 2 s/simulation" in line
    assert " left" not in line


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(
    ("unit", "units", "done"), [(DAYS, 14_600, 9_999), (MIXED, 426, 150), (Unit("rows", one="row"), 9_482_598, 12_345)]
)
def test_on_a_narrow_terminal_the_name_gives_way_and_not_the_numbers(
    width: int, unit: Unit, units: int, done: int
) -> None:
    name = "assert_queue_value_integral_is_value_weighted_delay_of_all_that_was_queued"
    line = shown(units=units, done=done, width=width, what=name, unit=unit, seconds_each=0.0125)
    assert len(line) <= width
    rate = f"80 {unit.one}s/s" if unit.one else "80/s"
    assert f" {done:,}/{units:,} {unit.many} {rate} " in line
    assert " left " in line
    assert name not in line
    assert "…" in line


def test_on_80_columns_there_is_room_for_a_short_name() -> None:
    line = shown(units=200, done=120, width=80, what="lsm_on_off: day 3", unit=DAYS, seconds_each=15 / 128)
    assert " 120/200 days of simulations 8.5 days/s 10 s left lsm_on_off: day 3" in line


def test_a_name_with_brackets_is_shown_as_it_is() -> None:
    assert shown(units=2, done=1, width=100, what="[bold]x").rstrip().endswith("[bold]x")


def test_no_bar_is_shown_where_nobody_sits_at_a_terminal_or_wants_one() -> None:
    for console, wanted in ((Console(file=io.StringIO()), True), (Console(force_terminal=True), False)):
        assert progress_bar(console, shown=wanted).disable
