"""`--persist`: a run's raw tables in one DuckDB file that a person can open.

Tables, columns and their order are those of the contracts; lists are JSON arrays. The file is never written in place: a
copy beside it is changed and then takes its place, so that a crash leaves the old file or the new one, whole.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from pipelines.contracts import CONTRACTS, Column, columns_of, grain_of, primary_key_of
from pipelines.raw_store import RawStore
from pipelines.runs import Run
from sim_engine import InputError, Problem
from sim_engine.errors import ABSENT

_CONFIG: dict[str, Any] = {
    "storage_compatibility_version": "v1.2.0",  # a person's older DuckDB opens the file
    "default_block_size": 16384,  # a small run gives a small file
    "threads": 1,  # ids follow the order of the rows
}

_CYCLE_ID_SEQUENCE = "lsm_cycles_id_seq"
_INDEXES = {"idx_lsm_sim_day": ("simulation_id", "day"), "idx_lsm_cycle_type": ("cycle_type",)}
"""Indexes of lsm_cycles beside its keys."""


def check_target(file: Path, simulation_ids: Sequence[str], *, replace: bool) -> None:
    """Raises InputError if the simulations cannot be written to the file, or are in it and may not be replaced."""
    remedy = _obstacle(file.resolve(), simulation_ids, replace)
    if remedy:
        raise InputError("command line", [Problem(f"--db-path {file}", ABSENT, remedy)])


def rows_to_export(run: Run, store: RawStore) -> int:
    """How many rows the stored tables of a run have."""
    return sum(store.height(table, run.run_id, day) for table in CONTRACTS for day in range(run.days))


def export_run(
    run: Run,
    store: RawStore,
    file: Path,
    *,
    replace: bool,
    on_rows: Callable[[str, int], None] = lambda table, rows: None,
) -> None:
    """Writes the stored tables of a run to a DuckDB file; what else the file holds stays.

    replace: whether simulations that the file holds already make way. on_rows: called with a table and 0 when its turn
    comes, then with how many more of its rows have been written.
    Raises InputError as check_target does, and OSError if the machine refuses.
    """
    simulation_ids = [member.simulation_id for member in run.members]
    target = file.resolve()
    with _turn_in(target.parent) as folder:
        check_target(file, simulation_ids, replace=replace)
        with _staged_copy(target, afresh=_holds_nothing_else(target, simulation_ids)) as staged:
            _write(staged, run, store, simulation_ids, on_rows)
            os.replace(staged, target)
        os.fsync(folder)


def _obstacle(file: Path, simulation_ids: Sequence[str], replace: bool) -> str:
    """What stands in the way of writing the simulations to a file, and the remedy; empty if nothing does."""
    if not file.parent.is_dir():
        return f"there is no folder {file.parent}; make it, or name a file in another"
    if not os.access(file.parent, os.W_OK):
        return f"the folder {file.parent} may not be written to; name a file in another"
    if file.is_dir():
        return "is a folder; name a file in it"
    if _log_of(file).exists():
        return (
            f"{_log_of(file).name} lies beside it, so another program has it open or left it with changes pending; "
            "close that program, or open and close the file once with DuckDB"
        )
    if not file.exists():
        return ""
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            tables = _tables_in(connection)
            if tables and tables != _tables_wanted():
                odd = [table for table, columns in _tables_wanted().items() if tables.get(table) != columns]
                return f"its tables ({', '.join(odd)}) are not those of this version; name another file"
            if tables and not replace:
                return _already_in(connection, simulation_ids)
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        return f"cannot be opened as a DuckDB file ({reason}); name another, or close the program that has it open"
    return ""


def _holds_nothing_else(file: Path, simulation_ids: Sequence[str]) -> bool:
    """Whether a file holds these simulations and nothing else, so that it can be written afresh: it stays small."""
    if not file.exists():
        return True
    with duckdb.connect(str(file), read_only=True) as connection:
        entries = connection.sql(
            "select table_name from duckdb_tables() union all select view_name from duckdb_views() where not internal"
        ).fetchall()
        if not {name for (name,) in entries} <= set(CONTRACTS):
            return False
        return not entries or set(_simulations_in(connection)) <= set(simulation_ids)


def _simulations_in(connection: duckdb.DuckDBPyConnection) -> list[str]:
    return [name for (name,) in connection.sql("select distinct simulation_id from simulations").fetchall()]


def _already_in(connection: duckdb.DuckDBPyConnection, simulation_ids: Sequence[str]) -> str:
    stored = set(_simulations_in(connection))
    held = [name for name in simulation_ids if name in stored]
    if not held:
        return ""
    others = f" and {len(held) - 1} more of this run" if len(held) > 1 else ""
    return f"holds simulation {held[0]}{others} already; add --replace to replace it, or name another file"


# What tables hold, as DuckDB sees it and as the contracts want it.


def _tables_in(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[str, str]]]:
    """Names and types of the columns, in order, of those of our tables that a file holds."""
    found = connection.sql(
        "select table_name, column_name, data_type from duckdb_columns() "
        "where schema_name = 'main' and not internal order by table_name, column_index"
    ).fetchall()
    tables: dict[str, list[tuple[str, str]]] = {}
    for table, column, dtype in found:
        if table in CONTRACTS:
            tables.setdefault(table, []).append((column, dtype))
    return tables


def _tables_wanted() -> dict[str, list[tuple[str, str]]]:
    wanted = {table: [(column.name, _type(column)) for column in columns_of(table)] for table in CONTRACTS}
    wanted["lsm_cycles"].insert(0, ("id", "BIGINT"))
    return wanted


def _type(column: Column) -> str:
    if isinstance(column.dtype, pl.List):
        return "JSON"
    return {pl.String(): "VARCHAR", pl.Int64(): "BIGINT"}[column.dtype]


# Making and filling tables.


def _create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(f"create sequence {_CYCLE_ID_SEQUENCE}")
    for table in CONTRACTS:
        connection.execute(_ddl(table))
        connection.execute(f"comment on table {table} is {_quoted(grain_of(table))}")
        for column in columns_of(table):
            unit = f" ({column.unit})" if column.unit else ""
            connection.execute(f'comment on column {table}."{column.name}" is {_quoted(column.description + unit)}')
    connection.execute("comment on column lsm_cycles.id is 'Number of the row in this file'")
    for index, columns in _INDEXES.items():
        connection.execute(f"create index {index} on lsm_cycles ({_names(columns)})")


def _ddl(table: str) -> str:
    lines = [f'"{column.name}" {_type(column)}{"" if column.nullable else " not null"}' for column in columns_of(table)]
    key = _names(primary_key_of(table))
    if table == "lsm_cycles":
        lines.insert(0, f"id bigint primary key default nextval('{_CYCLE_ID_SEQUENCE}')")
        lines.append(f"unique ({key})")
    else:
        lines.append(f"primary key ({key})")
    if table != "simulations":
        lines.append("foreign key (simulation_id, day) references simulations (simulation_id, day)")
    return f"create table {table} (\n    " + ",\n    ".join(lines) + "\n)"


def _write(
    staged: Path, run: Run, store: RawStore, simulation_ids: Sequence[str], on_rows: Callable[[str, int], None]
) -> None:
    """Makes the file hold the run's tables in place of what it holds of the simulations."""
    try:
        with duckdb.connect(str(staged), config=_CONFIG) as connection:
            is_new = not _tables_in(connection)
            if not is_new:
                _delete(connection, simulation_ids)
            if is_new:
                _create_tables(connection)
            _insert(connection, run, store, on_rows)
    except duckdb.IOException as error:
        raise OSError(str(error)) from error


def _delete(connection: duckdb.DuckDBPyConnection, simulation_ids: Sequence[str]) -> None:
    """Removes simulations, each table in a transaction of its own: foreign keys are checked against committed rows."""
    connection.register("leaving", pl.DataFrame({"simulation_id": simulation_ids}))
    for table in reversed(CONTRACTS):
        connection.execute(f"delete from {table} where simulation_id in (select simulation_id from leaving)")
    connection.unregister("leaving")


def _insert(
    connection: duckdb.DuckDBPyConnection, run: Run, store: RawStore, on_rows: Callable[[str, int], None]
) -> None:
    """Adds a run, each table in a transaction of its own: committing takes a third of the time, and so is seen to."""
    for table in CONTRACTS:
        on_rows(table, 0)
        connection.begin()
        columns = columns_of(table)
        names = _names([column.name for column in columns])
        values = ", ".join(
            f'to_json("{column.name}")' if _type(column) == "JSON" else f'"{column.name}"' for column in columns
        )
        for day in range(run.days):
            arriving = store.read_table(table, run.run_id, day)
            connection.register("arriving", arriving)
            connection.execute(f"insert into {table} ({names}) select {values} from arriving")
            connection.unregister("arriving")
            on_rows(table, arriving.height)
        connection.commit()


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# Files.


@contextmanager
def _turn_in(folder: Path) -> Iterator[int]:
    """Makes exports into one folder take turns; gives the folder's descriptor. The lock ends with the process."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _staged_copy(target: Path, *, afresh: bool) -> Iterator[Path]:
    """A copy of the target beside it, or the place for a file that begins afresh; nothing stays, whatever happens."""
    staged = target.with_name(f".{target.name}.staged")
    try:
        _remove(staged)
        if not afresh:
            shutil.copyfile(target, staged)
        yield staged
    finally:
        _remove(staged)


def _remove(staged: Path) -> None:
    staged.unlink(missing_ok=True)
    _log_of(staged).unlink(missing_ok=True)
    shutil.rmtree(staged.with_name(f"{staged.name}.tmp"), ignore_errors=True)


def _log_of(file: Path) -> Path:
    """Where DuckDB keeps changes that are not yet in the file."""
    return file.with_name(f"{file.name}.wal")
