"""Dagster's home: where its records are, what it refuses, and that no text of it has a password."""

import importlib.util
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import pytest
import yaml

from pipelines import dagster_home as homes
from pipelines.dagster_home import POSTGRES_VARIABLE, home_with_runs, prepare_dagster_home
from pipelines.dagster_records import dagster_records
from pipelines.fanout import DASK_VARIABLE
from pipelines.partitions import RUNS
from pipelines.places import DATA_VARIABLE, PROJECT_ROOT, RUN_FILES_VARIABLE, dagster_home
from pipelines.schedules import CRON_VARIABLE
from pipelines.stores import STORE_VARIABLE
from sim_engine import InputError

PASSWORD = "Zebra-91-Quagga"
FILES = PROJECT_ROOT / "pipelines" / "dagster.yaml"
POSTGRES = PROJECT_ROOT / "pipelines" / "dagster_postgres.yaml"


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Homes name themselves to the process; what they say goes with the test."""
    with patch.dict(os.environ):
        for variable in (
            POSTGRES_VARIABLE,
            CRON_VARIABLE,
            STORE_VARIABLE,
            DASK_VARIABLE,
            DATA_VARIABLE,
            "DAGSTER_HOME",
        ):
            os.environ.pop(variable, None)
        yield


def refused(data_root: Path, url: str) -> str:
    os.environ[POSTGRES_VARIABLE] = url
    with pytest.raises(InputError) as raised:
        prepare_dagster_home(data_root)
    assert not data_root.exists()
    return str(raised.value)


def test_without_a_server_records_are_kept_in_files_and_the_process_is_told_where(tmp_path: Path) -> None:
    prepare_dagster_home(tmp_path / "data")
    home = dagster_home(tmp_path / "data")
    assert (home / "dagster.yaml").read_bytes() == FILES.read_bytes()
    assert os.environ["DAGSTER_HOME"] == str(home)
    assert os.environ[DATA_VARIABLE] == str(tmp_path / "data")


def test_the_settings_differ_in_where_records_are_and_in_what_looks_after_dead_launches() -> None:
    files, postgres = (yaml.safe_load(file.read_text()) for file in (FILES, POSTGRES))
    assert postgres.pop("storage") == {"postgres": {"postgres_url": {"env": POSTGRES_VARIABLE}}}
    monitoring = postgres.pop("run_monitoring")
    assert monitoring["enabled"]
    assert monitoring["free_slots_after_run_end_seconds"] > 0
    assert files.pop("run_monitoring") == {"enabled": False}
    assert postgres == files


def test_without_the_extra_it_is_named_and_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(homes, "find_spec", lambda name: None if name == "dagster_postgres" else find(name))
    said = refused(tmp_path / "data", f"postgresql+psycopg2://dagster:{PASSWORD}@127.0.0.1/dagster")
    assert f"{POSTGRES_VARIABLE}: needs dagster-postgres, which is not installed; install the extra: " in said
    assert "pip install 'payment-sim[postgres]'" in said
    assert PASSWORD not in said


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://dagster:{PASSWORD}@127.0.0.1/dagster",
        f"postgres://dagster:{PASSWORD}@127.0.0.1/dagster",
        f"postgresql+psycopg2://dagster:{PASSWORD}@127.0.0.1",
        f"postgresql+psycopg2://dagster:{PASSWORD}@/dagster",
        f"postgresql+psycopg2://dagster:start@{PASSWORD}@127.0.0.1/dagster",
        f"postgresql+psycopg2://dagster:start/{PASSWORD}",
        f"postgresql+psycopg2://dagster:{PASSWORD}@127.0.0.1:port/dagster",
        PASSWORD,
    ],
)
def test_a_url_that_names_no_database_is_refused_without_being_repeated(url: str, tmp_path: Path) -> None:
    said = refused(tmp_path / "data", url)
    assert f"{POSTGRES_VARIABLE}: must be of the form postgresql+psycopg2://USER:PASSWORD@HOST:5432/DATABASE" in said
    assert PASSWORD not in said


def test_a_server_that_does_not_answer_is_named_without_the_password(tmp_path: Path) -> None:
    with socket.socket() as bound:  # and not listening
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        said = refused(tmp_path / "data", f"postgresql+psycopg2://dagster:{PASSWORD}@127.0.0.1:{port}/records")
    assert f"{POSTGRES_VARIABLE}: no database 127.0.0.1:{port}/records answers (" in said
    assert PASSWORD not in said


@pytest.mark.parametrize("opens", [prepare_dagster_home, lambda data: _open_records(data)])
def test_records_in_postgres_are_not_continued_in_files(opens: Callable[[Path], None], tmp_path: Path) -> None:
    settings = dagster_home(tmp_path / "data") / "dagster.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_bytes(POSTGRES.read_bytes())
    with pytest.raises(InputError) as raised:
        opens(tmp_path / "data")
    assert f"{POSTGRES_VARIABLE}: is not set, but Dagster's records of this data folder are in PostgreSQL" in str(
        raised.value
    )
    assert str(settings) in str(raised.value)
    assert settings.read_bytes() == POSTGRES.read_bytes()
    assert list(settings.parent.iterdir()) == [settings]


def _open_records(data_root: Path) -> None:
    with dagster_records(dagster_home(data_root)):
        pass


def test_a_home_for_other_processes_knows_the_runs_that_can_be_found(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "mine.yaml").write_text("run_id: mine_alone\nscenario: any.yaml\nseeds: [1]\n")
    os.environ[RUN_FILES_VARIABLE] = str(tmp_path / "runs")
    home = home_with_runs(tmp_path / "data")
    assert home == dagster_home(tmp_path / "data")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        found = instance.get_dynamic_partitions(str(RUNS.name))
    assert {"mine_alone", "three_bank_ring", "research_day"} <= set(found)


@pytest.mark.parametrize(
    ("variable", "value"),
    [(CRON_VARIABLE, "at two"), (STORE_VARIABLE, "s3://"), (DASK_VARIABLE, "a few workers")],
)
def test_what_dagster_could_not_start_with_is_refused_before_a_home_is_made(
    variable: str, value: str, tmp_path: Path
) -> None:
    os.environ[variable] = value
    with pytest.raises(InputError, match=variable):
        home_with_runs(tmp_path / "data")
    assert not (tmp_path / "data").exists()
