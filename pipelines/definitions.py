"""Everything that Dagster finds: found through workspace.yaml, and through [tool.dg] of pyproject.toml."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource

from pipelines.assets import raw_days
from pipelines.dbt import DBT_EXECUTABLE, DBT_PROJECT
from pipelines.jobs import everything
from pipelines.marts import marts
from pipelines.places import default_data_root
from pipelines.progress import ProgressInLog
from pipelines.reports import report
from pipelines.resources import Data, Workers
from pipelines.run_files import run_file
from pipelines.schedules import nightly_schedule
from pipelines.sensors import run_files


def build_defs(loggers: Mapping[str, dg.LoggerDefinition] | None = None, **overrides: Any) -> dg.Definitions:
    """The definitions; overrides replace resources by name, loggers are added to Dagster's own."""
    resources = {
        "data": Data(data_root=str(default_data_root())),
        "workers": Workers(),
        "progress": ProgressInLog(),
        "dbt": DbtCliResource(project_dir=DBT_PROJECT, dbt_executable=DBT_EXECUTABLE),
    }
    return dg.Definitions(
        assets=[run_file, raw_days, marts, report],
        jobs=[everything],
        schedules=[nightly_schedule()],
        sensors=[run_files],
        resources={**resources, **overrides},
        loggers=loggers,
        # A launch has few steps, one after the other; a process for each would cost more than most of them take.
        executor=dg.in_process_executor,
    )


defs = build_defs()
