"""dbt on raw tables in an object store makes of them what it makes of the same tables in a folder."""

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from pipelines.contracts import CONTRACTS
from pipelines.raw_store import RawStore
from pipelines.resources import dbt_environment
from pipelines.run_days import run_and_store_days
from pipelines.runs import load_run
from pipelines.stores import STORE_VARIABLE
from tests.dbt.warehouse import FIVE_BANKS, PROJECT, outcomes
from tests.helpers.object_store import SECRET, ObjectStore, running_object_store
from tests.helpers.stored_runs import files_below

pytestmark = pytest.mark.slow

RUN = """
run_id: five
scenario: five_banks.yaml
days: 2
seeds: [1, 2]
chunk_size: 1
"""
MARTS = ("fct_transactions", "fct_lsm_cycles", "fct_lsm_effectiveness_days", "fct_agent_cost_days")


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with running_object_store(tmp_path_factory.mktemp("objects")) as server:
        yield server


def store_run(folder: Path, store: RawStore) -> None:
    """Stores two days of two simulations, each a chunk of its own."""
    (folder / "five_banks.yaml").write_text(FIVE_BANKS)
    (folder / "five.yaml").write_text(RUN)
    store.prepare()
    assert len(list(run_and_store_days(load_run(folder / "five.yaml"), store, 0, 1))) == 2
    assert store.chunks("five", 1) == 2


def build(data: Path, url: str) -> dict[str, pl.DataFrame]:
    """Every table of raw rows, and some marts, as dbt makes them of the store at a URL, or in the data folder."""
    here = Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STORE_VARIABLE, url)
        for name, value in dbt_environment(data).items():
            patch.setenv(name, value)
        patch.delenv("PAYMENT_SIM_RUNS", raising=False)
        patch.setenv("DBT_TARGET_PATH", str(data / "target"))
        patch.setenv("DBT_LOG_PATH", str(data / "logs"))
        wanted = ["staging", *(f"+{mart}" for mart in MARTS)]
        project = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
        try:
            result = dbtRunner().invoke(["run", "--quiet", "--select", *wanted, *project])
        finally:
            os.chdir(here)  # dbt moves into its project
            DuckDBConnectionManager.close_all_connections()
    outcome = outcomes(result)
    assert len(outcome) > len(CONTRACTS) + len(MARTS)
    assert set(outcome.values()) == {"success"}
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as connection:
        tables = [*(f"stg_raw__{table}" for table in CONTRACTS), *MARTS]
        return {table: connection.sql(f"select * from {table} order by all").pl() for table in tables}


def test_what_is_built_of_an_object_store_is_what_is_built_of_a_folder(
    objects: ObjectStore, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    local, there = tmp_path / "local", tmp_path / "there"
    for folder in (local, there):
        folder.mkdir()
    store_run(local, RawStore(local))
    store_run(there, objects.store("built"))
    expected, found = build(local, ""), build(there, objects.url("built"))
    assert not (there / "raw").exists()
    for table in CONTRACTS:
        stored = sum(RawStore(local).height(table, "five", day) for day in range(2))
        assert expected[f"stg_raw__{table}"].height == stored, table
    assert all(expected[mart].height > 0 for mart in MARTS)
    assert [table for table, rows in expected.items() if not found[table].equals(rows)] == []

    said = capfd.readouterr()
    assert SECRET not in said.out + said.err
    files = files_below(there)
    assert len(files) > 3
    assert [place for place, content in files.items() if SECRET.encode() in content] == []
