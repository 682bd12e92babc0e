"""A deployment: compose file, image and page hold what the project has; Dagster's records live in a real PostgreSQL."""

import contextlib
import os
import pwd
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import dagster as dg
import dask
import pytest
import sqlalchemy as sa
import yaml
from dagster._core.test_utils import create_run_for_test
from dagster._daemon.cli import create_dagster_daemon_cli
from dagster_webserver.cli import dagster_webserver
from distributed.cli.dask_scheduler import main as dask_scheduler
from distributed.cli.dask_worker import main as dask_worker

from pipelines.cli import main
from pipelines.dagster_home import POSTGRES_VARIABLE, home_with_runs, prepare_dagster_home
from pipelines.partitions import range_tags, register_runs
from pipelines.places import PROJECT_ROOT, dagster_home
from pipelines.prune import known_runs, prune
from sim_engine import InputError
from tests.docs.blocks import blocks_of

FOLDER = PROJECT_ROOT / "docs" / "deployment"
PAGE = PROJECT_ROOT / "docs" / "deployment.md"
PROGRAM = re.compile(r"\.venv/bin/(payment-sim|dask|dagster-daemon|dagster-webserver) ")
PROGRAMS = ("initdb", "pg_ctl")
PASSWORD = "Zebra-91-Quagga"

NO_WORKERS = "DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT"
S3_VARIABLES = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"}
"""What the S3 library reads."""


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    """The services of compose.yaml by name."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    return found


@pytest.fixture(scope="module")
def ours(services: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Services that run this project's image."""
    found = {name: service for name, service in services.items() if service["image"] == "payment-sim"}
    assert set(found) == {"home", "daemon", "webserver", "scheduler", "worker", "bucket"}
    return found


def understand(command: list[str]) -> None:
    """Has the program itself read the options of a command; raises what it would say of them."""
    program, *arguments = command
    if program == "dagster-webserver":
        dagster_webserver.make_context(program, arguments)
    else:
        name, *options = arguments
        by_program: dict[str, dict[str, click.Command]] = {
            "payment-sim": main.commands,
            "dagster-daemon": create_dagster_daemon_cli().commands,
            "dask": {"scheduler": dask_scheduler, "worker": dask_worker},
        }
        by_program[program][name].make_context(name, options)


def words_of(service: dict[str, Any]) -> list[str]:
    """What a service runs, with the defaults of what the environment may say."""
    command = service["command"]
    parts = shlex.split(command) if isinstance(command, str) else command
    return [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", part) for part in parts]


def test_every_command_of_the_services_is_one_that_its_program_understands(ours: dict[str, dict[str, Any]]) -> None:
    commands = {name: words_of(service) for name, service in ours.items()}
    python = commands.pop("bucket")
    assert python[:2] == ["python", "-c"]
    compile(python[2], "bucket", "exec")
    assert len(commands) == 5
    for command in commands.values():
        understand(command)


def test_every_command_of_the_page_is_one_that_its_program_understands() -> None:
    lines = [line for block in blocks_of(PAGE, PROJECT_ROOT) for line in block.text.splitlines()]
    commands = [shlex.split(line.removeprefix(".venv/bin/")) for line in lines if PROGRAM.match(line)]
    assert len(commands) >= 7
    for command in commands:
        understand(command)


def test_services_state_variables_that_something_reads(ours: dict[str, dict[str, Any]]) -> None:
    sources = [file.read_text() for file in (PROJECT_ROOT / "pipelines").rglob("*.py")]
    known = {name for text in sources for name in re.findall(r"\bPAYMENT_SIM_[A-Z_]+\b", text)}
    stated = {name: set(service.get("environment", {})) for name, service in ours.items()}
    assert stated["worker"] == stated["bucket"] == S3_VARIABLES
    assert stated["scheduler"] == {NO_WORKERS}
    assert stated["home"] == stated["daemon"] == stated["webserver"]
    assert S3_VARIABLES | {"DAGSTER_HOME", POSTGRES_VARIABLE} <= stated["daemon"]
    assert {name for name in stated["daemon"] if name.startswith("PAYMENT_SIM_")} <= known
    assert ours["daemon"]["environment"]["DAGSTER_HOME"] == str(
        dagster_home(Path(ours["daemon"]["environment"]["PAYMENT_SIM_DATA"]))
    )


def test_the_pages_lists_of_variables_are_those_that_are_read() -> None:
    plain, composed, certificates = (
        re.findall(r"^(\w+)=", block.text, re.MULTILINE)
        for block in blocks_of(PAGE, PROJECT_ROOT)
        if block.language == "ini"
    )
    asked = set(re.findall(r"\$\{(\w+)", (FOLDER / "compose.yaml").read_text()))
    assert S3_VARIABLES | {"DAGSTER_HOME", POSTGRES_VARIABLE} <= set(plain)
    assert len(composed) == 6
    assert set(composed) - {"COMPOSE_PROFILES"} <= asked
    assert len(certificates) == 4
    assert NO_WORKERS in plain
    with patch.dict(os.environ, dict.fromkeys([*certificates, NO_WORKERS], "read")):
        read = dask.config.collect_env()
    assert dask.config.get("distributed.scheduler.no-workers-timeout", config=read) == "read"
    assert [
        dask.config.get(f"distributed.comm.tls.{key}", config=read) for key in ("ca-file", "client.cert", "client.key")
    ] == ["read"] * 3


def test_secrets_must_be_stated_and_have_no_default() -> None:
    text = (FOLDER / "compose.yaml").read_text()
    secret = re.findall(r"\$\{(\w*(?:PASSWORD|KEY)\w*)(:\?|[^?])", text)
    assert {name for name, _ in secret} == {"POSTGRES_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert {how for _, how in secret} == {":?"}


def test_only_the_webserver_has_a_port_outside_and_that_on_loopback(services: dict[str, dict[str, Any]]) -> None:
    assert {name: service["ports"] for name, service in services.items() if "ports" in service} == {
        "webserver": ["127.0.0.1:3000:3000"]
    }
    assert [name for name, service in services.items() if "network_mode" in service] == []


def test_what_services_rest_on_is_there(services: dict[str, dict[str, Any]]) -> None:
    composed = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    mounted = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])]
    assert len(mounted) >= 5
    assert {source for source in mounted if not source.startswith(".")} == set(composed["volumes"])
    assert [source for source in mounted if source.startswith(".") and not (FOLDER / source).is_dir()] == []
    awaited = {name for service in services.values() for name in service.get("depends_on", {})}
    assert len(awaited) >= 3
    assert awaited <= set(services)


def test_the_image_has_the_extras_and_all_that_is_copied(ours: dict[str, dict[str, Any]]) -> None:
    image = (FOLDER / "Dockerfile").read_text()
    (extras,) = re.findall(r"--editable '\.\[([\w,]+)\]'", image)
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    assert set(extras.split(",")) == {"dask", "s3", "postgres"}
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    copied = re.findall(r"^!(\S+)$", (FOLDER / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    assert len(copied) >= 8
    assert [name for name in copied if not (PROJECT_ROOT / name).exists()] == []
    assert project["readme"] in copied
    for service in ours.values():
        assert service["build"]["dockerfile"] == "docs/deployment/Dockerfile"
        assert (FOLDER / service["build"]["context"]).resolve() == PROJECT_ROOT


@dataclass(frozen=True)
class Server:
    """A PostgreSQL that listens on loopback."""

    port: int

    def url(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql+psycopg2://dagster:{password}@127.0.0.1:{self.port}/{database}"

    def make(self, database: str) -> None:
        engine = sa.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.execute(sa.text(f"create database {database}"))

    def ask(self, database: str, query: str) -> list[Any]:
        with sa.create_engine(self.url(database), poolclass=sa.NullPool).connect() as connection:
            return list(connection.execute(sa.text(query)).scalars())


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of its own, by another user where the tests are root, as which PostgreSQL refuses to run."""
    places = [*os.get_exec_path(), *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))]
    programs = next((Path(place) for place in places if all((Path(place) / name).is_file() for name in PROGRAMS)), None)
    if programs is None:
        pytest.skip("PostgreSQL is not installed: no initdb and pg_ctl (apt-get install postgresql)")
    user = _not_root()
    with tempfile.TemporaryDirectory(prefix="postgres-") as place:
        folder = Path(place)
        (folder / "password").write_text(PASSWORD)
        for path in (folder, folder / "password"):
            shutil.chown(path, *user.values())

        def run(*command: str) -> None:
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, **user, extra_groups=[])

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        initdb, pg_ctl = (str(programs / name) for name in PROGRAMS)
        run(initdb, "-D", "data", "-U", "dagster", "--auth=scram-sha-256", "--pwfile=password", "--no-sync")
        settings = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='' -c fsync=off"
        run(pg_ctl, "-D", "data", "-l", "log", "-w", "-o", settings, "start")
        try:
            yield Server(port)
        finally:
            run(pg_ctl, "-D", "data", "-m", "immediate", "-w", "stop")


def _not_root() -> dict[str, int]:
    """The user and group to start a server as."""
    if os.geteuid() != 0:
        return {"user": os.geteuid(), "group": os.getegid()}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return {"user": found.pw_uid, "group": found.pw_gid}
    pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody to start it as")


@pytest.fixture
def deployed(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A data folder whose Dagster home is prepared with a database of its own, named after the test."""
    database = request.node.name[-60:]
    server.make(database)
    with patch.dict(os.environ, {POSTGRES_VARIABLE: server.url(database)}):
        home_with_runs(tmp_path / "data")
        yield tmp_path / "data"


def launched(instance: dg.DagsterInstance, run_id: str) -> str:
    """A Dagster run of a research run that has ended, and that recorded a day."""
    register_runs(instance, [run_id])
    run = create_run_for_test(instance, job_name="everything", tags=range_tags(run_id, 1))
    instance.report_run_failed(run, "It was ended.")
    return run.run_id


READS = """
import dagster as dg
with dg.DagsterInstance.get() as instance:
    (run,) = instance.get_runs()
    print(run.run_id, run.status.value, instance.has_dynamic_partition("run", "far_away"))
"""


@pytest.mark.slow
def test_what_one_process_records_another_reads_and_no_file_has_the_password(deployed: Path) -> None:
    with dg.DagsterInstance.get() as instance:
        run = launched(instance, "far_away")
    read = subprocess.run([sys.executable, "-c", READS], check=True, capture_output=True, text=True)
    assert read.stdout.split() == [run, "FAILURE", "True"]
    files = [file for file in deployed.rglob("*") if file.is_file()]
    assert dagster_home(deployed) / "dagster.yaml" in files
    assert [file for file in files if ".db" in file.suffixes] == []
    assert [file for file in files if PASSWORD.encode() in file.read_bytes()] == []
    assert PASSWORD not in read.stdout + read.stderr


@pytest.mark.slow
def test_prune_forgets_a_run_in_postgres_and_no_other(deployed: Path, server: Server) -> None:
    with dg.DagsterInstance.get() as instance:
        gone, kept = (launched(instance, run_id) for run_id in ("gone", "kept"))
    assert {"gone", "kept"} <= set(known_runs(deployed))
    prune(deployed, "gone", on_wait=pytest.fail)
    database = str(sa.make_url(os.environ[POSTGRES_VARIABLE]).database)
    assert server.ask(database, "select run_id from runs") == [kept]
    assert set(server.ask(database, "select run_id from event_logs")) == {kept}
    assert set(server.ask(database, "select run_id from run_tags")) == {kept}
    assert gone != kept
    left = server.ask(database, "select partition from dynamic_partitions where partition in ('gone', 'kept')")
    assert left == ["kept"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("database", "password", "said"),
    [("postgres", "Wrong-38-Okapi", "password authentication failed"), ("not_there", PASSWORD, "does not exist")],
)
def test_what_the_server_refuses_is_said_without_the_password(
    server: Server, tmp_path: Path, database: str, password: str, said: str
) -> None:
    stated = {POSTGRES_VARIABLE: server.url(database, password)}
    with patch.dict(os.environ, stated), pytest.raises(InputError) as raised:
        prepare_dagster_home(tmp_path / "data")
    assert f"no database 127.0.0.1:{server.port}/{database} answers (" in str(raised.value)
    assert said in str(raised.value)
    assert password not in str(raised.value)
    assert not (tmp_path / "data").exists()
