"""The marts as assets: what dbt derives from the raw tables, of the runs that need it."""

import shutil
from collections.abc import Iterator
from functools import partial
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets

from pipelines.dbt import DBT_PROJECT, Translator, manifest, release_warehouse, told_events
from pipelines.lock import data_lock
from pipelines.partitions import runs_of_tags
from pipelines.progress import MILESTONE, Shows, Unit
from pipelines.resources import Data, export_dbt_environment
from pipelines.stores import check_reachable
from pipelines.warehouse import Warehouse, WarehouseBusy
from sim_engine import InputError

_MODELS_AND_TESTS = Unit("models and tests")

WRITER_POOL = "duckdb_writer"
"""What one step at a time may use: the warehouse."""

_FREE_WITHIN_SECONDS = 60.0
"""How long a build waits for another program that has the warehouse open."""


@dbt_assets(
    manifest=manifest(),
    project=DBT_PROJECT,
    dagster_dbt_translator=Translator(),
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool=WRITER_POOL,
)
def marts(
    context: dg.AssetExecutionContext, data: Data, dbt: DbtCliResource, progress: dg.ResourceParam[Shows]
) -> Iterator[Any]:
    """Builds staging, intermediate models and marts of the runs that need it, and tests them."""
    said = partial(context.log.warning, extra=MILESTONE)
    with data_lock(data.path, f"builds the marts in Dagster run {context.run.run_id}", on_wait=said):
        store, warehouse = data.store, Warehouse(data.path)
        try:
            check_reachable(store, writing=True)
            store.prepare()
        except InputError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        try:
            warehouse.wait_until_free(_FREE_WITHIN_SECONDS, on_wait=said)
        except WarehouseBusy as busy:
            raise dg.Failure(str(busy), allow_retries=False) from busy
        due = warehouse.due(store, launched=runs_of_tags(context.run.tags))
        for run_id in due.runs:
            store.drop_uncommitted(run_id)
        context.log.info(f"marts: {due.said}", extra=MILESTONE)
        if due.warning:
            said(due.warning)
        export_dbt_environment(data.path, due)
        warehouse.unmark(due)
        # Unit tests hold the formulas whatever the data are: they belong to the project's tests, not to every build.
        arguments = ["build", "--exclude-resource-type", "unit_test", *(["--full-refresh"] if due.whole else [])]
        build = dbt.cli(arguments, context=context)
        units = len(context.selected_asset_keys) + len(context.selected_asset_check_keys)
        try:
            with progress.work(units, _MODELS_AND_TESTS, context.log.info, warm_up=True) as advance:
                yield from told_events(build, lambda name: advance(f"marts: {name}"))
        finally:
            release_warehouse(build)
        # Ten megabytes of compiled models, that only a failure gives a reason to look at.
        shutil.rmtree(build.target_path)
        if context.selected_asset_keys == marts.keys:
            warehouse.mark(due, store)
