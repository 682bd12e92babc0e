"""The sensor of run files: what a look at the folder launches, observes and says."""

import itertools
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from pipelines import sensors
from pipelines.partitions import RANGE_END_TAG, RANGE_START_TAG, RUNS, range_tags
from pipelines.resources import Data
from pipelines.run_days import run_and_store_days
from pipelines.run_files import last_observed, run_digest
from pipelines.runs import load_run
from pipelines.sensors import run_files
from tests.helpers.stored_runs import SWAP

RUN = """
run_id: {run_id}
scenario: ../scenarios/swap.yaml
days: {days}
seeds: [1, 2]
"""

Launched = list[tuple[str, str]]

_TIMES = itertools.count(1_000_000_000)
"""Seconds; each file that is written is younger than those before, and older than the look at it."""


class Desk:
    """A folder of run files, and the sensor that looks at it as the daemon would, keeping its cursor."""

    def __init__(self, root: Path, instance: dg.DagsterInstance) -> None:
        for folder in ("runs", "scenarios"):
            (root / folder).mkdir()
        self.root, self.instance = root, instance
        self.data = Data(
            data_root=str(root / "data"), run_folders=[str(root / "runs")], scenario_folders=[str(root / "scenarios")]
        )
        self.cursor: str | None = None
        self.result = dg.SensorResult()
        self.write("scenarios/swap.yaml", SWAP)

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.write_text(text)
        at = next(_TIMES)
        os.utime(file, (at, at))
        return file

    def write_run(self, run_id: str, days: int = 2, name: str | None = None) -> Path:
        return self.write(f"runs/{name or run_id}.yaml", RUN.format(run_id=run_id, days=days))

    def store(self, file: Path) -> None:
        run = load_run(file)
        assert len(list(run_and_store_days(run, self.data.store, 0, run.days - 1))) == run.days

    def look(self) -> Launched:
        """First and last partition of each run that the look launches, in order."""
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, resources={"data": self.data})
        self.said: list[str] = []
        context.log.addHandler(_Collecting(self.said))
        result = run_files(context)
        assert isinstance(result, dg.SensorResult)
        self.result, self.cursor = result, result.cursor
        for request in result.dynamic_partitions_requests or []:
            self.instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
        for event in result.asset_events:
            self.instance.report_runless_asset_event(event)
        requests = result.run_requests or []
        return [(request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]) for request in requests]

    @property
    def observed(self) -> list[str]:
        """The runs that the look observed, in order."""
        return [str(event.partition) for event in self.result.asset_events]


class _Collecting(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(record.getMessage())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Desk(tmp_path, instance)


def test_the_sensor_is_off_until_it_is_switched_on() -> None:
    assert run_files.default_status == dg.DefaultSensorStatus.STOPPED
    assert run_files.minimum_interval_seconds == 30


def test_a_new_run_file_is_launched_over_all_its_days_once(desk: Desk) -> None:
    file = desk.write_run("new_one")
    assert desk.look() == [("d001|new_one", "d002|new_one")]
    assert desk.instance.get_dynamic_partitions(str(RUNS.name)) == ["new_one"]
    assert last_observed(desk.instance, "new_one") == run_digest(load_run(file))
    assert desk.look() == []
    assert desk.observed == []


def test_new_run_files_are_launched_in_the_order_of_their_paths(desk: Desk) -> None:
    for run_id in ("b", "a", "c"):
        desk.write_run(run_id)
    assert [first for first, _ in desk.look()] == ["d001|a", "d001|b", "d001|c"]


def test_a_plain_scenario_among_the_run_files_is_a_run_and_one_among_the_scenarios_is_not(desk: Desk) -> None:
    desk.write("runs/plain.yaml", SWAP.replace("swap", "plain"))
    assert desk.look() == [("d001|plain", "d003|plain")]


def test_the_same_content_has_the_same_run_key_and_other_content_another(desk: Desk) -> None:
    keys = []
    for days in (2, 2, 1):
        desk.write_run("again", days=days)
        desk.cursor = None
        assert len(desk.look()) == 1
        keys += [request.run_key for request in desk.result.run_requests or []]
    assert len(keys) == 3
    assert keys[0] == keys[1] != keys[2]


def test_a_run_of_which_something_is_stored_is_observed_and_not_launched(desk: Desk) -> None:
    desk.store(desk.write_run("stored"))
    assert desk.look() == []
    assert desk.observed == ["stored"]


@pytest.mark.parametrize(
    ("status", "launched"),
    [
        (dg.DagsterRunStatus.STARTING, []),
        (dg.DagsterRunStatus.STARTED, []),
        (dg.DagsterRunStatus.FAILURE, [("d001|launched", "d002|launched")]),
    ],
)
def test_a_run_that_is_on_its_way_is_not_launched_again(
    desk: Desk, status: dg.DagsterRunStatus, launched: Launched
) -> None:
    desk.write_run("launched")
    desk.instance.add_run(dg.DagsterRun(job_name="everything", tags=range_tags("launched", 2), status=status))
    assert desk.look() == launched
    assert desk.observed == ["launched"]


def test_a_changed_file_is_observed_and_not_launched(desk: Desk) -> None:
    desk.write_run("changing")
    assert len(desk.look()) == 1
    file = desk.write_run("changing", days=1)
    assert desk.look() == []
    assert desk.observed == ["changing"]
    assert last_observed(desk.instance, "changing") == run_digest(load_run(file))
    assert "Changed: changing." in str(desk.result.skip_reason)


def test_a_change_of_the_scenario_or_of_its_payments_changes_the_runs_that_start_from_it(desk: Desk) -> None:
    def payments(amount: int) -> None:
        desk.write("scenarios/paid.csv", f"transaction,sender,receiver,amount,tick\nT9,A,B,{amount},1\n")

    payments(3)
    desk.write("scenarios/swap.yaml", SWAP + "arrivals_file: paid.csv\n")
    for run_id in ("one", "other"):
        desk.write_run(run_id)
    assert len(desk.look()) == 2
    payments(4)
    assert (desk.look(), desk.observed) == ([], ["one", "other"])
    desk.write("scenarios/swap.yaml", SWAP.replace("amount: 5", "amount: 6") + "arrivals_file: paid.csv\n")
    assert (desk.look(), desk.observed) == ([], ["one", "other"])
    assert (desk.look(), desk.observed) == ([], [])


def test_a_change_that_asks_for_nothing_else_is_no_change(desk: Desk) -> None:
    file = desk.write_run("commented")
    assert len(desk.look()) == 1
    desk.write("runs/commented.yaml", "# a question\n" + file.read_text())
    assert (desk.look(), desk.observed) == ([], [])


def test_a_file_is_read_again_when_it_has_changed_or_been_forgotten_and_else_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(sensors, "load_run", lambda file: read.append(file.stem) or load_run(file))
    for run_id in ("kept", "changing"):
        desk.write_run(run_id)
    assert len(desk.look()) == 2
    desk.write_run("changing", days=1)
    assert desk.look() == []
    assert read == ["changing", "kept", "changing"]
    desk.cursor = None  # as the UI's button "Reset" leaves it
    assert len(desk.look()) == 2
    assert read[3:] == ["changing", "kept"]


def test_a_file_that_is_being_written_is_read_again_at_the_next_look(desk: Desk) -> None:
    file = desk.write_run("fresh")
    now = file.stat().st_atime_ns
    file.touch()  # as new as a file can be, so that another write may leave it with the same time
    touched = file.stat().st_mtime_ns
    assert len(desk.look()) == 1
    file.write_text(RUN.format(run_id="fresh", days=1))
    os.utime(file, ns=(now, touched))
    assert (desk.look(), desk.observed) == ([], ["fresh"])


def test_a_wrong_file_is_said_whole_and_once_while_the_others_go_on(desk: Desk) -> None:
    wrong = desk.write("runs/a_wrong_one.yaml", RUN.format(run_id="wrong", days=0) + "sedes: [1]\n")
    desk.write_run("right")
    assert desk.look() == [("d001|right", "d002|right")]
    assert len(desk.said) == 1
    assert str(wrong) in desk.said[0]
    assert "days: found 0" in desk.said[0]
    assert "sedes" in desk.said[0]
    assert (desk.look(), desk.said) == ([], [])
    assert "Wrong" in str(desk.result.skip_reason)
    assert "a_wrong_one.yaml" in str(desk.result.skip_reason)


def test_a_wrong_file_is_said_again_when_it_is_wrong_in_another_way_and_launched_when_it_is_mended(desk: Desk) -> None:
    desk.write_run("mended", days=0)
    assert (desk.look(), len(desk.said)) == ([], 1)
    desk.write("runs/mended.yaml", "run_id: mended\nscenario: [half")
    assert (desk.look(), len(desk.said)) == ([], 1)
    desk.write_run("mended")
    assert (desk.look(), desk.said) == ([("d001|mended", "d002|mended")], [])


def test_a_file_that_is_wrong_for_a_while_is_not_new_afterwards(desk: Desk) -> None:
    desk.write_run("known")
    assert len(desk.look()) == 1
    desk.write("runs/known.yaml", "run_id: [")
    assert (desk.look(), len(desk.said)) == ([], 1)
    desk.write_run("known", days=1)
    assert (desk.look(), desk.observed) == ([], ["known"])


def test_a_file_that_is_wrong_for_its_scenario_is_launched_when_the_scenario_is_mended(desk: Desk) -> None:
    desk.write("scenarios/swap.yaml", SWAP.replace("ticks_per_day: 2", "ticks_per_day: 0"))
    desk.write_run("waiting")
    assert (desk.look(), len(desk.said)) == ([], 1)
    desk.write("scenarios/swap.yaml", SWAP)
    assert desk.look() == [("d001|waiting", "d002|waiting")]


def test_a_file_that_is_right_again_is_no_longer_called_wrong(desk: Desk) -> None:
    desk.write_run("back")
    assert len(desk.look()) == 1
    scenario = desk.root / "scenarios" / "swap.yaml"
    away = scenario.rename(desk.root / "swap.yaml")
    assert (desk.look(), len(desk.said)) == ([], 1)
    away.rename(scenario)  # with the time that it had
    assert (desk.look(), desk.said, desk.observed) == ([], [], [])
    assert "Wrong" not in str(desk.result.skip_reason)


def test_of_two_files_of_one_run_neither_is_launched_until_one_goes(desk: Desk) -> None:
    one, other = desk.write_run("twin", name="one"), desk.write_run("twin", name="other")
    assert desk.look() == []
    assert len(desk.said) == 2
    assert all(f"{one} and {other} both have this name; rename one" in said for said in desk.said)
    one.unlink()
    assert desk.look() == [("d001|twin", "d002|twin")]


def test_a_file_that_bears_the_name_of_a_scenario_elsewhere_is_not_launched(desk: Desk) -> None:
    desk.write_run("swap")
    assert desk.look() == []
    assert len(desk.said) == 1
    assert "both have this name; rename one" in desk.said[0]


def test_what_is_launched_is_the_watched_file_also_if_a_file_elsewhere_had_its_name(desk: Desk) -> None:
    desk.data.catalogue.remember(load_run(desk.write("twin.yaml", SWAP.replace("swap", "twin"))))
    watched = desk.write_run("twin")
    assert len(desk.look()) == 1
    assert desk.data.find_run("twin").source == watched


def test_a_look_leaves_the_same_cursor_whatever_it_is_asked_twice(desk: Desk) -> None:
    for run_id in ("b", "a"):
        desk.write_run(run_id)
    desk.look()
    first = desk.cursor
    desk.look()
    assert first
    assert desk.cursor == first


def test_an_empty_or_missing_folder_is_no_error(tmp_path: Path) -> None:
    data = Data(data_root=str(tmp_path), run_folders=[str(tmp_path / "nowhere")])
    with dg.DagsterInstance.ephemeral() as instance:
        result = run_files(dg.build_sensor_context(instance, resources={"data": data}))
    assert isinstance(result, dg.SensorResult)
    assert not result.run_requests
    assert "Of 0 run files none is new." in str(result.skip_reason)
