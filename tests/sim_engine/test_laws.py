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
from sim_engine.vocabulary import BILATERAL, QUEUE
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

Day = tuple[SystemState, DayRecord, SystemState]


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return scenario_of(LINES)


@pytest.fixture(scope="module")
def day(scenario) -> Day:
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
    ("every cycle is of a run", plus("lsm_runs", "ring_cycles", 0, 1)),
    ("every transaction of a cycle is of a run",
     lambda day: plus("lsm_runs", "retry_settled", 0, 1)(plus("lsm_runs", "settled_transactions", 0, -1)(day))),
]  # fmt: skip


def test_the_day_that_the_broken_ones_start_from_is_sound(scenario, day):
    opening, record, closing = day
    assert record.settlements.transactions.tolist() == [0, 1, 2, 3, 4, 5]
    assert record.queued_at_end.transactions.tolist() == [6]
    assert record.lsm_cycles.agent_offsets.tolist() == [0, 2, 5]
    assert record.lsm_cycles.transaction_offsets.tolist() == [0, 2, 5]
    assert record.lsm_cycles.net_positions.tolist() == [0, 0, 0, -1, 1]
    check_laws(scenario, opening, record, closing)


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
    assert len(stated) == 32
    assert [law for law in stated if not any(broken.startswith(law) for broken, _ in BROKEN)] == []


def test_a_day_on_which_nothing_happens_keeps_the_laws():
    scenario = scenario_of("bank A 0   bank B 5", ticks_per_day=3)
    ((record, closing),) = run_all_days(scenario)
    assert len(record.transactions.ids) == 0
    check_laws(scenario, SystemState.opening(scenario), record, closing)
