"""The command line. What a command needs is imported when it runs, so that each starts as light as it can."""

import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pipelines.fanout import Fanout
    from pipelines.raw_store import RawStore
    from pipelines.run_difference import StoredRun
    from pipelines.run_figures import RunFigures
    from pipelines.runs import Run
    from pipelines.stored_days import StoredDays
    from sim_engine import Problem

FAILED, BAD_INPUT = 1, 2
"""Exit codes: the work failed; the input was refused and nothing was done."""

DIFFERENT = 1
"""Exit code of a comparison that finds a difference."""

_DAYS = click.IntRange(1, 365)
_SEED = click.IntRange(0, 2**63 - 1)
"""The engine's bounds, said again: importing them would import the engine, and `--help` should not wait for it."""

_FILE = click.Path(path_type=Path, readable=False)  # our own messages say more
_COUNTED = click.IntRange(0)
_CYCLES_SHOWN = 20
"""Cycles of each simulation that a person is shown unless told otherwise."""

_DATA_HELP = "Folder of raw tables and states; default: PAYMENT_SIM_DATA in the environment, else ./data."
_STORE_HELP = (
    "Where raw tables and states are, as s3://BUCKET/PREFIX; default: PAYMENT_SIM_STORE in the environment, else the "
    "data folder."
)
_DASK_HELP = (
    "Dask that simulates: local, local:N for N workers, or a scheduler's address; default: PAYMENT_SIM_DASK in the "
    "environment, else threads of this process."
)
_DB_PATH_HELP = "File that --persist wrote, to read in place of the data folder."


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from sim_engine import __version__

        click.echo(f"payment-sim {__version__}")
        context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version of the engine.",
)
def main() -> None:
    """Simulate days of an RTGS payment system with liquidity-saving mechanisms."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that lacks a character shows another, and goes on
            stream.reconfigure(errors="replace")


@main.command()
@click.option("--config", required=True, type=_FILE, metavar="FILE", help="Scenario or run file (YAML).")
@click.option("--days", type=_DAYS, help="Settlement days, in place of what the file says.")
@click.option("--seed", type=_SEED, help="The one seed, in place of what the file says.")
@click.option("--data", type=_FILE, metavar="DIR", help=_DATA_HELP)
@click.option("--store", metavar="URL", help=_STORE_HELP)
@click.option("--dask", metavar="DASK", help=_DASK_HELP)
@click.option("--persist", is_flag=True, help="Also write the tables to one DuckDB file; needs --db-path.")
@click.option("--db-path", type=_FILE, metavar="FILE.duckdb", help="That file: a new one, or one to add to.")
@click.option("--replace", is_flag=True, help="Replace the simulations that the file holds already.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object and nothing else.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors, and the figures if --json asks for them.")
def run(
    config: Path,
    days: int | None,
    seed: int | None,
    data: Path | None,
    store: str | None,
    dask: str | None,
    persist: bool,
    db_path: Path | None,
    replace: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run a scenario or a run file without Dagster.

    Writes the raw tables to the data folder, in place of what was stored under the same run id. Exit code 2 means that
    the input was refused and nothing was written, 1 that something went wrong later.
    """
    with _errors_reported(), _stated(store, dask):
        from pipelines.lock import data_lock
        from pipelines.places import default_data_root
        from pipelines.runs import load_run
        from pipelines.stores import check_reachable, store_of
        from sim_engine import InputError

        data_root = data or default_data_root()
        problems = [*_data_problems(data, data_root), *_persist_problems(data_root, persist, db_path, replace)]
        if problems:
            raise InputError("command line", problems)
        loaded = load_run(config, days=days, seed=seed)
        if db_path:
            from pipelines.duckdb_export import check_target

            check_target(db_path, [member.simulation_id for member in loaded.members], replace=replace)

        raw_store = store_of(data_root)
        check_reachable(raw_store, writing=True)
        with (
            _fanout() as fanout,
            data_lock(data_root, f"runs {loaded.run_id}", on_wait=lambda said: click.echo(said, err=True)),
        ):
            figures = _run_and_store(
                loaded, raw_store, fanout, db_path, replace, lines=not (quiet or as_json), bar=not quiet
            )

    if as_json:
        click.echo(json.dumps(_described(loaded) | figures.as_dict(), indent=2))
    elif not quiet:
        from pipelines.terminal import print_figures, shown_path

        print_figures(loaded, figures)
        click.echo(f"Raw tables: {shown_path(raw_store.raw)} (run_id={loaded.run_id})")
        if db_path:
            click.echo(f"DuckDB file: {shown_path(db_path)}")


@main.command()
@click.argument("file", type=_FILE)
@click.option("--days", type=_DAYS, help="Settlement days, in place of what the file says.")
@click.option("--seed", type=_SEED, help="The one seed, in place of what the file says.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as one JSON object and nothing else.")
def plan(file: Path, days: int | None, seed: int | None, as_json: bool) -> None:
    """Show what a scenario or run FILE would simulate, how many payments, and about what time and space it takes.

    Nothing is written. The estimate comes from simulating a day of a few simulations in a folder that is removed.
    """
    with _errors_reported():
        from pipelines.runs import load_run

        loaded = load_run(file, days=days, seed=seed)
        from pipelines.plan import estimate_of

        estimate = estimate_of(loaded)
    from pipelines.terminal_plan import plan_as_dict, print_plan

    if as_json:
        click.echo(json.dumps(plan_as_dict(loaded, estimate), indent=2, default=str))
    else:
        print_plan(loaded, estimate)


@main.command()
@click.argument("file", type=_FILE)
@click.option("--data", type=_FILE, metavar="DIR", help=_DATA_HELP)
@click.option("--store", metavar="URL", help=_STORE_HELP)
@click.option("--dask", metavar="DASK", help=_DASK_HELP)
def pipeline(file: Path, data: Path | None, store: str | None, dask: str | None) -> None:
    """Materialise everything of a scenario or run FILE through Dagster: raw tables, contracts, marts, report."""
    with _errors_reported(), _stated(store, dask):
        data_root = _usable_data_root(data)
        from pipelines.launch import materialise_everything

        succeeded = materialise_everything(file, data_root)
    if not succeeded:
        sys.exit(FAILED)


@main.command()
@click.argument("run_id", metavar="RUN")
@click.option("--arm", help="The arm to look at in detail; else one with LSM.")
@click.option("--data", type=_FILE, metavar="DIR", help=_DATA_HELP)
@click.option("--store", metavar="URL", help=_STORE_HELP)
@click.option("--out", type=_FILE, metavar="FILE.html", help="Where to; default: reports/ in the data folder.")
def report(run_id: str, arm: str | None, data: Path | None, store: str | None, out: Path | None) -> None:
    """Write the report of a RUN from its marts: one HTML page that needs nothing else, and no network.

    `payment-sim pipeline` builds the marts, and writes the report too.
    """
    with _errors_reported(), _stated(store):
        data_root = _readable_data_root("--data", data)
        from pipelines.warehouse import WarehouseBusy
        from sim_engine import InputError, Problem

        if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
            raise InputError("command line", [Problem("--out", str(out), "name a file in a folder that is there")])
        from pipelines.report.pages import Pages

        try:
            written = Pages(data_root).write(run_id, arm, out)
        except WarehouseBusy as busy:
            click.echo(f"Nothing was written: {busy}", err=True)
            sys.exit(FAILED)
    from pipelines.terminal import shown_path

    click.echo(f"Report: {shown_path(written)}")


@main.command()
@click.option("--port", type=click.IntRange(1, 65_535), default=3000, show_default=True, help="Port on 127.0.0.1.")
@click.option("--data", type=_FILE, metavar="DIR", help=_DATA_HELP)
@click.option("--store", metavar="URL", help=_STORE_HELP)
@click.option("--dask", metavar="DASK", help=_DASK_HELP)
def ui(port: int, data: Path | None, store: str | None, dask: str | None) -> None:
    """Open the Dagster UI on loopback, with the runs and scenarios that can be found as partitions to launch."""
    with _errors_reported(), _stated(store, dask):
        data_root = _usable_data_root(data)
        from pipelines.launch import open_ui

        open_ui(data_root.absolute(), port)


@main.command()
@click.option("--data", type=_FILE, metavar="DIR", help=_DATA_HELP)
def home(data: Path | None) -> None:
    """Prepare the Dagster instance of the data folder, for a daemon and a webserver of their own; print DAGSTER_HOME.

    Registers the runs and scenarios that can be found as partitions. `payment-sim ui` does this by itself.
    """
    with _errors_reported():
        data_root = _usable_data_root(data)
        from pipelines.dagster_home import home_with_runs

        prepared = home_with_runs(data_root)
    click.echo(prepared)


@main.command()
@click.option("--data", type=_FILE, metavar="DIR", help=_DATA_HELP)
@click.option("--store", metavar="URL", help=_STORE_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print a list of JSON objects and nothing else.")
def runs(data: Path | None, store: str | None, as_json: bool) -> None:
    """List the runs that are stored: their days, size, state, and whether the warehouse holds them."""
    with _errors_reported(), _stated(store):
        data_root = _readable_data_root("--data", data)
        from pipelines.run_listing import listed_runs
        from pipelines.warehouse import Warehouse

        raw_store = _readable_store(data_root)
        listed = listed_runs(raw_store, Warehouse(data_root))
    if as_json:
        click.echo(json.dumps([run.as_dict() for run in listed], indent=2))
    elif listed:
        from pipelines.terminal_runs import print_runs

        print_runs(listed)
    else:
        click.echo(f"There are no runs in {raw_store.root}. To make one: payment-sim run --config FILE")


@main.command()
@click.option("--simulation", "simulation_id", required=True, metavar="ID", help="Simulation: RUN.ARM.sSEED.")
@click.option("--tick", required=True, type=_COUNTED, help="Tick, counted from 0 through all its days.")
@click.option("--agent", metavar="AGENT", help="Show one agent, and all that it has queued or is to receive.")
@click.option("--data", type=_FILE, metavar="DIR", help=_DATA_HELP)
@click.option("--store", metavar="URL", help=_STORE_HELP)
@click.option("--db-path", type=_FILE, metavar="FILE.duckdb", help=_DB_PATH_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print the whole state as one JSON object and nothing else.")
def state(
    simulation_id: str,
    tick: int,
    agent: str | None,
    data: Path | None,
    store: str | None,
    db_path: Path | None,
    as_json: bool,
) -> None:
    """Show what a simulation was like at the end of any tick: balances, collateral, both queues in order.

    The state is rebuilt from the stored tables. At the end of a day, nothing has been cancelled yet.
    """
    with _errors_reported(), _stated(store), _stored_days(data, db_path) as stored:
        from pipelines.state_at_tick import state_at_tick

        found = state_at_tick(stored, simulation_id, tick, agent)
    if as_json:
        click.echo(json.dumps(found.as_dict(agent), indent=2))
    else:
        from pipelines.terminal_state import print_state

        print_state(found, agent)


@main.command()
@click.option("--run", "run_id", required=True, metavar="RUN", help="Run whose cycles are shown.")
@click.option("--day", required=True, type=_COUNTED, help="Day, counted from 0 as in the tables.")
@click.option("--simulation", "simulation_id", metavar="ID", help="One simulation of the run; default: all.")
@click.option("--limit", type=_COUNTED, help="Cycles of each simulation; 0: all. Default: 20, with --json all.")
@click.option("--data", type=_FILE, metavar="DIR", help=_DATA_HELP)
@click.option("--store", metavar="URL", help=_STORE_HELP)
@click.option("--db-path", type=_FILE, metavar="FILE.duckdb", help=_DB_PATH_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print a list of JSON objects, one a line, and nothing else.")
def cycles(
    run_id: str,
    day: int,
    simulation_id: str | None,
    limit: int | None,
    data: Path | None,
    store: str | None,
    db_path: Path | None,
    as_json: bool,
) -> None:
    """Show the LSM cycles of a day: what was netted together, between whom, gross and net."""
    if limit is None:
        limit = 0 if as_json else _CYCLES_SHOWN
    with _errors_reported(), _stated(store), _stored_days(data, db_path) as stored:
        from pipelines.day_cycles import as_dicts, day_cycles

        found = day_cycles(stored, run_id, day, simulation_id, limit or None)
    if as_json:
        for place, cycle in enumerate(as_dicts(found)):
            click.echo(f"{',' if place else '['}\n{json.dumps(cycle)}", nl=False)
        click.echo("\n]" if any(one.cycles for one in found) else "[]")
    else:
        from pipelines.terminal_cycles import print_cycles

        print_cycles(found, whole=limit == 0)


@main.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--data", type=_FILE, metavar="DIR", help=_DATA_HELP)
@click.option("--store", metavar="URL", help=_STORE_HELP)
@click.option("--other-data", type=_FILE, metavar="DIR", help="The folder that B is in, if it is another.")
@click.option("--other-store", metavar="URL", help="Where B's tables are, if neither in that folder nor where A's are.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def diff(
    a: str,
    b: str,
    data: Path | None,
    store: str | None,
    other_data: Path | None,
    other_store: str | None,
    as_json: bool,
) -> None:
    """Say where the tables of two runs, A and B, first differ.

    Simulations are matched by arm and seed; what the runs are called is no difference. Exit code 0: every row of every
    table is the same, though what the simulations state of themselves may differ, which is shown; 1: rows, days or
    simulations differ; 2: there is no such run, or it cannot be read.
    """
    with _errors_reported(), _stated(store):
        from pipelines.run_difference import run_difference

        store_a = _readable_store(_readable_data_root("--data", data))
        store_b = store_a
        if other_data or other_store:
            root_b = _readable_data_root("--other-data", other_data)
            store_b = _readable_store(root_b, other_store or "")
        run_a, run_b = _comparable_runs({"A": (a, store_a), "B": (b, store_b)})
        difference = run_difference(run_a, run_b)
    if as_json:
        places = {"a": (a, store_a), "b": (b, store_b)}
        described = {side: {"run_id": name, "data": str(place.root)} for side, (name, place) in places.items()}
        click.echo(json.dumps(described | difference.as_dict(), indent=2))
    else:
        from pipelines.terminal_runs import print_difference

        print_difference(run_a, run_b, difference)
    if not difference.is_same:
        sys.exit(DIFFERENT)


@main.command()
@click.argument("run_id", metavar="RUN")
@click.option("--data", type=_FILE, metavar="DIR", help=_DATA_HELP)
@click.option("--store", metavar="URL", help=_STORE_HELP)
@click.option("--yes", is_flag=True, help="Do not ask.")
def prune(run_id: str, data: Path | None, store: str | None, yes: bool) -> None:
    """Remove one RUN everywhere: raw tables, states, warehouse, Dagster's partition and records, log.

    Shows what would go and asks. Files that ask for the run stay. If it is stopped, the same command completes it.
    """
    with _errors_reported(), _stated(store):
        data_root = _usable_data_root(data).absolute()
        from pipelines.prune import known_runs, remains_of
        from pipelines.prune import prune as prune_run
        from pipelines.run_listing import unknown_run
        from pipelines.stores import check_reachable, store_of
        from pipelines.terminal_runs import print_remains
        from pipelines.warehouse import WarehouseBusy
        from sim_engine import InputError, Problem
        from sim_engine.errors import ABSENT

        check_reachable(store_of(data_root), writing=True)
        known = known_runs(data_root)
        if run_id not in known:
            raise InputError("command line", [unknown_run("RUN", run_id, known, data_root)])
        print_remains(remains_of(data_root, run_id), data_root)
        if not yes and not _can_be_asked():
            raise InputError("command line", [Problem("--yes", ABSENT, "there is no terminal to ask on; add --yes")])
        if not yes:
            click.confirm("Remove all of it?", abort=True)
        try:
            prune_run(data_root, run_id, on_wait=lambda said: click.echo(said, err=True))
        except WarehouseBusy as busy:
            click.echo(f"Nothing was removed: {busy}", err=True)
            sys.exit(FAILED)
        except OSError as error:
            click.echo(f"Stopped: {error}. What is left of the run goes with the same command.", err=True)
            sys.exit(FAILED)
    click.echo(f"Removed run {run_id}.")


def _can_be_asked() -> bool:
    return sys.stdin.isatty()


def _comparable_runs(named: dict[str, tuple[str, "RawStore"]]) -> list["StoredRun"]:
    """The runs of these names, each in its store, by the argument that names it.

    Raises InputError for those that are not there, or have no day that is committed.
    """
    from pipelines.run_difference import StoredRun
    from pipelines.run_listing import unknown_run
    from sim_engine import InputError, Problem

    stored = [StoredRun(store, run_id) for run_id, store in named.values()]
    problems = []
    for key, run in zip(named, stored, strict=True):
        known = run.store.run_ids()
        if run.run_id not in known:
            problems.append(unknown_run(key, run.run_id, known, run.store.root))
        elif not run.store.days_stored(run.run_id):
            problems.append(Problem(key, run.run_id, "no day of this run is committed; run it again"))
    if problems:
        raise InputError("command line", problems)
    return stored


def _readable_data_root(option: str, named: Path | None) -> Path:
    """A data folder to read from; it need not be there."""
    from pipelines.places import DATA_VARIABLE, default_data_root
    from sim_engine import InputError, Problem
    from sim_engine.errors import ABSENT

    root = named or default_data_root()
    if root.exists() and not root.is_dir():
        key = f"{option} {root}" if named else f"{DATA_VARIABLE}={root}"
        raise InputError("command line", [Problem(key, ABSENT, "is a file; name a folder")])
    return root


def _readable_store(data_root: Path, url: str | None = None) -> "RawStore":
    """The store of a data folder, to read from; nothing need be there. url: as of store_of."""
    from pipelines.stores import check_reachable, store_of

    store = store_of(data_root, url)
    check_reachable(store, writing=False)
    return store


def _fanout() -> AbstractContextManager["Fanout"]:
    from pipelines.fanout import fanout_of, stated_dask

    return fanout_of(stated_dask())


@contextmanager
def _stated(store: str | None, dask: str | None = None) -> Iterator[None]:
    """Options that take the place of what the environment says, while the context is open."""
    from pipelines.fanout import DASK_VARIABLE
    from pipelines.stores import STORE_VARIABLE

    stated = {name: value for name, value in ((STORE_VARIABLE, store), (DASK_VARIABLE, dask)) if value is not None}
    before = {name: os.environ.get(name) for name in stated}
    os.environ.update(stated)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _stored_days(data: Path | None, db_path: Path | None) -> Iterator["StoredDays"]:
    """What is stored of runs: in the data folder, which need not be there, or in a file that --persist wrote."""
    from pipelines.stored_days import RawStoreDays
    from sim_engine import InputError, Problem
    from sim_engine.errors import ABSENT

    if db_path is None:
        yield RawStoreDays(_readable_store(_readable_data_root("--data", data)))
        return
    if data is not None:
        remedy = "is not read if --db-path names a file; leave one of the two out"
        raise InputError("command line", [Problem(f"--data {data}", ABSENT, remedy)])
    from pipelines.persisted_days import persisted_days

    with persisted_days(db_path) as persisted:
        yield persisted


def _run_and_store(
    loaded: "Run",
    store: "RawStore",
    fanout: "Fanout",
    db_path: Path | None,
    replace: bool,
    *,
    lines: bool,
    bar: bool,
) -> "RunFigures":
    """Simulates a run, storing day by day; days that an earlier, longer run left behind go when all are stored."""
    from pipelines.run_days import RunStopped, run_and_store_days
    from pipelines.run_figures import RunFigures
    from pipelines.terminal import run_progress
    from sim_engine import InputError

    figures = RunFigures()
    with run_progress(loaded, shown=bar) as progress:
        last_day, on_member = loaded.days - 1, progress.member_day_done
        for stored in run_and_store_days(loaded, store, 0, last_day, fanout=fanout, on_member=on_member):
            progress.day_stored()
            figures.add_day(stored.table("ticks"), stored.table("lsm_cycles"))
            if lines:  # the same words whatever the count, so that a log can be searched for them
                progress.line(f"Persisted {figures.cycles_of_days[-1]} LSM cycles for day {stored.day}")
        store.drop_days_from(loaded.run_id, loaded.days)
        if db_path:
            from pipelines.duckdb_export import export_run, rows_to_export

            try:
                with progress.writing(db_path.name, rows_to_export(loaded, store)) as on_rows:
                    export_run(loaded, store, db_path, replace=replace, on_rows=on_rows)
            except InputError as error:  # the file has changed since it was looked at
                raise RunStopped(error, loaded.days) from error
    return figures


def _described(loaded: "Run") -> dict[str, object]:
    from sim_engine import __version__

    return {
        "run_id": loaded.run_id,
        "simulations": len(loaded.members),
        "days": loaded.days,
        "engine_version": __version__,
        "money_unit": "minor units",
    }


def _usable_data_root(named: Path | None) -> Path:
    from pipelines.places import default_data_root
    from sim_engine import InputError

    root = named or default_data_root()
    problems = list(_data_problems(named, root))
    if problems:
        raise InputError("command line", problems)
    return root


def _data_problems(named: Path | None, root: Path) -> Iterator["Problem"]:
    """Why nothing could be written below the data folder."""
    from pipelines.places import DATA_VARIABLE
    from sim_engine import Problem
    from sim_engine.errors import ABSENT

    key = f"--data {root}" if named else f"{DATA_VARIABLE}={root}"
    nearest = next(path for path in (root.absolute(), *root.absolute().parents) if path.exists())
    if not nearest.is_dir():
        yield Problem(key, ABSENT, f"{nearest} is a file; name a folder")
    elif not os.access(nearest, os.W_OK):
        yield Problem(key, ABSENT, f"the folder {nearest} may not be written to; name another")


def _persist_problems(data_root: Path, persist: bool, db_path: Path | None, replace: bool) -> Iterator["Problem"]:
    """Options of --persist that do not go together."""
    from pipelines.places import warehouse_file
    from sim_engine import Problem
    from sim_engine.errors import ABSENT

    if persist and db_path is None:
        yield Problem("--persist", ABSENT, "needs a file to write to; add --db-path FILE.duckdb")
    if db_path is not None and not persist:
        yield Problem(f"--db-path {db_path}", ABSENT, "is written only with --persist; add --persist, or leave it out")
    if replace and not persist:
        yield Problem("--replace", ABSENT, "goes with --persist; raw tables are always replaced, so leave it out")
    if db_path is not None and db_path.resolve() == warehouse_file(data_root).resolve():
        yield Problem(f"--db-path {db_path}", ABSENT, "is the warehouse, which dbt alone writes; name another file")


@contextmanager
def _errors_reported() -> Iterator[None]:
    """Ends the command with a message, not a traceback, where its input or the machine is at fault."""
    from pipelines.run_days import DayRefused, RunStopped
    from sim_engine import InputError

    try:
        yield
    except InputError as error:
        click.echo(error, err=True)
        sys.exit(BAD_INPUT)
    except RunStopped as stopped:
        click.echo(stopped, err=True)
        sys.exit(FAILED)
    except DayRefused as refused:
        from pipelines.terminal import print_refused

        print_refused(refused)
        sys.exit(FAILED)
    except OSError as error:
        click.echo(f"Stopped: {error}", err=True)
        sys.exit(FAILED)
