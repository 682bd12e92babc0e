"""Raw assets: what a launch of run x day partitions leaves in the store and in Dagster's records."""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from pipelines import run_days
from pipelines.assets import CLOSING_STATE, raw_days
from pipelines.checks import raw_key
from pipelines.contracts import CONTRACTS
from pipelines.frames import MembersDay
from pipelines.partitions import RANGE_END_TAG, RANGE_START_TAG, RUNS, partition_key
from pipelines.resources import Data

SCENARIO = """
name: swap
ticks_per_day: 2
num_days: 3
agents:
  - {id: A, opening_balance: 0}
  - {id: B, opening_balance: 0}
arrivals:
  - {id: T1, sender: A, receiver: B, amount: 5, tick: 0}
  - {id: T2, sender: B, receiver: A, amount: 5, tick: 3}
  - {id: T3, sender: B, receiver: A, amount: 7, tick: 4}
"""

Launch = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def data(tmp_path: Path) -> Data:
    folder = tmp_path / "scenarios"
    folder.mkdir()
    (folder / "swap.yaml").write_text(SCENARIO)
    return Data(data_root=str(tmp_path / "data"), run_folders=[str(folder)])


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(str(RUNS.name), ["swap", "nobody_knows"])
        yield instance


@pytest.fixture
def launch(data: Data, instance: dg.DagsterInstance) -> Launch:
    """Launches days first..last (from 0) of a run as one Dagster run."""

    def launched(first: int, last: int, run_id: str = "swap") -> dg.ExecuteInProcessResult:
        job = dg.Definitions(
            assets=[raw_days], resources={"data": data}, jobs=[dg.define_asset_job("raw_only", selection="*")]
        ).resolve_job_def("raw_only")
        tags = {RANGE_START_TAG: partition_key(run_id, first), RANGE_END_TAG: partition_key(run_id, last)}
        return job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)

    return launched


def materialised(instance: dg.DagsterInstance, key: dg.AssetKey) -> list[str]:
    """Partitions with a materialization, each as often as it has one; Dagster records those of a range in any order."""
    records = instance.fetch_materializations(key, limit=100, ascending=True).records
    return sorted(str(record.partition_key) for record in records)


def failure_message(result: dg.ExecuteInProcessResult) -> str:
    failures = [event for event in result.all_events if event.is_step_failure]
    assert len(failures) == 1
    error = failures[0].step_failure_data.error
    assert error is not None
    return "\n".join(filter(None, [error.message, error.cause.message if error.cause else None]))


def test_one_launch_materialises_every_table_and_state_once_per_day(
    launch: Launch, instance: dg.DagsterInstance
) -> None:
    assert launch(0, 2).success
    days = [partition_key("swap", day) for day in range(3)]
    assert {table: materialised(instance, raw_key(table)) for table in CONTRACTS} == dict.fromkeys(CONTRACTS, days)
    assert materialised(instance, CLOSING_STATE) == days


def test_a_days_contract_checks_stand_beside_its_partition(launch: Launch) -> None:
    result = launch(0, 1)
    evaluations = [(check.asset_key, check.partition, check.passed) for check in result.get_asset_check_evaluations()]
    expected = [(raw_key(table), partition_key("swap", day), True) for day in range(2) for table in CONTRACTS]
    assert evaluations == expected


def test_metadata_says_rows_and_shows_cycles_by_type(launch: Launch, instance: dg.DagsterInstance) -> None:
    assert launch(0, 1).success
    records = instance.fetch_materializations(raw_key("lsm_cycles"), limit=10, ascending=True).records
    metadata = {str(record.partition_key): record.asset_materialization.metadata for record in records}  # type: ignore[union-attr]
    assert len(records) == len(metadata) == 2
    rows = [metadata[partition_key("swap", day)]["dagster/row_count"].value for day in range(2)]
    assert rows == [0, 1]
    shown = str(metadata[partition_key("swap", 1)]["cycles by type"].value)
    assert shown.splitlines()[-1] == "| bilateral | bilateral | 1 | 2 | 10 | 0 |"


def test_days_may_be_launched_one_after_the_other(launch: Launch, data: Data) -> None:
    assert [launch(day, day).success for day in range(3)] == [True, True, True]
    assert data.store.days_stored("swap") == [0, 1, 2]
    assert data.store.read_table("settlements", "swap", 1)["transaction"].to_list() == ["T1", "T2"]


def test_a_day_cannot_start_without_the_one_before(launch: Launch, data: Data) -> None:
    result = launch(1, 1)
    assert not result.success
    assert "day 0 of run swap is not stored (stored: none); run the days in order from 0" in failure_message(result)
    assert data.store.days_stored("swap") == []


def test_a_broken_contract_stops_its_day_shows_the_rows_and_keeps_the_days_before(
    launch: Launch, data: Data, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = run_days.frame_of

    def with_a_gift_on_day_1(table: str, day: MembersDay) -> pl.DataFrame:
        frame = make(table, day)
        is_spoilt = table == "agent_days" and day.records[0].day == 1
        return frame.with_columns(pl.col("received_value") + 3) if is_spoilt else frame

    monkeypatch.setattr(run_days, "frame_of", with_a_gift_on_day_1)
    result = launch(0, 2)
    assert not result.success
    assert data.store.days_stored("swap") == [0]
    assert materialised(instance, raw_key("agent_days")) == [partition_key("swap", 0)]
    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert [(check.asset_key, check.partition) for check in failed] == [
        (raw_key("agent_days"), partition_key("swap", 1))
    ]
    shown = str(failed[0].metadata["first failing rows"].value)
    assert "balances agree with what was sent and received" in shown
    assert "breaks its contracts and is not stored" in failure_message(result)


def test_a_retry_takes_up_after_the_last_committed_day(
    launch: Launch, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate, simulated, crashes = run_days.run_day, [], iter([True])

    def crashing_once_on_day_2(scenario: object, opening: object) -> object:
        day = opening.day  # type: ignore[attr-defined]
        simulated.append(day)
        if day == 2 and next(crashes, False):
            raise OSError("the machine went away")
        return simulate(scenario, opening)  # type: ignore[arg-type]

    monkeypatch.setattr(run_days, "run_day", crashing_once_on_day_2)
    assert launch(0, 2).success
    assert simulated == [0, 1, 2, 2]
    assert data.store.days_stored("swap") == [0, 1, 2]


def test_an_unknown_run_fails_with_what_to_do(launch: Launch) -> None:
    result = launch(0, 0, run_id="nobody_knows")
    assert not result.success
    assert "no file in" in failure_message(result)
    assert "payment-sim pipeline FILE" in failure_message(result)


def test_a_day_past_the_end_fails_with_the_days_there_are(launch: Launch) -> None:
    result = launch(0, 3)
    assert not result.success
    assert "run swap has 3 days, d001..d003; d004 is past its end" in failure_message(result)


def test_tables_asked_for_alone_are_still_written_and_recorded_whole(data: Data, instance: dg.DagsterInstance) -> None:
    result = dg.materialize(
        [raw_days],
        selection=[raw_key("settlements")],
        partition_key=partition_key("swap", 0),
        resources={"data": data},
        instance=instance,
    )
    assert result.success
    assert materialised(instance, raw_key("lsm_cycles")) == [partition_key("swap", 0)]
    assert data.store.days_stored("swap") == [0]
