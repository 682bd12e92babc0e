"""Told scenarios stored in both places that `payment-sim state` and `payment-sim cycles` read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.duckdb_export import export_run
from pipelines.raw_store import RawStore
from pipelines.run_days import run_and_store_days
from pipelines.runs import Member, Run
from sim_engine import Scenario
from tests.helpers.settling import scenario_of
from tests.helpers.stored_runs import tamper

TOLD = "told.base.s0"
"""The one simulation of a told run."""


@dataclass(frozen=True)
class Places:
    """Where a run is stored: a data folder, and a file that --persist would have written."""

    data: Path
    file: Path

    @property
    def store(self) -> RawStore:
        return RawStore(self.data)

    @property
    def options(self) -> list[tuple[str, Path]]:
        """What names either place on the command line."""
        return [("--data", self.data), ("--db-path", self.file)]

    def tamper(
        self, table: str, day: int, change: Callable[[pl.DataFrame], pl.DataFrame], run_id: str = "told"
    ) -> None:
        """Puts what a change makes of a raw table in its place."""
        tamper(self.store, table, run_id, day, change)


def told_run(scenario: Scenario, run_id: str = "told") -> Run:
    return Run(run_id, Path("told.yaml"), scenario.stated.num_days, (Member(run_id, "base", "base", scenario),))


def stored_run(folder: Path, run: Run) -> Places:
    """A run in both places."""
    places = Places(folder / "data", folder / "told.duckdb")
    assert len(list(run_and_store_days(run, places.store, 0, run.days - 1))) == run.days
    export_run(run, places.store, places.file, replace=False)
    return places


def stored_story(folder: Path, text: str, **options: Any) -> Places:
    """Lines as scenario_of takes them, stored in both places."""
    return stored_run(folder, told_run(scenario_of(text, **options)))


def command(*arguments: object) -> Result:
    """Runs the command line in this process; a bug's exception is raised here."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def said(*arguments: object) -> list[str]:
    """Lines that a command prints, without blanks at their ends."""
    result = command(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return [line.rstrip() for line in result.stdout.splitlines()]


def refusal(*arguments: object) -> str:
    """What a command that is refused says on standard error; it prints and writes nothing."""
    before = sorted(Path.cwd().rglob("*"))
    result = command(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sorted(Path.cwd().rglob("*")) == before, "nothing is written"
    return result.stderr
