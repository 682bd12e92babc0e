"""The assets of simulation: raw tables and closing states of every run and day.

What simulating, framing, checking and storing mean lies in pipelines.run_days; here is only their orchestration.
"""

import hashlib
import itertools
from collections.abc import Iterator
from functools import partial
from typing import Any

import dagster as dg
import polars as pl
from dagster._core.execution.plan.execute_step import _build_data_version_tags, _get_input_provenance_data

from pipelines.checks import column_schema, contract_checks, contract_evaluations, markdown_table, raw_key
from pipelines.contracts import CONTRACTS, ContractBroken, grain_of
from pipelines.fanout import Fanout
from pipelines.files import Place
from pipelines.lock import data_lock
from pipelines.partitions import PREVIOUS_DAY, RUN_DAYS, days_by_run, partition_key
from pipelines.progress import MILESTONE, Advance, Shows, Unit
from pipelines.raw_store import RawStore
from pipelines.report.day_chart import cycles_as_markdown
from pipelines.resources import Data, Workers
from pipelines.run_days import DayRefused, RunStopped, StoredDay, reusable_day, run_and_store_days
from pipelines.run_files import RUN_FILE, last_observed, observation_of, run_digest
from pipelines.runs import Run
from pipelines.stores import check_reachable
from sim_engine import InputError, __version__

CLOSING_STATE = dg.AssetKey(["state", "closing"])
ENGINE_POOL = "engine"
"""What one step at a time may use: the machine's cores."""
_PREVIEW_ROWS = 5
_SIMULATED_DAYS = Unit("days of simulations", one="day")

_FILE_OF_THE_RUN = dg.AssetDep(
    RUN_FILE, partition_mapping=dg.MultiToSingleDimensionPartitionMapping(partition_dimension_name="run")
)
_RESUMING_TAGS = ("dagster/is_resume_retry", "dagster/is_asset_resume_retry")
"""Tags of a Dagster run that executes again what failed in another."""

_BACKFILL_TAG = "dagster/backfill"

_KEYS = [*(raw_key(table) for table in CONTRACTS), CLOSING_STATE]
"""In the order in which they follow from each other."""

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
            deps=[_FILE_OF_THE_RUN],
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
        deps=[
            _FILE_OF_THE_RUN,
            *(raw_key(table) for table in CONTRACTS),
            dg.AssetDep(CLOSING_STATE, partition_mapping=PREVIOUS_DAY),
        ],
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
def raw_days(
    context: dg.AssetExecutionContext, data: Data, workers: Workers, progress: dg.ResourceParam[Shows]
) -> Iterator[Any]:
    """Runs the days asked for and commits each one's tables and closing states."""
    with data_lock(
        data.path,
        f"simulates in Dagster run {context.run.run_id}",
        on_wait=partial(context.log.warning, extra=MILESTONE),
    ):
        yield from _raw_days(context, data, workers, progress)


def _raw_days(context: dg.AssetExecutionContext, data: Data, workers: Workers, progress: Shows) -> Iterator[Any]:
    materialised: dict[tuple[dg.AssetKey, str], Metadata] = {}
    heights: dict[str, dict[str, int]] = {}
    runs: list[Run] = []
    try:
        check_reachable(data.store, writing=True)
        data.store.prepare()
        asked = _asked_days(context, data)
        runs = [run for run, _ in asked]
        yield from _observed(context, runs)
        simulated_days = sum(len(run.members) * len(days) for run, days in asked)
        with workers.opened() as fanout, progress.work(simulated_days, _SIMULATED_DAYS, context.log.info) as advance:
            for run, days in asked:
                for stored in _stored_days(context, data, run, days, fanout, advance):
                    partition = partition_key(run.run_id, stored.day)
                    heights[partition] = stored.heights
                    materialised |= _day_metadata(data, run, stored, partition)
                    context.log.info(_said(run, stored), extra=MILESTONE)
    except GeneratorExit:
        raise  # nobody listens any more
    except BaseException as error:
        yield from _told_of_failure(context, materialised, heights, runs, error)
        if isinstance(error, (DayRefused, InputError, RunStopped)):
            raise dg.Failure(str(error), allow_retries=False) from error
        raise
    # A day is written whole, also when only some of its tables were asked for.
    asked_for = {
        (key, partition): metadata
        for (key, partition), metadata in materialised.items()
        if key in context.selected_asset_keys and partition in context.partition_keys
    }
    yield from _recorded(context, {at: materialised[at] for at in materialised if at not in asked_for}, runs)
    for (key, partition), metadata in asked_for.items():
        context.add_asset_metadata(metadata, asset_key=key, partition_key=partition)
    for key in _KEYS:
        if key in context.selected_asset_keys:
            yield dg.MaterializeResult(key, data_version=_data_version(runs))
    yield from contract_evaluations(context.instance, heights, {}, context.partition_keys)


def _asked_days(context: dg.AssetExecutionContext, data: Data) -> list[tuple[Run, list[int]]]:
    """The runs asked for, each with its days to simulate, ascending.

    Dagster cuts a backfill into runs of its own by day, in no particular order, where it is of no more days than
    research runs. Each of them therefore begins with the days before its own that are still missing.
    """
    asked = [(_find_run(data, run_id, days), days) for run_id, days in days_by_run(context.partition_keys).items()]
    if _BACKFILL_TAG in context.run.tags:
        return [(run, _with_days_before(run, data.store, days)) for run, days in asked]
    return asked


def _with_days_before(run: Run, store: RawStore, days: list[int]) -> list[int]:
    """Days, and those that they start from and that are not stored as the run asks for them."""
    needed = set(days)
    for day in days:
        before = day - 1
        while before >= 0 and before not in needed and reusable_day(run, store, before) is None:
            needed.add(before)
            before -= 1
    return sorted(needed)


def _observed(context: dg.AssetExecutionContext, runs: list[Run]) -> Iterator[dg.AssetObservation]:
    """Tells Dagster what the runs' files ask for, as far as it does not know, and holds it to having told it."""
    for run in runs:
        if last_observed(context.instance, run.run_id) != run_digest(run):
            yield observation_of(run)
    # What is made here is made from these observations. Dagster has noted those that it knew when the step began.
    step = context.get_step_execution_context()
    step.wipe_input_asset_version_info(RUN_FILE)
    step.maybe_fetch_and_get_input_asset_version_info(RUN_FILE)


def _data_version(runs: list[Run]) -> dg.DataVersion:
    """What decides the raw tables of a launch: the engine and what the files ask for."""
    decisive = "".join([__version__, *(run_digest(run) for run in runs)])
    return dg.DataVersion(hashlib.sha256(decisive.encode()).hexdigest())


def _told_of_failure(
    context: dg.AssetExecutionContext,
    materialised: dict[tuple[dg.AssetKey, str], Metadata],
    heights: dict[str, dict[str, int]],
    runs: list[Run],
    error: BaseException,
) -> Iterator[Any]:
    """Days committed before a failure, which are true whatever became of later ones, and the contracts it broke."""
    yield from _recorded(context, materialised, runs)
    broken: dict[tuple[str, str], ContractBroken] = {}
    if isinstance(error, DayRefused):
        refused = partition_key(error.run_id, error.day)
        heights[refused] = error.heights
        broken = {(refused, table): contract for table, contract in error.broken.items()}
    yield from contract_evaluations(context.instance, heights, broken, context.partition_keys)


def _recorded(
    context: dg.AssetExecutionContext, materialised: dict[tuple[dg.AssetKey, str], Metadata], runs: list[Run]
) -> Iterator[dg.AssetMaterialization]:
    """Materialisations outside the step's results, with the versions that Dagster gives to results by itself."""
    step = context.get_step_execution_context()
    for key, partition in sorted(materialised, key=lambda at: _KEYS.index(at[0])):
        made_from = _build_data_version_tags(
            _data_version(runs), __version__, _get_input_provenance_data(key, step), data_version_is_user_provided=True
        )
        yield dg.AssetMaterialization(
            key,
            partition=RUN_DAYS.get_partition_key_from_str(partition),
            metadata=materialised[key, partition],
            tags=made_from,
        )


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


def _stored_days(
    context: dg.AssetExecutionContext, data: Data, run: Run, days: list[int], fanout: Fanout, advance: Advance
) -> Iterator[StoredDay]:
    """The days asked for, simulated and committed.

    What takes up a launch that failed, whether a retry in the same Dagster run or another run that executes it again
    from where it failed, goes on after the last day that is committed.
    """
    resumes = context.retry_number or any(context.run.tags.get(tag) == "true" for tag in _RESUMING_TAGS)
    for first, last in _stretches(days):
        while resumes and first <= last and (stored := reusable_day(run, data.store, first)):
            for _ in run.members:
                advance(f"{run.run_id}: day {first}")
            yield stored
            first += 1
        members = itertools.count()

        def member_done(first: int = first, members: Iterator[int] = members) -> None:
            day, member = divmod(next(members), len(run.members))
            storing = "storing " if member == len(run.members) - 1 else ""
            advance(f"{run.run_id}: {storing}day {first + day}")

        yield from run_and_store_days(run, data.store, first, last, fanout=fanout, on_member=member_done)


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
    chunks = data.store.chunks(run.run_id, stored.day)
    for table, height in stored.heights.items():
        first_rows = stored.head(table, _PREVIEW_ROWS).drop("config", strict=False)
        metadata[raw_key(table), partition] = {
            "dagster/row_count": height,
            "path": dg.MetadataValue.path(_shown(data.store.part(table, run.run_id, stored.day), chunks)),
            "first rows": dg.MetadataValue.md(markdown_table(first_rows)),
        }
    cycles = stored.table("lsm_cycles")
    ticks_per_day = {member.simulation_id: member.scenario.stated.ticks_per_day for member in run.members}
    metadata[raw_key("lsm_cycles"), partition] |= {
        "cycles by type": dg.MetadataValue.md(markdown_table(_cycles_by_type(cycles))),
        "cycles over the day": dg.MetadataValue.md(cycles_as_markdown(cycles, ticks_per_day)),
    }
    metadata[CLOSING_STATE, partition] = {
        "dagster/row_count": len(run.members),
        "path": dg.MetadataValue.path(_shown(data.store.state_file(run.run_id, stored.day), chunks)),
    }
    return metadata


def _shown(first: Place, chunks: int) -> str:
    """Where the files of a day's chunks are: the only one, or their folder."""
    return str(first if chunks == 1 else first.parent)


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
