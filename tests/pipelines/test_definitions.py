"""What Dagster finds: assets joined from run file to mart, checks, one job, one schedule, one sensor."""

import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.definitions.partitions.context import partition_loading_context

from pipelines.assets import CLOSING_STATE
from pipelines.checks import CONTRACT, raw_key
from pipelines.cli import main
from pipelines.contracts import CONTRACTS, columns_of
from pipelines.dbt import manifest
from pipelines.definitions import build_defs
from pipelines.marts import WRITER_POOL
from pipelines.partitions import RANGE_END_TAG, RANGE_START_TAG, RUNS, days_by_run, partition_key
from pipelines.places import PROJECT_ROOT, RUN_FILES_VARIABLE
from pipelines.resources import Data
from pipelines.run_files import RUN_FILE
from pipelines.schedules import CRON_VARIABLE, RUN_VARIABLE, nightly_schedule
from sim_engine import InputError, __version__

_DBT_GROUPS = {"staging", "intermediate", "reference", "marts"}

MARTS = [
    "dim_agents",
    "dim_simulations",
    "fct_agent_cost_days",
    "fct_agent_lsm_days",
    "fct_cycle_length_days",
    "fct_cycle_type_days",
    "fct_data_tests",
    "fct_experiment_agents",
    "fct_experiment_arms",
    "fct_liquidity_efficiency_days",
    "fct_lsm_counterfactual",
    "fct_lsm_cycle_transactions",
    "fct_lsm_cycles",
    "fct_lsm_effectiveness_days",
    "fct_raw_table_days",
    "fct_ticks",
    "fct_transactions",
]


@pytest.fixture(scope="module")
def graph() -> AssetGraph:
    definitions = build_defs()
    dg.Definitions.validate_loadable(definitions)
    return definitions.resolve_asset_graph()


def test_every_raw_table_and_the_closing_state_are_assets_by_run_and_day(graph: AssetGraph) -> None:
    keys = [*(raw_key(table) for table in CONTRACTS), CLOSING_STATE]
    assert len(keys) == 12
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


def test_every_asset_says_what_it_is_and_what_it_is_made_of(graph: AssetGraph) -> None:
    nodes = [graph.get(key) for key in sorted(graph.get_all_asset_keys())]
    assert len(nodes) > 30
    assert [node.key for node in nodes if not node.description or len(node.description) < 15] == []
    assert [node.key for node in nodes if not node.kinds] == []
    groups = {node.group_name for node in nodes}
    assert groups == {"research", "raw", "staging", "intermediate", "reference", "marts", "reports"}


def test_every_raw_asset_is_made_from_the_file_of_its_run_by_this_engine(graph: AssetGraph) -> None:
    keys = [*(raw_key(table) for table in CONTRACTS), CLOSING_STATE]
    partition = dg.MultiPartitionKey({"run": "b", "day": "d002"})
    with dg.DagsterInstance.ephemeral() as instance, partition_loading_context(dynamic_partitions_store=instance):
        instance.add_dynamic_partitions(str(RUNS.name), ["a", "b", "c"])
        for key in keys:
            assert RUN_FILE in graph.get(key).parent_keys
            assert graph.get(key).code_version == __version__
            above = graph.get_parent_partition_keys_for_child(partition, RUN_FILE, key)
            assert list(above.partitions_subset.get_partition_keys()) == ["b"]


def test_marts_and_reports_follow_raw_tables_which_wait_for_who_asks(
    graph: AssetGraph,
) -> None:
    automated = {key for key in graph.get_all_asset_keys() if graph.get(key).automation_condition is not None}
    below_raw = {key for key in graph.get_all_asset_keys() if graph.get(key).group_name in _DBT_GROUPS}
    assert len(below_raw) >= 20
    assert automated == {*below_raw, dg.AssetKey("report")}


def nightly(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dg.ScheduleDefinition:
    for name in (CRON_VARIABLE, RUN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return nightly_schedule()


def tick(schedule: dg.ScheduleDefinition, instance: dg.DagsterInstance, data: Data) -> object:
    # Left, the context closes the instance that it opens; forgotten, it would close it during some later test.
    with dg.build_schedule_context(instance=instance, resources={"data": data}) as context:
        return schedule(context)


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(data_root=str(tmp_path))


def test_the_nightly_schedule_is_off_and_asks_for_all_days_of_its_run(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = nightly({}, monkeypatch)
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 2 * * *", "UTC")
    with dg.DagsterInstance.local_temp(data.data_root) as instance:
        request = tick(schedule, instance, data)
        assert instance.get_dynamic_partitions(str(RUNS.name)) == ["nightly_research"]
    assert isinstance(request, dg.RunRequest)
    assert request.tags[RANGE_START_TAG] == "d001|nightly_research"
    assert request.tags[RANGE_END_TAG] == "d002|nightly_research"


def test_the_environment_says_when_the_schedule_launches_which_run(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = nightly({CRON_VARIABLE: "30 5 * * 1", RUN_VARIABLE: "carried_over_night"}, monkeypatch)
    assert schedule.cron_schedule == "30 5 * * 1"
    with dg.DagsterInstance.local_temp(data.data_root) as instance:
        request = tick(schedule, instance, data)
    assert isinstance(request, dg.RunRequest)
    assert request.tags[RANGE_START_TAG] == "d001|carried_over_night"


@pytest.mark.parametrize("cron", ["99 2 * * *", "every night", "0 2 * *"])
def test_a_wrong_time_for_the_schedule_is_refused_with_what_to_write(
    cron: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CRON_VARIABLE, cron)
    with pytest.raises(InputError) as refused:
        nightly_schedule()
    assert f"{CRON_VARIABLE}: found '{cron}'; is not a time" in str(refused.value)
    assert "'0 2 * * *'" in str(refused.value)


@pytest.mark.parametrize("command", [["pipeline", str(PROJECT_ROOT / "scenarios" / "three_bank_ring.yaml")], ["ui"]])
def test_commands_that_need_the_schedule_refuse_a_wrong_time_and_write_nothing(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CRON_VARIABLE, "every night")
    result = CliRunner().invoke(main, [*command, "--data", str(tmp_path / "data")])
    assert result.exit_code == 2, result.output
    assert CRON_VARIABLE in result.output
    assert not (tmp_path / "data").exists()


def test_the_environment_names_the_folders_of_run_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RUN_FILES_VARIABLE, raising=False)
    assert Data(data_root=str(tmp_path)).run_folders == [str(PROJECT_ROOT / "runs")]
    monkeypatch.setenv(RUN_FILES_VARIABLE, os.pathsep.join([str(tmp_path / "mine"), str(tmp_path / "yours")]))
    data = Data(data_root=str(tmp_path))
    assert data.run_folders == [str(tmp_path / "mine"), str(tmp_path / "yours")]
    (tmp_path / "yours").mkdir()
    (tmp_path / "yours" / "new.yaml").write_text("run_id: new_one")
    assert "new_one" in data.catalogue.run_ids()
    assert "three_bank_ring" in data.catalogue.run_ids()


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
