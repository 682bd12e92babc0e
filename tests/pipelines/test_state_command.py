"""`payment-sim state`: the system as it was at the end of any tick, from the raw tables or a --persist file."""

import json
import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from pipelines.persisted_days import persisted_days
from pipelines.places import DATA_VARIABLE
from pipelines.stored_days import RawStoreDays, arrivals_outstanding_on
from sim_engine import Scenario, SystemState, __version__, parse_scenario
from sim_engine.scenario import credit_capacities
from tests.helpers.behaving import behaving_busy_scenario
from tests.helpers.stored_runs import store_two_arms
from tests.helpers.told_runs import TOLD, Places, command, refusal, said, stored_run, stored_story, told_run
from tests.oracle.day import open_day
from tests.oracle.tick import run_tick
from tests.sim_engine.test_rebuild import state_of


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, on a disk that does not wait."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    return tmp_path


def state(place: tuple[str, Path], tick: int, *options: object, simulation: str = TOLD) -> dict[str, Any]:
    """The state that the command's JSON tells of."""
    result = command("state", "--simulation", simulation, "--tick", tick, *place, "--json", *options)
    assert (result.exit_code, result.stderr) == (0, "")
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def shown(places: Places, tick: int, *options: object) -> list[str]:
    """What a person is shown, without empty lines and rules."""
    lines = said("state", "--simulation", TOLD, "--tick", tick, "--data", places.data, *options)
    return [" ".join(line.split()) for line in lines if line.strip(" ─")]


STUCK = """
    bank A 0 credit 50   bank B 100   bank C 0 collateral 80 haircut 2500
    pay A>B 500 @1   pay B>C 800 urgent deadline 3 @2   pay C>A 700 @3   pay A>C 50 @4
"""
"""Nobody can pay alone; the ring of T1 to T3 takes 300 of B, which has 100. In tick 4 A pays its 50 from credit."""

FIGURES = (
    "balance", "credit_capacity", "available_liquidity", "credit_used", "posted_collateral",
    "queue1_size", "queue1_value", "queue2_size", "queue2_value", "queue2_receipts_value",
)  # fmt: skip


def figures(*values: int) -> dict[str, int]:
    return dict(zip(FIGURES, values, strict=True))


def waiting(position: int, name: str, ends: str, amount: int, **other: Any) -> dict[str, Any]:
    sender, receiver = ends.split(">")
    usual = {"queue": 2, "priority": "normal", "deadline_tick": None, "wait_reason": "liquidity", "is_overdue": False}
    own = {"position": position, "transaction": name, "sender": sender, "receiver": receiver, "amount": amount}
    return usual | own | other


STUCK_AT_3 = {
    "simulation_id": TOLD,
    "run_id": "told",
    "scenario": "told",
    "ticks_per_day": 5,
    "num_days": 1,
    "engine_version": __version__,
    "day": 0,
    "tick": 3,
    "tick_of_day": 3,
    "agent": None,
    "money_unit": "minor units",
    "totals": figures(100, 110, 210, 0, 80, 0, 0, 3, 2000, 2000),
    "agents": [
        {"agent": "A"} | figures(0, 50, 50, 0, 0, 0, 0, 1, 500, 700),
        {"agent": "B"} | figures(100, 0, 100, 0, 0, 0, 0, 1, 800, 500),
        {"agent": "C"} | figures(0, 60, 60, 0, 80, 0, 0, 1, 700, 800),
    ],
    "queue1": [],
    "queue2": [
        waiting(0, "T2", "B>C", 800, arrival_tick=2, arrival_seq=1, entry_tick=2, entry_seq=1, waited_ticks=1,
                priority="urgent", deadline_tick=3, is_overdue=True),
        waiting(1, "T1", "A>B", 500, arrival_tick=1, arrival_seq=0, entry_tick=1, entry_seq=0, waited_ticks=2),
        waiting(2, "T3", "C>A", 700, arrival_tick=3, arrival_seq=2, entry_tick=3, entry_seq=2, waited_ticks=0),
    ],
}  # fmt: skip


def test_a_queue_in_hand_is_told_the_same_from_either_place(folder: Path) -> None:
    places = stored_story(folder, STUCK, ticks_per_day=5)
    assert [state(place, 3) for place in places.options] == [STUCK_AT_3, STUCK_AT_3]


def test_a_payment_is_overdue_from_the_end_of_its_deadlines_tick_on(folder: Path) -> None:
    places = stored_story(folder, STUCK, ticks_per_day=5)
    overdue = {tick: [one["transaction"] for one in state(places.options[0], tick)["queue2"] if one["is_overdue"]]
               for tick in (2, 3, 4)}  # fmt: skip
    assert overdue == {2: [], 3: ["T2"], 4: ["T2"]}


def test_what_is_paid_from_credit_is_credit_used(folder: Path) -> None:
    places = stored_story(folder, STUCK, ticks_per_day=5)
    told = state(places.options[1], 4)
    assert [(agent["agent"], agent["balance"], agent["credit_used"]) for agent in told["agents"]] == [
        ("A", -50, 50), ("B", 100, 0), ("C", 50, 0),
    ]  # fmt: skip
    assert told["totals"]["credit_used"] == 50


def test_a_person_is_shown_agents_totals_and_the_queue_in_order(folder: Path) -> None:
    places = stored_story(folder, STUCK, ticks_per_day=5)
    assert shown(places, 3) == [
        "told.base.s0 at the end of tick 3 (day 0, tick 3 of 0 to 4)",
        "Credit Available Posted Queue 2 Queue 2 Queue 2",
        "Agent Balance capacity liquidity collateral payments value receipts",
        "A 0 50 50 0 1 500 700",
        "B 100 0 100 0 1 800 500",
        "C 0 60 60 80 1 700 800",
        "all 3 100 110 210 80 3 2,000 2,000",
        "Intraday credit used: 0",
        "0 for every agent: Queue 1.",
        "Queue 2: 3 payments; value 2,000, 1 overdue",
        "# Transaction From → to Amount Priority Arrived Entered Waited Deadline Why",
        "0 T2 B → C 800 urgent 2 2 1 3 overdue liquidity",
        "1 T1 A → B 500 normal 1 1 2 liquidity",
        "2 T3 C → A 700 normal 3 3 0 liquidity",
        "Queues 1: empty",
        "Minor units (cents). Ticks count through all days; waited: since arrival.",
    ]


def test_an_empty_system_is_shown_as_such(folder: Path) -> None:
    lines = shown(stored_story(folder, STUCK, ticks_per_day=5), 0)
    assert lines[-3:-1] == ["Queue 2: empty", "Queues 1: empty"]
    assert "0 for every agent: Queue 1." in lines


def test_an_agent_is_shown_with_what_it_pays_and_is_to_receive(folder: Path) -> None:
    places = stored_story(folder, STUCK, ticks_per_day=5)
    told = state(places.options[0], 3, "--agent", "B")
    assert told == STUCK_AT_3 | {
        "agent": "B",
        "agents": STUCK_AT_3["agents"][1:2],
        "queue2": STUCK_AT_3["queue2"][:2],
    }
    lines = shown(places, 3, "--agent", "B")
    assert lines[3:5] == ["B 100 0 100 0 1 800 500", "all 3 100 110 210 80 3 2,000 2,000"]
    assert "Queue 2: 3 payments, 2 paid by or to B; value 1,300, 1 overdue" in lines
    assert [line.split()[1] for line in lines if "→" in line and "From" not in line] == ["T2", "T1"]


HELD = """
    bank A 10   bank B 0   bank C 0
    pay A>B 4 @0   pay A>C 5 @1   pay B>A 9 @2   pay C>B 1 @3
"""


def test_what_an_agent_holds_back_stands_in_its_queue_1(folder: Path) -> None:
    """A releases what it has received: nothing until tick 2, when B pays nothing either, having nothing."""
    behaviour = {"A": {"policy": {"receipt_reactive": {"allowance": 0}}}}
    places = stored_story(folder, HELD, ticks_per_day=4, behaviour=behaviour, lsm="")
    told = [state(place, 3) for place in places.options]
    assert told[0] == told[1]
    assert told[0]["queue1"] == [
        waiting(0, "T1", "A>B", 4, queue=1, arrival_tick=0, arrival_seq=0, entry_tick=None, entry_seq=None,
                wait_reason="policy", waited_ticks=3),
        waiting(1, "T2", "A>C", 5, queue=1, arrival_tick=1, arrival_seq=1, entry_tick=None, entry_seq=None,
                wait_reason="policy", waited_ticks=2),
    ]  # fmt: skip
    assert [one["transaction"] for one in told[0]["queue2"]] == ["T3", "T4"]
    assert told[0]["agents"][0] == {"agent": "A"} | figures(10, 0, 10, 0, 0, 2, 9, 0, 0, 9)
    lines = shown(places, 3)
    first = lines.index("Queues 1: 2 payments; value 9, all normal")
    assert lines[first + 1 : first + 4] == [
        "# Transaction From → to Amount Arrived Waited",
        "0 T1 A → B 4 0 3",
        "1 T2 A → C 5 1 2",
    ]


def test_what_was_held_back_has_waited_since_it_arrived(folder: Path) -> None:
    """A submits T1 in tick 3, one before its deadline, and has not the money."""
    behaviour = {"A": {"policy": {"deadline": {"urgency_ticks": 1}}}}
    places = stored_story(folder, "bank A 0 bank B 0 pay A>B 5 deadline 4 @1", ticks_per_day=5, behaviour=behaviour)
    told = [[state(place, tick) for tick in (2, 3, 4)] for place in places.options]
    assert told[0] == told[1]
    assert [[one["waited_ticks"] for one in at["queue1"]] for at in told[0]] == [[1], [], []]
    queue2 = [[(one["entry_tick"], one["waited_ticks"], one["is_overdue"]) for one in at["queue2"]] for at in told[0]]
    assert queue2 == [[], [(3, 2, False)], [(3, 3, True)]]


def test_collateral_is_that_of_the_tick(folder: Path) -> None:
    """A posts 25 for its 20, at a haircut of a fifth, in tick 2; B pays it back in tick 5, and in tick 6 it is free."""
    behaviour = {"A": {"haircut_bp": 2000, "collateral": {"on_need": {"max": 100}, "return_when_idle": {"ticks": 3}}}}
    places = stored_story(folder, "bank A 0 bank B 0 pay A>B 20 @2 pay B>A 20 @5", ticks_per_day=8, behaviour=behaviour)
    told = [[state(place, tick)["agents"][0] for tick in range(8)] for place in places.options]
    assert told[0] == told[1]
    assert [one["posted_collateral"] for one in told[0]] == [0, 0, 25, 25, 25, 25, 0, 0]
    assert [one["credit_capacity"] for one in told[0]] == [0, 0, 20, 20, 20, 20, 0, 0]
    assert [one["balance"] for one in told[0]] == [0, 0, -20, -20, -20, 0, 0, 0]


def oracles_states(scenario: Scenario) -> list[dict[str, Any]]:
    """What the oracle holds at the end of every tick, in the words of the command."""
    opening = SystemState.opening(scenario)
    terms = scenario.stated
    held = []
    for _ in range(terms.num_days):
        system = open_day(scenario, opening)
        for tick in range(system.first_tick, system.first_tick + system.ticks_per_day):
            run_tick(system, tick)
            at = state_of(system, tick, "told")
            capacities = credit_capacities(terms, list(at.posted_collateral.values()))
            queues = {1: [one for queue in at.queue1.values() for one in queue], 2: [*at.queue2]}
            held.append(
                {
                    "day": at.day,
                    "tick": at.tick,
                    "agents": {
                        name: [
                            at.balances[name],
                            capacity,
                            at.balances[name] + capacity,
                            max(0, -at.balances[name]),
                            at.posted_collateral[name],
                            *(
                                figure
                                for queue in queues.values()
                                for own in [[one.amount for one in queue if one.sender == name]]
                                for figure in (len(own), sum(own))
                            ),
                            sum(one.amount for one in queues[2] if one.receiver == name),
                        ]
                        for name, capacity in zip(at.balances, capacities, strict=True)
                    },
                    "queue1": {name: [asdict(one) for one in queue] for name, queue in at.queue1.items()},
                    "queue2": [asdict(one) for one in at.queue2],
                }
            )
        opening = system.close()[1]
    return held


def in_the_oracles_words(told: dict[str, Any]) -> dict[str, Any]:
    """What the command says, without what follows from it: places in queues, waits."""
    own = ("queue", "position", "wait_reason", "waited_ticks", "is_overdue")
    queues = [[{key: row[key] for key in row if key not in own} for row in told[name]] for name in ("queue1", "queue2")]
    names = [agent["agent"] for agent in told["agents"]]
    return {
        "day": told["day"],
        "tick": told["tick"],
        "agents": {agent["agent"]: [agent[name] for name in FIGURES] for agent in told["agents"]},
        "queue1": {name: [row for row in queues[0] if row["sender"] == name] for name in names},
        "queue2": queues[1],
    }


@pytest.mark.parametrize("seed", [99, 145])
def test_every_tick_is_as_the_oracle_left_it(seed: int, folder: Path) -> None:
    scenario = behaving_busy_scenario(seed)
    places = stored_run(folder, told_run(scenario))
    simulation = f"told.base.s{scenario.stated.rng_seed}"
    held = oracles_states(scenario)
    assert len(held) == scenario.stated.ticks_per_day * scenario.stated.num_days
    second_day = held[scenario.stated.ticks_per_day]
    assert any(one["arrival_tick"] < second_day["tick"] for one in second_day["queue2"]), "a night is waited through"
    assert any(queue for one in held for queue in one["queue1"].values()), "policies hold back"
    assert len({tuple(agent[4] for agent in one["agents"].values()) for one in held}) > 3, "collateral changes"
    told = [[state(place, tick, simulation=simulation) for tick in range(len(held))] for place in places.options]
    assert told[0] == told[1]
    assert [in_the_oracles_words(one) for one in told[0]] == held
    for one in told[0]:
        assert one["totals"] == {name: sum(agent[name] for agent in one["agents"]) for name in FIGURES}
        assert [row["position"] for row in one["queue2"]] == [*range(len(one["queue2"]))]
    ticks = pl.concat([places.store.read_table("ticks", "told", day) for day in range(scenario.stated.num_days)]).sort(
        "tick"
    )
    counted = ("queue1_size", "queue1_value", "queue2_size", "queue2_value", "credit_used")
    assert ticks.select(*counted[:4], "intraday_credit_used").rows() == [
        tuple(one["totals"][name] for name in counted) for one in told[0]
    ]


LONG_WAIT = """
    bank A 0   bank B 9   bank C 0
    pay A>C 7 @0   pay B>C 1 @2   pay C>B 1 @3   pay B>C 2 @4   pay B>A 5 @7
"""
"""Days of two ticks. T1 waits from day 0 on; what arrives on days 1 and 2 settles there; on day 3 B pays A."""


def test_days_on_which_nothing_arrived_that_waits_are_not_read(folder: Path) -> None:
    places = stored_story(folder, LONG_WAIT, ticks_per_day=2, days=4, lsm="")
    told = state(places.options[0], 7)
    assert [(one["transaction"], one["waited_ticks"]) for one in told["queue2"]] == [("T1", 7)]
    needed = {"agents": [3], "arrivals": [0, 3], "settlements": [3], "queue_snapshots": [0, 1, 2, 3],
              "collateral_events": [3], "simulations": [3]}  # fmt: skip
    spoilt = 0
    for part in sorted(places.data.glob("raw/*/run_id=told/day=*/part-0.parquet")):
        day, table = int(part.parent.name.removeprefix("day=")), part.parent.parent.parent.name
        if day not in needed.get(table, []):
            part.write_bytes(b"no table")
            spoilt += 1
    assert spoilt == 11 * 4 - 10
    assert state(places.options[0], 7) == told


def test_of_earlier_days_only_the_arrivals_that_are_asked_for_are_handed_on(folder: Path) -> None:
    places = stored_story(folder, LONG_WAIT, ticks_per_day=2, days=4, lsm="")
    wanted = pl.DataFrame({"simulation_id": [TOLD, TOLD], "transaction": ["T1", "T5"]})
    with persisted_days(places.file) as persisted:
        for stored in (RawStoreDays(places.store), persisted):
            found = arrivals_outstanding_on(stored, "told", 3, wanted, ["simulation_id", "transaction", "day"])
            assert sorted(found.rows()) == [(TOLD, "T1", 0), (TOLD, "T5", 3)]


def test_at_the_end_of_a_day_nothing_has_been_cancelled_yet(folder: Path) -> None:
    places = stored_story(folder, "bank A 0 bank B 0 pay A>B 5", ticks_per_day=2, days=2, end_of_day="cancel")
    assert [[one["transaction"] for one in state(place, 1)["queue2"]] for place in places.options] == [["T1"], ["T1"]]
    assert [state(place, 2)["queue2"] for place in places.options] == [[], []]


# How it looks

CROWD = "bank A_BANK_WITH_A_NAME 0   bank B 0 " + " ".join(f"pay A_BANK_WITH_A_NAME>B {n} @{n}" for n in range(1, 26))


def test_of_a_long_queue_the_first_are_shown_and_how_to_see_the_rest(folder: Path) -> None:
    places = stored_story(folder, CROWD, lsm="")
    lines = shown(places, 25)
    rows = [line.split()[1] for line in lines if "→" in line and "From" not in line]
    assert rows == [f"T{n}" for n in range(1, 21)]
    assert "5 more: --agent AGENT shows all of one agent, --json everything." in lines
    of_agent = shown(places, 25, "--agent", "B")
    assert len([line for line in of_agent if "→" in line and "From" not in line]) == 25
    assert not [line for line in of_agent if "more:" in line]
    assert len(state(places.options[0], 25)["queue2"]) == 25


def test_of_many_agents_the_first_are_shown_and_all_are_counted(folder: Path) -> None:
    places = stored_story(folder, " ".join(f"bank B{n} 1" for n in range(23)) + " pay B0>B1 2")
    lines = shown(places, 0)
    assert [line for line in lines if re.match(r"B\d+ 1 ", line)] == [
        f"B{n} 1 1 {'1 2 0' if n == 0 else '0 0 2' if n == 1 else '0 0 0'}" for n in range(20)
    ]
    assert "all 23 23 23 1 2 2" in lines
    assert "3 more: --agent AGENT shows all of one agent, --json everything." in lines
    assert [line for line in shown(places, 0, "--agent", "B22") if line.startswith("B22")] == ["B22 1 1 0 0 0"]


def on_a_terminal(places: Places, width: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    lines = said("state", "--simulation", TOLD, "--tick", 25, "--data", places.data)
    assert any("\x1b[" in line for line in lines)
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]


@pytest.mark.parametrize(
    ("width", "missing"),
    [
        (200, set()),
        (84, set()),
        (83, {"Why"}),
        (80, {"Why"}),
        (72, {"Why", "Entered"}),
        (63, {"Why", "Entered", "Arrived"}),
    ],
)
def test_a_row_is_one_line_as_long_as_leaving_out_columns_can_make_it_so(
    width: int, missing: set[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The columns are 2, 11, 22, 6, 7, 7, 6 and 9 wide, with two blanks between them: 84."""
    lines = on_a_terminal(stored_story(folder, CROWD, lsm=""), width, monkeypatch)
    assert max(map(len, lines)) <= width
    (header,) = [line for line in lines if "From → to" in line]
    assert {"Why", "Entered", "Arrived", "Waited"} - set(header.split()) == missing
    rows = [line for line in lines if re.match(r" ?\d+  T\d+", line)]
    assert len(rows) == 20
    assert all("A_BANK_WITH_A_NAME → B" in row for row in rows)
    assert len([line for line in lines if "Too narrow for" in line and "Why" in line]) == len(missing & {"Why"})


def test_what_is_still_too_wide_has_names_in_two_lines_and_no_figure_cut(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = on_a_terminal(stored_story(folder, CROWD, lsm=""), 40, monkeypatch)
    rows = [line.split() for line in lines if re.match(r" ?\d+  T\d+", line)]
    assert rows == [[str(n - 1), f"T{n}", "A_BANK_WITH_A_NAME", "→", str(n), str(25 - n)] for n in range(1, 21)]
    assert len([line for line in lines if line.split() == ["B"]]) == 20
    assert "…" not in "".join(lines)


def test_without_a_terminal_there_is_no_colour_and_a_row_is_one_line(folder: Path) -> None:
    name = "A" * 60
    places = stored_story(folder, f"bank {name} 0 bank B 0 " + f"pay {name}>B 5")
    lines = said("state", "--simulation", TOLD, "--tick", 0, "--data", places.data)
    assert "\x1b" not in "".join(lines)
    assert len([line for line in lines if f"{name} → B" in line and "liquidity" in line]) == 1


def test_names_are_shown_as_they_are_whatever_they_look_like(folder: Path) -> None:
    arrival = {"id": "[red]T[/red]", "sender": "A", "receiver": "B", "amount": 1, "tick": 0}
    banks = [{"id": name, "opening_balance": 0} for name in "AB"]
    raw = {"name": "told", "ticks_per_day": 1, "agents": banks, "arrivals": [arrival]}
    places = stored_run(folder, told_run(parse_scenario(raw, source=Path("told.yaml"))))
    assert any("[red]T[/red]" in line for line in shown(places, 0))


# What is refused


@pytest.fixture
def two_arms(folder: Path) -> Places:
    """Days 0 and 1 of a run of four simulations, whose days have two ticks."""
    places = Places(folder / "data", folder / "two_arms.duckdb")
    store_two_arms(places.store, folder, days=2)
    return places


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            "--simulation two_arms.lsm_on.s9 --tick 0",
            "--simulation: found 'two_arms.lsm_on.s9'; no such simulation in {data}; did you mean "
            "'two_arms.lsm_on.s2'?",
        ),
        (
            "--simulation tow_arms.lsm_off.s1 --tick 0",
            "--simulation: found 'tow_arms.lsm_off.s1'; no such simulation in {data}; did you mean "
            "'two_arms.lsm_off.s1'?",
        ),
        (
            "--simulation x --tick 0",
            "--simulation: found 'x'; no such simulation in {data}; known are: two_arms.lsm_on.s1, "
            "two_arms.lsm_on.s2, two_arms.lsm_off.s1, two_arms.lsm_off.s2",
        ),
        (
            "--simulation two_arms.lsm_on.s1 --tick 4",
            "--tick: found 4; two_arms.lsm_on.s1 has no such tick stored, but days 0 to 1 of 2, of 2 ticks each, the "
            "last of which is tick 3",
        ),
        (
            "--simulation two_arms.lsm_on.s1 --tick 0 --agent C",
            "--agent: found 'C'; no such agent in two_arms.lsm_on.s1; known are: A, B",
        ),
        (
            "--simulation two_arms.lsm_on.s1 --tick 0 --db-path none.duckdb",
            "--db-path none.duckdb: there is no such file; to write it: payment-sim run --config FILE --persist "
            "--db-path none.duckdb",
        ),
        (
            "--simulation two_arms.lsm_on.s1 --tick 0 --db-path swap.yaml",
            '--db-path swap.yaml: cannot be opened as a DuckDB file (IO Error: The file "{data.parent}/swap.yaml" '
            "exists, but it is not a valid DuckDB database file!); name another, or close the program that has it open",
        ),
        (
            "--simulation two_arms.lsm_on.s1 --tick 0 --db-path data",
            "--db-path data: is a folder; name a file in it",
        ),
        (
            "--simulation two_arms.lsm_on.s1 --tick 0 --db-path swap.yaml --data data",
            "--data data: is not read if --db-path names a file; leave one of the two out",
        ),
        ("--simulation two_arms.lsm_on.s1 --tick 0 --data swap.yaml", "--data swap.yaml: is a file; name a folder"),
        (
            "--simulation two_arms.lsm_on.s1 --tick 0 --data none",
            "--simulation: found 'two_arms.lsm_on.s1'; there are no runs in none; to make one: payment-sim run "
            "--config FILE",
        ),
    ],
)
def test_what_is_not_there_is_refused_by_name_value_and_remedy(options: str, problem: str, two_arms: Places) -> None:
    assert refusal("state", *options.split()) == f"command line: 1 problem\n  {problem.format(data=two_arms.data)}\n"


@pytest.mark.parametrize(
    ("options", "last_line"),
    [
        ("--tick 0", "Error: Missing option '--simulation'."),
        ("--simulation x", "Error: Missing option '--tick'."),
        ("--simulation x --tick -1", "Error: Invalid value for '--tick': -1 is not in the range x>=0."),
        ("--simulation x --tick noon", "Error: Invalid value for '--tick': 'noon' is not a valid integer range."),
    ],
)
def test_options_that_are_missing_or_no_numbers_are_refused(options: str, last_line: str) -> None:
    assert refusal("state", *options.split()).splitlines()[-1] == last_line


def test_a_run_of_which_no_day_is_committed_is_refused(two_arms: Places) -> None:
    for day in range(2):
        two_arms.store.state_file("two_arms", day).unlink()
    assert "no day of this run is committed; run it again" in refusal(
        "state", "--simulation", "two_arms.lsm_on.s1", "--tick", 0
    )


def test_a_tick_of_a_day_that_is_not_committed_is_refused(two_arms: Places) -> None:
    two_arms.store.state_file("two_arms", 1).unlink()
    assert "has no such tick stored, but day 0 of 2, of 2 ticks each, the last of which is tick 1" in refusal(
        "state", "--simulation", "two_arms.lsm_on.s1", "--tick", 2
    )


@pytest.mark.parametrize(
    ("change", "odd"),
    [
        (lambda rows: rows.drop("wait_reason"), "wait_reason"),
        (lambda rows: rows.with_columns(pl.col("tick").cast(pl.Int32)), "tick"),
    ],
)
def test_tables_of_another_version_are_refused_with_what_to_do(change: Any, odd: str, folder: Path) -> None:
    places = stored_story(folder, STUCK, ticks_per_day=5)
    places.tamper("settlements", 0, change)
    part = places.store.part("settlements", "told", 0)
    assert refusal("state", "--simulation", TOLD, "--tick", 3, "--data", places.data) == (
        f"{part}: 1 problem\n  has no such column {odd}: another version of payment-sim stored it; run told again with "
        "this one, or read it with that\n"
    )


def test_a_table_that_another_version_did_not_have_is_refused(folder: Path) -> None:
    places = stored_story(folder, STUCK, ticks_per_day=5)
    table = places.data / "raw" / "collateral_events" / "run_id=told"
    table.rename(places.data / "raw" / "collateral_events" / "away")
    assert "is not there: another version of payment-sim stored it" in refusal(
        "state", "--simulation", TOLD, "--tick", 3, "--data", places.data
    )


def test_a_table_that_cannot_be_read_is_named(folder: Path) -> None:
    places = stored_story(folder, STUCK, ticks_per_day=5)
    part = places.store.part("arrivals", "told", 0)
    part.write_bytes(b"no table")
    told = refusal("state", "--simulation", TOLD, "--tick", 3, "--data", places.data)
    assert told.startswith(f"{part}: 1 problem\n  cannot be read (")
    assert told.endswith("); store run told again from day 0\n")


@pytest.mark.parametrize(
    "sql", ["drop table collateral_events", "alter table queue_snapshots rename wait_reason to reason"]
)
def test_a_file_whose_tables_are_others_is_refused(sql: str, folder: Path) -> None:
    places = stored_story(folder, STUCK, ticks_per_day=5)
    with duckdb.connect(str(places.file)) as connection:
        connection.execute(sql)
    told = refusal("state", "--simulation", TOLD, "--tick", 3, "--db-path", places.file)
    assert told.startswith(
        f"{places.file}: 1 problem\n  its tables are not those that --persist writes in this version ("
    )
    assert "or write it again: payment-sim run --config FILE --persist --db-path FILE.duckdb" in told


def test_a_file_whose_columns_are_of_other_types_is_refused(folder: Path) -> None:
    places = stored_story(folder, STUCK, ticks_per_day=5)
    with duckdb.connect(str(places.file)) as connection:
        connection.execute("alter table settlements alter tick type integer")
    assert refusal("state", "--simulation", TOLD, "--tick", 3, "--db-path", places.file) == (
        f"{places.file}: 1 problem\n  table settlements has no such column tick: another version of payment-sim stored "
        "it; run told again with this one, or read it with that\n"
    )


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("arrivals", lambda rows: rows.filter(pl.col("transaction") != "T4")),
        ("settlements", lambda rows: rows.filter(pl.col("transaction") != "T4")),
        ("queue_snapshots", lambda rows: rows.filter(pl.col("transaction") != "T2")),
    ],
)
def test_rows_that_do_not_hold_together_give_no_state(table: str, change: Any, folder: Path) -> None:
    places = stored_story(folder, STUCK, ticks_per_day=5)
    places.tamper(table, 0, change)
    told = refusal("state", "--simulation", TOLD, "--tick", 4, "--data", places.data)
    assert told.startswith("raw tables: 1 problem\n  transaction: found 'T")
    assert "is not told of from arrival to end in told.base.s0" in told
