"""The report as an asset: a page for each run whose marts were built, made from the marts alone."""

from functools import partial

import dagster as dg

from pipelines.lock import data_lock
from pipelines.marts import WRITER_POOL
from pipelines.partitions import runs_of_tags
from pipelines.progress import MILESTONE, Shows, Unit
from pipelines.report.marts import MARTS_READ
from pipelines.resources import Data
from pipelines.warehouse import Warehouse

_PATHS_SHOWN_MAX = 20


@dg.asset(
    deps=[dg.AssetKey([mart]) for mart in MARTS_READ],
    group_name="reports",
    kinds={"html"},
    backfill_policy=dg.BackfillPolicy.single_run(),
    automation_condition=dg.AutomationCondition.eager().without(~dg.AutomationCondition.any_deps_missing()),
    pool=WRITER_POOL,
)
def report(context: dg.AssetExecutionContext, data: Data, progress: dg.ResourceParam[Shows]) -> dg.MaterializeResult:
    """Writes the page of each run that was launched, or else of each whose page is older than its marts."""
    from pipelines.report.pages import Pages  # drawing is slow to import, and every command loads the definitions

    said = partial(context.log.info, extra=MILESTONE)
    with data_lock(data.path, f"writes reports in Dagster run {context.run.run_id}", on_wait=said):
        pages, built = Pages(data.path), Warehouse(data.path).marked_runs()
        launched = runs_of_tags(context.run.tags)
        due = [run for run in built if run in launched or not (launched or pages.is_current(run))]
        written = []
        with progress.work(len(due), Unit("reports", one="report"), context.log.info) as advance:
            for run_id in due:
                written.append(pages.write(run_id))
                advance(f"report: {run_id}")
    for file in written[:_PATHS_SHOWN_MAX]:
        context.log.info(f"report: {file}")
    return dg.MaterializeResult(
        metadata={
            "reports": len(written),
            **{f"page of {file.stem}": dg.MetadataValue.path(str(file)) for file in written[:_PATHS_SHOWN_MAX]},
        }
    )
