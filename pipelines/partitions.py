"""How raw tables are cut: by run and settlement day. Key `d001` is day 0.

The day is a time window only in form: static partitions cannot depend on the one before, windows can.
"""

import warnings
from collections.abc import Iterable, Mapping
from datetime import datetime

import dagster as dg

from sim_engine.bounds import DAYS_MAX

# Dagster calls multi-partition mappings, partitioned checks and observed files young. The version is pinned, all tried;
# the warning would greet every user of every command.
warnings.filterwarnings("ignore", category=dg.BetaWarning, module=r"pipelines\.")
warnings.filterwarnings("ignore", category=dg.PreviewWarning, module=r"pipelines\.")
warnings.filterwarnings("ignore", message=".*`observable_source_asset`", category=dg.BetaWarning)
warnings.filterwarnings("ignore", message=".*Parameter `backfill_policy`", category=dg.BetaWarning)

RUNS = dg.DynamicPartitionsDefinition(name="run")
"""Research runs; a key is added when a run is first launched."""

DAYS = dg.TimeWindowPartitionsDefinition(
    start=datetime(1900, 1, 1), end=datetime(1901, 1, 1), cron_schedule="0 0 * * *", fmt="d%j"
)
"""Settlement days d001..d365: as many as the days of a year that is not a leap year."""

RUN_DAYS = dg.MultiPartitionsDefinition({"run": RUNS, "day": DAYS})

PREVIOUS_DAY = dg.MultiPartitionMapping(
    {
        "run": dg.DimensionPartitionMapping("run", dg.IdentityPartitionMapping()),
        "day": dg.DimensionPartitionMapping("day", dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)),
    }
)
"""The same run, one day earlier."""

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
PARTITION_TAG = "dagster/partition"
PARTITION_TAGS = (PARTITION_TAG, RANGE_START_TAG, RANGE_END_TAG)
"""Tags of a Dagster run whose values are partition keys."""


def register_runs(instance: dg.DagsterInstance, run_ids: list[str]) -> None:
    """Makes runs known as partitions, so that their days can be launched."""
    assert RUNS.name is not None
    instance.add_dynamic_partitions(RUNS.name, run_ids)


def partition_key(run_id: str, day: int) -> str:
    """The key of a run's day."""
    assert 0 <= day < DAYS_MAX
    return str(dg.MultiPartitionKey({"run": run_id, "day": f"d{day + 1:03d}"}))


def days_by_run(keys: Iterable[str]) -> dict[str, list[int]]:
    """Days from 0, ascending, by run, of partition keys; runs in order of their names."""
    by_run: dict[str, list[int]] = {}
    for key in keys:
        dimensions = RUN_DAYS.get_partition_key_from_str(str(key)).keys_by_dimension
        by_run.setdefault(dimensions["run"], []).append(int(dimensions["day"][1:]) - 1)
    return {run: sorted(by_run[run]) for run in sorted(by_run)}


def range_tags(run_id: str, days: int) -> dict[str, str]:
    """Tags that make one Dagster run take a research run through all its days."""
    return {RANGE_START_TAG: partition_key(run_id, 0), RANGE_END_TAG: partition_key(run_id, days - 1)}


def runs_of_tags(tags: Mapping[str, str]) -> list[str]:
    """The runs that a Dagster run is of, or of whose days, ascending; none if it is of no partition."""
    keys = [tags[tag] for tag in PARTITION_TAGS if tag in tags]
    of_days = [key for key in keys if "|" in key]
    return sorted({*days_by_run(of_days), *(key for key in keys if key not in of_days)})
