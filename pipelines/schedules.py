"""Schedules: what is launched by the clock. All are off until switched on."""

import dagster as dg

from pipelines.jobs import everything
from pipelines.partitions import range_tags, register_runs
from pipelines.resources import Data

NIGHTLY_RUN = "nightly_research"


@dg.schedule(
    job=everything,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description=f"Every night at 02:00 UTC: all days of the run '{NIGHTLY_RUN}', then the marts.",
)
def nightly_research(context: dg.ScheduleEvaluationContext, data: Data) -> dg.RunRequest:
    """One launch that takes the nightly run through all its days."""
    run = data.find_run(NIGHTLY_RUN)
    register_runs(context.instance, [run.run_id])
    return dg.RunRequest(tags=range_tags(run.run_id, run.days))
