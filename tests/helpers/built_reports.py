"""Runs of every shape with their marts and pages, for tests that look at reports."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import pytest
import yaml
from filelock import FileLock
from polars import selectors

from benchmarks.workloads import Workload, scenario_mapping
from pipelines.report.pages import Pages
from pipelines.run_days import run_and_store_days
from pipelines.runs import load_run
from pipelines.warehouse import Warehouse
from tests.dbt.warehouse import Dbt, store_runs

LONG = "N" * 60
ODD_RING = f"""
name: {LONG}_odd
ticks_per_day: 7
agents:
  - {{id: {LONG}_A, opening_balance: 0, credit_limit: 99999999999999}}
  - {{id: {LONG}_B, opening_balance: 0}}
  - {{id: {LONG}_C, opening_balance: 0}}
arrivals:
  - {{id: "<b>&amp;T1</b>", sender: {LONG}_A, receiver: {LONG}_B, amount: 99999999999999, tick: 1}}
  - {{id: "T2'\\"or=1", sender: {LONG}_B, receiver: {LONG}_C, amount: 99999999999998, tick: 0}}
  - {{id: "{LONG}", sender: {LONG}_C, receiver: {LONG}_A, amount: 99999999999997, tick: 0}}
queue2: {{entry: queue}}
"""
"""A ring of banks with the longest names, of payments with names that mean something in HTML and SQL."""

IDLE = """
name: idle
ticks_per_day: 3
agents: [{id: A, opening_balance: 0}, {id: B, opening_balance: 0}]
arrivals: []
"""
"""A day on which nothing arrives."""

PAGES = ("three_bank_ring", "settles_without_lsm", "idle", "carried", "netted", "behaving", f"{LONG}_odd", "thousand")


@dataclass(frozen=True)
class Reports:
    """Runs whose marts are built, and their pages."""

    folder: Path

    def page(self, run_id: str) -> Path:
        """Where the page of a run lies."""
        return self.folder / "reports" / f"{run_id}.html"

    def ask(self, statement: str) -> pl.DataFrame:
        """What a statement gives; sums of whole numbers as whole numbers."""
        with duckdb.connect(str(self.folder / "warehouse.duckdb"), read_only=True) as connection:
            return connection.sql(statement).pl().with_columns(selectors.decimal().cast(pl.Int128))


def built_reports(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """Those runs, built by whichever process of a session of tests asks first."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if base.name.startswith("pytest-") else base.parent) / "reports"
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "reports").exists():
            folder.mkdir()
            _build(folder)
    return Reports(folder)


def _build(folder: Path) -> None:
    store = store_runs(folder)
    thousand = scenario_mapping(Workload("thousand", agents=1_000, payments=30_000, ticks=600, kappas=(0.6,)), 1)
    (folder / "thousand.yaml").write_text(yaml.safe_dump(thousand | {"name": "thousand"}))
    (folder / "odd.yaml").write_text(ODD_RING)
    (folder / "idle.yaml").write_text(IDLE)
    scenarios = Path(__file__).parents[2] / "scenarios"
    for file in (
        folder / "thousand.yaml",
        folder / "odd.yaml",
        folder / "idle.yaml",
        scenarios / "settles_without_lsm.yaml",
    ):
        run = load_run(file)
        assert len(list(run_and_store_days(run, store, 0, run.days - 1))) == run.days
    assert Dbt(folder)("build", "--exclude-resource-type", "unit_test").success
    warehouse = Warehouse(folder)
    warehouse.mark(warehouse.due(store), store)
    for run_id in PAGES:
        Pages(folder).write(run_id)
