"""Where things are: the project's own files, and the folder that simulations write to."""

import os
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent
"""The checkout: dbt project, scenarios and run files lie in it."""

DATA_VARIABLE = "PAYMENT_SIM_DATA"
"""Environment variable that names the data folder."""


def default_data_root() -> Path:
    """The data folder unless one is named: the environment's PAYMENT_SIM_DATA, else ./data."""
    return Path(os.environ.get(DATA_VARIABLE) or "data").absolute()


def warehouse_file(data_root: Path) -> Path:
    """The DuckDB file that dbt builds the marts in."""
    return data_root / "warehouse.duckdb"


def dagster_home(data_root: Path) -> Path:
    """Where Dagster keeps what it knows of runs and partitions."""
    return data_root / "dagster"
