"""`payment-sim cycles`: any day's cycles, each with who paid whom, from the raw tables or a --persist file."""

import json
import os
import re
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from pipelines.duckdb_export import export_run
from pipelines.places import DATA_VARIABLE, PROJECT_ROOT
from pipelines.raw_store import RawStore
from pipelines.runs import load_run
from tests.helpers.behaving import behaving_busy_scenario
from tests.helpers.stored_runs import store_swap, store_two_arms
from tests.helpers.told_runs import TOLD, Places, command, refusal, said, stored_run, stored_story, told_run

RING = PROJECT_ROOT / "scenarios" / "three_bank_ring.yaml"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, on a disk that does not wait."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    return tmp_path


def cycles(place: tuple[str, Path], day: int, *options: object, run: str = "told") -> list[dict[str, Any]]:
    """The cycles that the command's JSON tells of."""
    result = command("cycles", "--run", run, "--day", day, *place, "--json", *options)
    assert (result.exit_code, result.stderr) == (0, "")
    told: list[dict[str, Any]] = json.loads(result.stdout)
    return told


def shown(places: Places, day: int = 0, *options: object, run: str = "told") -> list[str]:
    """What a person is shown, without empty lines."""
    lines = said("cycles", "--run", run, "--day", day, "--data", places.data, *options)
    return [line for line in lines if line]


FOOT = "Money in minor units (cents). Net positions: received - paid."


def test_a_ring_is_shown_with_its_payments_and_positions(folder: Path) -> None:
    places = stored_run(folder, load_run(RING))
    assert said("cycles", "--run", "three_bank_ring", "--day", 0, "--data", places.data) == [
        "three_bank_ring.base.s42, day 0: 1 LSM cycle of 3 payments",
        "0 bilateral, 1 multilateral; gross 150,000, net 0, saved 150,000",
        "",
        "#0 tick 5, pass 1: ring (multilateral, 3 agents), gross 150,000, net 0, saved 150,000",
        "  BANK_A → BANK_B  50,000  (T1)",
        "  BANK_B → BANK_C  50,000  (T2)",
        "  BANK_C → BANK_A  50,000  (T3)",
        "  net: BANK_A 0, BANK_B 0, BANK_C 0",
        "",
        FOOT,
    ]


def test_cycles_in_hand_are_told_the_same_from_either_place(folder: Path) -> None:
    """At tick 0, BB gets 4 of A, which has none: refused. With C's 4, A's offset settles as it pays on balance."""
    text = "bank A 4 bank BB 2 bank C 0 pay A>BB 1000 pay BB>A 996 pay A>BB 7 @1 pay BB>C 9 @1 pay C>A 8 @1"
    places = stored_story(folder, text)
    own = {"simulation_id": TOLD, "day": 0, "lsm_pass": 1}
    told = [cycles(place, 0) for place in places.options]
    assert told[0] == told[1]
    assert told[0] == [
        own
        | {
            "cycle_seq": 0, "tick": 0, "mechanism": "bilateral", "cycle_type": "bilateral", "cycle_length": 2,
            "agents": ["A", "BB"], "transactions": ["T1", "T2"], "amounts": [1000, 996], "net_positions": [-4, 4],
            "min_amount": 996, "settled_value": 4, "total_value": 1996,
            "senders": ["A", "BB"], "receivers": ["BB", "A"],
        },
        own
        | {
            "cycle_seq": 1, "tick": 1, "mechanism": "ring", "cycle_type": "multilateral", "cycle_length": 3,
            "agents": ["A", "BB", "C"], "transactions": ["T3", "T4", "T5"], "amounts": [7, 9, 8],
            "net_positions": [1, -2, 1], "min_amount": 7, "settled_value": 2, "total_value": 24,
            "senders": ["A", "BB", "C"], "receivers": ["BB", "C", "A"],
        },
    ]  # fmt: skip
    assert shown(places) == [
        "told.base.s0, day 0: 2 LSM cycles of 5 payments",
        "1 bilateral, 1 multilateral; gross 2,020, net 6, saved 2,014",
        "#0 tick 0, pass 1: bilateral (bilateral, 2 agents), gross 1,996, net 4, saved 1,992",
        "  A → BB  1,000  (T1)",
        "  BB → A    996  (T2)",
        "  net: A -4, BB +4",
        "#1 tick 1, pass 1: ring (multilateral, 3 agents), gross 24, net 2, saved 22",
        "  A → BB  7  (T3)",
        "  BB → C  9  (T4)",
        "  C → A   8  (T5)",
        "  net: A +1, BB -2, C +1",
        FOOT,
    ]


def test_who_paid_whom_is_found_for_payments_of_earlier_days(folder: Path) -> None:
    """T1 waits from day 0, T2 from day 1; on day 3 T3 closes the ring."""
    text = "bank A 0 bank B 0 bank C 0 pay A>B 5 @0 pay B>C 5 @2 pay C>A 5 @7"
    places = stored_story(folder, text, ticks_per_day=2, days=4)
    for place in places.options:
        assert [cycles(place, day) for day in range(3)] == [[], [], []]
        (ring,) = cycles(place, 3)
        assert [*zip(ring["transactions"], ring["senders"], ring["receivers"], strict=True)] == [
            ("T1", "A", "B"), ("T2", "B", "C"), ("T3", "C", "A"),
        ]  # fmt: skip


def arrived_on(places: Places, day: int) -> list[str]:
    """Transactions that arrived on a day."""
    return places.store.read_table("arrivals", "told", day)["transaction"].to_list()


@pytest.mark.parametrize("seed", [110, 145])
def test_json_has_every_column_of_every_cycle_and_the_ends_of_its_payments(seed: int, folder: Path) -> None:
    scenario = behaving_busy_scenario(seed)
    places = stored_run(folder, told_run(scenario))
    mechanisms = []
    assert scenario.stated.num_days == 2
    for day in range(scenario.stated.num_days):
        rows = places.store.read_table("lsm_cycles", "told", day).rows(named=True)
        arrivals = pl.concat([places.store.read_table("arrivals", "told", one) for one in range(day + 1)])
        ends = {name: pair for name, *pair in arrivals.select("transaction", "sender", "receiver").iter_rows()}
        expected = [
            row
            | {
                "senders": [ends[name][0] for name in row["transactions"]],
                "receivers": [ends[name][1] for name in row["transactions"]],
            }
            for row in rows
        ]
        assert [cycles(place, day) for place in places.options] == [expected, expected]
        mechanisms.append({row["mechanism"] for row in rows})
        carried_in = {name for row in rows for name in row["transactions"]} - {*arrived_on(places, day)}
        assert bool(carried_in) == (day > 0)
    assert mechanisms[0] >= {"ring", "gridlock"}
    assert mechanisms[1]


def test_without_a_cycle_it_says_so(folder: Path) -> None:
    places = stored_story(folder, "bank A 5 bank B 0 pay A>B 5")
    assert [command("cycles", "--run", "told", "--day", 0, *place, "--json").stdout for place in places.options] == [
        "[]\n", "[]\n",
    ]  # fmt: skip
    assert shown(places) == ["told.base.s0, day 0: no LSM cycle settled", FOOT]


@pytest.fixture
def two_arms(folder: Path) -> Places:
    """Two arms, two seeds: with the LSM, T1 and T2 net out on day 1."""
    places = Places(folder / "data", folder / "two_arms.duckdb")
    store_two_arms(places.store, folder)
    export_run(load_run(folder / "two_arms.yaml"), places.store, places.file, replace=False)
    return places


def test_all_simulations_of_a_run_are_shown_in_the_order_of_its_tables(two_arms: Places) -> None:
    swap = [
        "1 bilateral, 0 multilateral; gross 10, net 0, saved 10",
        "#0 tick 3, pass 1: bilateral (bilateral, 2 agents), gross 10, net 0, saved 10",
        "  A → B  5  (T1)",
        "  B → A  5  (T2)",
        "  net: A 0, B 0",
    ]
    assert shown(two_arms, 1, run="two_arms") == [
        "two_arms, day 1: 4 simulations, 2 LSM cycles of 4 payments",
        "two_arms.lsm_on.s1, day 1: 1 LSM cycle of 2 payments",
        *swap,
        "two_arms.lsm_on.s2, day 1: 1 LSM cycle of 2 payments",
        *swap,
        "two_arms.lsm_off.s1, day 1: no LSM cycle settled",
        "two_arms.lsm_off.s2, day 1: no LSM cycle settled",
        FOOT,
    ]
    told = [cycles(place, 1, run="two_arms") for place in two_arms.options]
    assert told[0] == told[1]
    assert [cycle["simulation_id"] for cycle in told[0]] == ["two_arms.lsm_on.s1", "two_arms.lsm_on.s2"]
    of_file = said("cycles", "--run", "two_arms", "--day", 1, "--db-path", two_arms.file)
    assert [line for line in of_file if line] == shown(two_arms, 1, run="two_arms")


def test_one_simulation_of_a_run_is_shown_alone(two_arms: Places) -> None:
    options = ("--simulation", "two_arms.lsm_on.s2")
    assert shown(two_arms, 1, *options, run="two_arms")[0] == "two_arms.lsm_on.s2, day 1: 1 LSM cycle of 2 payments"
    told = cycles(("--data", two_arms.data), 1, *options, run="two_arms")
    assert [cycle["simulation_id"] for cycle in told] == ["two_arms.lsm_on.s2"]


PAIRS = "bank A 0 bank B 0 " + " ".join(f"pay A>B {n} @{n} pay B>A {n} @{n}" for n in range(1, 26))
"""25 cycles, a tick each."""


@pytest.mark.parametrize(
    ("options", "as_text", "as_json"), [((), 20, 25), (("--limit", 3), 3, 3), (("--limit", 0), 25, 25)]
)
def test_limit_says_how_many_cycles_of_a_simulation_are_told(
    options: tuple[object, ...], as_text: int, as_json: int, folder: Path
) -> None:
    places = stored_story(folder, PAIRS)
    lines = shown(places, 0, *options)
    assert lines[0] == "told.base.s0, day 0: 25 LSM cycles of 50 payments"
    assert lines[1] == "25 bilateral, 0 multilateral; gross 650, net 0, saved 650"
    heads = [line.partition(",")[0] for line in lines if line.startswith("#")]
    assert heads == [f"#{seq} tick {seq + 1}" for seq in range(as_text)]
    more = {20: ["and 5 more cycles: --limit 0 shows all."], 3: ["and 22 more cycles: --limit 0 shows all."], 25: []}
    assert [line for line in lines if "more" in line] == more[as_text]
    told = [cycles(place, 0, *options) for place in places.options]
    assert [[cycle["cycle_seq"] for cycle in one] for one in told] == [[*range(as_json)]] * 2


CROWD = (
    " ".join(f"bank B{n} {int(n == 15)}" for n in range(16))
    + " "
    + " ".join(f"pay B{n}>B{(n + 1) % 16} {1000 + (n == 15)}" for n in range(16))
)
"""A gridlock of 16 banks in a circle, of which the last pays the 1 that it has more than it receives."""


def test_a_large_cycle_is_shortened_with_counts_unless_all_is_asked_for(folder: Path) -> None:
    places = stored_story(folder, CROWD, lsm="gridlock")
    head = "#0 tick 0, pass 1: gridlock (multilateral, 16 agents), gross 16,001, net 1, saved 16,000"
    lines = shown(places)
    assert lines[2] == head
    assert [line.split()[-1] for line in lines[3:15]] == [f"(T{n})" for n in range(1, 13)]
    assert lines[15:17] == [
        "  and 4 more transactions: --limit 0 shows all",
        "  net: B0 +1, B1 0, B2 0, B3 0, B4 0, B5 0 and 10 more",
    ]
    whole = shown(places, 0, "--limit", 0)
    assert [line.split()[-1] for line in whole[3:19]] == [f"(T{n})" for n in range(1, 17)]
    assert whole[19] == "  net: B0 +1, " + ", ".join(f"B{n} 0" for n in range(1, 15)) + ", B15 -1"


# How it looks


@pytest.mark.parametrize("width", [80, 200])
def test_a_terminals_width_is_kept_and_figures_stay_with_their_names(
    width: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"A_BANK_WITH_A_LONG_NAME_{n}" for n in range(3)]
    banks = " ".join(f"bank {name} 0" for name in names)
    pays = " ".join(f"pay {one}>{other} 123456789000" for one, other in zip(names, names[1:] + names[:1], strict=True))
    places = stored_story(folder, f"{banks} {pays}")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    lines = said("cycles", "--run", "told", "--day", 0, "--data", places.data)
    assert any("\x1b[" in line for line in lines)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    assert max(map(len, lines)) <= width
    start = next(place for place, line in enumerate(lines) if line.startswith("#0"))
    if_broken = [
        "#0 tick 0, pass 1: ring (multilateral, 3 agents), gross 370,370,367,000, net 0,",
        "    saved 370,370,367,000",
    ]
    assert (
        lines[start : start + 2] == {80: if_broken, 200: [" ".join(map(str.strip, if_broken)), lines[start + 1]]}[width]
    )
    assert "\N{NO-BREAK SPACE}" not in "".join(lines)


def test_without_a_terminal_there_is_no_colour_and_a_cycle_is_one_line(folder: Path) -> None:
    name = "A" * 60
    places = stored_story(folder, f"bank {name} 0 bank B{name} 0 pay {name}>B{name} 5 pay B{name}>{name} 5")
    lines = shown(places)
    assert "\x1b" not in "".join(lines)
    assert lines[3:6] == [f"  {name} → B{name}  5  (T1)", f"  B{name} → {name}  5  (T2)", f"  net: {name} 0, B{name} 0"]


def test_json_is_a_line_per_cycle(folder: Path) -> None:
    places = stored_story(folder, PAIRS)
    lines = said("cycles", "--run", "told", "--day", 0, "--data", places.data, "--json")
    assert (lines[0], lines[-1], len(lines)) == ("[", "]", 27)
    assert [json.loads(line.rstrip(","))["cycle_seq"] for line in lines[1:-1]] == [*range(25)]


# What is refused


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("--run two_arm --day 0", "--run: found 'two_arm'; no such run in {data}; did you mean 'two_arms'?"),
        (
            "--run two_arms --day 3",
            "--day: found 3; no such day of run two_arms is stored, but days 0 to 2; days are numbered from 0",
        ),
        (
            "--run two_arms --day 0 --simulation two_arms.lsm_on.s3",
            "--simulation: found 'two_arms.lsm_on.s3'; no such simulation in run two_arms in {data}; did you mean "
            "'two_arms.lsm_on.s2'?",
        ),
        (
            "--run two_arms --day 0 --simulation x",
            "--simulation: found 'x'; no such simulation in run two_arms in {data}; known are: two_arms.lsm_on.s1, "
            "two_arms.lsm_on.s2, two_arms.lsm_off.s1, two_arms.lsm_off.s2",
        ),
        (
            "--run two_arms --day 0 --data none",
            "--run: found 'two_arms'; there are no runs in none; to make one: payment-sim run --config FILE",
        ),
        (
            "--run two_arms --day 0 --db-path none.duckdb",
            "--db-path none.duckdb: there is no such file; to write it: payment-sim run --config FILE --persist "
            "--db-path none.duckdb",
        ),
        (
            "--run two_arms --day 0 --db-path none.duckdb --data data",
            "--data data: is not read if --db-path names a file; leave one of the two out",
        ),
    ],
)
def test_what_is_not_there_is_refused_by_name_value_and_remedy(options: str, problem: str, two_arms: Places) -> None:
    assert refusal("cycles", *options.split()) == f"command line: 1 problem\n  {problem.format(data=two_arms.data)}\n"


@pytest.mark.parametrize(
    ("options", "last_line"),
    [
        ("--day 0", "Error: Missing option '--run'."),
        ("--run x", "Error: Missing option '--day'."),
        ("--run x --day -1", "Error: Invalid value for '--day': -1 is not in the range x>=0."),
        ("--run x --day 0 --limit -1", "Error: Invalid value for '--limit': -1 is not in the range x>=0."),
    ],
)
def test_options_that_are_missing_or_out_of_range_are_refused(options: str, last_line: str) -> None:
    assert refusal("cycles", *options.split()).splitlines()[-1] == last_line


def test_a_file_knows_its_own_runs_and_days(folder: Path) -> None:
    places = stored_story(folder, PAIRS)
    of_file = ("--db-path", places.file)
    assert refusal("cycles", "--run", "tolt", "--day", 0, *of_file) == (
        f"command line: 1 problem\n  --run: found 'tolt'; no such run in {places.file}; did you mean 'told'?\n"
    )
    assert refusal("cycles", "--run", "told", "--day", 1, "--simulation", TOLD, *of_file) == (
        "command line: 1 problem\n  --day: found 1; no such day of told.base.s0 is stored, but day 0; days are "
        "numbered from 0\n"
    )


def test_a_file_that_no_persist_wrote_is_refused(folder: Path) -> None:
    with duckdb.connect("other.duckdb") as connection:
        connection.execute("create table notes (line varchar)")
    told = refusal("cycles", "--run", "told", "--day", 0, "--db-path", "other.duckdb")
    assert told.startswith(
        "other.duckdb: 1 problem\n  its tables are not those that --persist writes in this version ("
    )


def test_a_file_whose_lists_are_no_json_is_refused(folder: Path) -> None:
    places = stored_story(folder, PAIRS)
    with duckdb.connect(str(places.file)) as connection:
        connection.execute("create table others as select * replace (['A', 'B'] as agents) from lsm_cycles")
        connection.execute("drop table lsm_cycles; alter table others rename to lsm_cycles")
    told = refusal("cycles", "--run", "told", "--day", 0, "--db-path", places.file)
    assert told.startswith(f"{places.file}: 1 problem\n  table lsm_cycles has no JSON arrays in agents, transactions, ")
    assert told.endswith("; run told again with this one, or read it with that\n")


def test_cycles_of_another_version_are_refused_with_what_to_do(folder: Path) -> None:
    store = RawStore(folder / "data")
    store_swap(store, folder)
    part = store.part("lsm_cycles", "swap", 1)
    pl.read_parquet(part, hive_partitioning=False).drop("min_amount", "lsm_pass").write_parquet(part)
    assert refusal("cycles", "--run", "swap", "--day", 1) == (
        f"{part}: 1 problem\n  has no such column lsm_pass, min_amount: another version of payment-sim stored it; run "
        "swap again with this one, or read it with that\n"
    )


def test_a_payment_that_nothing_says_arrived_is_named(folder: Path) -> None:
    places = stored_story(folder, PAIRS)
    places.tamper("arrivals", 0, lambda rows: rows.filter(pl.col("transaction") != "T4"))
    told = refusal("cycles", "--run", "told", "--day", 0, "--data", places.data)
    assert told == (
        f"{places.data}: 1 problem\n  transaction: found 'T4'; is in a cycle of told.base.s0, and nothing says that it "
        "arrived; run told again\n"
    )
