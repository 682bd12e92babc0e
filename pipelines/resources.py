"""What assets are given: the data folder, its runs, and dbt. Tests replace them through build_defs."""

import os
from pathlib import Path

import dagster as dg

from pipelines.catalogue import Catalogue
from pipelines.places import PROJECT_ROOT, warehouse_file
from pipelines.raw_store import RawStore
from pipelines.runs import Run


class Data(dg.ConfigurableResource):
    """The data folder with everything in it.

    data_root: absolute path of the folder. run_folders: folders of run files and scenarios.
    """

    data_root: str
    run_folders: list[str] = [str(PROJECT_ROOT / "runs"), str(PROJECT_ROOT / "scenarios")]

    @property
    def path(self) -> Path:
        """The data folder."""
        return Path(self.data_root)

    @property
    def store(self) -> RawStore:
        """The raw tables and states."""
        return RawStore(self.path)

    @property
    def catalogue(self) -> Catalogue:
        """The runs that partition keys name."""
        return Catalogue(self.path, tuple(Path(folder) for folder in self.run_folders))

    def find_run(self, run_id: str) -> Run:
        """The run of that name. Raises InputError if there is none."""
        return self.catalogue.find(run_id)


def dbt_environment(data_root: Path) -> dict[str, str]:
    """The environment variables by which dbt finds the raw tables and the warehouse of a data folder."""
    return {
        "PAYMENT_SIM_RAW": str(data_root / "raw"),
        "PAYMENT_SIM_WAREHOUSE": str(warehouse_file(data_root)),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def export_dbt_environment(data_root: Path) -> None:
    """Sets those variables in this process, for the dbt commands that it starts."""
    os.environ.update(dbt_environment(data_root))
