"""What Dagster finds: assets joined from raw table to mart, checks, one job, one schedule."""

import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from pipelines.assets import CLOSING_STATE, WRITER_POOL
from pipelines.checks import CONTRACT, raw_key
from pipelines.contracts import CONTRACTS, columns_of
from pipelines.dbt import manifest
from pipelines.definitions import build_defs
from pipelines.partitions import RANGE_END_TAG, RANGE_START_TAG, RUNS, days_by_run, partition_key
from pipelines.places import PROJECT_ROOT
from pipelines.resources import Data
from pipelines.schedules import nightly_research

MARTS = [
    "dim_agents",
    "dim_simulations",
    "fct_cycle_length_days",
    "fct_cycle_type_days",
    "fct_lsm_cycle_transactions",
    "fct_lsm_cycles",
    "fct_lsm_effectiveness_days",
    "fct_transactions",
]


@pytest.fixture(scope="module")
def graph() -> AssetGraph:
    definitions = build_defs()
    dg.Definitions.validate_loadable(definitions)
    return definitions.resolve_asset_graph()


def test_every_raw_table_and_the_closing_state_are_assets_by_run_and_day(graph: AssetGraph) -> None:
    keys = [*(raw_key(table) for table in CONTRACTS), CLOSING_STATE]
    assert len(keys) == 11
    assert {key: graph.get(key).partitions_def is not None for key in keys} == dict.fromkeys(keys, True)


def test_every_mart_is_an_asset_of_its_group(graph: AssetGraph) -> None:
    marts = [key.path[-1] for key in graph.get_all_asset_keys() if graph.get(key).group_name == "marts"]
    assert sorted(marts) == MARTS


def test_staging_reads_the_raw_asset_of_its_name(graph: AssetGraph) -> None:
    staging = [key for key in graph.get_all_asset_keys() if graph.get(key).group_name == "staging"]
    assert len(staging) == len(CONTRACTS)
    for key in staging:
        assert graph.get(key).parent_keys == {raw_key(key.path[-1].removeprefix("stg_raw__"))}


def test_a_mart_traces_back_to_raw_tables(graph: AssetGraph) -> None:
    mart = next(key for key in graph.get_all_asset_keys() if key.path[-1] == "fct_cycle_type_days")
    upstream = dg.AssetSelection.assets(mart).upstream().resolve(graph)
    assert raw_key("lsm_cycles") in upstream
    assert raw_key("settlements") in upstream


def test_contracts_and_dbt_tests_are_asset_checks(graph: AssetGraph) -> None:
    checks = graph.asset_check_keys
    assert {check.asset_key for check in checks if check.name == CONTRACT} == {raw_key(table) for table in CONTRACTS}
    checked_marts = {check.asset_key.path[-1] for check in checks if graph.get(check.asset_key).group_name == "marts"}
    assert sorted(checked_marts) == MARTS


def test_every_test_of_the_dbt_project_is_an_asset_check(graph: AssetGraph) -> None:
    nodes = json.loads(manifest().read_text())["nodes"].values()
    names = sorted(node["name"] for node in nodes if node["resource_type"] == "test")
    assert len(names) > 100
    assert sorted(check.name for check in graph.asset_check_keys if check.name != CONTRACT) == names


def test_raw_assets_show_their_columns_with_units(graph: AssetGraph) -> None:
    schema = graph.get(raw_key("lsm_cycles")).metadata["dagster/column_schema"]
    assert [column.name for column in schema.columns] == [column.name for column in columns_of("lsm_cycles")]
    described = {column.name: column.description for column in schema.columns}
    assert described["total_value"] == "Gross value: sum of the amounts [minor units]"


def test_the_warehouse_has_one_writer_at_a_time(graph: AssetGraph) -> None:
    mart = next(key for key in graph.get_all_asset_keys() if key.path[-1] == "fct_lsm_cycles")
    assert graph.get(mart).pools == {WRITER_POOL}


def test_day_keys_count_from_one_and_days_from_zero() -> None:
    assert partition_key("my_run", 0) == "d001|my_run"
    assert partition_key("my_run", 364) == "d365|my_run"
    assert days_by_run(["d003|b", "d001|b", "d002|a"]) == {"a": [1], "b": [0, 2]}


def test_the_nightly_schedule_is_off_and_asks_for_all_days_of_its_run(tmp_path: Path) -> None:
    assert nightly_research.default_status == dg.DefaultScheduleStatus.STOPPED
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        context = dg.build_schedule_context(instance=instance, resources={"data": Data(data_root=str(tmp_path))})
        request = nightly_research(context)
        assert instance.get_dynamic_partitions(str(RUNS.name)) == ["nightly_research"]
    assert isinstance(request, dg.RunRequest)
    assert request.tags[RANGE_START_TAG] == "d001|nightly_research"
    assert request.tags[RANGE_END_TAG] == "d002|nightly_research"


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [["dagster", "definitions", "validate", "-w", "workspace.yaml"], ["dg", "check", "defs"]],
    ids=["dagster", "dg"],
)
def test_the_definitions_are_found_as_users_find_them(command: list[str]) -> None:
    tool = str(Path(sys.executable).with_name(command[0]))
    result = subprocess.run([tool, *command[1:]], cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
