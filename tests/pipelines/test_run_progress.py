"""What `payment-sim run` shows while it simulates days, stores them and writes them to a file."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from pipelines.progress import progress_bar
from pipelines.runs import Run, load_run
from pipelines.terminal import RunProgress
from tests.helpers.stored_runs import SWAP


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Two simulations of two days."""
    (tmp_path / "swap.yaml").write_text(SWAP)
    file = tmp_path / "run.yaml"
    file.write_text("run_id: pair\nscenario: swap.yaml\ndays: 2\nseeds: [1, 2]\narms: {base: {baseline: true}}\n")
    return load_run(file)


@pytest.fixture
def display() -> Progress:
    return progress_bar(Console(file=io.StringIO(), force_terminal=True, width=120), shown=True, clock=lambda: 0.0)


def now(display: Progress) -> tuple[str, str, str]:
    """Done of how many, what of, and what is being done."""
    (task,) = display.tasks
    return f"{task.completed:.0f}/{task.total}", str(task.fields["unit"]), task.description


def test_simulating_and_storing_are_told_apart_day_by_day(run: Run, display: Progress) -> None:
    progress = RunProgress(display, run)
    seen = [now(display)]
    for _ in range(run.days):
        for _ in run.members:
            progress.member_day_done()
            seen.append(now(display))
        progress.day_stored()
        seen.append(now(display))
    assert [(count, what) for count, _, what in seen] == [
        ("0/4", "simulating day 0"),
        ("1/4", "simulating day 0"),
        ("2/4", "storing day 0"),
        ("2/4", "simulating day 1"),
        ("3/4", "simulating day 1"),
        ("4/4", "storing day 1"),
        ("4/4", "all days are stored"),
    ]
    assert {unit for _, unit, _ in seen} == {"days of simulations"}


def test_one_simulation_is_counted_in_days(display: Progress, tmp_path: Path) -> None:
    (tmp_path / "swap.yaml").write_text(SWAP)
    RunProgress(display, load_run(tmp_path / "swap.yaml"))
    assert now(display) == ("0/3", "days", "simulating day 0")


def test_writing_a_file_is_counted_in_rows_table_by_table(run: Run, display: Progress) -> None:
    progress = RunProgress(display, run)
    with progress.writing("[x].duckdb", 5) as written:
        seen = [now(display)]
        for table, rows in (("agents", 0), ("agents", 2), ("ticks", 0), ("ticks", 3)):
            written(table, rows)
            seen.append(now(display))
    assert display.tasks == []
    assert seen == [
        ("0/5", "rows", r"opening \[x].duckdb"),
        ("0/5", "rows", "writing agents"),
        ("2/5", "rows", "writing agents"),
        ("2/5", "rows", "writing ticks"),
        ("5/5", "rows", r"closing \[x].duckdb"),
    ]
