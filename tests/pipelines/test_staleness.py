"""Which raw partitions Dagster shows as stale: those that another run file, scenario or engine made."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.definitions.observe import observe
from dagster._core.loader import LoadingContextForTest

from pipelines import chunks
from pipelines.assets import CLOSING_STATE, raw_days
from pipelines.checks import raw_key
from pipelines.contracts import CONTRACTS
from pipelines.partitions import RANGE_END_TAG, RANGE_START_TAG, RUNS, partition_key
from pipelines.progress import ProgressInLog
from pipelines.resources import Data, Workers
from pipelines.run_files import last_observed, observation_of, run_digest, run_file
from pipelines.runs import load_run
from tests.helpers.stored_runs import SWAP

RUN = """
run_id: {run_id}
scenario: swap.yaml
days: 3
seeds: [1]
"""

KEYS = [*(raw_key(table) for table in CONTRACTS), CLOSING_STATE]
RUN_IDS = ["mine", "other"]
FRESH, STALE, MISSING = "FRESH", "STALE", "MISSING"


class Instance:
    """A Dagster instance, two run files on one scenario, and launches of their days."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.folder, self.instance = folder, instance
        self.data = Data(data_root=str(folder / "data"), run_folders=[str(folder)])
        self.write_scenario(amount=5)
        for run_id in RUN_IDS:
            (folder / f"{run_id}.yaml").write_text(RUN.format(run_id=run_id))
        instance.add_dynamic_partitions(str(RUNS.name), RUN_IDS)
        self.define(raw_days)

    def define(self, raw: dg.AssetsDefinition) -> None:
        self.raw = raw
        self.definitions = dg.Definitions(
            assets=[run_file, raw],
            resources={"data": self.data, "workers": Workers(), "progress": ProgressInLog()},
            jobs=[dg.define_asset_job("raw_only", selection=dg.AssetSelection.assets(raw))],
        )

    def write_scenario(self, amount: int) -> None:
        (self.folder / "swap.yaml").write_text(SWAP.replace("amount: 7", f"amount: {amount}"))

    def file(self, run_id: str) -> Path:
        return self.folder / f"{run_id}.yaml"

    def observe(self, run_id: str) -> None:
        self.instance.report_runless_asset_event(observation_of(load_run(self.file(run_id))))

    def launch(self, first: int, last: int, run_id: str = "mine", last_run_id: str | None = None) -> bool:
        start, end = partition_key(run_id, first), partition_key(last_run_id or run_id, last)
        job = self.definitions.resolve_job_def("raw_only")
        tags = {RANGE_START_TAG: start, RANGE_END_TAG: end}
        return job.execute_in_process(instance=self.instance, tags=tags, raise_on_error=False).success

    def statuses(self, run_id: str = "mine") -> list[str]:
        """Of days 0..2, as the UI shows them; every table and the closing state must agree."""
        graph = self.definitions.resolve_asset_graph()
        resolver = CachingStaleStatusResolver(self.instance, graph, LoadingContextForTest(self.instance))
        statuses = []
        for day in range(3):
            (status,) = {resolver.get_status(key, partition_key(run_id, day)).value for key in KEYS}
            statuses.append(status)
        return statuses

    def causes(self, key: dg.AssetKey, day: int) -> list[str]:
        graph = self.definitions.resolve_asset_graph()
        resolver = CachingStaleStatusResolver(self.instance, graph, LoadingContextForTest(self.instance))
        return [cause.reason for cause in resolver.get_stale_causes(key, partition_key("mine", day))]


@pytest.fixture
def dagster(tmp_path: Path) -> Iterator[Instance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Instance(tmp_path, instance)


def test_what_was_never_made_is_missing_and_what_was_made_is_fresh(dagster: Instance) -> None:
    assert dagster.statuses() == [MISSING] * 3
    assert dagster.launch(0, 1)
    assert dagster.statuses() == [FRESH, FRESH, MISSING]


def test_a_file_that_is_observed_again_unchanged_leaves_everything_fresh(dagster: Instance) -> None:
    assert dagster.launch(0, 2)
    dagster.observe("mine")
    assert dagster.statuses() == [FRESH] * 3


def test_a_scenario_that_changed_makes_the_days_of_its_runs_stale_until_they_are_made_again(dagster: Instance) -> None:
    assert dagster.launch(0, 2, last_run_id="other")
    dagster.write_scenario(amount=6)
    dagster.observe("mine")
    assert dagster.statuses() == [STALE] * 3
    assert dagster.statuses("other") == [FRESH] * 3  # its file has not been looked at
    assert dagster.causes(raw_key("ticks"), 1) == ["has a new dependency data version"]
    dagster.observe("other")
    assert dagster.statuses("other") == [STALE] * 3

    assert dagster.launch(0, 1)
    assert dagster.statuses() == [FRESH, FRESH, STALE]
    assert dagster.launch(2, 2)
    assert dagster.statuses() == [FRESH] * 3
    assert dagster.statuses("other") == [STALE] * 3


@pytest.mark.parametrize(
    ("old", "new"),
    [("days: 3", "days: 4"), ("seeds: [1]", "seeds: [2]"), ("seeds: [1]", "arms: {b: {baseline: true}}")],
    ids=["days", "seeds", "arms"],
)
def test_whatever_a_run_file_asks_for_makes_its_days_stale_when_it_changes(
    dagster: Instance, old: str, new: str
) -> None:
    assert dagster.launch(0, 2)
    text = dagster.file("mine").read_text()
    assert text.count(old) == 1
    dagster.file("mine").write_text(text.replace(old, new))
    dagster.observe("mine")
    assert dagster.statuses() == [STALE] * 3


def test_a_launch_observes_what_it_reads(dagster: Instance) -> None:
    assert dagster.launch(0, 2)
    digest = run_digest(load_run(dagster.file("mine")))
    assert last_observed(dagster.instance, "mine") == digest
    dagster.write_scenario(amount=6)
    assert dagster.launch(0, 0)
    assert last_observed(dagster.instance, "mine") == run_digest(load_run(dagster.file("mine"))) != digest
    assert dagster.statuses() == [FRESH, STALE, STALE]


def test_a_file_that_changes_while_it_is_simulated_leaves_stale_days(
    dagster: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate = chunks.run_day

    def changing(scenario: object, opening: object) -> object:
        dagster.write_scenario(amount=6)
        dagster.observe("mine")
        return simulate(scenario, opening)  # type: ignore[arg-type]

    monkeypatch.setattr(chunks, "run_day", changing)
    assert dagster.launch(0, 2)
    assert dagster.statuses() == [STALE] * 3


def test_another_engine_version_makes_every_day_stale(dagster: Instance) -> None:
    assert dagster.launch(0, 2)
    dagster.define(raw_days.map_asset_specs(lambda spec: spec.replace_attributes(code_version="another")))
    assert dagster.statuses() == [STALE] * 3
    assert "has a new code version" in dagster.causes(raw_key("ticks"), 1)


def test_days_before_a_failure_know_what_they_were_made_from(
    dagster: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate, days = chunks.run_day, itertools.count()

    def failing_from_day_2(scenario: object, opening: object) -> object:
        if next(days) >= 2:
            raise OSError("the machine went away")
        return simulate(scenario, opening)  # type: ignore[arg-type]

    monkeypatch.setattr(chunks, "run_day", failing_from_day_2)
    assert not dagster.launch(0, 2)
    assert dagster.statuses() == [FRESH, FRESH, MISSING]
    dagster.write_scenario(amount=6)
    dagster.observe("mine")
    assert dagster.statuses() == [STALE, STALE, MISSING]
    dagster.define(raw_days.map_asset_specs(lambda spec: spec.replace_attributes(code_version="another")))
    assert "has a new code version" in dagster.causes(raw_key("ticks"), 1)


def test_equal_content_has_equal_data_versions_and_other_content_another(dagster: Instance) -> None:
    versions = []
    for amount in (5, 5, 6):
        dagster.write_scenario(amount)
        assert dagster.launch(0, 0)
        record = dagster.instance.get_latest_data_version_record(
            raw_key("ticks"), partition_key=partition_key("mine", 0)
        )
        assert record is not None
        versions.append((record.event_log_entry.tags or {})["dagster/data_version"])
    assert versions[0] == versions[1] != versions[2]


def test_asking_dagster_to_observe_looks_at_every_run_and_passes_over_wrong_files(dagster: Instance) -> None:
    dagster.file("other").write_text("run_id: [")
    result = observe([run_file], resources={"data": dagster.data}, instance=dagster.instance)
    assert result.success
    assert last_observed(dagster.instance, "mine") == run_digest(load_run(dagster.file("mine")))
    assert last_observed(dagster.instance, "other") is None
