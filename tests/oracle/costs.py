"""What a day cost each agent, by definition: tick by tick over the day's record, keeping what everyone has (SPEC 6)."""

from collections.abc import Iterable
from fractions import Fraction
from math import floor

import numpy as np

from sim_engine.records import AgentCosts, CollateralEvents, QueuedAtEnd, Settlements, Transactions
from sim_engine.scenario import Scenario
from sim_engine.state import SystemState
from sim_engine.vocabulary import NONE, PRIORITIES


def agent_costs(
    scenario: Scenario,
    opening: SystemState,
    transactions: Transactions,
    settlements: Settlements,
    queued_at_end: QueuedAtEnd,
    collateral_events: CollateralEvents,
) -> AgentCosts:
    """The costs of the day that a state opens, by agent."""
    rates, ticks_per_day = scenario.stated.costs, scenario.stated.ticks_per_day
    agents = range(len(scenario.stated.agents))
    if not any(rate for name, rate in rates if name != "delay_weights"):
        return AgentCosts(*(np.zeros(len(agents), np.int64) for _ in range(5)))
    a_tick = Fraction(1, 10_000 * ticks_per_day)
    balances, posted = list(opening.balances), list(opening.posted_collateral)
    settlement_tick = dict(zip(settlements.transactions.tolist(), settlements.ticks.tolist(), strict=True))
    unsettled = set(range(len(transactions.amounts)))
    overdraft, delay, overdue, collateral = ([Fraction(0) for _ in agents] for _ in range(4))

    for tick in range(opening.day * ticks_per_day, (opening.day + 1) * ticks_per_day):
        for row in [row for row in unsettled if settlement_tick.get(row) == tick]:
            unsettled.remove(row)
            balances[transactions.senders[row]] -= int(transactions.amounts[row])
            balances[transactions.receivers[row]] += int(transactions.amounts[row])
        for event in np.flatnonzero(collateral_events.ticks == tick):
            assert posted[collateral_events.agents[event]] == collateral_events.posted_before[event]
            posted[collateral_events.agents[event]] = int(collateral_events.posted_after[event])
        for agent in agents:
            overdraft[agent] += max(0, -balances[agent]) * rates.overdraft_bp * a_tick
            collateral[agent] += posted[agent] * rates.collateral_bp * a_tick
        for row in unsettled:
            if transactions.arrival_ticks[row] <= tick:
                sender, amount = transactions.senders[row], int(transactions.amounts[row])
                weight = getattr(rates.delay_weights, PRIORITIES[transactions.priorities[row]])
                delay[sender] += amount * weight * rates.delay_bp * a_tick / 100
                if NONE != transactions.deadline_ticks[row] <= tick:
                    overdue[sender] += amount * rates.overdue_bp * a_tick

    assert unsettled == set(queued_at_end.transactions.tolist())
    left = [Fraction(0) for _ in agents]
    for row in unsettled:
        left[transactions.senders[row]] += int(transactions.amounts[row]) * Fraction(rates.unsettled_bp, 10_000)
    return AgentCosts(*(_rounded(kind) for kind in (overdraft, delay, overdue, collateral, left)))


def _rounded(costs: Iterable[Fraction]) -> np.ndarray:
    """Each to whole minor units, halves upwards."""
    return np.array([floor(cost + Fraction(1, 2)) for cost in costs], np.int64)
