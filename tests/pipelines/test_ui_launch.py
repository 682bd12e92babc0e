"""A real `dagster dev`: what sensor, schedule, backfill and launches by hand leave, asked as the UI's pages ask it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import pytest
from click.testing import CliRunner

from pipelines.checks import CONTRACT
from pipelines.cli import main
from pipelines.contracts import CONTRACTS
from pipelines.partitions import RANGE_START_TAG, partition_key, range_tags
from pipelines.places import PROJECT_ROOT, warehouse_file
from pipelines.raw_store import RawStore

RING = PROJECT_ROOT / "scenarios" / "three_bank_ring.yaml"
BY_HAND = "carried_over_night"
BY_CLOCK = "ring_with_one_poor_bank"
NEW = "new_one"
BACKFILLED, BETWEEN = ["backfilled_1", "backfilled_3"], "backfilled_2"

COMMAND = str(Path(sys.executable).with_name("payment-sim"))

RUN_FILE = """
run_id: {run_id}
scenario: {scenario}
days: 3
seeds: [1, 2]
arms:
  lsm_on:  {{}}
  lsm_off: {{baseline: true, set: {{lsm: {{bilateral: false, ring: false, gridlock: false}}}}}}
"""

REPOSITORY = {"repositoryLocationName": "payment_sim", "repositoryName": "__repository__"}

LAUNCH = """
mutation ($job: JobOrPipelineSelector!, $tags: [ExecutionTag!]!) {
  launchPipelineExecution(
    executionParams: {selector: $job, executionMetadata: {tags: $tags}, mode: "default", runConfigData: {}}
  ) { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } }
}
"""
RE_EXECUTE = """
mutation ($run: String!) {
  launchPipelineReexecution(reexecutionParams: {parentRunId: $run, strategy: FROM_FAILURE}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}
"""
ADD_PARTITION = """
mutation ($repository: RepositorySelector!, $run: String!) {
  addDynamicPartition(repositorySelector: $repository, partitionsDefName: "run", partitionKey: $run) { __typename }
}
"""
BACKFILL = """
mutation ($assets: [AssetKeyInput!]!, $partitions: [String!]!) {
  launchPartitionBackfill(backfillParams: {assetSelection: $assets, partitionNames: $partitions}) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}
"""
START_SENSOR = """
mutation ($sensor: SensorSelector!) {
  startSensor(sensorSelector: $sensor) { __typename ... on PythonError { message } }
}
"""
START_SCHEDULE = """
mutation ($schedule: ScheduleSelector!) {
  startSchedule(scheduleSelector: $schedule) { __typename ... on PythonError { message } }
}
"""
STOP_SCHEDULE = """
mutation ($id: String!) { stopRunningSchedule(id: $id) { __typename ... on PythonError { message } } }
"""
STATUS = "query ($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"
BACKFILL_STATUS = """
query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }
"""
TICKS = """
query ($selector: InstigationSelector!) {
  instigationStateOrError(instigationSelector: $selector) {
    ... on InstigationState { id ticks(limit: 5, statuses: [SUCCESS, FAILURE]) { status runIds error { message } } }
  }
}
"""
RUNS = "{ runsOrError(limit: 50) { ... on Runs { results { runId jobName status tags { key value } } } } }"
PARTITIONS = """
query ($asset: AssetKeyInput!) {
  assetNodeOrError(assetKey: $asset) {
    ... on AssetNode {
      assetPartitionStatuses {
        ... on MultiPartitionStatuses {
          ranges {
            primaryDimStartKey primaryDimEndKey
            secondaryDim { ... on DefaultPartitionStatuses { materializedPartitions } }
          }
        }
      }
    }
  }
}
"""
CHECKS = """
{ assetNodes {
    assetKey { path }
    groupName
    assetChecksOrError {
      ... on AssetChecks { checks { name executionForLatestMaterialization { status evaluation { success } } } }
    }
} }
"""
PARTITIONED_CHECKS = """
query ($asset: AssetKeyInput!) {
  assetNodeOrError(assetKey: $asset) {
    ... on AssetNode {
      assetChecksOrError {
        ... on AssetChecks {
          checks {
            name
            partitionStatuses {
              ... on AssetCheckMultiPartitionStatuses {
                ranges {
                  primaryDimStartKey primaryDimEndKey
                  secondaryDim {
                    ... on AssetCheckDefaultPartitionStatuses {
                      succeededPartitions failedPartitions inProgressPartitions
                      skippedPartitions executionFailedPartitions
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }
}
"""
STALE = """
query ($asset: AssetKeyInput!, $partitions: [String!]!) {
  assetNodeOrError(assetKey: $asset) { ... on AssetNode { staleStatusByPartition(partitions: $partitions) } }
}
"""


class Ui:
    """The Dagster UI of a data folder, asked as its own pages ask it."""

    def __init__(self, port: int, data_root: Path, run_files: Path) -> None:
        self._address = f"http://127.0.0.1:{port}/graphql"
        self.data_root, self.run_files = data_root, run_files

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self._address, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def do(self, mutation: str, **variables: Any) -> Any:
        """What a mutation answers; it must have succeeded."""
        (answer,) = self.ask(mutation, **variables).values()
        assert "Error" not in answer["__typename"], answer
        return answer

    def write_run(self, run_id: str) -> Path:
        file = self.run_files / f"{run_id}.yaml"
        beside = file.with_suffix(".part")
        beside.write_text(RUN_FILE.format(run_id=run_id, scenario=RING))
        return beside.rename(file)

    def write_run_elsewhere(self, run_id: str) -> None:
        """A run file where the sensor does not look, known as if it had been launched from the command line before."""
        elsewhere, notes = self.data_root.parent / "elsewhere", self.data_root / "catalogue"
        for folder in (elsewhere, notes):
            folder.mkdir(exist_ok=True)
        file = elsewhere / f"{run_id}.yaml"
        file.write_text(RUN_FILE.format(run_id=run_id, scenario=RING))
        (notes / f"{run_id}.json").write_text(json.dumps({"run_id": run_id, "file": str(file)}))
        self.do(ADD_PARTITION, repository=REPOSITORY, run=run_id)

    def launch(self, run_id: str, days: int) -> str:
        tags = [{"key": key, "value": value} for key, value in range_tags(run_id, days).items()]
        answer = self.do(LAUNCH, job={**REPOSITORY, "pipelineName": "everything"}, tags=tags)
        return str(answer["run"]["runId"])

    def status(self, run: str) -> str:
        return str(self.ask(STATUS, run=run)["runOrError"]["status"])

    def ended(self, run: str) -> str:
        wait_for(f"the end of run {run}", lambda: self.status(run) in {"SUCCESS", "FAILURE", "CANCELED"})
        return self.status(run)

    def runs_of(self, run_id: str) -> list[dict[str, Any]]:
        """Dagster runs that are of a research run, with their tags as a mapping."""
        runs = self.ask(RUNS)["runsOrError"]["results"]
        tagged = [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in runs]
        return [run for run in tagged if run["tags"].get(RANGE_START_TAG, "").endswith(f"|{run_id}")]

    def ticks_of(self, name: str) -> list[dict[str, Any]]:
        """Ticks of a sensor or a schedule that launched something, or went wrong."""
        state = self.ask(TICKS, selector={**REPOSITORY, "name": name})["instigationStateOrError"]
        return list(state["ticks"])

    def materialised(self, asset: list[str]) -> set[str]:
        """Partitions of an asset that the UI shows green."""
        node = self.ask(PARTITIONS, asset={"path": asset})["assetNodeOrError"]
        return _by_status(node["assetPartitionStatuses"])["materializedPartitions"]

    def checked(self, asset: list[str]) -> dict[str, set[str]]:
        """Partitions of a raw table by what the UI shows of its contract."""
        node = self.ask(PARTITIONED_CHECKS, asset={"path": asset})["assetNodeOrError"]
        (check,) = node["assetChecksOrError"]["checks"]
        assert check["name"] == CONTRACT
        return _by_status(check["partitionStatuses"])


def _by_status(statuses: dict[str, Any]) -> dict[str, set[str]]:
    """Partition keys by status; the UI states runs for stretches of days."""
    by_status: dict[str, set[str]] = {}
    for stretch in statuses["ranges"]:
        first, last = (int(stretch[f"primaryDim{end}Key"][1:]) - 1 for end in ("Start", "End"))
        for status, runs in stretch["secondaryDim"].items():
            keys = {partition_key(run_id, day) for day in range(first, last + 1) for run_id in runs}
            by_status[status] = by_status.get(status, set()) | keys
    return by_status


def wait_for(what: str, happened: Callable[[], object], seconds: float = 400) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    folder = tmp_path_factory.mktemp("ui")
    (folder / "run_files").mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "PAYMENT_SIM_DATA": str(folder / "data"),
        "PAYMENT_SIM_RUN_FILES": str(folder / "run_files"),
        "PAYMENT_SIM_NIGHTLY_CRON": "* * * * *",
        "PAYMENT_SIM_NIGHTLY_RUN": BY_CLOCK,
    }
    ui = Ui(port, folder / "data", folder / "run_files")
    with (folder / "ui.log").open("w") as log:
        # A shell in the background ignores interrupts, and so would the UI started below it.
        process = subprocess.Popen(
            ["env", "--default-signal=INT", COMMAND, "ui", "--port", str(port)],
            env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            wait_for("the UI", lambda: _answers(ui), 180)
            yield ui
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
            with contextlib.suppress(ProcessLookupError):  # runs that go on, if a test gave up waiting
                os.killpg(process.pid, signal.SIGKILL)


def _answers(ui: Ui) -> bool:
    try:
        return bool(ui.ask("{ version }"))
    except OSError:
        return False


@dataclass(frozen=True)
class Launched:
    """What was launched, in which way; each has ended.

    by_hand: the Dagster run of BY_HAND. backfill: the id of the backfill.
    """

    by_hand: str
    backfill: str


@pytest.fixture(scope="module")
def launched(ui: Ui) -> Launched:
    """Launches in every way at once, so that the clock and the daemon need not be waited for twice."""
    for run_id in sorted([*BACKFILLED, BETWEEN]):
        ui.write_run_elsewhere(run_id)
    backfill = ui.do(
        BACKFILL,
        assets=[{"path": ["raw", table]} for table in CONTRACTS] + [{"path": ["state", "closing"]}],
        partitions=[partition_key(run_id, day) for run_id in BACKFILLED for day in range(2)],
    )["backfillId"]
    by_hand = ui.launch(BY_HAND, 2)
    ui.write_run(NEW)
    ui.do(START_SENSOR, sensor={**REPOSITORY, "sensorName": "run_files"})

    ui.do(START_SCHEDULE, schedule={**REPOSITORY, "scheduleName": "nightly_research"})
    # A schedule that is stopped while it ticks goes on: the daemon writes down what it was when the tick began.
    wait_for("the schedule", lambda: ui.ticks_of("nightly_research"))
    schedule = ui.ask(TICKS, selector={**REPOSITORY, "name": "nightly_research"})["instigationStateOrError"]["id"]
    ui.do(STOP_SCHEDULE, id=schedule)
    wait_for("the sensor", lambda: ui.runs_of(NEW))

    def backfill_status() -> str:
        return str(ui.ask(BACKFILL_STATUS, id=backfill)["partitionBackfillOrError"]["status"])

    wait_for("the backfill", lambda: backfill_status() not in {"REQUESTED", "COMPLETING"})
    assert backfill_status() == "COMPLETED_SUCCESS"
    for run in [by_hand, *(run["runId"] for run_id in (NEW, BY_CLOCK) for run in ui.runs_of(run_id))]:
        assert ui.ended(run) == "SUCCESS", run
    return Launched(by_hand, backfill)


def content(data_root: Path, run_id: str) -> dict[str, list[Any]]:
    """Every mart of a warehouse, the rows of a run, in order."""
    with duckdb.connect(str(warehouse_file(data_root)), read_only=True) as connection:
        tables = connection.sql(
            "select table_name from duckdb_columns() where column_name = 'run_id' order by all"
        ).fetchall()
        return {
            name: connection.sql(
                f'select * from "{name}" where run_id = $run order by all', params={"run": run_id}
            ).fetchall()
            for (name,) in tables
        }


def raw_bytes(data_root: Path, run_id: str) -> dict[str, bytes]:
    files = sorted([*(data_root / "raw").rglob("*.parquet"), *(data_root / "state").rglob("*.jsonl")])
    return {str(file.relative_to(data_root)): file.read_bytes() for file in files if f"run_id={run_id}" in file.parts}


@pytest.mark.slow
@pytest.mark.usefixtures("launched")
def test_the_ui_and_the_command_line_make_the_same_tables(ui: Ui, tmp_path: Path) -> None:
    scenario = PROJECT_ROOT / "scenarios" / f"{BY_HAND}.yaml"
    with patch.dict(os.environ):  # the command names its data folder to the processes that it starts
        launched = CliRunner().invoke(main, ["pipeline", str(scenario), "--data", str(tmp_path)])
    assert launched.exit_code == 0, launched.output
    assert len(raw_bytes(tmp_path, BY_HAND)) == 2 * len(CONTRACTS) + 2  # parts and closing states of two days
    assert raw_bytes(ui.data_root, BY_HAND) == raw_bytes(tmp_path, BY_HAND)
    marts = content(tmp_path, BY_HAND)
    assert len(marts) >= 8
    assert len(marts["fct_transactions"]) > 0
    assert content(ui.data_root, BY_HAND) == marts


@pytest.mark.slow
@pytest.mark.usefixtures("launched")
def test_the_sensor_launches_a_new_run_file_over_all_its_days_once(ui: Ui) -> None:
    (run,) = ui.runs_of(NEW)
    assert (run["jobName"], run["status"]) == ("everything", "SUCCESS")
    assert run["tags"].items() >= range_tags(NEW, 3).items()
    ticks = [(tick["status"], tick["runIds"]) for tick in ui.ticks_of("run_files")]
    assert ("SUCCESS", [run["runId"]]) in ticks
    assert {status for status, _ in ticks} == {"SUCCESS"}
    assert RawStore(ui.data_root).days_stored(NEW) == [0, 1, 2]
    assert len(content(ui.data_root, NEW)["fct_transactions"]) == 4 * 3  # two arms of two seeds, three payments each


@pytest.mark.slow
@pytest.mark.usefixtures("launched")
def test_the_schedule_ticks_and_launches_its_run(ui: Ui) -> None:
    runs = ui.runs_of(BY_CLOCK)
    assert len(runs) >= 1
    assert {(run["jobName"], ui.ended(run["runId"])) for run in runs} == {("everything", "SUCCESS")}
    assert {run["tags"]["dagster/schedule_name"] for run in runs} == {"nightly_research"}
    ticks = ui.ticks_of("nightly_research")
    assert {tick["status"] for tick in ticks} == {"SUCCESS"}
    assert sorted(run_id for tick in ticks for run_id in tick["runIds"]) == sorted(run["runId"] for run in runs)
    assert RawStore(ui.data_root).days_stored(BY_CLOCK) == [0]


@pytest.mark.slow
@pytest.mark.usefixtures("launched")
def test_a_backfill_runs_exactly_the_days_of_the_runs_that_it_names(ui: Ui) -> None:
    store = RawStore(ui.data_root)
    days = {run_id: store.days_stored(run_id) for run_id in [*BACKFILLED, BETWEEN]}
    assert days == {BACKFILLED[0]: [0, 1], BACKFILLED[1]: [0, 1], BETWEEN: []}
    asked = {partition_key(run_id, day) for run_id in BACKFILLED for day in range(2)}
    for asset in (["raw", "settlements"], ["state", "closing"]):
        green = ui.materialised(asset)
        assert len(green) > len(asked)
        assert {key for key in green if key.split("|")[1] in days} == asked


@pytest.mark.slow
@pytest.mark.usefixtures("launched")
def test_the_contracts_of_every_day_have_been_kept(ui: Ui) -> None:
    for table in CONTRACTS:
        materialised = ui.materialised(["raw", table])
        assert len(materialised) > 5
        checked = ui.checked(["raw", table])
        assert checked.pop("succeededPartitions") == materialised
        assert len(checked) == 4
        assert set().union(*checked.values()) == set()


@pytest.mark.slow
@pytest.mark.usefixtures("launched")
def test_every_test_of_the_marts_has_passed(ui: Ui) -> None:
    checks = {
        f"{'/'.join(node['assetKey']['path'])}: {check['name']}": check["executionForLatestMaterialization"]
        for node in ui.ask(CHECKS)["assetNodes"]
        if node["groupName"] != "raw"
        for check in node["assetChecksOrError"].get("checks", [])
    }
    assert len(checks) > 100
    passed = {"status": "SUCCEEDED", "evaluation": {"success": True}}
    assert {name: check for name, check in checks.items() if check != passed} == {}


@pytest.mark.slow
@pytest.mark.usefixtures("launched")
def test_a_run_file_that_changes_makes_its_days_stale_and_launches_nothing(ui: Ui) -> None:
    partitions = [partition_key(NEW, day) for day in range(3)]

    def stale() -> list[str]:
        answer = ui.ask(STALE, asset={"path": ["raw", "settlements"]}, partitions=partitions)
        return list(answer["assetNodeOrError"]["staleStatusByPartition"])

    assert stale() == ["FRESH"] * 3
    file = ui.run_files / f"{NEW}.yaml"
    file.write_text(file.read_text().replace("seeds: [1, 2]", "seeds: [1, 3]"))
    wait_for("the sensor to see the change", lambda: stale() == ["STALE"] * 3)
    assert len(ui.runs_of(NEW)) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("launched")
def test_executing_a_failed_run_again_from_the_ui_goes_on_where_it_failed(ui: Ui) -> None:
    run_id = "interrupted"
    ui.write_run_elsewhere(run_id)
    store = RawStore(ui.data_root)
    in_the_way = store.state_file(run_id, 1).parent
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_text("where a folder should be made")
    failed = ui.launch(run_id, 3)
    assert ui.ended(failed) == "FAILURE"
    in_the_way.unlink()
    assert store.days_stored(run_id) == [0]
    committed = store.state_file(run_id, 0).stat().st_ino

    again = ui.do(RE_EXECUTE, run=failed)["run"]["runId"]
    assert ui.ended(again) == "SUCCESS"
    assert store.days_stored(run_id) == [0, 1, 2]
    assert store.state_file(run_id, 0).stat().st_ino == committed
    assert {partition_key(run_id, day) for day in range(3)} <= ui.materialised(["raw", "ticks"])
