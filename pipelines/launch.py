"""Launches a run from the command line: the same job as from the UI, in this process, recorded where the UI looks."""

import contextlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import dagster as dg
import duckdb
import polars as pl
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from rich.console import Console

from pipelines.dagster_home import home_with_runs, prepare_dagster_home
from pipelines.fanout import check_fanout, stated_dask
from pipelines.lock import launch_lock
from pipelines.partitions import range_tags, register_runs
from pipelines.places import PROJECT_ROOT, dagster_home, report_file, warehouse_file
from pipelines.progress import ProgressAsBar, Shows, progress_bar
from pipelines.resources import Data
from pipelines.runs import Run, load_run
from pipelines.schedules import nightly_schedule
from pipelines.stores import check_reachable, store_of
from pipelines.terminal import print_arm_differences, print_cycle_statistics, print_payers, run_title, shown_path

_STATISTICS = """
    select
        mechanism, cycle_type,
        sum(cycles)::bigint as cycles,
        sum(transactions)::bigint as transactions,
        sum(gross_value)::bigint as gross_value,
        sum(net_value)::bigint as net_value,
        sum(liquidity_saved)::bigint as liquidity_saved,
        sum(liquidity_saved) / sum(gross_value) as netting_ratio
    from fct_cycle_type_days
    where run_id = $run_id
    group by mechanism, cycle_type
    order by mechanism, cycle_type
"""

_DIFFERENCES = """
    select
        arm, baseline_arm, metric, unit, pairing, mean, paired_difference,
        paired_difference_ci95_low, paired_difference_ci95_high, pairs
    from fct_experiment_arms
    where run_id = $run_id and arm <> baseline_arm and list_contains($metrics, metric)
    order by arm, list_position($metrics, metric)
"""
_METRICS_SHOWN = [
    "delay_saved",
    "value_weighted_delay_ticks",
    "settled_value",
    "lsm_value_share",
    "liquidity_used",
    "turnover",
]

_PAYERS = """
    with policies as (
        select arm, agent, string_agg(distinct policy, ', ' order by policy) as policy
        from fct_agent_cost_days
        inner join dim_simulations using (run_id, simulation_id)
        where run_id = $run_id
        group by arm, agent
    )
    select
        arm, baseline_arm, agent, policy, mean, paired_difference,
        paired_difference_ci95_low, paired_difference_ci95_high
    from fct_experiment_agents
    inner join policies using (arm, agent)
    where run_id = $run_id and metric = 'cost_total' and (mean <> 0 or paired_difference <> 0) and pairs > 0
    order by arm, abs(paired_difference) desc, agent
"""

_FROM_COMMAND_LINE = {"payment_sim/launched_from": "command_line"}
_UNFINISHED = [status for status in dg.DagsterRunStatus if status not in FINISHED_STATUSES]


def materialise_everything(path: Path, data_root: Path) -> bool:
    """Simulates a run or scenario file, builds the marts and prints what the LSM did. Returns whether all succeeded.

    Everything is launched through Dagster and recorded below the data folder, so that its UI shows it.
    Raises InputError if the file is wrong; nothing is written then.
    """
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    run = load_run(path)
    # What the environment says is refused, too, before anything is written.
    nightly_schedule()
    check_reachable(store_of(data_root), writing=True)
    check_fanout(stated_dask())
    started = time.monotonic()
    data_root = data_root.absolute()
    console.print(f"{run_title(run)}, from {shown_path(run.source)}", markup=False)

    prepare_dagster_home(data_root)
    log_file = data_root / "logs" / f"{run.run_id}.log"
    bar = progress_bar(Console(file=sys.stderr, highlight=False, soft_wrap=True), shown=True)
    beside_the_bar = console if bar.disable or not console.is_terminal else bar.console
    # Launches follow one another: what of an earlier one is not finished when this one's turn comes has been killed.
    # dbt leaves this process in its project; whoever launched it reads paths from where it was.
    with (
        contextlib.chdir(Path.cwd()),
        launch_lock(dagster_home(data_root), f"pipeline of {run.run_id}", on_wait=console.print),
    ):
        Data(data_root=str(data_root)).catalogue.remember(run)
        with _all_else_into(log_file) as log, bar:
            succeeded = _execute(
                run, data_root, _Milestones(beside_the_bar), logging.StreamHandler(log), ProgressAsBar(bar)
            )
    if not succeeded:
        console.print(f"[bold red]The run failed.[/] Everything that was said: {shown_path(log_file)}")
        return False

    warehouse = warehouse_file(data_root)
    print_cycle_statistics(run, cycle_statistics(run, warehouse))
    print_arm_differences(arm_differences(run, warehouse))
    print_payers(payers(run, warehouse))
    console.print(f"Warehouse: {shown_path(warehouse_file(data_root))}")
    console.print(f"Report: {shown_path(report_file(data_root, run.run_id))}")
    console.print(f"Done in {time.monotonic() - started:.0f} s. To look around: make ui")
    return True


def _execute(run: Run, data_root: Path, terminal: logging.Handler, log: logging.Handler, progress: Shows) -> bool:
    """Launches the job in this process. Returns whether it succeeded."""
    # Only now: reading the definitions parses the dbt project, where it has changed.
    from pipelines.definitions import build_defs

    loggers = {"terminal": _logger_to(terminal), "log_file": _logger_to(log)}
    definitions = build_defs(data=Data(data_root=str(data_root)), progress=progress, loggers=loggers)
    job = definitions.resolve_job_def("everything")
    with dg.DagsterInstance.get() as instance:
        _end_dead_launches(instance)
        register_runs(instance, [run.run_id])
        result = job.execute_in_process(
            instance=instance,
            tags={**range_tags(run.run_id, run.days), **_FROM_COMMAND_LINE},
            run_config={"loggers": {name: {} for name in loggers}},
            raise_on_error=False,
        )
    return result.success


def _end_dead_launches(instance: dg.DagsterInstance) -> None:
    """Records launches from the command line that were killed as failed, and frees what they held of Dagster's pools.

    Dagster itself cannot know, and would have every later launch wait for them.
    """
    unfinished = dg.RunsFilter(tags=_FROM_COMMAND_LINE, statuses=_UNFINISHED)
    for run in instance.get_runs(unfinished):
        instance.report_run_failed(run, "Its process was ended before it was done; launch the run again.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def open_ui(data_root: Path, port: int) -> None:
    """Becomes the Dagster UI on loopback, with the project's runs and scenarios as partitions to launch."""
    check_reachable(store_of(data_root), writing=True)
    check_fanout(stated_dask())
    home_with_runs(data_root)
    dagster = str(Path(sys.executable).with_name("dagster"))
    workspace = str(PROJECT_ROOT / "workspace.yaml")
    os.chdir(PROJECT_ROOT)
    os.execv(dagster, [dagster, "dev", "--workspace", workspace, "--host", "127.0.0.1", "--port", str(port)])


class _Milestones(logging.Handler):
    """Prints the milestones that assets log, and why a step failed; the rest is in the log file."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Prints a message that is marked as a milestone, or the error of a step that failed."""
        meta = getattr(record, "dagster_meta", {})
        event = meta.get("dagster_event")
        if getattr(record, "milestone", False):
            self._console.print(f"  {meta.get('orig_message', record.getMessage())}", markup=False)
        elif event is not None and event.is_step_failure:
            error = event.step_failure_data.error
            while error.cause:
                error = error.cause
            self._console.print(f"  {error.message.strip()}", markup=False, style="red")


def _logger_to(handler: logging.Handler) -> dg.LoggerDefinition:
    """What makes Dagster tell a handler of a run."""

    def make(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("payment_sim", logging.INFO)
        logger.addHandler(handler)
        return logger

    return dg.LoggerDefinition(make)


@contextlib.contextmanager
def _all_else_into(log_file: Path) -> Iterator[TextIO]:
    """Whatever Dagster and dbt print goes into the log file, which is handed out too."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("w", encoding="utf-8") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        yield log


def arm_differences(run: Run, warehouse: Path) -> pl.DataFrame:
    """What sets each arm of a run apart from the one that it is compared with, for some metrics, from the mart."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        parameters = {"run_id": run.run_id, "metrics": _METRICS_SHOWN}
        differences: pl.DataFrame = connection.sql(_DIFFERENCES, params=parameters).pl()
    return differences


def payers(run: Run, warehouse: Path) -> pl.DataFrame:
    """What a day costs the agents of each arm, the largest differences from the baseline first, from the mart.

    Whom neither costs anything is left out, as are arms that cannot be compared seed by seed.
    """
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        found: pl.DataFrame = connection.sql(_PAYERS, params={"run_id": run.run_id}).pl()
    return found


def cycle_statistics(run: Run, warehouse: Path) -> pl.DataFrame:
    """What each mechanism's cycles of each type did over the run, from the mart; money in minor units."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        statistics: pl.DataFrame = connection.sql(_STATISTICS, params={"run_id": run.run_id}).pl()
    return statistics
