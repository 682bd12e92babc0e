"""Every law of a day is asserted: each is broken once in an otherwise sound record, and told by its name."""

import ast
import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sim_engine import DayRecord, Scenario, SystemState, laws
from sim_engine.laws import check_laws
from sim_engine.vocabulary import BILATERAL, ENTRY_OFFSET, QUEUE, WITHDRAWN
from tests.helpers.settling import scenario_of
from tests.helpers.tables import run_all_days

LINES = """
    bank A 0 credit 10   bank B 3   bank C 0   bank D 0
    pay B>A 2
    pay C>D 7   pay D>C 7
    pay A>B 30   pay B>C 31   pay C>A 30
    pay A>C 99 @1
"""
"""One payment settles at once, a pair as cycle 0, a ring as cycle 1, and the last stays queued."""

BEHAVING_LINES = """
    bank A 0 collateral 10   bank B 0 collateral 6   bank C 0   bank D 0   bank E 0
    pay A>B 30   pay B>A 25
    pay C>D 7   pay D>E 7   pay E>C 7
    pay A>B 9 @2
"""
"""A posts 2 more, which is not enough for its 30; B's 25 is offset on entry against it as cycle 0, and A owes 5. The
ring is cycle 1. In tick 1 A withdraws 7 and B its 6; in tick 2 A posts 7 again, which is 2 less than its 9 need.
"""

BEHAVIOUR = {
    "A": {"collateral": {"on_need": {"max": 12}, "return_when_idle": {"ticks": 1}}},
    "B": {"collateral": {"return_when_idle": {"ticks": 1}}},
}

Day = tuple[SystemState, DayRecord, SystemState]


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return scenario_of(LINES)


@pytest.fixture(scope="module")
def day(scenario) -> Day:
    return day_of(scenario)


@pytest.fixture(scope="module")
def behaving_scenario() -> Scenario:
    return scenario_of(BEHAVING_LINES, lsm="ring entry_offset", behaviour=BEHAVIOUR)


@pytest.fixture(scope="module")
def behaving_day(behaving_scenario) -> Day:
    return day_of(behaving_scenario)


def day_of(scenario: Scenario) -> Day:
    ((record, closing),) = run_all_days(scenario)
    return SystemState.opening(scenario), record, closing


def changed(part: str, name: str, change: Callable[[np.ndarray], Any]) -> Callable[[Day], Day]:
    """What replaces an array of a part of the record by what change makes of a copy of it."""

    def break_it(day: Day) -> Day:
        opening, record, closing = day
        kept = getattr(record, part)
        array = getattr(kept, name).copy()
        given = change(array)
        broken = dataclasses.replace(kept, **{name: array if given is None else given})
        return opening, dataclasses.replace(record, **{part: broken}), closing

    return break_it


def at(part: str, name: str, place: int, value: int) -> Callable[[Day], Day]:
    """What puts a value in a place of an array."""
    return changed(part, name, lambda array: array.__setitem__(place, value))


def plus(part: str, name: str, place: int, more: int) -> Callable[[Day], Day]:
    """What adds to a place of an array."""
    return changed(part, name, lambda array: array.__setitem__(place, array[place] + more))


def closed_with(*more: int) -> Callable[[Day], Day]:
    """What adds to the closing balances, in the record and in the state."""

    def break_it(day: Day) -> Day:
        opening, record, closing = changed("agent_days", "closing_balances", lambda array: array + more)(day)
        balances = tuple(record.agent_days.closing_balances.tolist())
        return opening, record, dataclasses.replace(closing, balances=balances)

    return break_it


def opened_with_more(day: Day) -> Day:
    opening, record, closing = day
    return dataclasses.replace(opening, balances=(1, *opening.balances[1:])), record, closing


def closed_elsewhere_with_more(day: Day) -> Day:
    opening, record, closing = day
    return opening, record, dataclasses.replace(closing, balances=(1, *closing.balances[1:]))


def opened_with(*posted: int) -> Callable[[Day], Day]:
    """What names other collateral as posted at the opening, in the state alone."""

    def break_it(day: Day) -> Day:
        opening, record, closing = day
        return dataclasses.replace(opening, posted_collateral=posted), record, closing

    return break_it


def left_posted(*posted: int) -> Callable[[Day], Day]:
    """What names other collateral as posted at the close."""

    def break_it(day: Day) -> Day:
        opening, record, closing = day
        return opening, record, dataclasses.replace(closing, posted_collateral=posted)

    return break_it


def all_of(*changes: Callable[[Day], Day]) -> Callable[[Day], Day]:
    """What does one after the other."""

    def break_it(day: Day) -> Day:
        for change in changes:
            day = change(day)
        return day

    return break_it


def told_as_settled_by(mechanism: int) -> Callable[[Day], Day]:
    """What names another mechanism for the payment that settled at once."""
    return at("settlements", "mechanisms", 0, mechanism)


BROKEN: list[tuple[str, Callable[[Day], Day]]] = [
    ("whatever is named is outstanding", at("settlements", "transactions", 0, 7)),
    ("whatever is named is outstanding", at("settlements", "transactions", 0, -7)),
    ("whatever is named is outstanding", at("queued_at_end", "transactions", 0, -1)),
    ("whatever is named is outstanding", at("lsm_cycles", "transactions", 0, 7)),
    ("each outstanding transaction settles once or is queued at the end", at("settlements", "transactions", 0, 6)),
    ("each outstanding transaction settles once or is queued at the end",
     changed("queued_at_end", "transactions", lambda rows: rows[:0])),
    ("each outstanding transaction settles once or is queued at the end",
     changed("queued_at_end", "transactions", lambda rows: np.append(rows, rows[:1]))),
    ("each cycle has its lists", changed("lsm_cycles", "agent_offsets", lambda offsets: offsets[[0, 2]])),
    ("each cycle has its lists", changed("lsm_cycles", "transaction_offsets", lambda offsets: offsets[[0, 2]])),
    ("lists of cycles lie end to end", at("lsm_cycles", "agent_offsets", 0, 1)),
    ("lists of cycles lie end to end", at("lsm_cycles", "agent_offsets", 2, 4)),
    ("lists of cycles lie end to end", at("lsm_cycles", "transaction_offsets", 0, 1)),
    ("lists of cycles lie end to end", at("lsm_cycles", "transaction_offsets", 2, 6)),
    ("no cycle is empty", at("lsm_cycles", "agent_offsets", 1, 0)),
    ("no cycle is empty", at("lsm_cycles", "transaction_offsets", 1, 5)),
    ("each agent of a cycle has a net position", changed("lsm_cycles", "net_positions", lambda net: net[:-1])),
    ("a day opens as the one before closed", opened_with_more),
    ("the next day opens as this one closed", closed_elsewhere_with_more),
    ("money is conserved", closed_with(1, 0, 0, 0)),
    ("money moves by settlements alone", closed_with(1, -1, 0, 0)),
    ("available liquidity is never negative, but that of A was", at("agent_days", "min_balances", 0, -11)),
    ("available liquidity is never negative, but that of C was", at("agent_days", "min_balances", 2, -1)),
    ("no balance is below the smallest", at("agent_days", "min_balances", 1, 1)),
    ("no balance is above the largest", at("agent_days", "max_balances", 1, 2)),
    ("settlements stand in the order of their steps", at("settlements", "seqs", 0, 9)),
    ("steps stand in the order of their ticks", at("settlements", "ticks", 0, 1)),
    ("nothing settles before it is submitted", at("settlements", "entry_ticks", 5, 1)),
    ("the LSM, and it alone, settles in cycles", told_as_settled_by(BILATERAL)),
    ("the LSM, and it alone, settles in cycles", at("settlements", "mechanisms", 1, QUEUE)),
    ("the LSM, and it alone, settles in cycles", at("settlements", "cycle_seqs", 0, 0)),
    ("the LSM, and it alone, settles in passes", at("settlements", "lsm_passes", 0, 1)),
    ("the LSM, and it alone, settles in passes", at("settlements", "lsm_passes", 1, -1)),
    ("cycles settle what they list", at("lsm_cycles", "transactions", 0, 3)),
    ("a cycle is told by what it settles", at("settlements", "cycle_seqs", 1, 1)),
    ("a cycle is told by what it settles", at("lsm_cycles", "transaction_offsets", 1, 3)),
    ("cycles are among the agents", at("lsm_cycles", "agents", 0, 4)),
    ("cycles are among the agents", at("lsm_cycles", "agents", 0, -1)),
    ("agents are the endpoints of the transactions, each once", at("lsm_cycles", "agents", 0, 0)),
    ("agents are the endpoints of the transactions, each once", at("lsm_cycles", "agents", 0, 3)),
    ("agents are the endpoints of the transactions, each once", at("lsm_cycles", "agent_offsets", 1, 3)),
    ("what some lose others gain", plus("lsm_cycles", "net_positions", 0, 1)),
    ("net positions are what the transactions move",
     changed("lsm_cycles", "net_positions", lambda net: np.add(net, [1, -1, 0, 0, 0]))),
    ("net positions are what the transactions move",
     changed("lsm_cycles", "net_positions", lambda net: net[[0, 1, 3, 2, 4]])),
    ("the gross value is the sum of the amounts", plus("lsm_cycles", "total_values", 1, 1)),
    ("the smallest amount is one of them", plus("lsm_cycles", "min_amounts", 1, 1)),
    ("the net value is at most the gross", at("lsm_cycles", "settled_values", 0, 15)),
    ("the net value is the liquidity that moves", plus("lsm_cycles", "settled_values", 1, 1)),
    ("what leaves the queue settles", plus("lsm_runs", "queue_sizes_after", 0, 1)),
    ("value that leaves the queue settles", plus("lsm_runs", "retry_values", 0, 1)),
    ("every cycle but an offset on entry is of a run", plus("lsm_runs", "ring_cycles", 0, 1)),
    ("every transaction of such a cycle is of a run",
     all_of(plus("lsm_runs", "settled_transactions", 0, -1), plus("lsm_runs", "retry_settled", 0, 1))),
    ("collateral changes by events alone", left_posted(0, 0, 1, 0)),
    ("offsets on entry, and they alone, are of pass 0", at("lsm_cycles", "lsm_passes", 1, 0)),
]  # fmt: skip

BROKEN_BEHAVIOUR: list[tuple[str, Callable[[Day], Day]]] = [
    ("a day opens with what was posted", opened_with(11, 6, 0, 0, 0)),
    ("collateral changes by events alone", left_posted(12, 1, 0, 0, 0)),
    ("collateral changes by events alone", left_posted(5, 0, 0, 0, 0)),
    ("collateral is the agents'", at("collateral_events", "agents", 0, 5)),
    ("collateral is the agents'", at("collateral_events", "agents", 3, -1)),
    ("changes of collateral stand in the order of their ticks", at("collateral_events", "ticks", 0, 2)),
    ("a change of collateral changes it", at("collateral_events", "posted_after", 0, 10)),
    ("posted collateral is never negative", at("collateral_events", "posted_after", 2, -1)),
    ("what is posted adds, what is withdrawn takes away", at("collateral_events", "actions", 0, WITHDRAWN)),
    ("what is posted adds, what is withdrawn takes away", at("collateral_events", "posted_after", 3, 4)),
    ("each change of collateral starts from the one before", at("collateral_events", "posted_before", 0, 9)),
    ("each change of collateral starts from the one before", at("collateral_events", "posted_before", 1, 10)),
    ("each change of collateral starts from the one before", at("collateral_events", "posted_before", 2, 5)),
    ("each change of collateral starts from the one before", at("collateral_events", "agents", 3, 1)),
    ("nobody closes with more credit than is posted for",
     all_of(at("collateral_events", "posted_after", 3, 4), at("collateral_events", "actions", 3, WITHDRAWN),
            left_posted(4, 0, 0, 0, 0))),
    ("available liquidity is never negative, but that of A was", at("agent_days", "min_balances", 0, -13)),
    ("available liquidity is never negative, but that of B was", at("agent_days", "min_balances", 1, -7)),
    ("offsets on entry, and they alone, are of pass 0", at("lsm_cycles", "lsm_passes", 0, 1)),
    ("offsets on entry, and they alone, are of pass 0", at("lsm_cycles", "lsm_passes", 0, -1)),
    ("offsets on entry, and they alone, are of pass 0", at("lsm_cycles", "mechanisms", 0, BILATERAL)),
    ("an offset on entry is between two",
     all_of(at("lsm_cycles", "mechanisms", 1, ENTRY_OFFSET), at("lsm_cycles", "lsm_passes", 1, 0))),
    ("every cycle but an offset on entry is of a run", plus("lsm_runs", "bilateral_cycles", 0, 1)),
    ("every transaction of such a cycle is of a run",
     all_of(*(at("settlements", "mechanisms", place, BILATERAL) for place in (0, 1)))),
]  # fmt: skip


def test_the_day_that_the_broken_ones_start_from_is_sound(scenario, day):
    opening, record, closing = day
    assert record.settlements.transactions.tolist() == [0, 1, 2, 3, 4, 5]
    assert record.queued_at_end.transactions.tolist() == [6]
    assert record.lsm_cycles.agent_offsets.tolist() == [0, 2, 5]
    assert record.lsm_cycles.transaction_offsets.tolist() == [0, 2, 5]
    assert record.lsm_cycles.net_positions.tolist() == [0, 0, 0, -1, 1]
    check_laws(scenario, opening, record, closing)


def test_the_behaving_day_that_the_broken_ones_start_from_is_sound(behaving_scenario, behaving_day):
    opening, record, closing = behaving_day
    events = record.collateral_events
    assert events.agents.tolist() == [0, 0, 1, 0]
    assert events.ticks.tolist() == [0, 1, 1, 2]
    assert events.posted_before.tolist() == [10, 12, 6, 5]
    assert events.posted_after.tolist() == [12, 5, 0, 12]
    assert closing.posted_collateral == (12, 0, 0, 0, 0)
    assert record.lsm_cycles.lsm_passes.tolist() == [0, 1]
    assert record.lsm_cycles.agent_offsets.tolist() == [0, 2, 5]
    assert record.settlements.cycle_seqs.tolist() == [0, 0, 1, 1, 1]
    assert record.lsm_runs.settled_transactions.tolist() == [3, 0]
    assert closing.balances == (-5, 5, 0, 0, 0)
    check_laws(behaving_scenario, opening, record, closing)


def test_credit_of_what_was_posted_within_the_day_counts(behaving_scenario, behaving_day):
    """A had 12 at most, though it opened with 10; B had 6, though it closes with nothing."""
    at_their_most = all_of(at("agent_days", "min_balances", 0, -12), at("agent_days", "min_balances", 1, -6))
    opening, record, closing = at_their_most(behaving_day)
    check_laws(behaving_scenario, opening, record, closing)


@pytest.mark.parametrize(("law", "break_it"), BROKEN_BEHAVIOUR)
def test_a_broken_law_of_behaviour_is_told(behaving_scenario, behaving_day, law, break_it):
    opening, record, closing = break_it(behaving_day)
    with pytest.raises(AssertionError) as broken:
        check_laws(behaving_scenario, opening, record, closing)
    assert str(broken.value) == law


@pytest.mark.parametrize(("law", "break_it"), BROKEN)
def test_a_broken_law_is_told(scenario, day, law, break_it):
    opening, record, closing = break_it(day)
    with pytest.raises(AssertionError) as broken:
        check_laws(scenario, opening, record, closing)
    assert str(broken.value) == law


def test_every_law_is_broken_above():
    stated = []
    for node in ast.walk(ast.parse(inspect.getsource(laws))):
        if isinstance(node, ast.Assert):
            told = node.msg.values[0] if isinstance(node.msg, ast.JoinedStr) else node.msg
            stated.append(told.value)
    assert len(stated) == 44
    told = [law for law, _ in [*BROKEN, *BROKEN_BEHAVIOUR]]
    assert [law for law in stated if not any(broken.startswith(law) for broken in told)] == []


def test_a_day_on_which_nothing_happens_keeps_the_laws():
    scenario = scenario_of("bank A 0   bank B 5", ticks_per_day=3)
    ((record, closing),) = run_all_days(scenario)
    assert len(record.transactions.ids) == 0
    check_laws(scenario, SystemState.opening(scenario), record, closing)
