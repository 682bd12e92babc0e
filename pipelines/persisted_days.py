"""What is stored of runs in the DuckDB file that `--persist` writes, read day by day."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from pipelines.contracts import schema_of
from pipelines.stored_days import StoredDays, StoredSimulation, other_version
from sim_engine import InputError, Problem
from sim_engine.errors import ABSENT


class PersistedDays(StoredDays):
    """The tables of an open `--persist` file. place: that file."""

    def __init__(self, file: Path, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__(file)
        self._connection = connection

    def run_ids(self) -> list[str]:  # noqa: D102
        return self._queried("select distinct run_id from simulations order by run_id")["run_id"].to_list()

    def simulations(self, run_id: str) -> list[StoredSimulation]:  # noqa: D102
        rows = self._queried(
            """
            select
                simulation_id, run_id, any_value(scenario) as scenario, any_value(ticks_per_day) as ticks_per_day,
                any_value(num_days) as num_days, any_value(engine_version) as engine_version,
                list(day order by day) as days
            from simulations
            where run_id = ?
            group by simulation_id, run_id
            order by min(rowid)
            """,
            run_id,
        )
        return [StoredSimulation(**row | {"days": tuple(row["days"])}) for row in rows.iter_rows(named=True)]

    def read(  # noqa: D102
        self, table: str, run_id: str, day: int, simulation_ids: Sequence[str], columns: Sequence[str]
    ) -> pl.DataFrame:
        types = {column: schema_of(table)[column] for column in columns}
        names = ", ".join(
            _as_text(name) if isinstance(dtype, pl.List) else f'"{name}"' for name, dtype in types.items()
        )
        places = ", ".join("?" * len(simulation_ids))
        rows = self._queried(
            f"select {names} from {table} where day = ? and simulation_id in ({places})", day, *simulation_ids
        )
        lists = {name: dtype for name, dtype in types.items() if isinstance(dtype, pl.List)}
        try:
            rows = rows.with_columns(pl.col(name).str.json_decode(dtype) for name, dtype in lists.items())
        except pl.exceptions.PolarsError as error:
            what = f"table {table} has no JSON arrays in {', '.join(lists)}"
            raise InputError(self.place, [other_version(what, run_id)]) from error
        if odd := [name for name, dtype in types.items() if rows.schema[name] != dtype]:
            raise InputError(self.place, [other_version(f"table {table} has no such column {', '.join(odd)}", run_id)])
        return rows

    def _queried(self, sql: str, *values: Any) -> pl.DataFrame:
        try:
            rows: pl.DataFrame = self._connection.sql(sql, params=values).pl()
            return rows
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            remedy = (
                f"its tables are not those that --persist writes in this version ({_reason(error)}); name another, "
                "or write it again: payment-sim run --config FILE --persist --db-path FILE.duckdb"
            )
            raise InputError(self.place, [Problem("", ABSENT, remedy)]) from error
        except duckdb.Error as error:
            remedy = f"cannot be read ({_reason(error)}); write it again"
            raise InputError(self.place, [Problem("", ABSENT, remedy)]) from error


@contextmanager
def persisted_days(file: Path) -> Iterator[PersistedDays]:
    """Opens a `--persist` file to read it, as it is at this moment. Raises InputError if it is no such file."""
    key = f"--db-path {file}"
    if not file.exists():
        remedy = f"there is no such file; to write it: payment-sim run --config FILE --persist --db-path {file}"
        raise InputError("command line", [Problem(key, ABSENT, remedy)])
    if file.is_dir():
        raise InputError("command line", [Problem(key, ABSENT, "is a folder; name a file in it")])
    try:
        connection = duckdb.connect(str(file), read_only=True)
    except duckdb.Error as error:
        remedy = (
            f"cannot be opened as a DuckDB file ({_reason(error)}); name another, or close the program that has it open"
        )
        raise InputError("command line", [Problem(key, ABSENT, remedy)]) from error
    with connection:
        yield PersistedDays(file, connection)


def _as_text(column: str) -> str:
    """A column of JSON, which no other library knows as a type, by its text."""
    return f'cast("{column}" as varchar) as "{column}"'


def _reason(error: duckdb.Error) -> str:
    return str(error).splitlines()[0]
