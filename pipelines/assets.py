"""The assets: raw tables and closing states of every run and day, and the marts that dbt derives from them.

What simulating, framing, checking and storing mean lies in pipelines.run_days; here is only their orchestration.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl
from dagster_dbt import DbtCliResource, dbt_assets

from pipelines.checks import column_schema, contract_checks, contract_evaluations, markdown_table, raw_key
from pipelines.contracts import CONTRACTS, grain_of
from pipelines.dbt import DBT_PROJECT, Translator, manifest, release_warehouse
from pipelines.partitions import PREVIOUS_DAY, RUN_DAYS, days_by_run, partition_key
from pipelines.resources import Data, export_dbt_environment
from pipelines.run_days import DayRefused, RunStopped, StoredDay, reusable_day, run_and_store_days
from pipelines.runs import Run
from sim_engine import InputError, __version__

CLOSING_STATE = dg.AssetKey(["state", "closing"])
ENGINE_POOL, WRITER_POOL = "engine", "duckdb_writer"
"""What one step at a time may use: the machine's cores, and the warehouse."""
_PREVIEW_ROWS = 5

Metadata = dict[str, Any]


def _raw_specs() -> list[dg.AssetSpec]:
    tables = [
        dg.AssetSpec(
            raw_key(table),
            group_name="raw",
            kinds={"python", "polars", "parquet"},
            code_version=__version__,
            description=grain_of(table),
            metadata={"dagster/column_schema": column_schema(table)},
        )
        for table in CONTRACTS
    ]
    # The state comes last and alone depends on the day before: it is what a day hands to the next.
    state = dg.AssetSpec(
        CLOSING_STATE,
        group_name="raw",
        kinds={"python"},
        code_version=__version__,
        description="Closing state of every simulation of the run; its presence commits the day.",
        deps=[*(raw_key(table) for table in CONTRACTS), dg.AssetDep(CLOSING_STATE, partition_mapping=PREVIOUS_DAY)],
    )
    return [*tables, state]


@dg.multi_asset(
    name="raw_days",
    specs=_raw_specs(),
    check_specs=contract_checks(),
    partitions_def=RUN_DAYS,
    can_subset=True,
    pool=ENGINE_POOL,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=dg.RetryPolicy(max_retries=1, delay=1),
)
def raw_days(context: dg.AssetExecutionContext, data: Data) -> Iterator[Any]:
    """Runs the days asked for and commits each one's tables and closing states."""
    materialised: dict[tuple[dg.AssetKey, str], Metadata] = {}
    data.store.prepare()
    try:
        for run_id, days in days_by_run(context.partition_keys).items():
            run = _find_run(data, run_id, days)
            for stored in _stored_days(context, data, run, days):
                partition = partition_key(run_id, stored.day)
                yield from contract_evaluations(partition, stored.heights, {})
                materialised |= _day_metadata(data, run, stored, partition)
                context.log.info(_said(run, stored), extra={"milestone": True})
    except GeneratorExit:
        raise  # nobody listens any more
    except BaseException as error:
        yield from _told_of_failure(materialised, error)
        if isinstance(error, (DayRefused, InputError, RunStopped)):
            raise dg.Failure(str(error), allow_retries=False) from error
        raise
    for (key, partition), metadata in materialised.items():
        if key in context.selected_asset_keys:
            context.add_asset_metadata(metadata, asset_key=key, partition_key=partition)
        else:  # a day is written whole, also when only some of its tables were asked for
            yield dg.AssetMaterialization(key, partition=partition, metadata=metadata)
    for key in [*(raw_key(table) for table in CONTRACTS), CLOSING_STATE]:
        if key in context.selected_asset_keys:
            yield dg.MaterializeResult(key)


def _told_of_failure(materialised: dict[tuple[dg.AssetKey, str], Metadata], error: BaseException) -> Iterator[Any]:
    """Days committed before a failure, which are true whatever became of later ones, and the contracts it broke."""
    for (key, partition), metadata in materialised.items():
        yield dg.AssetMaterialization(key, partition=partition, metadata=metadata)
    if isinstance(error, DayRefused):
        partition = partition_key(error.run_id, error.day)
        yield from contract_evaluations(partition, error.heights, error.broken)


def _find_run(data: Data, run_id: str, days: list[int]) -> Run:
    run = data.find_run(run_id)
    if days[-1] >= run.days:
        asked = f"d{days[-1] + 1:03d}"
        raise dg.Failure(
            f"run {run_id} has {run.days} days, d001..d{run.days:03d}; {asked} is past its end: ask for fewer days or "
            f"raise them in {run.source}",
            allow_retries=False,
        )
    return run


def _stored_days(context: dg.AssetExecutionContext, data: Data, run: Run, days: list[int]) -> Iterator[StoredDay]:
    """The days asked for, simulated and committed; a retry takes up after the last one that is committed."""
    for first, last in _stretches(days):
        if context.retry_number:
            while first <= last and (stored := reusable_day(run, data.store, first)):
                yield stored
                first += 1
        yield from run_and_store_days(run, data.store, first, last)


def _stretches(days: list[int]) -> Iterator[tuple[int, int]]:
    """Ascending days as first and last of their unbroken stretches."""
    first = days[0]
    for day, following in zip(days, [*days[1:], None], strict=True):
        if following != day + 1:
            yield first, day
            first = following if following is not None else first


def _said(run: Run, stored: StoredDay) -> str:
    heights = stored.heights
    return (
        f"{run.run_id}: day {stored.day} committed ({stored.day + 1} of {run.days}), "
        f"{heights['arrivals']:,} payments arrived, {heights['settlements']:,} settled, "
        f"{heights['lsm_cycles']:,} LSM cycles"
    )


def _day_metadata(data: Data, run: Run, stored: StoredDay, partition: str) -> dict[tuple[dg.AssetKey, str], Metadata]:
    metadata: dict[tuple[dg.AssetKey, str], Metadata] = {}
    for table, height in stored.heights.items():
        first_rows = stored.head(table, _PREVIEW_ROWS).drop("config", strict=False)
        metadata[raw_key(table), partition] = {
            "dagster/row_count": height,
            "path": dg.MetadataValue.path(str(data.store.part(table, run.run_id, stored.day))),
            "first rows": dg.MetadataValue.md(markdown_table(first_rows)),
        }
    metadata[raw_key("lsm_cycles"), partition]["cycles by type"] = dg.MetadataValue.md(
        markdown_table(_cycles_by_type(stored.table("lsm_cycles")))
    )
    metadata[CLOSING_STATE, partition] = {
        "dagster/row_count": len(run.members),
        "path": dg.MetadataValue.path(str(data.store.state_file(run.run_id, stored.day))),
    }
    return metadata


def _cycles_by_type(cycles: pl.DataFrame) -> pl.DataFrame:
    return (
        cycles.group_by("mechanism", "cycle_type")
        .agg(
            cycles=pl.len(),
            transactions=pl.col("transactions").list.len().sum(),
            gross=pl.col("total_value").sum(),
            net=pl.col("settled_value").sum(),
        )
        .sort("mechanism", "cycle_type")
    )


@dbt_assets(
    manifest=manifest(),
    project=DBT_PROJECT,
    dagster_dbt_translator=Translator(),
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool=WRITER_POOL,
)
def marts(context: dg.AssetExecutionContext, data: Data, dbt: DbtCliResource) -> Iterator[Any]:
    """Builds staging, intermediate models and marts and runs their tests; the warehouse's only writer."""
    data.store.prepare()
    export_dbt_environment(data.path)
    build = dbt.cli(["build"], context=context)
    try:
        yield from build.stream().fetch_row_counts().fetch_column_metadata()
    finally:
        release_warehouse(build)
