"""Liquidity, limits and reservations hold in every step of days drawn at random, and netting makes the most of them."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim_engine import DayRecord, Scenario, SystemState, parse_scenario, run_days
from sim_engine.scenario import credit_capacities, credit_capacity
from tests.helpers.behaving import behaving, behaving_busy_scenario
from tests.helpers.drawing import scenarios
from tests.helpers.feasible_sets import Stated, bounded_prefix_sets, broken_bounds, feasible_prefix_sets
from tests.oracle.day import run_days as run_days_by_oracle
from tests.oracle.item import Item, queue2_order
from tests.oracle.lsm import bilateral, entry_offset, gridlock
from tests.oracle.lsm.netting import net
from tests.oracle.system import System


def stated_by(scenario: Scenario) -> Stated:
    """What the agents of a scenario state, before anything has settled."""
    agents, index = scenario.stated.agents, {name: place for place, name in enumerate(scenario.agent_ids)}
    return Stated(
        bilateral={
            (sender, index[receiver]): amount
            for sender, agent in enumerate(agents)
            for receiver, amount in agent.limits.bilateral.items()
        },
        multilateral=[agent.limits.multilateral for agent in agents],
        reserved=[agent.reserved_for_urgent for agent in agents],
    )


def steps_of(record: DayRecord) -> list[tuple[int, list[Item]]]:
    """What settled step by step: the tick, and the transactions."""
    settled, transactions = record.settlements, record.transactions
    steps: dict[int, tuple[int, list[Item]]] = {}
    for row, tick, seq in zip(
        settled.transactions.tolist(), settled.ticks.tolist(), settled.seqs.tolist(), strict=True
    ):
        columns = (transactions.senders, transactions.receivers, transactions.amounts, transactions.priorities)
        item = Item(row, *(int(column[row]) for column in columns), arrival_seq=row)
        steps.setdefault(seq, (tick, []))[1].append(item)
    assert list(steps) == sorted(steps)
    return list(steps.values())


def check_bounds_at_every_step(scenario: Scenario) -> int:
    """Replays all days by settlement_seq. Returns how many of the steps were netting sets."""
    state, sets = SystemState.opening(scenario), 0
    agents = scenario.stated.agents
    for record, closing in run_days(scenario, state, scenario.stated.num_days):
        balances, posted = list(state.balances), list(state.posted_collateral)
        credit = credit_capacities(scenario.stated, posted)
        stated, events, at = stated_by(scenario), record.collateral_events, 0
        for tick, payments in steps_of(record):
            while at < len(events.ticks) and events.ticks[at] <= tick:
                agent = int(events.agents[at])
                posted[agent] = int(events.posted_after[at])
                credit[agent] = credit_capacity(agents[agent].credit_limit, posted[agent], agents[agent].haircut_bp)
                at += 1
            available = [balance + more for balance, more in zip(balances, credit, strict=True)]
            assert broken_bounds(payments, available, stated) == []
            for payment in payments:
                balances[payment.sender] -= payment.amount
                balances[payment.receiver] += payment.amount
            stated.count(payments)
            sets += len(payments) > 1
        assert tuple(balances) == closing.balances
        state = closing
    return sets


@pytest.mark.parametrize("first_seed", range(0, 300, 100))
def test_every_step_keeps_liquidity_limits_and_reservations(first_seed):
    seeds = range(first_seed, first_seed + 100)
    assert sum(check_bounds_at_every_step(behaving_busy_scenario(seed)) for seed in seeds) > 500


@pytest.mark.slow
@pytest.mark.parametrize("first_seed", range(300, 2_300, 500))
def test_every_step_of_many_days_keeps_liquidity_limits_and_reservations(first_seed):
    seeds = range(first_seed, first_seed + 500)
    assert sum(check_bounds_at_every_step(behaving_busy_scenario(seed)) for seed in seeds) > 2_500


def bounded_scenario(seed: int) -> Scenario:
    """A few banks with a few payments of all classes, and all bounds: small enough to try every set."""
    random = Random(seed)
    names = "ABCD"[: random.choice([2, 3, 4])]
    arrivals = []
    for _ in range(random.randint(3, 10)):
        sender, receiver = random.sample(names, 2)
        priority = random.choice(["normal", "normal", "urgent", "low"])
        arrivals.append({"sender": sender, "receiver": receiver, "amount": random.randint(1, 9),
                         "tick": random.randrange(4), "priority": priority})  # fmt: skip
    agents = []
    for name in names:
        limited = [other for other in names if other != name and random.random() < 0.6]
        limits = {
            "bilateral": {other: random.randint(0, 12) for other in limited},
            "multilateral": random.choice([None, 0, 4, 8]),
        }
        balance, reserve = random.randint(0, 9), random.choice([0, 0, 3, 6])
        agents.append({"id": name, "opening_balance": balance, "reserved_for_urgent": reserve, "limits": limits})
    entry = random.choice(["settle", "settle_urgent", "queue"])
    raw = {
        "name": "bounded",
        "ticks_per_day": 2,
        "num_days": 2,
        "agents": agents,
        "arrivals": arrivals,
        "queue2": {"entry": entry, "discipline": random.choice(["bypass", "fifo"])},
        "lsm": {
            "bilateral": random.random() < 0.5,
            "ring": random.random() < 0.5,
            "entry_offset": entry != "queue" and random.random() < 0.5,
        },
    }
    return parse_scenario(raw, source=Path("bounded.yaml"))


def check_every_netting_set(scenario: Scenario) -> int:
    """Runs the oracle; each set that it nets must be the union of all sets of prefixes that keep within the bounds.

    Returns how often these held back something that liquidity would have let settle.
    """
    stated = stated_by(scenario)
    held_back = 0

    def compare(items: list[Item], bounds: Any) -> list[Item]:
        nonlocal held_back
        kept = net(items, bounds)
        allowed = bounded_prefix_sets(items, bounds.available, stated)
        assert rows_of(kept) == union_of(allowed)
        assert kept == sorted(kept, key=queue2_order)
        assert broken_bounds(kept, bounds.available, stated) == []
        held_back += union_of(allowed) < union_of(feasible_prefix_sets(items, bounds.available))
        return kept

    count, close = System._count, System.close

    def count_too(system: System, items: list[Item]) -> None:
        stated.count(items)
        count(system, items)

    def close_and_forget(system: System) -> tuple[DayRecord, SystemState]:
        stated.paid.clear()
        return close(system)

    with pytest.MonkeyPatch.context() as patch:
        for module in (bilateral, gridlock, entry_offset):
            patch.setattr(module, "net", compare)
        patch.setattr(System, "_count", count_too)
        patch.setattr(System, "close", close_and_forget)
        days = list(run_days_by_oracle(scenario, SystemState.opening(scenario), scenario.stated.num_days))
    assert len(days) == scenario.stated.num_days
    return held_back


def rows_of(payments: list[Item]) -> set[int]:
    return {payment.row for payment in payments}


def union_of(sets: list[list[Item]]) -> set[int]:
    return set().union(*(rows_of(chosen) for chosen in sets))


def test_every_netting_set_is_the_union_of_all_that_the_bounds_allow():
    assert sum(check_every_netting_set(bounded_scenario(seed)) for seed in range(300)) > 200


@settings(max_examples=100)
@given(scenarios(payments_max=10), st.integers(0, 2**32))
def test_every_netting_set_of_behaving_agents_is_the_union_of_all_that_the_bounds_allow(scenario, seed):
    check_every_netting_set(behaving(scenario, seed))


@pytest.mark.slow
@pytest.mark.parametrize("first_seed", range(300, 3_300, 1_000))
def test_many_netting_sets_are_the_union_of_all_that_the_bounds_allow(first_seed):
    seeds = range(first_seed, first_seed + 1_000)
    assert sum(check_every_netting_set(bounded_scenario(seed)) for seed in seeds) > 600
