"""The Dagster instance of a data folder: its settings, and whether its records are in files or in PostgreSQL.

The settings name the environment variable that holds the server's URL, never the URL, which has a password in it.
"""

import os
from importlib.util import find_spec
from pathlib import Path

import dagster as dg
import sqlalchemy as sa

from pipelines.fanout import fanout_of, stated_dask
from pipelines.files import replace_file
from pipelines.partitions import register_runs
from pipelines.places import DATA_VARIABLE, PROJECT_ROOT, dagster_home
from pipelines.resources import Data
from pipelines.schedules import nightly_schedule
from pipelines.stores import store_of
from sim_engine import InputError, Problem
from sim_engine.errors import ABSENT

POSTGRES_VARIABLE = "PAYMENT_SIM_POSTGRES_URL"
"""Environment variable: URL of the PostgreSQL database that Dagster keeps its records in; empty: files of its home."""

_SETTINGS = PROJECT_ROOT / "pipelines" / "dagster.yaml"
_SETTINGS_WITH_POSTGRES = PROJECT_ROOT / "pipelines" / "dagster_postgres.yaml"
_DRIVER = "postgresql+psycopg2"
_ANSWERS_WITHIN_SECONDS = 10


def prepare_dagster_home(data_root: Path) -> None:
    """Makes the Dagster instance below the data folder and tells this process to use it.

    Raises InputError, before anything is written, if its records can not be kept where the environment says.
    """
    home = dagster_home(data_root)
    write_settings(home)
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ[DATA_VARIABLE] = str(data_root)


def home_with_runs(data_root: Path) -> Path:
    """Prepares the Dagster instance for processes that others start; returns the folder that DAGSTER_HOME must name.

    The runs that can be found are registered as partitions. Raises InputError if the environment is wrong.
    """
    data_root = data_root.absolute()
    # What is wrong is said here, where Dagster would come up without any definition; servers may be started later.
    nightly_schedule()
    store_of(data_root)
    fanout_of(stated_dask())
    prepare_dagster_home(data_root)
    with dg.DagsterInstance.get() as instance:
        register_runs(instance, Data(data_root=str(data_root)).catalogue.run_ids())
    return dagster_home(data_root)


def write_settings(home: Path) -> None:
    """Writes what Dagster goes by into its home, if something else stands there.

    Raises InputError, before anything is written, if the environment names no PostgreSQL that answers, or names none
    though the records are in one.
    """
    settings, url = home / "dagster.yaml", os.environ.get(POSTGRES_VARIABLE, "")
    before = settings.read_text(encoding="utf-8") if settings.exists() else ""
    if url:
        _check_server(url)
    elif POSTGRES_VARIABLE in before:
        raise _refused(
            f"is not set, but Dagster's records of this data folder are in PostgreSQL; set it, or remove {settings} to "
            "begin new ones in files"
        )
    wanted = (_SETTINGS_WITH_POSTGRES if url else _SETTINGS).read_text(encoding="utf-8")
    if wanted != before:
        replace_file(settings, wanted.encode())


def _check_server(url: str) -> None:
    """Raises InputError if the URL leads to no database; no message has its password."""
    if find_spec("dagster_postgres") is None:
        raise _refused(
            "needs dagster-postgres, which is not installed; install the extra: pip install 'payment-sim[postgres]'"
        )
    parsed = _parsed(url)
    engine = sa.create_engine(
        parsed.update_query_dict({"connect_timeout": str(_ANSWERS_WITHIN_SECONDS)} | dict(parsed.query)),
        poolclass=sa.NullPool,
    )
    try:
        engine.connect().close()
    except (sa.exc.DBAPIError, UnicodeError, ValueError) as error:
        said = " ".join(str(getattr(error, "orig", error)).split())
        database = f"{parsed.host}:{parsed.port or 5432}/{parsed.database}"
        remedy = (
            f"no database {database} answers ({_without_password(said, parsed)}); start the server or correct the URL"
        )
        raise _refused(remedy) from None


def _parsed(url: str) -> sa.URL:
    """The URL, where it is one of Dagster's driver and says which database of which server."""
    form = (
        f"must be of the form {_DRIVER}://USER:PASSWORD@HOST:5432/DATABASE, where a password has @, :, / and % written "
        "as %40, %3A, %2F and %25"
    )
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise _refused(form) from None
    host = parsed.host or ""
    if parsed.drivername != _DRIVER or not parsed.database or not host or "@" in host or "/" in parsed.database:
        raise _refused(form)
    return parsed


def _without_password(text: str, url: sa.URL) -> str:
    return text.replace(url.password, "…") if url.password else text


def _refused(remedy: str) -> InputError:
    return InputError("configuration", [Problem(POSTGRES_VARIABLE, ABSENT, remedy)])
