"""Sensors: what is launched by an event. All are off until switched on."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES  # says of which runs something may still come
from pydantic import BaseModel

from pipelines.catalogue import name_is_shared
from pipelines.jobs import everything
from pipelines.partitions import RANGE_START_TAG, RUNS, partition_key, range_tags
from pipelines.resources import Data
from pipelines.run_files import observation_of, run_digest
from pipelines.runs import Run, load_run
from sim_engine import InputError
from sim_engine.yaml_file import read_yaml_mapping

_LOOKS_EVERY_SECONDS = 30
_SETTLED_AFTER_NS = 2_000_000_000
"""A file that was written later than this before it was read may have changed while it was, without another time."""

Stamps = dict[Path, tuple[int, int] | None]
"""Size and time of every file that decides what a run file asks for."""

_READ: dict[Path, tuple[str, Stamps]] = {}
"""What run files asked for when this process last read them, and their stamps then: it reads only what has changed."""


class SeenFile(BaseModel):
    """What is known of a file.

    run_id, asks: the run that it asked for when it was last right, and the beginning of its digest; empty if it never
    was. complaint: the beginning of the digest of what was last said about it; empty if it is right.
    """

    run_id: str = ""
    asks: str = ""
    complaint: str = ""


class Cursor(BaseModel):
    """What the sensor remembers from one look to the next: its files by path."""

    files: dict[str, SeenFile] = {}


class Look:
    """One look at the folders: what is to be launched, observed and said, and what to remember."""

    def __init__(self, data: Data, instance: dg.DagsterInstance, cursor: Cursor) -> None:
        self._data, self._instance, self._before = data, instance, cursor.files
        self.now: dict[str, SeenFile] = {}
        self.complaints: list[str] = []
        self.observations: list[dg.AssetObservation] = []
        self.to_launch: list[Run] = []

    def take(self) -> None:
        """Looks at every file in the order of their paths."""
        files = [file for folder in self._data.run_folders for file in sorted(Path(folder).glob("*.yaml"))]
        known = {str(file): self._before.get(str(file), SeenFile()) for file in files}
        changed = [file for file in files if not _is_unchanged(file, known[str(file)])]
        self.now = dict(known)
        shared = {
            run_id: namesakes
            for run_id, namesakes in (self._data.catalogue.files_by_run() if changed else {}).items()
            if len(namesakes) > 1
        }
        for file in changed:
            self.now[str(file)] = self._looked_at(file, known[str(file)], shared)

    def _looked_at(self, file: Path, seen: SeenFile, shared: dict[str, list[Path]]) -> SeenFile:
        _READ.pop(file, None)
        try:
            started = time.time_ns()
            run = load_run(file)
            if run.run_id in shared:
                raise InputError(file, [name_is_shared(run.run_id, shared[run.run_id])])
            stamps = {behind: _stamp(behind) for behind in _files_behind(run)}
        except InputError as error:
            complaint = _short(hashlib.sha256(str(error).encode()).hexdigest())
            if complaint != seen.complaint:
                self.complaints.append(str(error))
            return seen.model_copy(update={"complaint": complaint})
        asks = _short(run_digest(run))
        if (run.run_id, asks) != (seen.run_id, seen.asks):
            self.observations.append(observation_of(run))
        if run.run_id != seen.run_id and not self._is_known(run):
            self.to_launch.append(run)
        if all(stamp and stamp[1] + _SETTLED_AFTER_NS < started for stamp in stamps.values()):
            _READ[file] = asks, stamps
        return SeenFile(run_id=run.run_id, asks=asks)

    def _is_known(self, run: Run) -> bool:
        """Whether something of the run is stored already, or on its way."""
        tags = {RANGE_START_TAG: partition_key(run.run_id, 0)}
        on_its_way = dg.RunsFilter(tags=tags, statuses=list(NOT_FINISHED_STATUSES))
        return bool(self._data.store.days_stored(run.run_id)) or bool(self._instance.get_runs_count(on_its_way))

    def skip_reason(self) -> str:
        """Why nothing is launched."""
        wrong = [Path(path).name for path, seen in self.now.items() if seen.complaint]
        said = f"Of {len(self.now)} run files none is new."
        if self.observations:
            said += f" Changed: {', '.join(str(observation.partition) for observation in self.observations)}."
        if wrong:
            said += f" Wrong, see the log of the tick that found it: {', '.join(wrong)}."
        return said


@dg.sensor(
    job=everything,
    minimum_interval_seconds=_LOOKS_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description=(
        "Watches the folders of run files. A new file's run is launched, all its days and the marts, if nothing of it "
        "is stored; a file that changed makes the raw partitions of its run stale and launches nothing. What is wrong "
        "with a file stands in the log of the tick that found it."
    ),
)
def run_files(context: dg.SensorEvaluationContext, data: Data) -> dg.SensorResult:
    """Launches new run files and observes changed ones."""
    look = Look(data, context.instance, Cursor.model_validate_json(context.cursor or "{}"))
    look.take()
    for complaint in look.complaints:
        context.log.warning(complaint)
    for run in look.to_launch:
        data.catalogue.remember(run)
    found = [str(observation.partition) for observation in look.observations]
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(run_key=f"{run.run_id}:{run_digest(run)}", tags=range_tags(run.run_id, run.days))
            for run in look.to_launch
        ],
        skip_reason=None if look.to_launch else look.skip_reason(),
        dynamic_partitions_requests=[RUNS.build_add_request(found)] if found else [],
        asset_events=look.observations,
        cursor=Cursor(files=look.now).model_dump_json(exclude_defaults=True),
    )


def _is_unchanged(file: Path, seen: SeenFile) -> bool:
    """Whether a file that was right would be found to ask for the same again."""
    asks, stamps = _READ.get(file, ("", {}))
    return asks == seen.asks != "" and all(_stamp(behind) == stamp for behind, stamp in stamps.items())


def _short(digest: str) -> str:
    """Enough of a digest to tell one content from another; people see the cursor."""
    return digest[:16]


def _files_behind(run: Run) -> Iterator[Path]:
    """Every file that decides what a run asks for."""
    yield run.source
    base = read_yaml_mapping(run.source).get("scenario")
    scenario = run.source.parent / str(base) if base else run.source
    yield scenario
    for member in run.members:
        if member.scenario.stated.arrivals_file:
            yield scenario.parent / member.scenario.stated.arrivals_file.path


def _stamp(file: Path) -> tuple[int, int] | None:
    """Size, bytes, and time of the last change, nanoseconds; none if the file is not there."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_size, status.st_mtime_ns
