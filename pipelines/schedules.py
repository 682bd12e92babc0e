"""Schedules: what is launched by the clock. All are off until switched on."""

import os

import dagster as dg

from pipelines.jobs import everything
from pipelines.partitions import range_tags, register_runs
from pipelines.resources import Data
from sim_engine import InputError, Problem

CRON_VARIABLE = "PAYMENT_SIM_NIGHTLY_CRON"
"""Environment variable that says when the schedule launches, UTC: minute, hour, day of month, month, day of week."""

RUN_VARIABLE = "PAYMENT_SIM_NIGHTLY_RUN"
"""Environment variable that names the run which the schedule launches."""


def nightly_schedule() -> dg.ScheduleDefinition:
    """The schedule as the environment wants it; at 02:00 UTC, of the run nightly_research, where it says nothing.

    Raises InputError if what it says is not a time.
    """
    cron = os.environ.get(CRON_VARIABLE) or "0 2 * * *"
    run_id = os.environ.get(RUN_VARIABLE) or "nightly_research"

    def launch(context: dg.ScheduleEvaluationContext, data: Data) -> dg.RunRequest:
        run = data.find_run(run_id)
        register_runs(context.instance, [run.run_id])
        return dg.RunRequest(tags=range_tags(run.run_id, run.days))

    try:
        return dg.schedule(
            name="nightly_research",
            job=everything,
            cron_schedule=cron,
            execution_timezone="UTC",
            default_status=dg.DefaultScheduleStatus.STOPPED,
            description=f"Launches all days of the run '{run_id}' and the marts at the times '{cron}', UTC.",
        )(launch)
    except dg.DagsterInvalidDefinitionError as error:
        remedy = (
            "is not a time; state minute, hour, day of month, month and day of week, as in '0 2 * * *', or unset it"
        )
        raise InputError("environment", [Problem(CRON_VARIABLE, cron, remedy)]) from error
