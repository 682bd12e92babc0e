"""What assets are given: the data folder, its runs, and dbt. Tests replace them through build_defs."""

import os
from contextlib import AbstractContextManager
from pathlib import Path

import dagster as dg
from pydantic import Field

from pipelines.catalogue import Catalogue
from pipelines.fanout import Fanout, fanout_of, stated_dask
from pipelines.places import SCENARIOS_FOLDER, run_file_folders, warehouse_file
from pipelines.raw_store import RawStore
from pipelines.runs import Run
from pipelines.stores import store_of
from pipelines.warehouse import Build

ASKED_RUNS_VARIABLE = "PAYMENT_SIM_RUNS"
"""Environment variable by which dbt is told which runs to build, separated by commas; empty: all."""


class Data(dg.ConfigurableResource):
    """The data folder with everything in it.

    data_root: absolute path of the folder. run_folders: folders of run files, which the sensor watches.
    scenario_folders: folders of scenarios, which are runs only for who asks for them.
    """

    data_root: str
    run_folders: list[str] = Field(default_factory=lambda: [str(folder) for folder in run_file_folders()])
    scenario_folders: list[str] = [str(SCENARIOS_FOLDER)]

    @property
    def path(self) -> Path:
        """The data folder."""
        return Path(self.data_root)

    @property
    def store(self) -> RawStore:
        """The raw tables and states, in the folder or where the environment says."""
        return store_of(self.path)

    @property
    def catalogue(self) -> Catalogue:
        """The runs that partition keys name."""
        return Catalogue(self.path, tuple(map(Path, [*self.run_folders, *self.scenario_folders])))

    def find_run(self, run_id: str) -> Run:
        """The run of that name. Raises InputError if there is none."""
        return self.catalogue.find(run_id)


class Workers(dg.ConfigurableResource):
    """Whoever simulates.

    dask: `local`, `local:N` or the address of a scheduler; threads of the process that runs the step if it is empty.
    """

    dask: str = Field(default_factory=stated_dask)

    def opened(self) -> AbstractContextManager[Fanout]:
        """Whoever simulates, while the context is open. Raises InputError as fanout_of does."""
        return fanout_of(self.dask)


def dbt_environment(data_root: Path) -> dict[str, str]:
    """The environment variables by which dbt finds the raw tables and the warehouse of a data folder."""
    return {
        "PAYMENT_SIM_RAW": str(store_of(data_root).raw),
        "PAYMENT_SIM_WAREHOUSE": str(warehouse_file(data_root)),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def export_dbt_environment(data_root: Path, build: Build) -> None:
    """Sets those variables in this process, for the dbt commands that it starts, and names the runs to build."""
    os.environ.update(dbt_environment(data_root))
    os.environ[ASKED_RUNS_VARIABLE] = ",".join(build.named)
