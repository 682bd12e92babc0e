"""How far long work has come, as a log and as a terminal are told."""

import io
import itertools

from rich.console import Console

from pipelines.progress import ProgressAsBar, ProgressInLog, progress_bar


def logged(units: int, seconds_each: float, every_seconds: float = 10.0) -> list[str]:
    """What is said of work whose units take so long each."""
    said: list[str] = []
    clock = itertools.count()
    progress = ProgressInLog(every_seconds, clock=lambda: next(clock) * seconds_each)
    with progress.work(units, "simulations", said.append) as advance:
        for done in range(units):
            advance(f"my_run: day {done // 4}")
    return said


def test_the_log_says_what_is_done_and_about_how_long_the_rest_takes() -> None:
    assert logged(units=12, seconds_each=2.5) == [
        "my_run: day 0: 4 of 12 simulations, 10 s, about 20 s left",
        "my_run: day 1: 8 of 12 simulations, 20 s, about 10 s left",
    ]


def test_two_lines_lie_at_least_the_interval_apart() -> None:
    assert logged(units=6, seconds_each=7.0, every_seconds=10.0) == [
        "my_run: day 0: 2 of 6 simulations, 14 s, about 28 s left",
        "my_run: day 0: 4 of 6 simulations, 28 s, about 14 s left",
    ]


def test_short_work_is_not_spoken_of() -> None:
    assert logged(units=1000, seconds_each=0.009) == []


def test_large_numbers_are_readable() -> None:
    said: list[str] = []
    clock = itertools.count(step=10)
    with ProgressInLog(clock=lambda: next(clock)).work(40_000, "days of simulations", said.append) as advance:
        advance("big")
    assert said == ["big: 1 of 40,000 days of simulations, 10 s, about 399990 s left"]


def shown(units: int, done: int, width: int, what: str = "my_run: day 1") -> str:
    """The bar's line on a terminal, as plain text."""
    paper = Console(file=io.StringIO(), width=width)
    with progress_bar(Console(file=io.StringIO(), force_terminal=True), shown=True) as bar:
        with ProgressAsBar(bar).work(units, "simulations", _said_to_nobody) as advance:
            for _ in range(done):
                advance(what)
            paper.print(bar.get_renderable())
        assert bar.tasks == []
    assert isinstance(paper.file, io.StringIO)
    (line,) = paper.file.getvalue().splitlines()
    return line


def _said_to_nobody(text: str) -> None:
    raise AssertionError(text)


def test_the_bar_shows_what_is_done_of_how_much_and_of_what() -> None:
    line = shown(units=8, done=2, width=100)
    assert " 2/8 simulations " in line
    assert line.rstrip().endswith("my_run: day 1")


def test_on_a_narrow_terminal_the_name_gives_way_and_not_the_numbers() -> None:
    line = shown(units=126, done=50, width=76, what="marts: assert_queue_value_integral_is_value_weighted_delay")
    assert len(line) <= 76
    assert " 50/126 simulations " in line
    assert "assert_queue_value_integral" not in line


def test_a_name_with_brackets_is_shown_as_it_is() -> None:
    assert shown(units=2, done=1, width=100, what="[bold]x").rstrip().endswith("[bold]x")


def test_no_bar_is_shown_where_nobody_sits_at_a_terminal_or_wants_one() -> None:
    for console, wanted in ((Console(file=io.StringIO()), True), (Console(force_terminal=True), False)):
        bar = progress_bar(console, shown=wanted)
        assert bar.disable
