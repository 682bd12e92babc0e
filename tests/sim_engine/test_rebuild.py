"""The state at the end of any tick follows from the raw tables alone (SPEC 5)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim_engine import InputError, Scenario, SystemState
from sim_engine.rebuild import RebuiltState, RebuiltTransaction, rebuild_state
from sim_engine.vocabulary import NONE, PRIORITIES
from tests.helpers.behaving import behaving_scenarios
from tests.helpers.drawing import crowded_scenarios, scenarios
from tests.helpers.settling import scenario_of
from tests.helpers.tables import Rows, rows_of, run_all_days
from tests.oracle.day import open_day
from tests.oracle.day import run_days as run_days_by_oracle
from tests.oracle.item import Item
from tests.oracle.system import System
from tests.oracle.tick import run_tick

SIMULATION = "told.base.s0"
TABLES = ("agents", "arrivals", "settlements", "queue_snapshots", "collateral_events")


def rebuilt(rows: dict[str, Rows], tick: int, ticks_per_day: int, simulation: str = SIMULATION) -> RebuiltState:
    return rebuild_state(simulation, tick, ticks_per_day=ticks_per_day, **{table: rows[table] for table in TABLES})


def tables_of(lines: str, **options) -> dict[str, Rows]:
    scenario = scenario_of(lines, **options)
    return rows_of(scenario, [record for record, _ in run_all_days(scenario)])


def state_of(system: System, tick: int, simulation: str) -> RebuiltState:
    """What the engine itself holds at the end of a tick, in the form of a rebuilt state."""
    names = [agent.id for agent in system.rules.agents]
    transactions = system.transactions

    def waiting(item: Item) -> RebuiltTransaction:
        row = item.row
        deadline = int(transactions.deadline_ticks[row])
        return RebuiltTransaction(
            transaction=transactions.ids[row],
            sender=names[item.sender],
            receiver=names[item.receiver],
            amount=item.amount,
            priority=PRIORITIES[item.priority],
            arrival_tick=int(transactions.arrival_ticks[row]),
            arrival_seq=item.arrival_seq,
            deadline_tick=None if deadline == NONE else deadline,
            entry_tick=None if item.entry_tick == NONE else item.entry_tick,
            entry_seq=None if item.entry_seq == NONE else item.entry_seq,
        )

    return RebuiltState(
        simulation_id=simulation,
        day=system.day,
        tick=tick,
        balances=dict(zip(names, system.ledger.balances(), strict=True)),
        posted_collateral=dict(zip(names, system.posted, strict=True)),
        queue1={name: tuple(waiting(item) for item in queue) for name, queue in zip(names, system.queue1, strict=True)},
        queue2=tuple(waiting(item) for item in system.queue2.in_order()),
    )


def check_every_tick_is_rebuilt(scenario: Scenario) -> None:
    simulation = f"told.base.s{scenario.stated.rng_seed}"
    state = SystemState.opening(scenario)
    held, records = [], []
    for _ in range(scenario.stated.num_days):
        system = open_day(scenario, state)
        for tick in range(system.first_tick, system.first_tick + system.ticks_per_day):
            run_tick(system, tick)
            held.append(state_of(system, tick, simulation))
        record, state = system.close()
        records.append(record)
    rows = rows_of(scenario, records)
    assert len(held) == scenario.stated.ticks_per_day * scenario.stated.num_days
    ticks_per_day = scenario.stated.ticks_per_day
    assert [rebuilt(rows, tick, ticks_per_day, simulation) for tick in range(len(held))] == held


@settings(max_examples=60)
@given(scenarios())
def test_every_tick_is_rebuilt_as_the_engine_left_it(scenario):
    check_every_tick_is_rebuilt(scenario)


@settings(max_examples=60)
@given(behaving_scenarios())
def test_every_tick_of_agents_that_behave_is_rebuilt_as_the_engine_left_it(scenario):
    check_every_tick_is_rebuilt(scenario)


@pytest.mark.slow
@settings(max_examples=120)
@given(st.one_of(scenarios(), crowded_scenarios(), behaving_scenarios()))
def test_every_tick_of_many_scenarios_is_rebuilt_as_the_engine_left_it(scenario):
    check_every_tick_is_rebuilt(scenario)


THREE_DAYS = """
    bank A 2 collateral 9 haircut 10000   bank B 0   bank C 5
    pay A>B 4 @1   pay A>C 3 urgent @1   pay C>A 5 @6   pay B>A 9 @7 deadline 8
"""


def test_a_day_in_hand():
    """A's two wait over a night, in order of class; on day 1 C pays A, and the urgent one goes first."""
    rows = tables_of(THREE_DAYS, ticks_per_day=4, days=3, lsm="")
    before = rebuilt(rows, 0, 4)
    assert before.balances == {"A": 2, "B": 0, "C": 5}
    assert before.posted_collateral == {"A": 9, "B": 0, "C": 0}
    assert before.queue2 == ()
    night = rebuilt(rows, 3, 4)
    assert [(waiting.transaction, waiting.entry_tick, waiting.entry_seq) for waiting in night.queue2] == [
        ("T2", 1, 1), ("T1", 1, 0),
    ]  # fmt: skip
    assert rebuilt(rows, 5, 4).queue2 == night.queue2
    paid = rebuilt(rows, 6, 4)
    assert paid.balances == {"A": 0, "B": 4, "C": 3}
    assert paid.queue2 == ()
    last = rebuilt(rows, 11, 4)
    assert [(waiting.transaction, waiting.deadline_tick) for waiting in last.queue2] == [("T4", 8)]
    assert (last.day, last.tick) == (2, 11)


def test_the_rows_that_the_docstring_names_are_enough():
    """Day 2 from the agents, settlements and arrivals of day 2, the snapshots of days 1 and 2, and old arrivals."""
    rows = tables_of(THREE_DAYS, ticks_per_day=4, days=3, lsm="")
    needed = {
        "agents": [row for row in rows["agents"] if row["day"] == 2],
        "settlements": [row for row in rows["settlements"] if row["day"] == 2],
        "queue_snapshots": [row for row in rows["queue_snapshots"] if row["day"] in (1, 2)],
        "arrivals": [row for row in rows["arrivals"] if row["transaction"] == "T4"],
        "collateral_events": [],
    }
    assert len(needed["queue_snapshots"]) == 2
    assert rebuilt(needed, 9, 4) == rebuilt(rows, 9, 4)


def test_rows_of_other_simulations_are_passed_over():
    rows = tables_of(THREE_DAYS, ticks_per_day=4, days=3, lsm="")
    other = {table: [row | {"simulation_id": "other.base.s0"} for row in rows[table]] for table in TABLES}
    both = {table: other[table] + rows[table] for table in TABLES}
    assert [rebuilt(both, tick, 4) for tick in range(12)] == [rebuilt(rows, tick, 4) for tick in range(12)]


def test_rows_in_any_order_give_the_same_state():
    rows = tables_of(THREE_DAYS, ticks_per_day=4, days=3, lsm="")
    backwards = {table: rows[table][::-1] for table in TABLES}
    assert [rebuilt(backwards, tick, 4) for tick in range(12)] == [rebuilt(rows, tick, 4) for tick in range(12)]


def test_iterables_that_can_be_read_once_are_enough():
    rows = tables_of(THREE_DAYS, ticks_per_day=4, days=3, lsm="")
    once = rebuild_state(SIMULATION, 6, ticks_per_day=4, **{table: iter(rows[table]) for table in TABLES})
    assert once == rebuilt(rows, 6, 4)


COLLATERAL = """
    bank A 0 collateral 10   bank B 0
    pay A>B 30   pay A>B 2 @6
"""
"""A posts 20 in tick 0 and pays; for its 2 of day 1 it can post no more than 1, up to its most of 31."""


def collateral_rows() -> dict[str, Rows]:
    behaviour = {"A": {"collateral": {"on_need": {"max": 31}}}}
    scenario = scenario_of(COLLATERAL, ticks_per_day=4, days=2, behaviour=behaviour)
    days = run_days_by_oracle(scenario, SystemState.opening(scenario), 2)
    return rows_of(scenario, [record for record, _ in days])


def test_posted_collateral_follows_from_its_changes():
    rows = collateral_rows()
    told = [(row["tick"], row["posted_before"], row["posted_after"]) for row in rows["collateral_events"]]
    assert told == [(0, 10, 30), (6, 30, 31)]
    assert [row["posted_collateral"] for row in rows["agents"] if row["agent"] == "A"] == [10, 30]
    posted = [rebuilt(rows, tick, 4).posted_collateral for tick in range(8)]
    assert [one["A"] for one in posted] == [30, 30, 30, 30, 30, 30, 31, 31]
    assert [one["B"] for one in posted] == [0] * 8


EVENT = {"simulation_id": SIMULATION, "day": 0, "event_seq": 0, "agent": "A", "tick": 0}


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([EVENT | {"posted_before": 9, "posted_after": 30}], "event_seq 0, posted_before 9 of A'; .* 10 was posted"),
        ([EVENT | {"posted_before": 10, "posted_after": 30, "agent": "Z"}], "nothing was posted"),
        ([EVENT | {"posted_before": 10, "posted_after": 30, "event_seq": 1}], "event_seq 0 was to come"),
        (
            [
                EVENT | {"posted_before": 10, "posted_after": 30},
                EVENT | {"posted_before": 10, "posted_after": 20, "event_seq": 1, "tick": 3},
            ],
            "event_seq 1, posted_before 10 of A'; .* 30 was posted",
        ),
    ],
    ids=["other_opening", "unknown_agent", "one_left_out", "after_the_tick_too"],
)
def test_changes_of_collateral_that_do_not_follow_each_other_are_refused(events, told):
    rows = collateral_rows()
    with pytest.raises(InputError, match=f"collateral_events: found .*{told}"):
        rebuilt(rows | {"collateral_events": events}, 1, 4)


def test_the_end_of_the_last_tick_is_before_the_cancellation():
    rows = tables_of("bank A 0  bank B 0  pay A>B 5", ticks_per_day=2, days=2, end_of_day="cancel")
    assert [waiting.transaction for waiting in rebuilt(rows, 1, 2).queue2] == ["T1"]
    assert rebuilt(rows, 2, 2).queue2 == ()


def test_what_its_agent_has_not_submitted_stands_in_queue_1():
    """T1 arrives in tick 0 and is submitted in tick 2; T2 is still in Queue 1 at the end of the day."""
    arrival = {
        "simulation_id": SIMULATION, "day": 0, "sender": "A", "receiver": "B", "amount": 5, "priority": "normal",
        "deadline_tick": None,
    }  # fmt: skip
    snapshot = {"simulation_id": SIMULATION, "day": 0, "outcome": "carried"}
    rows = {
        "agents": [
            {"simulation_id": SIMULATION, "day": 0, "agent": agent, "agent_index": place, "opening_balance": 1,
             "posted_collateral": 0}
            for place, agent in enumerate("AB")
        ],
        "arrivals": [
            arrival | {"transaction": "T1", "arrival_tick": 0, "arrival_seq": 0},
            arrival | {"transaction": "T2", "arrival_tick": 1, "arrival_seq": 1},
        ],
        "settlements": [],
        "queue_snapshots": [
            snapshot | {"transaction": "T2", "entry_tick": None, "entry_seq": None},
            snapshot | {"transaction": "T1", "entry_tick": 2, "entry_seq": 0},
        ],
        "collateral_events": [],
    }  # fmt: skip
    states = [rebuilt(rows, tick, 3) for tick in range(3)]
    waiting_in_queue_1 = [[waiting.transaction for waiting in state.queue1["A"]] for state in states]
    assert waiting_in_queue_1 == [["T1"], ["T1", "T2"], ["T2"]]
    assert [[waiting.transaction for waiting in state.queue2] for state in states] == [[], [], ["T1"]]
    assert [state.queue1["B"] for state in states] == [(), (), ()]


@pytest.mark.parametrize("tick", [-1, -5, 12, 400])
def test_a_tick_outside_the_stored_days_is_refused(tick):
    rows = tables_of(THREE_DAYS, ticks_per_day=4, days=3, lsm="")
    with pytest.raises(InputError, match=f"tick: found {tick}; lies on no stored day of told.base.s0"):
        rebuilt(rows, tick, 4)


def test_a_simulation_that_is_not_there_is_refused():
    rows = tables_of(THREE_DAYS, ticks_per_day=4, days=3, lsm="")
    with pytest.raises(InputError, match=r"no stored day of told\.base\.s1"):
        rebuilt(rows, 1, 4, "told.base.s1")


@pytest.mark.parametrize(("table", "day"), [("arrivals", 0), ("queue_snapshots", 0), ("settlements", 1)])
def test_missing_rows_of_a_needed_day_are_refused(table, day):
    rows = tables_of(THREE_DAYS, ticks_per_day=4, days=3, lsm="")
    fewer = rows | {table: [row for row in rows[table] if row["day"] != day]}
    assert len(fewer[table]) < len(rows[table])
    with pytest.raises(InputError, match=r"transaction: found 'T\d'; is not told of from arrival to end"):
        rebuilt(fewer, 6, 4)
