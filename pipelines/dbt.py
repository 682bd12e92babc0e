"""The dbt project as Dagster knows it: its manifest, parsed when a model is newer, and how its models become assets."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliInvocation, DbtProject
from dagster_dbt.core.dbt_event_iterator import DbtEventIterator
from dbt.adapters.duckdb.connections import DuckDBConnectionManager

from pipelines.places import DBT_FOLDER, default_data_root
from pipelines.resources import dbt_environment

DBT_PROJECT = DbtProject(project_dir=DBT_FOLDER, profiles_dir=DBT_FOLDER)

DBT_EXECUTABLE = str(Path(sys.executable).with_name("dbt"))
"""The dbt of this environment, also where the environment is not activated."""

_PARSED = ("manifest.json", "partial_parse.msgpack")
_SOURCES = ("models", "macros", "seeds", "tests")


def manifest() -> Path:
    """The project's manifest, made anew if any of its files is newer.

    Raises RuntimeError with dbt's words if the project cannot be parsed.
    """
    target = DBT_PROJECT.manifest_path
    project = Path(DBT_PROJECT.project_dir)
    # Folders count too: a model that was removed makes no file newer.
    sources = [*project.glob("*.yml")]
    for folder in _SOURCES:
        sources += [project / folder, *(project / folder).rglob("*")]
    newest = max(path.stat().st_mtime for path in sources)
    if not target.exists() or target.stat().st_mtime < newest:
        _parse(project, target.parent)
    return target


def _parse(project: Path, target: Path) -> None:
    """Parses beside the target and moves the result in, so that nobody reads half a manifest."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as scratch:
        result = subprocess.run(
            [
                *(DBT_EXECUTABLE, "parse", "--quiet"),
                *("--project-dir", str(project), "--profiles-dir", str(project)),
                *("--target-path", scratch, "--log-path", scratch),
            ],
            env={**os.environ, **dbt_environment(default_data_root())},
            capture_output=True,
            text=True,
        )
        if result.returncode != 0:
            raise RuntimeError(f"dbt cannot parse {project}:\n{result.stdout}{result.stderr}")
        for name in reversed(_PARSED):
            if (Path(scratch) / name).exists():
                shutil.move(Path(scratch) / name, target / name)


def told_events(build: DbtCliInvocation, on_event: Callable[[str], None]) -> Iterator[Any]:
    """What a dbt command did, model by model and test by test, with row counts, columns and their lineage.

    on_event: called with the name of each model and test when it is done. A command that fails raises after its events.
    """
    # dagster-dbt reads rows and columns only when dbt has closed the warehouse; waiting for that, it would keep a core
    # busy that dbt needs. So the waiting is done here.
    events: list[Any] = []
    failure: Exception | None = None
    try:
        for event in build.stream():
            events.append(event)
            on_event(_name_of(event))
    except Exception as error:
        failure = error
    for fetch in (DbtEventIterator.fetch_row_counts, DbtEventIterator.fetch_column_metadata):
        events = list(fetch(DbtEventIterator(iter(events), build)))
    yield from events
    if failure:
        raise failure


def _name_of(event: Any) -> str:
    """The model or test that an event tells of."""
    key = getattr(event, "asset_key", None)
    return str(getattr(event, "check_name", None) or (key.path[-1] if key else getattr(event, "output_name", "")))


def release_warehouse(invocation: DbtCliInvocation) -> None:
    """Closes what this process holds of the warehouse after a dbt command.

    Row counts and columns are fetched over connections of this process. Left to the garbage collector, they would keep
    other processes out, and this one from opening the file in another way.
    """
    if invocation.adapter is not None:
        invocation.adapter.cleanup_connections()
    environment = DuckDBConnectionManager._ENV  # its public reader raises where there is none, as after a failed start
    if environment is not None:
        environment.close()
    DuckDBConnectionManager.close_all_connections()


class Translator(DagsterDbtTranslator):
    """Models become assets of the group `marts`, `staging` or `intermediate`; raw assets join sources by their key."""

    def __init__(self) -> None:
        # Contracts own the raw tables: a test of a source would start dbt once more for every raw run.
        super().__init__(settings=DagsterDbtTranslatorSettings(enable_source_tests_as_checks=False))

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The folder below models/ that the model lies in."""
        folders: list[str] = dbt_resource_props["fqn"]
        return folders[1] if len(folders) > 2 else None

    def get_automation_condition(self, dbt_resource_props: Mapping[str, Any]) -> dg.AutomationCondition[Any] | None:
        """Built when raw tables are; days that no run has ever had are no reason to wait."""
        return dg.AutomationCondition.eager().without(~dg.AutomationCondition.any_deps_missing())
