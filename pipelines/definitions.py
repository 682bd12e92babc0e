"""Everything that Dagster finds: found through workspace.yaml, and through [tool.dg] of pyproject.toml."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource

from pipelines.assets import marts, raw_days
from pipelines.dbt import DBT_EXECUTABLE, DBT_PROJECT
from pipelines.jobs import everything
from pipelines.places import default_data_root
from pipelines.resources import Data
from pipelines.schedules import nightly_research


def build_defs(loggers: Mapping[str, dg.LoggerDefinition] | None = None, **overrides: Any) -> dg.Definitions:
    """The definitions; overrides replace resources by name, loggers are added to Dagster's own."""
    resources = {
        "data": Data(data_root=str(default_data_root())),
        "dbt": DbtCliResource(project_dir=DBT_PROJECT, dbt_executable=DBT_EXECUTABLE),
    }
    return dg.Definitions(
        assets=[raw_days, marts],
        jobs=[everything],
        schedules=[nightly_research],
        resources={**resources, **overrides},
        loggers=loggers,
        # A launch has few steps, one after the other; a process for each would cost more than most of them take.
        executor=dg.in_process_executor,
    )


defs = build_defs()
