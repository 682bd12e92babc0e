"""`payment-sim diff`: where two runs' tables first differ, whatever they are called and wherever they are."""

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.contracts import CONTRACTS, primary_key_of, schema_of
from pipelines.places import DATA_VARIABLE
from pipelines.raw_store import RawStore
from pipelines.run_difference import EVENT_TABLES, RunDifference, StoredRun, run_difference
from pipelines.table_difference import OPENING_TABLES, table_difference
from sim_engine import InputError
from tests.helpers.stored_runs import SWAP, TWO_ARMS, store_swap, store_two_arms, tamper

Changed = dict[str, tuple[int, int, int, int]]

BILATERAL_ON_IN_LSM_OFF = TWO_ARMS.replace("lsm: {{bilateral: false, ring", "lsm: {{ring")


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RawStore:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    return RawStore(tmp_path / "data")


@pytest.fixture
def swap_twice(store: RawStore, tmp_path: Path) -> tuple[RawStore, RawStore]:
    """The swap, and a copy of it in another data folder."""
    store_swap(store, tmp_path)
    shutil.copytree(store.root, tmp_path / "other")
    return store, RawStore(tmp_path / "other")


def between(a: RawStore, b: RawStore, run_a: str = "swap", run_b: str = "swap") -> RunDifference:
    return run_difference(StoredRun(a, run_a), StoredRun(b, run_b))


def changed(difference: RunDifference) -> Changed:
    """Day, and rows only in A, only in B and changed, by table."""
    return {found.table: (found.day, found.only_in_a, found.only_in_b, found.changed) for found in difference.tables}


def diff(*arguments: object) -> Result:
    result = CliRunner().invoke(main, ["diff", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


# What is no difference


def test_a_runs_name_is_no_difference(store: RawStore, tmp_path: Path) -> None:
    store_two_arms(store, tmp_path, "one")
    store_two_arms(store, tmp_path, "other")
    difference = between(store, store, "one", "other")
    assert difference.is_same
    assert (len(difference.pairs), difference.days, difference.stated) == (4, (0, 1, 2), ())


def test_the_order_of_arms_is_no_difference(store: RawStore, tmp_path: Path) -> None:
    store_two_arms(store, tmp_path, "one")
    turned = TWO_ARMS.replace("  lsm_on: {{}}\n", "") + "  lsm_on: {{}}\n"
    store_two_arms(store, tmp_path, "turned", text=turned)
    first_of = {run_id: store.read_table("simulations", run_id, 0)["arm"][0] for run_id in ("one", "turned")}
    assert first_of == {"one": "lsm_on", "turned": "lsm_off"}
    assert between(store, store, "one", "turned").is_same


def test_the_way_a_table_was_written_is_no_difference(swap_twice: tuple[RawStore, RawStore]) -> None:
    a, b = swap_twice
    for table in CONTRACTS:
        part = b.part(table, "swap", 0)
        pl.read_parquet(part, hive_partitioning=False).write_parquet(part, compression="uncompressed")
    parts = [(a.part(table, "swap", 0), b.part(table, "swap", 0)) for table in CONTRACTS]
    assert sum(one.read_bytes() != other.read_bytes() for one, other in parts) > len(CONTRACTS) / 2
    assert between(a, b).is_same


# What is stated


def test_what_simulations_state_is_told_by_path_and_is_no_difference_of_what_happened(
    store: RawStore, tmp_path: Path
) -> None:
    """A bound of the LSM that is never reached changes nothing but what is stated."""
    store_two_arms(store, tmp_path, "one")
    store_two_arms(
        store, tmp_path, "other", text=TWO_ARMS.replace("lsm_on: {{}}", "lsm_on: {{set: {{lsm: {{max_passes: 9}}}}}}")
    )
    tamper(store, "simulations", "other", 0, lambda rows: rows.with_columns(engine_version=pl.lit("0.0.1")))
    hashes = [
        store.read_table("simulations", run_id, 0).filter(arm="lsm_on", rng_seed=1)["scenario_hash"].item()
        for run_id in ("one", "other")
    ]
    difference = between(store, store, "one", "other")
    version = store.read_table("simulations", "one", 0)["engine_version"][0]
    assert [(stated.what, stated.a, stated.b, stated.simulations) for stated in difference.stated] == [
        ("scenario_hash", *hashes, 2),
        ("engine_version", version, "0.0.1", 4),
        ("config.lsm.max_passes", 10, 9, 2),
    ]
    assert difference.is_same
    result = diff("one", "other")
    assert result.exit_code == 0
    assert "  config.lsm.max_passes: 10 | 9  (2 simulations)" in result.stdout.splitlines()


def test_lists_in_what_is_stated_are_compared_entry_by_entry_or_by_their_length(
    store: RawStore, tmp_path: Path
) -> None:
    store_swap(store, tmp_path, days=1)
    fewer = SWAP.replace("  - {id: T3, sender: B, receiver: A, amount: 7, tick: 4}\n", "")
    store_swap(
        store,
        tmp_path,
        "other",
        days=1,
        text=fewer.replace("{id: B, opening_balance: 0}", "{id: B, opening_balance: 3}"),
    )
    stated = {found.what: (found.a, found.b) for found in between(store, store, "swap", "other").stated}
    assert {what: values for what, values in stated.items() if what != "scenario_hash"} == {
        "scenario": ("swap", "other"),
        "config.agents[1].opening_balance": (0, 3),
        "config.arrivals": ("3 entries", "2 entries"),
        "config.name": ("swap", "other"),
    }


# Which simulations and days


def test_simulations_that_one_run_has_are_named_and_the_others_compared(store: RawStore, tmp_path: Path) -> None:
    store_two_arms(store, tmp_path, "one")
    other = TWO_ARMS.replace("[1, 2]", "[2, 3]")
    store_two_arms(store, tmp_path, "other", text=other)
    is_unpaired = pl.col("simulation_id").str.ends_with(".s3")
    tamper(store, "ticks", "other", 0, lambda rows: rows.with_columns(arrivals=pl.col("arrivals") + is_unpaired))
    difference = between(store, store, "one", "other")
    assert [(pair.id_a, pair.id_b) for pair in difference.pairs] == [
        ("one.lsm_on.s2", "other.lsm_on.s2"),
        ("one.lsm_off.s2", "other.lsm_off.s2"),
    ]
    assert difference.simulations_only_in_a == ("lsm_on.s1", "lsm_off.s1")
    assert difference.simulations_only_in_b == ("lsm_on.s3", "lsm_off.s3")
    assert not difference.tables
    assert not difference.is_same


def test_two_single_simulations_are_compared_whatever_their_arm_and_seed(store: RawStore, tmp_path: Path) -> None:
    store_swap(store, tmp_path)
    store_swap(store, tmp_path, "reseeded", text=SWAP + "rng_seed: 5\n")
    difference = between(store, store, "swap", "reseeded")
    assert [(pair.label, pair.id_a, pair.id_b) for pair in difference.pairs] == [
        ("base.s0", "swap.base.s0", "reseeded.base.s5")
    ]
    assert difference.is_same
    assert ("rng_seed", 0, 5) in [(stated.what, stated.a, stated.b) for stated in difference.stated]


def test_several_simulations_without_their_like_are_not_compared(store: RawStore, tmp_path: Path) -> None:
    store_two_arms(store, tmp_path, "one")
    store_swap(store, tmp_path)
    difference = between(store, store, "one", "swap")
    assert (difference.pairs, difference.days, difference.tables) == ((), (), ())
    assert (len(difference.simulations_only_in_a), difference.simulations_only_in_b) == (4, ("base.s0",))
    result = diff("one", "swap")
    assert result.exit_code == 1
    assert "No simulation of A has the arm and seed of one of B." in result.stdout


def test_days_that_one_run_has_are_named_and_the_others_compared(swap_twice: tuple[RawStore, RawStore]) -> None:
    a, b = swap_twice
    b.drop_days_from("swap", 1)
    difference = between(a, b)
    assert (difference.days, difference.days_only_in_a, difference.days_only_in_b) == ((0,), (1, 2), ())
    assert not difference.tables
    assert not difference.is_same
    assert (between(b, a).days_only_in_a, between(b, a).days_only_in_b) == ((), (1, 2))
    assert "Only in A: days 1, 2" in diff("swap", "swap", "--other-data", b.root).stdout


# What happened


def test_each_table_is_told_on_the_first_day_on_which_it_differs(store: RawStore, tmp_path: Path) -> None:
    """With bilateral nettings, the swap is netted on day 1 in both seeds; the LSM has run in vain on day 0."""
    store_two_arms(store, tmp_path, "one")
    store_two_arms(store, tmp_path, "other", text=BILATERAL_ON_IN_LSM_OFF)
    difference = between(store, store, "one", "other")
    assert changed(difference) == {
        "settlements": (1, 0, 2 * 2, 0),
        "lsm_cycles": (1, 0, 2, 0),
        "lsm_runs": (0, 0, 2 * 2, 0),
        "ticks": (1, 0, 0, 2),
        "agent_days": (1, 0, 0, 2 * 2),
        "queue_snapshots": (1, 2 * 2, 0, 0),
    }
    assert list(changed(difference)) == [table for table in EVENT_TABLES if table in changed(difference)]


def test_the_report_names_first_rows_and_the_first_difference_in_time(store: RawStore, tmp_path: Path) -> None:
    store_two_arms(store, tmp_path, "one")
    store_two_arms(store, tmp_path, "other", text=BILATERAL_ON_IN_LSM_OFF)
    result = diff("one", "other")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    hashes = next(line for line in lines if line.startswith("  scenario_hash: "))
    assert lines == [
        f"A: one in {store.root}",
        f"B: other in {store.root}",
        "Compared: 4 simulations of 3 days",
        "",
        "Stated in the table simulations, A | B:",
        hashes,
        "  config.lsm.bilateral: false | true  (2 simulations)",
        "",
        "Tables, each on the first day on which it differs:",
        "  settlements, day 1: 4 rows only in B",
        "    first row: lsm_off.s1, transaction T1: only in B",
        "  lsm_cycles, day 1: 2 rows only in B",
        "    first row: lsm_off.s1, cycle_seq 0: only in B",
        "  lsm_runs, day 0: 4 rows only in B",
        "    first row: lsm_off.s1, tick 0: only in B",
        "  ticks, day 1: 2 rows changed",
        "    first row: lsm_off.s1, tick 3: settled_bilateral is 0 in A, 2 in B",
        "  agent_days, day 1: 4 rows changed",
        "    first row: lsm_off.s1, agent A: sent is 0 in A, 1 in B",
        "  queue_snapshots, day 1: 4 rows only in A",
        "    first row: lsm_off.s1, transaction T1: only in A",
        "",
        "First difference: day 0, tick 0: lsm_runs, lsm_off.s1: only in B",
    ]


def test_json_says_the_same_in_plain_values(swap_twice: tuple[RawStore, RawStore]) -> None:
    a, b = swap_twice
    tamper(b, "settlements", "swap", 1, lambda rows: rows.with_columns(entry_tick=pl.col("entry_tick").replace(3, 2)))
    result = diff("swap", "swap", "--other-data", b.root, "--json")
    assert (result.exit_code, result.stderr) == (1, "")
    row = {
        "table": "settlements",
        "day": 1,
        "simulation": "base.s0",
        "key": {"transaction": "T2"},
        "when": "tick",
        "tick": 3,
        "how": "changed",
        "column": "entry_tick",
        "a": 3,
        "b": 2,
    }
    assert json.loads(result.stdout) == {
        "a": {"run_id": "swap", "data": str(a.root)},
        "b": {"run_id": "swap", "data": str(b.root)},
        "same": False,
        "simulations": {"compared": ["base.s0"], "only_in_a": [], "only_in_b": []},
        "days": {"compared": [0, 1, 2], "only_in_a": [], "only_in_b": []},
        "stated": [],
        "tables": [
            {
                "table": "settlements",
                "day": 1,
                "columns_only_in_a": [],
                "columns_only_in_b": [],
                "only_in_a": 0,
                "only_in_b": 0,
                "changed": 1,
                "first": row,
            }
        ],
        "first": row,
    }


def test_the_first_difference_in_time_is_not_the_first_table_nor_the_first_simulation(
    store: RawStore, tmp_path: Path
) -> None:
    store_two_arms(store, tmp_path)
    other = RawStore(shutil.copytree(store.root, tmp_path / "other"))

    def later_arrival(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.with_columns(
            deadline_tick=pl.when(transaction="T2", simulation_id="two_arms.lsm_on.s1")
            .then(9)
            .otherwise("deadline_tick")
        )

    def first_tick(rows: pl.DataFrame) -> pl.DataFrame:
        is_hit = (pl.col("tick") == 2) & (pl.col("simulation_id") != "two_arms.lsm_on.s1")
        return rows.with_columns(queue1_size=pl.when(is_hit).then(1).otherwise("queue1_size"))

    tamper(other, "arrivals", "two_arms", 1, later_arrival)
    tamper(other, "ticks", "two_arms", 1, first_tick)
    first = between(store, other, "two_arms", "two_arms").first
    assert first is not None
    assert (first.table, first.day, first.tick, first.simulation, first.key) == ("ticks", 1, 2, 1, {"tick": 2})


def test_a_rows_time_is_the_earlier_of_both_runs(swap_twice: tuple[RawStore, RawStore]) -> None:
    a, b = swap_twice
    tamper(b, "settlements", "swap", 1, lambda rows: rows.with_columns(tick=pl.col("tick") - 1))
    for difference, values in ((between(a, b), (3, 2)), (between(b, a), (2, 3))):
        first = difference.first
        assert first is not None
        assert (first.tick, first.column, first.a, first.b) == (2, "tick", *values)


def test_a_day_opens_before_its_ticks_and_ends_after_them(swap_twice: tuple[RawStore, RawStore]) -> None:
    a, b = swap_twice
    seen = []
    for table, column in (("agent_days", "sent"), ("ticks", "arrivals"), ("agents", "credit_limit")):
        tamper(b, table, "swap", 1, lambda rows, column=column: rows.with_columns(pl.col(column) + 1))
        first = between(a, b).first
        assert first is not None
        seen.append((first.table, first.when, first.tick))
    assert seen == [("agent_days", "end", None), ("ticks", "tick", 2), ("agents", "opening", None)]
    last = diff("swap", "swap", "--other-data", b.root).stdout.splitlines()[-1]
    assert last == "First difference: day 1, at its opening: agents, base.s0, agent A: credit_limit is 0 in A, 1 in B"


def test_every_table_is_of_a_days_opening_or_has_ticks_or_is_of_its_end() -> None:
    """A table that is added must take its place in this."""
    ticks = [table for table in CONTRACTS if {"tick", "arrival_tick"} & set(schema_of(table).names())]
    assert set(ticks) == {"arrivals", "settlements", "lsm_cycles", "lsm_runs", "ticks", "collateral_events"}
    assert set(CONTRACTS) - set(ticks) - set(OPENING_TABLES) == {"agent_days", "queue_snapshots"}


def test_rows_that_have_but_changed_places_are_a_difference(swap_twice: tuple[RawStore, RawStore]) -> None:
    a, b = swap_twice
    tamper(b, "settlements", "swap", 1, lambda rows: rows.reverse())
    difference = between(a, b)
    assert changed(difference) == {"settlements": (1, 0, 0, 0)}
    first = difference.tables[0].first
    assert first is not None
    assert (first.how, first.key, first.a, first.b) == ("moved", {"transaction": "T1"}, 0, 1)
    said = diff("swap", "swap", "--other-data", b.root).stdout
    assert "settlements, day 1: the same rows in another order" in said
    assert (
        "First difference: day 1, tick 3: settlements, base.s0, transaction T1: row 0 of its table in A, row 1 in B"
        in said
    )


def test_rows_behind_one_that_is_gone_have_not_changed(swap_twice: tuple[RawStore, RawStore]) -> None:
    a, b = swap_twice
    tamper(b, "ticks", "swap", 2, lambda rows: rows.slice(1))
    assert changed(between(a, b)) == {"ticks": (2, 1, 0, 0)}
    assert changed(between(b, a)) == {"ticks": (2, 0, 1, 0)}


def test_lists_and_nulls_are_values_like_others(swap_twice: tuple[RawStore, RawStore]) -> None:
    a, b = swap_twice
    tamper(b, "lsm_cycles", "swap", 1, lambda rows: rows.with_columns(amounts=pl.lit([5, 6])))
    tamper(b, "settlements", "swap", 1, lambda rows: rows.with_columns(wait_reason=pl.lit(None, pl.String)))
    found = {table.table: table.first for table in between(a, b).tables}
    assert list(found) == ["settlements", "lsm_cycles"]
    cycle, settlement = found["lsm_cycles"], found["settlements"]
    assert cycle is not None
    assert settlement is not None
    assert (cycle.column, cycle.a, cycle.b) == ("amounts", [5, 5], [5, 6])
    assert (settlement.column, settlement.a, settlement.b) == ("wait_reason", "liquidity", None)


def test_columns_of_another_version_are_named_and_the_others_compared(swap_twice: tuple[RawStore, RawStore]) -> None:
    a, b = swap_twice
    tamper(b, "ticks", "swap", 1, lambda rows: rows.rename({"queue1_size": "queued"}).cast({"arrivals": pl.Int32}))
    tamper(b, "agents", "swap", 1, lambda rows: rows.drop("agent"))
    found = {table.table: table for table in between(a, b).tables}
    assert list(found) == ["agents", "ticks"]
    assert (found["agents"].columns_only_in_a, found["agents"].columns_only_in_b) == (("agent (String)",), ())
    assert found["ticks"].columns_only_in_a == ("arrivals (Int64)", "queue1_size (Int64)")
    assert found["ticks"].columns_only_in_b == ("arrivals (Int32)", "queued (Int64)")
    assert all(table.first is None for table in found.values())
    assert diff("swap", "swap", "--other-data", b.root).exit_code == 1


def test_a_table_that_a_version_did_not_have_is_one_without_rows(swap_twice: tuple[RawStore, RawStore]) -> None:
    a, b = swap_twice
    shutil.rmtree(b.root / "raw" / "lsm_cycles")
    assert changed(between(a, b)) == {"lsm_cycles": (1, 1, 0, 0)}


Rows = dict[int, tuple[int, int]]
Found = tuple[int, int, int, int, int] | None


def rows_at_random(draw: random.Random, like: Rows) -> Rows:
    """Two values by tick, most of them those of another table; the ticks are in order or in any."""
    ticks = [tick for tick in range(6) if draw.random() < 0.9]
    ticks = draw.sample(ticks, len(ticks)) if draw.random() < 0.3 else ticks
    kept = [like.get(tick) if draw.random() < 0.9 else None for tick in ticks]
    return {tick: one or (draw.randrange(3), draw.randrange(3)) for tick, one in zip(ticks, kept, strict=True)}


def frame_of_rows(rows: Rows) -> pl.DataFrame:
    columns: dict[str, Any] = {"simulation_id": 0, "day": 0, "tick": [*rows]}
    values = {"arrivals": [one for one, _ in rows.values()], "arrival_value": [other for _, other in rows.values()]}
    return pl.DataFrame(columns | values, schema=dict.fromkeys([*columns, *values], pl.Int64))


def found_between(a: Rows, b: Rows) -> Found:
    """Rows only in either and changed; the place of the first that differs, and the earliest tick."""
    found = table_difference("ticks", 0, frame_of_rows(a), frame_of_rows(b))
    if found is None or found.first is None or found.earliest is None or found.earliest.tick is None:
        return None
    place = min([*rows].index(found.first.key["tick"]) for rows in (a, b) if found.first.key["tick"] in rows)
    return found.only_in_a, found.only_in_b, found.changed, place, found.earliest.tick


def counted_by_hand(a: Rows, b: Rows) -> Found:
    """The same from dictionaries."""
    if [*a.items()] == [*b.items()]:
        return None
    only_a, only_b = a.keys() - b.keys(), b.keys() - a.keys()
    altered = {tick for tick in a.keys() & b.keys() if a[tick] != b[tick]}
    differing = only_a | only_b | altered or {one for one, other in zip(a, b, strict=True) if one != other}
    places = [[*rows].index(tick) for rows in (a, b) for tick in differing if tick in rows]
    return len(only_a), len(only_b), len(altered), min(places), min(differing)


def test_random_tables_differ_as_dictionaries_of_their_rows_do() -> None:
    draw = random.Random(4)
    drawn = []
    for _ in range(500):
        rows = rows_at_random(draw, {})
        drawn.append((rows, rows_at_random(draw, rows)))
    expected = [counted_by_hand(a, b) for a, b in drawn]
    kinds = [None if one is None else tuple(number > 0 for number in one[:3]) for one in expected]
    assert len(set(kinds)) == 1 + 2**3, "the same, and every kind of difference with and without the others"
    assert [found_between(a, b) for a, b in drawn] == expected


# What is read


def test_one_table_of_one_day_of_both_runs_is_read_at_a_time_and_none_that_is_the_same_file(
    store: RawStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_swap(store, tmp_path)
    other = RawStore(shutil.copytree(store.root, tmp_path / "other"))
    for table, day in (("ticks", 0), ("agents", 2), ("ticks", 2), ("settlements", 1)):
        tamper(other, table, "swap", day, lambda rows: rows.rechunk())
        part = other.part(table, "swap", day)
        pl.read_parquet(part, hive_partitioning=False).write_parquet(part, compression="uncompressed")
    read: list[tuple[str, int]] = []
    read_table = RawStore.read_table

    def noted(self: RawStore, table: str, run_id: str, day: int) -> pl.DataFrame:
        read.append((table, day))
        return read_table(self, table, run_id, day)

    monkeypatch.setattr(RawStore, "read_table", noted)
    assert between(store, other).is_same
    events = [place for place in read if place[0] != "simulations"]
    expected = [("ticks", 0), ("settlements", 1), ("agents", 2), ("ticks", 2)]
    assert events == [place for place in expected for _ in range(2)]


# What is refused


def test_runs_that_are_not_there_are_refused_with_those_that_are(store: RawStore, tmp_path: Path) -> None:
    store_swap(store, tmp_path, days=1)
    result = diff("swop", "swap", "--other-data", tmp_path / "nowhere")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "command line: 2 problems\n"
        f"  A: found 'swop'; no such run in {store.root}; did you mean 'swap'?\n"
        f"  B: found 'swap'; there are no runs in {tmp_path}/nowhere; to make one: payment-sim run --config FILE\n"
    )
    assert not (tmp_path / "nowhere").exists()


def test_a_run_without_a_committed_day_is_refused(store: RawStore, tmp_path: Path) -> None:
    store_swap(store, tmp_path, days=1)
    store_swap(store, tmp_path, "torn", days=1)
    store.state_file("torn", 0).unlink()
    result = diff("swap", "torn")
    assert result.exit_code == 2
    assert (
        result.stderr == "command line: 1 problem\n  B: found 'torn'; no day of this run is committed; run it again\n"
    )


@pytest.mark.parametrize("mishap", [Path.unlink, lambda part: part.write_bytes(b"no table")])
def test_a_run_that_cannot_be_read_is_trouble_and_not_a_difference(
    mishap: Any, swap_twice: tuple[RawStore, RawStore]
) -> None:
    a, b = swap_twice
    part = b.part("ticks", "swap", 1)
    mishap(part)
    with pytest.raises(
        InputError, match=r"cannot be read, though day 1 is committed .*; store run swap again from day 0"
    ):
        between(a, b)
    result = diff("swap", "swap", "--other-data", b.root)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{part}: 1 problem\n")


def test_every_table_has_a_key_that_names_its_simulation() -> None:
    assert [table for table in CONTRACTS if "simulation_id" not in primary_key_of(table)] == []
