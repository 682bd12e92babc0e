"""Jobs: what is launched by name, from the command line, the schedule or the UI."""

import dagster as dg

everything = dg.define_asset_job(
    "everything",
    selection=dg.AssetSelection.all(),
    description="Simulates the days of a run, holds them against their contracts, builds the marts, writes the report.",
)
