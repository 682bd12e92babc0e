"""What a run asks for, as an asset: the file is made by a person, so Dagster observes it instead of making it.

Its data version is a digest of everything that the file asks for. Raw partitions that were made from another one show
as stale.
"""

import hashlib
import json

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG  # its text is documented, its place is not

from pipelines.partitions import RUNS
from pipelines.resources import Data
from pipelines.runs import Run
from sim_engine import InputError

RUN_FILE = dg.AssetKey(["research", "run_file"])


def run_digest(run: Run) -> str:
    """SHA-256, hexadecimal, of what a run asks for: every simulation with arm, baseline and scenario, days included."""
    members = [
        (member.simulation_id, member.arm, member.baseline_arm, member.scenario.scenario_hash) for member in run.members
    ]
    return hashlib.sha256(json.dumps(members).encode()).hexdigest()


def observation_of(run: Run) -> dg.AssetObservation:
    """That a run's file has been read, and what it asks for."""
    return dg.AssetObservation(
        RUN_FILE,
        partition=run.run_id,
        tags={DATA_VERSION_TAG: run_digest(run)},
        metadata={
            "path": dg.MetadataValue.path(str(run.source.absolute())),
            "days": run.days,
            "simulations": len(run.members),
            "arms": ", ".join(dict.fromkeys(member.arm for member in run.members)),
        },
    )


def last_observed(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """The digest of a run that was observed last; none if it never was."""
    records = instance.fetch_observations(
        dg.AssetRecordsFilter(asset_key=RUN_FILE, asset_partitions=[run_id]), limit=1
    ).records
    tags = (records[0].asset_observation.tags if records and records[0].asset_observation else None) or {}
    return tags.get(DATA_VERSION_TAG)


@dg.observable_source_asset(
    key=RUN_FILE,
    partitions_def=RUNS,
    group_name="research",
    tags={"dagster/kind/yaml": ""},
    description=(
        "The file that asks for a run: base scenario, arms, seeds and days. Its data version is a digest of all that "
        "it expands to, so that raw partitions made from something else show as stale. The sensor run_files observes "
        "it when it changes, and so does every launch that uses it."
    ),
)
def run_file(context: dg.OpExecutionContext, data: Data) -> dg.DataVersionsByPartition:
    """Looks at the files of all runs that are known as partitions; those that are wrong are said and passed over."""
    versions: dict[str, str] = {}
    for run_id in context.instance.get_dynamic_partitions(str(RUNS.name)):
        try:
            versions[run_id] = run_digest(data.find_run(run_id))
        except InputError as error:
            context.log.warning(str(error))
    return dg.DataVersionsByPartition(versions)
