"""`--persist`: the DuckDB file says what the raw tables say, holds together, and survives a crash whole."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from pipelines import duckdb_export
from pipelines.contracts import CONTRACTS, columns_of, grain_of, primary_key_of
from pipelines.duckdb_export import check_target, export_run, rows_to_export
from pipelines.places import PROJECT_ROOT
from pipelines.raw_store import RawStore
from pipelines.run_days import run_and_store_days
from pipelines.runs import Run, load_run
from sim_engine import InputError

RING = PROJECT_ROOT / "scenarios" / "three_bank_ring.yaml"


@pytest.fixture
def store(tmp_path: Path) -> RawStore:
    return RawStore(tmp_path / "data")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder / "ring.duckdb"


def stored(store: RawStore, **overrides: int) -> Run:
    """The ring, simulated and stored."""
    run = load_run(RING, **overrides)
    list(run_and_store_days(run, store, 0, run.days - 1))
    return run


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    store = RawStore(folder / "data")
    export_run(stored(store), store, folder / "ring.duckdb", replace=False)
    return folder / "ring.duckdb"


@pytest.fixture
def ring(exported: Path, file: Path) -> Path:
    """A file that holds the ring with its own seed, 42."""
    shutil.copyfile(exported, file)
    return file


def query(file: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.sql(sql).fetchall()


def test_the_ring_is_one_multilateral_cycle_in_ring_order(ring: Path) -> None:
    cycles = query(
        ring,
        "select id, simulation_id, day, cycle_type, cycle_length, total_value, settled_value, "
        "agents, transactions, amounts, net_positions from lsm_cycles",
    )
    assert len(cycles) == 1
    *figures, agents, transactions, amounts, net_positions = cycles[0]
    assert figures == [1, "three_bank_ring.base.s42", 0, "multilateral", 3, 150_000, 0]
    assert json.loads(agents) == ["BANK_A", "BANK_B", "BANK_C"]
    assert json.loads(transactions) == ["T1", "T2", "T3"]
    assert json.loads(amounts) == [50_000, 50_000, 50_000]
    assert json.loads(net_positions) == [0, 0, 0]


def test_lists_are_json_that_sql_takes_apart(ring: Path) -> None:
    taken = query(ring, "select typeof(agents), agents->>'$[2]', json_array_length(transactions) from lsm_cycles")
    assert taken == [("JSON", "BANK_C", 3)]


def test_lsm_cycles_has_its_key_its_foreign_key_and_its_indexes(ring: Path) -> None:
    constraints = query(
        ring,
        "select constraint_type, constraint_column_names, referenced_table, referenced_column_names "
        "from duckdb_constraints() where table_name = 'lsm_cycles' and constraint_type <> 'NOT NULL' order by all",
    )
    assert constraints == [
        ("FOREIGN KEY", ["simulation_id", "day"], "simulations", ["simulation_id", "day"]),
        ("PRIMARY KEY", ["id"], None, []),
        ("UNIQUE", ["simulation_id", "day", "cycle_seq"], None, []),
    ]
    indexes = query(ring, "select index_name, table_name, expressions from duckdb_indexes() order by all")
    assert indexes == [
        ("idx_lsm_cycle_type", "lsm_cycles", "[cycle_type]"),
        ("idx_lsm_sim_day", "lsm_cycles", "[simulation_id, '\"day\"']"),
    ]
    default = query(ring, "select column_default from duckdb_columns() where column_name = 'id'")
    assert default == [("nextval('lsm_cycles_id_seq')",)]


def test_a_cycle_of_no_simulation_is_refused_by_the_file(ring: Path) -> None:
    with duckdb.connect(str(ring)) as connection, pytest.raises(duckdb.ConstraintException, match="foreign key"):
        connection.execute("update lsm_cycles set simulation_id = 'nobody'")


@pytest.mark.parametrize("table", CONTRACTS)
def test_a_table_has_the_columns_of_its_contract_in_order_with_key_and_comments(table: str, ring: Path) -> None:
    found = query(
        ring,
        "select column_name, data_type, is_nullable, comment from duckdb_columns() "
        f"where table_name = '{table}' and column_name <> 'id' order by column_index",
    )
    types = {pl.String(): "VARCHAR", pl.Int64(): "BIGINT"}
    assert found == [
        (
            column.name,
            types.get(column.dtype, "JSON"),
            column.nullable,
            column.description + (f" ({column.unit})" if column.unit else ""),
        )
        for column in columns_of(table)
    ]
    assert query(ring, f"select comment from duckdb_tables() where table_name = '{table}'") == [(grain_of(table),)]
    keys = query(
        ring,
        f"select constraint_column_names from duckdb_constraints() where table_name = '{table}' "
        "and constraint_type in ('PRIMARY KEY', 'UNIQUE')",
    )
    assert (primary_key_of(table),) in keys


def test_every_table_has_the_rows_of_the_raw_table_in_order(store: RawStore, file: Path, tmp_path: Path) -> None:
    run = load_run(PROJECT_ROOT / "scenarios" / "carried_over_night.yaml")
    list(run_and_store_days(run, store, 0, run.days - 1))
    assert run.days > 1
    export_run(run, store, file, replace=False)
    heights = {}
    for table in CONTRACTS:
        raw = pl.concat([store.read_table(table, run.run_id, day) for day in range(run.days)])
        lists = [column.name for column in columns_of(table) if isinstance(column.dtype, pl.List)]
        names = ", ".join(f'"{name}"' for name in raw.columns)
        rows = [dict(zip(raw.columns, row, strict=True)) for row in query(file, f"select {names} from {table}")]
        parsed = [row | {name: json.loads(row[name]) for name in lists} for row in rows]
        assert parsed == raw.to_dicts()
        heights[table] = len(rows)
    assert heights["arrivals"] > 0
    assert heights["simulations"] == run.days


def test_an_older_duckdb_can_open_the_file(ring: Path) -> None:
    tags = query(ring, "select tags from duckdb_databases() where database_name = 'ring'")
    assert tags == [({"storage_version": "v1.2.0+"},)]


def test_a_second_simulation_is_added_and_ids_go_on(store: RawStore, ring: Path) -> None:
    export_run(stored(store, seed=43, days=2), store, ring, replace=False)
    assert query(ring, "select id, simulation_id from lsm_cycles order by id") == [
        (1, "three_bank_ring.base.s42"),
        (2, "three_bank_ring.base.s43"),
    ]
    assert query(ring, "select simulation_id, day from simulations order by all") == [
        ("three_bank_ring.base.s42", 0),
        ("three_bank_ring.base.s43", 0),
        ("three_bank_ring.base.s43", 1),
    ]


def test_a_simulation_that_the_file_holds_is_refused(store: RawStore, ring: Path) -> None:
    before = ring.read_bytes()
    with pytest.raises(InputError) as caught:
        export_run(stored(store), store, ring, replace=False)
    assert str(caught.value) == (
        "command line: 1 problem\n"
        f"  --db-path {ring}: holds simulation three_bank_ring.base.s42 already; "
        "add --replace to replace it, or name another file"
    )
    assert ring.read_bytes() == before


def test_replacing_leaves_the_other_simulations_and_their_ids_alone(store: RawStore, ring: Path) -> None:
    export_run(stored(store, seed=43), store, ring, replace=False)
    others = {table: query(ring, f"from {table} where simulation_id like '%.s43' order by all") for table in CONTRACTS}
    assert len(others["settlements"]) == 3
    export_run(stored(store, days=2), store, ring, replace=True)
    for table, rows in others.items():
        assert query(ring, f"from {table} where simulation_id like '%.s43' order by all") == rows
    assert query(ring, "select id, simulation_id from lsm_cycles order by id") == [
        (2, "three_bank_ring.base.s43"),
        (3, "three_bank_ring.base.s42"),
    ]
    assert query(ring, "select count(*) from simulations where simulation_id like '%.s42'") == [(2,)]


def test_replacing_by_a_shorter_run_leaves_no_day_behind(store: RawStore, file: Path) -> None:
    export_run(stored(store, days=3), store, file, replace=False)
    assert query(file, "select count(*) from agents") == [(9,)]
    export_run(stored(store, days=1), store, file, replace=True)
    assert query(file, "select count(*) from agents") == [(3,)]


def test_a_persons_own_tables_in_the_file_stay(store: RawStore, ring: Path) -> None:
    with duckdb.connect(str(ring)) as connection:
        connection.execute("create table notes as select 'mine' as note")
    export_run(stored(store), store, ring, replace=True)
    assert query(ring, "from notes") == [("mine",)]


def test_the_same_run_gives_the_same_rows_and_ids(store: RawStore, file: Path) -> None:
    run = stored(store, days=2)
    contents = []
    for name in ("one.duckdb", "two.duckdb"):
        export_run(run, store, file.with_name(name), replace=False)
        contents.append({table: query(file.with_name(name), f"from {table}") for table in CONTRACTS})
    assert len(contents[0]["lsm_cycles"]) == 1
    assert contents[0] == contents[1]


def test_a_link_to_a_file_stays_a_link(store: RawStore, ring: Path) -> None:
    link = ring.with_name("link.duckdb")
    link.symlink_to(ring)
    export_run(stored(store, seed=43), store, link, replace=False)
    assert link.is_symlink()
    assert query(ring, "select count(*) from lsm_cycles") == [(2,)]


def make_folder(file: Path) -> str:
    file.mkdir()
    return "is a folder; name a file in it"


def make_text(file: Path) -> str:
    file.write_text("transaction,amount\n" * 500)
    return (
        f'cannot be opened as a DuckDB file (IO Error: The file "{file}" exists, but it is not a valid DuckDB database '
        "file!); name another, or close the program that has it open"
    )


def leave_log(file: Path) -> str:
    duckdb.connect(str(file)).close()
    file.with_name("ring.duckdb.wal").write_bytes(b"pending")
    return (
        "ring.duckdb.wal lies beside it, so another program has it open or left it with changes pending; close that "
        "program, or open and close the file once with DuckDB"
    )


def make_other_tables(file: Path) -> str:
    with duckdb.connect(str(file)) as connection:
        connection.execute("create table agents (name varchar)")
    tables = ", ".join(CONTRACTS)
    return f"its tables ({tables}) are not those of this version; name another file"


def remove_folder(file: Path) -> str:
    file.parent.rmdir()
    return f"there is no folder {file.parent}; make it, or name a file in another"


@pytest.mark.parametrize("obstruct", [make_folder, make_text, leave_log, make_other_tables, remove_folder])
def test_a_target_that_cannot_be_written_is_refused(obstruct: Callable[[Path], str], file: Path) -> None:
    remedy = obstruct(file)
    with pytest.raises(InputError) as caught:
        check_target(file, ["any"], replace=True)
    assert str(caught.value) == f"command line: 1 problem\n  --db-path {file}: {remedy}"


def test_a_folder_that_may_not_be_written_to_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != file.parent)
    with pytest.raises(InputError) as caught:
        check_target(file, ["any"], replace=False)
    assert str(caught.value) == (
        "command line: 1 problem\n"
        f"  --db-path {file}: the folder {file.parent} may not be written to; name a file in another"
    )


def test_a_file_that_is_open_elsewhere_is_refused(ring: Path) -> None:
    with duckdb.connect(str(ring)), pytest.raises(InputError, match="close the program that has it open"):
        check_target(ring, ["any"], replace=True)


class Crash(BaseException):
    """The process dies here."""


CRASH_POINTS = [
    (shutil, "copyfile"),
    (duckdb_export, "_delete"),
    (duckdb_export, "_insert"),
    (os, "replace"),
]


@pytest.mark.parametrize(("place", "name"), CRASH_POINTS, ids=[name for _, name in CRASH_POINTS])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_leaves_the_old_file_or_the_new_and_nothing_beside_it(
    place: Any, name: str, when: str, store: RawStore, ring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_run(stored(store, seed=7), store, ring, replace=False)
    run = stored(store, days=2)
    step = getattr(place, name)

    def crash(*args: Any, **kwargs: Any) -> None:
        if when == "after":
            step(*args, **kwargs)
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(place, name, crash)
        with pytest.raises(Crash):
            export_run(run, store, ring, replace=True)
    assert os.listdir(ring.parent) == [ring.name]
    is_new = (name, when) == ("replace", "after")
    assert query(ring, "select count(*) from simulations") == [(3 if is_new else 2,)]
    assert query(ring, "select count(*) from lsm_cycles") == [(2,)]


def test_whoever_watches_is_told_of_every_table_and_row_in_order(store: RawStore, file: Path) -> None:
    run = stored(store, days=2)
    told: list[tuple[str, int]] = []
    export_run(run, store, file, replace=False, on_rows=lambda table, rows: told.append((table, rows)))
    assert [table for table, _ in told] == [table for table in CONTRACTS for _ in range(3)]
    assert [rows for _, rows in told[::3]] == [0] * len(CONTRACTS)
    written = [query(file, f"select count(*) from {table}")[0][0] for table in CONTRACTS]
    assert [first + second for (_, first), (_, second) in zip(told[1::3], told[2::3], strict=True)] == written
    assert sum(written) == rows_to_export(run, store)


def test_what_holds_nothing_else_is_written_afresh_and_stays_small(store: RawStore, ring: Path) -> None:
    run, size = stored(store), ring.stat().st_size
    for _ in range(3):
        export_run(run, store, ring, replace=True)
    assert query(ring, "select id from lsm_cycles") == [(1,)]
    assert ring.stat().st_size <= size


@pytest.mark.parametrize("name", ["_create_tables", "_insert"])
def test_a_crash_before_there_was_a_file_leaves_none(
    name: str, store: RawStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any) -> None:
        raise Crash

    monkeypatch.setattr(duckdb_export, name, crash)
    with pytest.raises(Crash):
        export_run(stored(store), store, file, replace=False)
    assert os.listdir(file.parent) == []


def test_what_a_killed_process_left_behind_is_cleared_away(store: RawStore, ring: Path) -> None:
    ring.with_name(".ring.duckdb.staged").write_bytes(b"torn")
    ring.with_name(".ring.duckdb.staged.wal").write_bytes(b"torn")
    export_run(stored(store, seed=43), store, ring, replace=False)
    assert os.listdir(ring.parent) == [ring.name]
    assert query(ring, "select count(*) from lsm_cycles") == [(2,)]


def test_a_full_disk_is_an_error_of_the_machine(store: RawStore, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*_: Any) -> None:
        raise duckdb.IOException("No space left on device")

    monkeypatch.setattr(duckdb_export, "_insert", fill)
    with pytest.raises(OSError, match="No space left on device"):
        export_run(stored(store), store, file, replace=False)
    assert os.listdir(file.parent) == []
