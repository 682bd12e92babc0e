"""Where things are: the project's own files, and the folder that simulations write to."""

import os
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent
"""The checkout: dbt project, scenarios and run files lie in it."""

DBT_FOLDER = PROJECT_ROOT / "dbt_project"
"""The dbt project."""

DATA_VARIABLE = "PAYMENT_SIM_DATA"
"""Environment variable that names the data folder."""


RUN_FILES_VARIABLE = "PAYMENT_SIM_RUN_FILES"
"""Environment variable that names the folders of run files, separated as in PATH; the sensor watches them."""

SCENARIOS_FOLDER = PROJECT_ROOT / "scenarios"
"""The project's scenarios, each of which is a run too."""


def run_file_folders() -> tuple[Path, ...]:
    """The folders of run files: the environment's PAYMENT_SIM_RUN_FILES, else the project's runs/."""
    named = os.environ.get(RUN_FILES_VARIABLE, "").split(os.pathsep)
    return tuple(Path(folder).absolute() for folder in named if folder) or (PROJECT_ROOT / "runs",)


def default_data_root() -> Path:
    """The data folder unless one is named: the environment's PAYMENT_SIM_DATA, else ./data."""
    return Path(os.environ.get(DATA_VARIABLE) or "data").absolute()


def report_file(data_root: Path, run_id: str, arm: str | None = None) -> Path:
    """The page of a run's report, or of the one that has this arm in detail."""
    return data_root / "reports" / f"{run_id}{f'.{arm}' if arm else ''}.html"


def warehouse_file(data_root: Path) -> Path:
    """The DuckDB file that dbt builds the marts in."""
    return data_root / "warehouse.duckdb"


def dagster_home(data_root: Path) -> Path:
    """Where Dagster keeps what it knows of runs and partitions."""
    return data_root / "dagster"
