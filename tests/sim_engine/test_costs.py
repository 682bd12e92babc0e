"""What a day costs each agent: cases worked by hand, and the plain definition on records drawn at random (SPEC 6)."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_engine import InputError, Scenario, SystemState, costs, run_days
from sim_engine.costs import agent_costs
from sim_engine.day import outstanding_in_day
from sim_engine.records import AgentCosts, CollateralEvents, QueuedAtEnd, Settlements, Transactions
from sim_engine.state import QueuedTransaction
from sim_engine.transaction_ids import TransactionIds
from sim_engine.vocabulary import CARRIED, IDLE, IMMEDIATE, NONE, ON_NEED, POSTED, WITHDRAWN
from tests.helpers.records import differences
from tests.helpers.settling import scenario_of
from tests.oracle.costs import agent_costs as agent_costs_by_oracle

WHOLE = 10_000
"""Basis points of a rate that costs as much as the value itself."""

Event = tuple[int, int, int, int]
"""Tick, agent, posted before, posted after."""


def parts_of(
    transactions: Transactions, settled: Sequence[tuple[int, int]], events: Sequence[Event]
) -> tuple[Transactions, Settlements, QueuedAtEnd, CollateralEvents]:
    """Parts of a record. settled: (row, tick) in order; what does not settle stands in Queue 2 at the end."""
    rows, ticks = np.array(settled, np.int64).reshape(-1, 2).T
    left = np.setdiff1d(np.arange(len(transactions.amounts)), rows)
    zeros, none = np.zeros(len(rows), np.int32), np.full(len(rows), NONE, np.int32)
    settlements = Settlements(
        transactions=rows.astype(np.int32),
        ticks=ticks.astype(np.int32),
        seqs=np.arange(len(rows), dtype=np.int32),
        mechanisms=np.full(len(rows), IMMEDIATE, np.int8),
        entry_ticks=zeros,
        entry_seqs=zeros.astype(np.int64),
        lsm_passes=none,
        cycle_seqs=none,
        wait_reasons=none.astype(np.int8),
    )
    queued = QueuedAtEnd(
        transactions=left.astype(np.int32),
        queues=np.full(len(left), 2, np.int8),
        positions=np.arange(len(left)),
        entry_ticks=np.zeros(len(left), np.int32),
        entry_seqs=np.zeros(len(left), np.int64),
        wait_reasons=np.zeros(len(left), np.int8),
        outcomes=np.full(len(left), CARRIED, np.int8),
    )
    event_ticks, agents, before, after = np.array(events, np.int64).reshape(-1, 4).T
    collateral = CollateralEvents(
        agents=agents.astype(np.int32),
        ticks=event_ticks.astype(np.int32),
        actions=np.where(after > before, POSTED, WITHDRAWN).astype(np.int8),
        posted_before=before,
        posted_after=after,
        reasons=np.where(after > before, ON_NEED, IDLE).astype(np.int8),
    )
    return transactions, settlements, queued, collateral


def cost(
    text: str,
    settled: Mapping[str, int],
    *,
    ticks: int = 4,
    events: Sequence[Event] = (),
    **rates: Any,
) -> dict[str, dict[str, int]]:
    """By kind and agent, what is booked for day 0 of such payments if they settle in these ticks; zeros left out."""
    scenario = scenario_of(text, ticks_per_day=ticks, costs=rates)
    state = SystemState.opening(scenario)
    return told(scenario, agent_costs(scenario, state, *parts_named(scenario, state, settled, events)))


def parts_named(
    scenario: Scenario, opening: SystemState, settled: Mapping[str, int], events: Sequence[Event] = ()
) -> tuple[Transactions, Settlements, QueuedAtEnd, CollateralEvents]:
    """As parts_of, settlements by the names of transactions."""
    transactions = outstanding_in_day(scenario, opening)
    rows = {name: row for row, name in enumerate(transactions.ids)}
    return parts_of(transactions, sorted(((rows[name], tick) for name, tick in settled.items()), key=_tick), events)


def attributes(state: SystemState) -> dict[str, Any]:
    return {field.name: getattr(state, field.name) for field in fields(state)}


def carried(transactions: Transactions, row: int) -> QueuedTransaction:
    """A transaction as the next day finds it in Queue 1."""
    return QueuedTransaction(
        id=transactions.ids[row],
        sender=int(transactions.senders[row]),
        receiver=int(transactions.receivers[row]),
        amount=int(transactions.amounts[row]),
        priority=int(transactions.priorities[row]),
        arrival_tick=int(transactions.arrival_ticks[row]),
        arrival_seq=int(transactions.arrival_seqs[row]),
        deadline_tick=int(transactions.deadline_ticks[row]),
        queue=1,
        entry_tick=NONE,
        entry_seq=NONE,
        wait_reason=NONE,
    )


def _tick(settlement: tuple[int, int]) -> int:
    return settlement[1]


def told(scenario: Scenario, booked: AgentCosts) -> dict[str, dict[str, int]]:
    by_kind = {kind.name: getattr(booked, kind.name) for kind in fields(booked)}
    assert all(of_agents.dtype == np.int64 for of_agents in by_kind.values())
    return {
        kind: {agent: int(of_agents[place]) for place, agent in enumerate(scenario.agent_ids) if of_agents[place]}
        for kind, of_agents in by_kind.items()
        if of_agents.any()
    }


# One kind at a time. Days have 4 ticks; at a rate of 10,000 basis points a value held for all of them costs itself.

THERE_AND_BACK = "bank A 100 credit 900   bank B 0   pay A>B 700   pay B>A 700"


def test_overdraft_costs_for_every_tick_at_whose_end_the_balance_is_below_0():
    # -600 at the ends of ticks 1 and 2: 1,200 of 4 ticks.
    assert cost(THERE_AND_BACK, {"T1": 1, "T2": 3}, overdraft_bp=WHOLE) == {"overdraft": {"A": 300}}
    # To the end of the day: ticks 1, 2 and 3.
    assert cost(THERE_AND_BACK, {"T1": 1}, overdraft_bp=WHOLE) == {"overdraft": {"A": 450}}


def test_what_is_overdrawn_and_back_within_a_tick_costs_nothing():
    assert cost(THERE_AND_BACK, {"T1": 1, "T2": 1}, overdraft_bp=WHOLE) == {}


def test_a_balance_above_0_earns_nothing_against_an_overdraft():
    # +100 at the end of tick 0, -600 in tick 1, +100 from tick 2 on.
    assert cost(THERE_AND_BACK, {"T1": 1, "T2": 2}, overdraft_bp=WHOLE) == {"overdraft": {"A": 150}}


def test_a_day_that_opens_overdrawn_costs_from_its_first_tick():
    scenario = scenario_of("bank A 0 credit 900  bank B 0  pay A>B 400", ticks_per_day=4, costs={"overdraft_bp": 5_000})
    opening = SystemState(**(attributes(SystemState.opening(scenario)) | {"balances": (-400, 400)}))
    booked = agent_costs(scenario, opening, *parts_named(scenario, opening, {}))
    assert told(scenario, booked) == {"overdraft": {"A": 200}}


def test_delay_costs_for_every_tick_at_whose_end_a_transaction_is_unsettled():
    # Ticks 1 and 2 of T1, nothing of T2, which settles as it arrives, ticks 2 and 3 of T3, which does not settle.
    text = "bank A 0  bank B 0  pay A>B 100 @1  pay A>B 900 @1  pay B>A 30 @2"
    assert cost(text, {"T1": 3, "T2": 1}, delay_bp=WHOLE) == {"delay": {"A": 50, "B": 15}}


def test_delay_is_weighted_by_priority():
    # 100 for 2 ticks of 4, at 200 %, 100 % and 50 %, then at what is stated.
    text = "bank A 0  bank B 0  bank C 0  pay A>B 100 urgent  pay B>A 100  pay C>A 100 low"
    settled = {"T1": 2, "T2": 2, "T3": 2}
    assert cost(text, settled, delay_bp=WHOLE) == {"delay": {"A": 100, "B": 50, "C": 25}}
    weights = {"urgent": 0, "normal": 10, "low": 10_000}
    assert cost(text, settled, delay_bp=WHOLE, delay_weights=weights) == {"delay": {"B": 5, "C": 5_000}}


def test_a_transaction_is_overdue_from_the_end_of_its_deadline_on():
    # Ticks 1 and 2 of T1; T2 settles in its deadline, T3 has none, T4 is due later, T5 is overdue in tick 3.
    text = """
        bank A 0  bank B 0   pay A>B 100 deadline 1   pay A>B 1000 deadline 2   pay A>B 1000
        pay A>B 1000 deadline 9   pay B>A 8 @2 deadline 3
    """
    assert cost(text, {"T1": 3, "T2": 2}, overdue_bp=WHOLE) == {"overdue": {"A": 50, "B": 2}}


def test_overdue_costs_are_not_weighted():
    text = "bank A 0  bank B 0  pay A>B 100 urgent deadline 1  pay B>A 100 low deadline 1"
    assert cost(text, {}, overdue_bp=WHOLE) == {"overdue": {"A": 75, "B": 75}}


def test_posted_collateral_costs_for_every_tick_at_whose_end_it_is_posted():
    # A: 100, 100, 300, 40 at the ends of the ticks; B: 80 for the whole day. Before its haircut.
    text = "bank A 0 collateral 100 haircut 5000  bank B 0 collateral 80"
    events = [(2, 0, 100, 300), (3, 0, 300, 40)]
    assert cost(text, {}, events=events, collateral_bp=WHOLE) == {"collateral": {"A": 135, "B": 80}}


def test_what_is_unsettled_costs_once_whatever_its_queue_and_age():
    text = "bank A 0  bank B 0  pay A>B 100  pay A>B 50 @3  pay B>A 30 @1  pay B>A 70 @1"
    assert cost(text, {"T4": 1}, unsettled_bp=WHOLE) == {"unsettled": {"A": 150, "B": 30}}


# Rounding, days, sizes


@pytest.mark.parametrize(("amount", "booked"), [(1, 0), (2, 1), (5, 1), (6, 2), (9, 2), (10, 3)])
def test_halves_are_rounded_up(amount, booked):
    # A quarter of the amount: 0.25, 0.5, 1.25, 1.5, 2.25, 2.5.
    assert cost(f"bank A 0  bank B 0  pay A>B {amount}", {"T1": 1}, delay_bp=WHOLE).get("delay", {"A": 0}) == {
        "A": booked
    }


def test_an_agents_day_and_kind_are_rounded_once():
    # Three quarters at 0.25 each, which alone are 0; and B's 0.25, which is 0.
    text = "bank A 0  bank B 0  pay A>B 1  pay A>B 1  pay A>B 1  pay B>A 1"
    assert cost(text, {"T1": 1, "T2": 1, "T3": 1, "T4": 1}, delay_bp=WHOLE) == {"delay": {"A": 1}}


def test_a_later_day_costs_for_its_own_ticks_only():
    """T1 arrived in tick 2 of day 0, was due in tick 3 and is carried into day 1, in whose tick 2 it settles."""
    text = "bank A 0  bank B 0  pay A>B 100 @2 deadline 3  pay B>A 40 @5 deadline 6"
    rates = {"delay_bp": WHOLE, "overdue_bp": WHOLE, "unsettled_bp": 100}
    scenario = scenario_of(text, days=2, ticks_per_day=4, costs=rates)
    first = SystemState.opening(scenario)
    parts = parts_named(scenario, first, {})
    assert told(scenario, agent_costs(scenario, first, *parts)) == {
        "delay": {"A": 50}, "overdue": {"A": 25}, "unsettled": {"A": 1}
    }  # fmt: skip
    second = SystemState(
        **(attributes(first) | {"day": 1, "queued": (carried(parts[0], 0),), "arrivals_count": 1, "money_total": 100})
    )
    booked = agent_costs(scenario, second, *parts_named(scenario, second, {"T1": 6}))
    # T1 waits and is overdue in ticks 4 and 5; T2 waits in 5 to 7, is overdue in 6 and 7, and 0.4 is rounded to 0.
    assert told(scenario, booked) == {"delay": {"A": 50, "B": 30}, "overdue": {"A": 50, "B": 20}}


def test_sums_beyond_int64_are_exact():
    """2^62 for 999,999 of a million ticks is above 2^81."""
    amount, ticks = 2**62, 1_000_000
    rates = {"overdraft_bp": 7, "delay_bp": 1, "overdue_bp": 3, "collateral_bp": 9}
    # With collateral as well, its credit and the money of the payment would exceed int64 themselves.
    text = f"bank A 0  credit {amount - 1}  bank B 0  pay A>B {amount - 1} deadline 1"
    booked = cost(text, {"T1": 999_999}, ticks=ticks, **rates)
    assert booked == {
        "overdraft": {"A": half_up((amount - 1) * 7, ticks * WHOLE)},
        "delay": {"A": half_up((amount - 1) * 999_999, ticks * WHOLE)},
        "overdue": {"A": half_up((amount - 1) * 999_998 * 3, ticks * WHOLE)},
    }
    text = f"bank A 0 collateral {amount}  bank B 0"
    assert cost(text, {}, ticks=ticks, events=[(999_999, 0, amount, 1)], **rates) == {
        "collateral": {"A": half_up((amount * 999_999 + 1) * 9, ticks * WHOLE)}
    }


def half_up(numerator: int, denominator: int) -> int:
    """A quotient to the nearest whole number, by the remainder."""
    whole, left = divmod(numerator, denominator)
    return whole + (2 * left >= denominator)


def test_costs_beyond_int64_are_refused():
    # Ten times 2^60 fits no int64. As a file's amounts are known on loading, they are generated here.
    scenario = scenario_of(
        "bank A 0  bank B 0",
        generate={"default": {"payments_per_day": 40, "amount": {"median": 2**50, "sigma": 0}}},
        costs={"delay_bp": 1_000_000, "unsettled_bp": 1_000_000, "delay_weights": {"normal": 10_000}},
    )
    opening = SystemState.opening(scenario)
    parts = parts_named(scenario, opening, {})
    assert 20 < len(parts[0].amounts) < 100
    with pytest.raises(InputError) as refused:
        agent_costs(scenario, opening, *parts)
    [problem] = refused.value.problems
    assert problem.key == "costs"
    assert problem.value > 2**63
    assert "what day 0 costs A must stay at or below 9223372036854775807; lower the rates" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        (f"bank A 0  bank B 0  pay A>B {2**60}", {"delay_bp": 40_000}),
        (f"bank A 0  bank B 0  pay A>B {2**60} low", {"delay_bp": 10_000, "delay_weights": {"low": 800}}),
        (f"bank A 0  bank B 0  pay A>B {2**60} deadline 0", {"overdue_bp": 80_000}),
        (f"bank A 0  bank B 0  pay A>B {2**60}", {"unsettled_bp": 40_000, "overdue_bp": 40_000}),
        (f"bank A 0  bank B 0 credit {2**60}", {"overdraft_bp": 80_000}),
        (f"bank A 0  bank B 0 collateral {2**60} haircut 10000", {"collateral_bp": 80_000}),
    ],
)
def test_rates_that_known_money_takes_beyond_int64_are_refused_on_loading(text, rates):
    # 2^60 at 800 %, or at 400 % and the 200 % that an urgent payment might weigh, is 2^63.
    with pytest.raises(InputError) as refused:
        scenario_of(text, costs=rates)
    [problem] = refused.value.problems
    assert (problem.key, problem.value >= 2**63) == ("costs", True)
    assert "lower the rates, or scale all money down" in str(problem)
    lower = {kind: rate // 2 for kind, rate in rates.items() if isinstance(rate, int)}
    assert scenario_of(text, costs=lower).stated.costs.model_dump(include=set(lower)) == lower


def test_without_rates_nothing_is_looked_at():
    scenario = scenario_of("bank A 0  bank B 0  pay A>B 1")
    nothing: Any = None
    assert (
        told(scenario, agent_costs(scenario, SystemState.opening(scenario), nothing, nothing, nothing, nothing)) == {}
    )


def test_costs_are_booked_and_change_nothing_else():
    """One rate of each kind, over three days, against none."""
    text = """
        bank A 0 credit 500   bank B 0 credit 300 collateral 100   bank C 50
        pay A>B 300 deadline 1   pay B>C 350 urgent   pay C>A 90 @2 low   pay A>C 700 @3 deadline 4   pay B>A 60 @7
    """
    rates = dict.fromkeys(("overdraft_bp", "delay_bp", "overdue_bp", "collateral_bp", "unsettled_bp"), 5000)
    free, dear = (scenario_of(text, days=3, ticks_per_day=3, costs=stated) for stated in ({}, rates))
    booked, days = dict.fromkeys((kind.name for kind in fields(AgentCosts)), 0), 0
    openings = SystemState.opening(free), SystemState.opening(dear)
    for (one, closing), (other, closing_dear) in zip(*map(run_days, (free, dear), openings, (3, 3)), strict=True):
        days += 1
        assert differences(replace(one, agent_costs=other.agent_costs), other) == []
        assert replace(closing, scenario_hash=closing_dear.scenario_hash) == closing_dear
        assert told(free, one.agent_costs) == {}
        booked = {kind: sum_ + getattr(other.agent_costs, kind).sum() for kind, sum_ in booked.items()}
    assert days == 3
    assert all(sum_ > 0 for sum_ in booked.values()), booked


# Any record


@given(st.integers(0, 2**32))
def test_costs_are_those_of_a_walk_through_the_day(seed):
    random = Random(seed)
    days, ticks, agents = random.choice([1, 3]), random.choice([1, 2, 7]), random.randint(2, 5)
    day = random.randrange(days)
    first, end = day * ticks, (day + 1) * ticks
    size = random.choice([1, 9, 10_000, 2**40])
    scenario = scenario_of(
        " ".join(f"bank A{agent} 0 credit {random.choice([0, 10**15])}" for agent in range(agents)),
        days=days,
        ticks_per_day=ticks,
        costs=drawn_rates(random),
    )
    credit = [agent.credit_limit > 0 for agent in scenario.stated.agents]
    count, carried_in = random.randint(0, 14), random.randint(0, 4) if day else 0
    arrivals = sorted(
        random.randrange(first) if row < carried_in else random.randrange(first, end)
        for row in range(max(count, carried_in))
    )
    ends = [random.sample(range(agents), 2) for _ in arrivals]
    transactions = Transactions(
        ids=TransactionIds.of(f"T{row}" for row in range(len(arrivals))),
        senders=np.array([sender for sender, _ in ends], np.int32),
        receivers=np.array([receiver for _, receiver in ends], np.int32),
        amounts=np.array([random.randint(1, size) for _ in ends], np.int64),
        priorities=np.array([random.randrange(3) for _ in ends], np.int8),
        arrival_ticks=np.array(arrivals, np.int64),
        arrival_seqs=np.arange(len(arrivals)),
        deadline_ticks=np.array([random.choice([NONE, tick + random.randint(0, 9)]) for tick in arrivals], np.int64),
        carried=carried_in,
    )
    # Who has no credit is not overdrawn: it pays nothing.
    settled = [
        (row, random.randrange(max(arrivals[row], first), end))
        for row in range(len(arrivals))
        if credit[ends[row][0]] and random.random() < 0.7
    ]
    opening = SystemState(
        scenario_hash=scenario.scenario_hash,
        day=day,
        balances=tuple(random.randint(-size if has_credit else 0, size) for has_credit in credit),
        posted_collateral=tuple(random.choice([0, random.randint(1, size)]) for _ in range(agents)),
        queued=(),
        arrivals_count=0,
        entries_count=0,
        money_total=0,
    )
    events = drawn_events(random, opening.posted_collateral, range(first, end), size)
    parts = parts_of(transactions, sorted(settled, key=_tick), events)
    with patch.object(costs, "_BLOCK_CELLS", random.choice([1, 5, costs._BLOCK_CELLS])):
        booked = agent_costs(scenario, opening, *parts)
    assert differences(booked, agent_costs_by_oracle(scenario, opening, *parts), "costs") == []


def drawn_rates(random: Random) -> dict[str, Any]:
    kinds = ("overdraft_bp", "delay_bp", "overdue_bp", "collateral_bp", "unsettled_bp")
    rates: dict[str, Any] = {
        kind: random.choice([0, random.randint(1, 20), random.randint(1, 30_000)]) for kind in kinds
    }
    if random.random() < 0.5:
        rates["delay_weights"] = {priority: random.randint(0, 300) for priority in ("urgent", "normal", "low")}
    return rates


def drawn_events(random: Random, posted: Sequence[int], ticks: range, size: int) -> list[Event]:
    now, events = list(posted), []
    for tick in ticks:
        for agent, before in enumerate(now):
            after = random.choice([before, before, random.randint(0, size)])
            if after != before:
                events.append((tick, agent, before, after))
                now[agent] = after
    return events
