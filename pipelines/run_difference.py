"""Where two runs' tables first differ, whatever the runs are called: day by day and table by table.

Simulations are matched by arm and seed, so that the first part of simulation_id and run_id are no difference. What
the table `simulations` says of engine, scenario and configuration is told apart: the other tables are what happened.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import polars as pl

from pipelines.contracts import CONTRACTS, schema_of
from pipelines.raw_store import RawStore
from pipelines.table_difference import RowDifference, TableDifference, table_difference
from sim_engine import InputError, Problem
from sim_engine.errors import ABSENT

STATED = "simulations"
"""The table that says what was simulated; the others say what happened."""

EVENT_TABLES = tuple(table for table in CONTRACTS if table != STATED)

_NAMES = ("simulation_id", "run_id", "day")
"""Columns of `simulations` that say which run and day it is, and nothing else of it."""

ABSENT_TEXT = "(not stated)"


@dataclass(frozen=True)
class StoredRun:
    """A run in a data folder."""

    store: RawStore
    run_id: str


@dataclass(frozen=True)
class Pair:
    """A simulation that both runs have. label: its arm and seed, as A calls them."""

    label: str
    id_a: str
    id_b: str


@dataclass(frozen=True)
class StatedDifference:
    """Something that simulations state of themselves in two ways.

    what: a column of `simulations`, or a path within its config. a, b: both runs' values, ABSENT_TEXT for none; of
    scenario_hash, which differs from seed to seed, those of the first simulation. simulations: how many of those
    compared differ in this way.
    """

    what: str
    a: Any
    b: Any
    simulations: int


@dataclass(frozen=True)
class RunDifference:
    """What differs between two runs.

    pairs: the simulations compared, in A's order. days: those compared, ascending. only_in_a, only_in_b: labels of
    simulations, and days, that the other run has not. stated: by column and path. tables: those that differ, in the
    order of the contracts. first: the first difference in time, if any row differs.
    """

    pairs: tuple[Pair, ...]
    simulations_only_in_a: tuple[str, ...]
    simulations_only_in_b: tuple[str, ...]
    days: tuple[int, ...]
    days_only_in_a: tuple[int, ...]
    days_only_in_b: tuple[int, ...]
    stated: tuple[StatedDifference, ...]
    tables: tuple[TableDifference, ...]

    @property
    def is_same(self) -> bool:
        """Whether both runs have the same simulations and days, and every row of what happened is the same."""
        only = (self.simulations_only_in_a, self.simulations_only_in_b, self.days_only_in_a, self.days_only_in_b)
        return not self.tables and not any(only)

    @property
    def first(self) -> RowDifference | None:
        """The first difference in time; of several at one moment, that of the first table."""
        rows = [table.earliest for table in self.tables if table.earliest]
        return min(rows, key=lambda row: row.moment, default=None)

    def as_dict(self) -> dict[str, Any]:
        """The same in plain values; simulations by their labels."""
        tables = [
            {key: value for key, value in asdict(table).items() if key != "earliest"}
            | {"first": self._row_as_dict(table.first)}
            for table in self.tables
        ]
        return {
            "same": self.is_same,
            "simulations": {
                "compared": [pair.label for pair in self.pairs],
                "only_in_a": self.simulations_only_in_a,
                "only_in_b": self.simulations_only_in_b,
            },
            "days": {"compared": self.days, "only_in_a": self.days_only_in_a, "only_in_b": self.days_only_in_b},
            "stated": [asdict(difference) for difference in self.stated],
            "tables": tables,
            "first": self._row_as_dict(self.first),
        }

    def _row_as_dict(self, row: RowDifference | None) -> dict[str, Any] | None:
        return asdict(row) | {"simulation": self.pairs[row.simulation].label} if row else None


def run_difference(a: StoredRun, b: StoredRun) -> RunDifference:
    """What differs between two runs, both of which have a committed day; one table of one day is read at a time.

    Raises InputError if a committed day lacks a table or a table cannot be read.
    """
    days_a, days_b = a.store.days_stored(a.run_id), b.store.days_stored(b.run_id)
    assert days_a and days_b
    labels_a, labels_b = _labels(a, days_a[0]), _labels(b, days_b[0])
    pairs = _paired(labels_a, labels_b)
    paired_a, paired_b = {pair.id_a for pair in pairs}, {pair.id_b for pair in pairs}
    days = sorted({*days_a} & {*days_b}) if pairs else []
    return RunDifference(
        pairs=pairs,
        simulations_only_in_a=tuple(label for name, label in labels_a.items() if name not in paired_a),
        simulations_only_in_b=tuple(label for name, label in labels_b.items() if name not in paired_b),
        days=tuple(days),
        days_only_in_a=tuple(sorted({*days_a} - {*days_b})),
        days_only_in_b=tuple(sorted({*days_b} - {*days_a})),
        stated=_stated_differences(a, b, pairs, days[0]) if days else (),
        tables=tuple(_table_differences(a, b, pairs, days)),
    )


def _labels(run: StoredRun, day: int) -> dict[str, str]:
    """Arm and seed by simulation_id."""
    rows = _read(run, STATED, day).select("simulation_id", "arm", "rng_seed").iter_rows()
    return {name: f"{arm}.s{seed}" for name, arm, seed in rows}


def _paired(labels_a: dict[str, str], labels_b: dict[str, str]) -> tuple[Pair, ...]:
    """Simulations of the same arm and seed; if none has its like and each run has but one, these two."""
    ids_b = {label: name for name, label in labels_b.items()}
    pairs = [Pair(label, name, ids_b[label]) for name, label in labels_a.items() if label in ids_b]
    if not pairs and len(labels_a) == len(labels_b) == 1:
        ((name, label),) = labels_a.items()
        pairs = [Pair(label, name, next(iter(labels_b)))]
    return tuple(pairs)


def _table_differences(
    a: StoredRun, b: StoredRun, pairs: tuple[Pair, ...], days: list[int]
) -> Iterator[TableDifference]:
    """Each table that differs, on the first day on which it does."""
    found: dict[str, TableDifference] = {}
    for day in days:
        for table in EVENT_TABLES:
            if table in found or _same_files(a, b, table, day):
                continue
            rows_a = _placed(_read(a, table, day), [pair.id_a for pair in pairs])
            rows_b = _placed(_read(b, table, day), [pair.id_b for pair in pairs])
            if difference := table_difference(table, day, rows_a, rows_b):
                found[table] = difference
    return (found[table] for table in EVENT_TABLES if table in found)


def _same_files(a: StoredRun, b: StoredRun, table: str, day: int) -> bool:
    """Whether two tables are the same byte for byte: then their runs and simulations bear the same names as well."""
    parts_a, parts_b = (run.store.parts(table, run.run_id, day) for run in (a, b))
    if len(parts_a) != len(parts_b):
        return False
    try:
        for one, other in zip(parts_a, parts_b, strict=True):
            if a.store.files.read([one]) != b.store.files.read([other]):
                return False
        return True
    except OSError:  # whoever reads them says what is wrong
        return False


def _read(run: StoredRun, table: str, day: int) -> pl.DataFrame:
    """A table of a committed day; without rows if the version that stored the run did not have the table."""
    part = run.store.part(table, run.run_id, day)
    if not run.store.has_table(table, run.run_id):
        return pl.DataFrame(schema=schema_of(table))
    try:
        return run.store.read_table(table, run.run_id, day)
    except (OSError, pl.exceptions.PolarsError) as error:
        remedy = f"cannot be read, though day {day} is committed ({error}); store run {run.run_id} again from day 0"
        raise InputError(part, [Problem("", ABSENT, remedy)]) from error


def _placed(rows: pl.DataFrame, simulation_ids: list[str]) -> pl.DataFrame:
    """The rows of these simulations, in their order, known by their place in it."""
    places = {name: place for place, name in enumerate(simulation_ids)}
    place = pl.col("simulation_id").replace_strict(places, default=None, return_dtype=pl.Int64)
    return rows.with_columns(place).drop_nulls("simulation_id").sort("simulation_id", maintain_order=True)


def _stated_differences(a: StoredRun, b: StoredRun, pairs: tuple[Pair, ...], day: int) -> tuple[StatedDifference, ...]:
    """What matched simulations state in two ways, in the order of columns and of the config's paths."""
    stated_a = {row["simulation_id"]: row for row in _read(a, STATED, day).iter_rows(named=True)}
    stated_b = {row["simulation_id"]: row for row in _read(b, STATED, day).iter_rows(named=True)}
    found: dict[str, StatedDifference] = {}
    for pair in pairs:
        for what, one, other in _stated_in_two_ways(stated_a[pair.id_a], stated_b[pair.id_b]):
            known = what if what == "scenario_hash" else json.dumps([what, one, other])
            first = found.get(known, StatedDifference(what, one, other, 0))
            found[known] = replace(first, simulations=first.simulations + 1)
    return tuple(found.values())


def _stated_in_two_ways(a: dict[str, Any], b: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for column in [*a, *(column for column in b if column not in a)]:
        one, other = a.get(column, ABSENT_TEXT), b.get(column, ABSENT_TEXT)
        if column in _NAMES or one == other:
            continue
        if column == "config" and ABSENT_TEXT not in (one, other):
            yield from _paths_in_two_ways("config", json.loads(one), json.loads(other))
        else:
            yield column, one, other


def _paths_in_two_ways(path: str, a: Any, b: Any) -> Iterator[tuple[str, Any, Any]]:
    """The innermost places of two JSON values that differ; lists of different lengths are one place."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in [*a, *(key for key in b if key not in a)]:
            yield from _paths_in_two_ways(f"{path}.{key}", a.get(key, ABSENT_TEXT), b.get(key, ABSENT_TEXT))
    elif isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            yield path, f"{len(a):,} entries", f"{len(b):,} entries"
            return
        for place, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from _paths_in_two_ways(f"{path}[{place}]", one, other)
    elif a != b:
        yield path, a, b
