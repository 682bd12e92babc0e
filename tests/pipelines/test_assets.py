"""Raw assets: what a launch of run x day partitions leaves in the store and in Dagster's records."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from pipelines import chunks
from pipelines.assets import CLOSING_STATE, raw_days
from pipelines.checks import CONTRACT, raw_key
from pipelines.contracts import CONTRACTS
from pipelines.frames import MembersDay
from pipelines.partitions import RANGE_END_TAG, RANGE_START_TAG, RUNS, partition_key, range_tags
from pipelines.progress import ProgressInLog
from pipelines.resources import Data, Workers
from pipelines.run_files import run_file
from tests.helpers.stored_runs import SWAP

RUN_IDS = ["other", "swap", "third"]

Launch = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def data(tmp_path: Path) -> Data:
    folder = tmp_path / "scenarios"
    folder.mkdir()
    for run_id in RUN_IDS:
        (folder / f"{run_id}.yaml").write_text(SWAP.replace("swap", run_id))
    return Data(data_root=str(tmp_path / "data"), run_folders=[str(folder)])


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(str(RUNS.name), [*RUN_IDS, "nobody_knows"])
        yield instance


@pytest.fixture
def raw_only(data: Data) -> dg.JobDefinition:
    resources = {"data": data, "workers": Workers(), "progress": ProgressInLog()}
    job = dg.define_asset_job("raw_only", selection=dg.AssetSelection.assets(raw_days))
    return dg.Definitions(assets=[run_file, raw_days], resources=resources, jobs=[job]).resolve_job_def("raw_only")


@pytest.fixture
def launch(raw_only: dg.JobDefinition, instance: dg.DagsterInstance) -> Launch:
    """Launches days first..last (from 0) of a run, or of those from run_id to last_run_id, as one Dagster run."""

    def launched(
        first: int, last: int, run_id: str = "swap", last_run_id: str | None = None, **tags: str
    ) -> dg.ExecuteInProcessResult:
        start, end = partition_key(run_id, first), partition_key(last_run_id or run_id, last)
        partitions = {RANGE_START_TAG: start, RANGE_END_TAG: end}
        dagster_tags = {f"dagster/{name}": value for name, value in tags.items()}
        return raw_only.execute_in_process(instance=instance, tags=partitions | dagster_tags, raise_on_error=False)

    return launched


class Simulated:
    """Simulates, and remembers the days in order; breaks down as often as it is told when it comes to a day."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.days: list[int] = []
        self.breaks_down_on: list[int] = []
        self._simulate = chunks.run_day
        monkeypatch.setattr(chunks, "run_day", self)

    def __call__(self, scenario: object, opening: object) -> object:
        day = opening.day  # type: ignore[attr-defined]
        self.days.append(day)
        if day in self.breaks_down_on:
            self.breaks_down_on.remove(day)
            raise OSError("the machine went away")
        return self._simulate(scenario, opening)  # type: ignore[arg-type]


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Simulated:
    return Simulated(monkeypatch)


def materialised(instance: dg.DagsterInstance, key: dg.AssetKey) -> list[str]:
    """Partitions with a materialization, each as often as it has one; Dagster records those of a range in any order."""
    records = instance.fetch_materializations(key, limit=100, ascending=True).records
    return sorted(str(record.partition_key) for record in records)


def rewrite(data: Data, run_id: str, old: str, new: str) -> Path:
    """Changes a word in the file of a run."""
    file = Path(data.run_folders[0]) / f"{run_id}.yaml"
    assert file.read_text().count(old) == 1
    file.write_text(file.read_text().replace(old, new))
    return file


class EveryUnit:
    """Says each unit of work."""

    @contextmanager
    def work(self, units: int, noun: str, say: Callable[[str], None]) -> Iterator[Callable[[str], None]]:
        done = itertools.count(1)
        yield lambda what: say(f"{next(done)} of {units} {noun}: {what}")


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


def shown_checks(instance: dg.DagsterInstance, table: str) -> dict[str, str]:
    """What the UI shows of a table's contract, by partition: nothing if the table was made again since."""
    check = dg.AssetCheckKey(raw_key(table), CONTRACT)
    infos = instance.event_log_storage.get_asset_check_partition_info([check])
    return {str(info.partition_key): info.latest_execution_status.value for info in infos if info.is_current}


def test_the_contract_of_a_day_is_shown_after_every_launch_of_it(launch: Launch, instance: dg.DagsterInstance) -> None:
    for last in (2, 1):
        assert launch(0, last).success
        expected = {partition_key("swap", day): "SUCCEEDED" for day in range(3)}
        assert {table: shown_checks(instance, table) for table in CONTRACTS} == dict.fromkeys(CONTRACTS, expected)


def test_metadata_says_rows_and_shows_cycles_by_type(launch: Launch, instance: dg.DagsterInstance) -> None:
    assert launch(0, 1).success
    records = instance.fetch_materializations(raw_key("lsm_cycles"), limit=10, ascending=True).records
    metadata = {str(record.partition_key): record.asset_materialization.metadata for record in records}  # type: ignore[union-attr]
    assert len(records) == len(metadata) == 2
    rows = [metadata[partition_key("swap", day)]["dagster/row_count"].value for day in range(2)]
    assert rows == [0, 1]
    shown = str(metadata[partition_key("swap", 1)]["cycles by type"].value)
    assert shown.splitlines()[-1] == "| bilateral | bilateral | 1 | 2 | 10 | 0 |"


def test_metadata_shows_a_picture_of_a_days_cycles_or_that_there_were_none(
    launch: Launch, instance: dg.DagsterInstance
) -> None:
    assert launch(0, 1).success
    records = instance.fetch_materializations(raw_key("lsm_cycles"), limit=10, ascending=True).records
    metadata = {str(record.partition_key): record.asset_materialization.metadata for record in records}  # type: ignore[union-attr]
    assert len(records) == len(metadata) == 2
    none, one = (str(metadata[partition_key("swap", day)]["cycles over the day"].value) for day in range(2))
    assert none == "No cycle settled."
    assert one.startswith("![1 LSM cycle over day 1, by mechanism and type](data:image/png;base64,iVBORw0KGgo")


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
    make = chunks.frame_of

    def with_a_gift_on_day_1(table: str, day: MembersDay) -> pl.DataFrame:
        frame = make(table, day)
        is_spoilt = table == "agent_days" and day.records[0].day == 1
        return frame.with_columns(pl.col("received_value") + 3) if is_spoilt else frame

    monkeypatch.setattr(chunks, "frame_of", with_a_gift_on_day_1)
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
    shown_of_days = ["SUCCEEDED", "FAILED", "PLANNED"]  # the launch never came to the last
    assert shown_checks(instance, "agent_days") == {
        partition_key("swap", day): status for day, status in enumerate(shown_of_days)
    }


def test_a_retry_takes_up_after_the_last_committed_day(launch: Launch, data: Data, simulated: Simulated) -> None:
    simulated.breaks_down_on = [2]
    assert launch(0, 2).success
    assert simulated.days == [0, 1, 2, 2]
    assert data.store.days_stored("swap") == [0, 1, 2]


@pytest.mark.parametrize("tag", ["is_resume_retry", "is_asset_resume_retry"])
def test_executing_again_from_failure_takes_up_after_the_last_committed_day(
    launch: Launch, instance: dg.DagsterInstance, simulated: Simulated, tag: str
) -> None:
    simulated.breaks_down_on = [2, 2]
    assert not launch(0, 2).success
    assert simulated.days == [0, 1, 2, 2]
    assert launch(0, 2, **{tag: "true"}).success
    assert simulated.days == [0, 1, 2, 2, 2]
    assert set(materialised(instance, CLOSING_STATE)) == {partition_key("swap", day) for day in range(3)}


def test_launching_again_from_the_start_simulates_every_day(launch: Launch, simulated: Simulated) -> None:
    for _ in range(2):
        assert launch(0, 1).success
    assert simulated.days == [0, 1, 0, 1]


def test_what_another_version_stored_is_simulated_again(launch: Launch, data: Data, simulated: Simulated) -> None:
    assert launch(0, 1).success
    first_day = data.store.state_file("swap", 0)
    content = first_day.read_bytes()
    first_day.write_bytes(content.replace(b'"balances"', b'"balances_of_old"'))
    assert first_day.read_bytes() != content
    assert launch(0, 1, is_resume_retry="true").success
    assert simulated.days == [0, 1, 0, 1]
    assert first_day.read_bytes() == content


def test_what_was_stored_of_another_scenario_is_simulated_again(
    launch: Launch, data: Data, simulated: Simulated
) -> None:
    assert launch(0, 1).success
    rewrite(data, "swap", "amount: 7", "amount: 8")
    assert launch(0, 1, is_resume_retry="true").success
    assert simulated.days == [0, 1, 0, 1]


def test_one_launch_takes_several_runs_through_the_same_days(
    launch: Launch, data: Data, instance: dg.DagsterInstance
) -> None:
    assert launch(0, 1, run_id="other", last_run_id="swap").success
    assert {run_id: data.store.days_stored(run_id) for run_id in RUN_IDS} == {
        "other": [0, 1],
        "swap": [0, 1],
        "third": [],
    }
    keys = sorted(partition_key(run_id, day) for run_id in ("other", "swap") for day in range(2))
    assert materialised(instance, raw_key("ticks")) == materialised(instance, CLOSING_STATE) == keys


def test_the_days_of_a_backfill_come_in_any_order(
    launch: Launch, data: Data, instance: dg.DagsterInstance, simulated: Simulated
) -> None:
    for day in (1, 0):
        assert launch(day, day, run_id="other", last_run_id="swap", backfill="abc").success
    assert simulated.days == [0, 1, 0, 1, 0, 0]
    assert {run_id: data.store.days_stored(run_id) for run_id in RUN_IDS} == {
        "other": [0, 1],
        "swap": [0, 1],
        "third": [],
    }
    keys = {partition_key(run_id, day) for run_id in ("other", "swap") for day in range(2)}
    assert set(materialised(instance, raw_key("ticks"))) == set(materialised(instance, CLOSING_STATE)) == keys


def test_a_backfill_leaves_the_contract_of_a_day_to_the_run_that_is_still_to_check_it(
    launch: Launch, raw_only: dg.JobDefinition, instance: dg.DagsterInstance
) -> None:
    instance.create_run_for_job(raw_only, tags=range_tags("swap", 1))
    assert launch(1, 1, backfill="abc").success
    check = dg.AssetCheckKey(raw_key("settlements"), CONTRACT)
    infos = instance.event_log_storage.get_asset_check_partition_info([check])
    expected = {partition_key("swap", 0): "PLANNED", partition_key("swap", 1): "SUCCEEDED"}
    assert {str(info.partition_key): info.latest_execution_status.value for info in infos} == expected


def test_a_backfill_starts_from_days_that_are_stored_as_the_run_asks_for_them(
    launch: Launch, data: Data, simulated: Simulated
) -> None:
    assert launch(0, 1).success
    assert launch(2, 2, backfill="abc").success
    assert simulated.days == [0, 1, 2]
    rewrite(data, "swap", "amount: 7", "amount: 8")
    assert launch(2, 2, backfill="abc").success
    assert simulated.days == [0, 1, 2, 0, 1, 2]


def test_long_work_says_in_the_log_how_far_it_is(data: Data, instance: dg.DagsterInstance) -> None:
    result = dg.materialize(
        [raw_days],
        partition_key=partition_key("swap", 0),
        resources={"data": data, "workers": Workers(), "progress": EveryUnit()},
        instance=instance,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    assert result.success
    said = [event.user_message for event in instance.all_logs(result.run_id)]
    assert said.count("1 of 1 days of simulations: swap: storing day 0") == 1


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
        resources={"data": data, "workers": Workers(), "progress": ProgressInLog()},
        instance=instance,
    )
    assert result.success
    assert materialised(instance, raw_key("lsm_cycles")) == [partition_key("swap", 0)]
    assert data.store.days_stored("swap") == [0]
