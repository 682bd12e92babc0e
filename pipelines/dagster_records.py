"""What Dagster remembers of a research run: its partition, and the Dagster runs that were of it alone.

The grid of days shows what those Dagster runs recorded, so that it forgets a run with them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from pipelines.dagster_home import write_settings
from pipelines.partitions import RUNS, runs_of_tags


@dataclass(frozen=True)
class DagsterTraces:
    """What there is of a research run.

    is_partition: whether its days can be launched. alone: ids of the Dagster runs that were of it and of no other.
    unended: those of them that have not ended, as far as Dagster knows. shared: how many were of others too.
    """

    is_partition: bool = False
    alone: tuple[str, ...] = ()
    unended: tuple[str, ...] = ()
    shared: int = 0


class DagsterRecords:
    """The Dagster instance below a data folder."""

    def __init__(self, instance: dg.DagsterInstance, home: Path) -> None:
        self._instance, self._home = instance, home
        assert RUNS.name is not None
        self._partitions = RUNS.name

    def run_ids(self) -> list[str]:
        """Research runs of which something could be forgotten, ascending."""
        alone = {run_id for _, run_ids in self._named() if len(run_ids) == 1 for run_id in run_ids}
        return sorted({*self._instance.get_dynamic_partitions(self._partitions), *alone})

    def traces_of(self, run_id: str) -> DagsterTraces:
        """What there is of a research run."""
        of_run = [(run, run_ids) for run, run_ids in self._named() if run_id in run_ids]
        alone = [run for run, run_ids in of_run if len(run_ids) == 1]
        return DagsterTraces(
            is_partition=run_id in self._instance.get_dynamic_partitions(self._partitions),
            alone=tuple(run.run_id for run in alone),
            unended=tuple(run.run_id for run in alone if not run.is_finished),
            shared=len(of_run) - len(alone),
        )

    def forget(self, run_id: str) -> None:
        """Removes the Dagster runs that were of a research run alone, all that they recorded, and its partition."""
        for dagster_run in self.traces_of(run_id).alone:
            self._remove(dagster_run)
        # What the grid shows is kept beside the records that it was made from, and would outlive them.
        self._instance.wipe_asset_cached_status(list(self._instance.all_asset_keys()))
        self._instance.delete_dynamic_partition(self._partitions, run_id)

    def _named(self) -> list[tuple[dg.DagsterRun, list[str]]]:
        """Every Dagster run with the research runs that it was of; the latest first."""
        return [(run, runs_of_tags(run.tags)) for run in self._instance.get_runs()]

    def _remove(self, dagster_run: str) -> None:
        """Removes a Dagster run; its record goes last, so that what stops this in the middle leaves it to be found."""
        self._instance.compute_log_manager.delete_logs(prefix=[dagster_run])
        self._instance.event_log_storage.delete_events(dagster_run)
        for file in (self._home / "history" / "runs").glob(f"{dagster_run}.db*"):  # emptied, but as large as before
            file.unlink(missing_ok=True)
        self._instance.run_storage.delete_run(dagster_run)


@contextmanager
def dagster_records(home: Path) -> Iterator[DagsterRecords]:
    """Opens the Dagster instance that lies in a folder, whatever DAGSTER_HOME says.

    Raises InputError if its records can not be reached.
    """
    write_settings(home)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield DagsterRecords(instance, home)
