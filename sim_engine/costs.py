"""What a day cost each agent, reckoned from its record once it is over: booked, never debited (SPEC 6).

A rate is basis points of a value held for a whole day, and a value summed over ticks outgrows int64: such sums are
taken in parts that do not, and put together as Python's integers.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sim_engine.bounds import MONEY_MAX
from sim_engine.errors import InputError, Problem
from sim_engine.records import AgentCosts, Array, CollateralEvents, QueuedAtEnd, Settlements, Transactions
from sim_engine.scenario import Scenario
from sim_engine.state import SystemState
from sim_engine.sums import sums_by_group
from sim_engine.vocabulary import NONE, PRIORITIES

_PERCENT = 100
_BASIS_POINTS = 10_000
_BLOCK_CELLS = 1 << 18
"""Agents x ticks that are looked at together: few enough for a processor's cache."""


def agent_costs(
    scenario: Scenario,
    opening: SystemState,
    transactions: Transactions,
    settlements: Settlements,
    queued_at_end: QueuedAtEnd,
    collateral_events: CollateralEvents,
) -> AgentCosts:
    """The costs of the day that a state opens, by agent; each kind is rounded once, half up.

    Raises InputError if the costs of an agent come to more than int64 holds.
    """
    rates, ticks = scenario.stated.costs, scenario.stated.ticks_per_day
    day = _Day(scenario, opening, transactions, settlements, queued_at_end, collateral_events)
    kinds = (
        (rates.overdraft_bp, day.overdrawn, ticks),
        (rates.delay_bp, day.delayed, ticks * _PERCENT),
        (rates.overdue_bp, day.overdue, ticks),
        (rates.collateral_bp, day.posted, ticks),
        (rates.unsettled_bp, day.unsettled, 1),
    )
    if not any(rate for rate, _, _ in kinds):
        return AgentCosts(*(np.zeros(len(opening.balances), np.int64) for _ in kinds))
    nothing = [0] * len(opening.balances)
    costs = [
        [_half_up(held * rate, whole * _BASIS_POINTS) for held in measured()] if rate else nothing
        for rate, measured, whole in kinds
    ]
    for agent, of_agent in zip(scenario.agent_ids, zip(*costs, strict=True), strict=True):
        if sum(of_agent) > MONEY_MAX:
            remedy = f"what day {opening.day} costs {agent} must stay at or below {MONEY_MAX}; lower the rates"
            raise InputError(scenario.stated.name, [Problem("costs", sum(of_agent), remedy)])
    return AgentCosts(*(np.array(of_kind, np.int64) for of_kind in costs))


@dataclass(frozen=True)
class _Day:
    """What rates apply to: every method gives an exact number for each agent, in order of index."""

    scenario: Scenario
    opening: SystemState
    transactions: Transactions
    settlements: Settlements
    queued_at_end: QueuedAtEnd
    collateral_events: CollateralEvents

    @property
    def _agents(self) -> int:
        return len(self.opening.balances)

    @property
    def _first_tick(self) -> int:
        return self.opening.day * self.scenario.stated.ticks_per_day

    @property
    def _end_tick(self) -> int:
        return self._first_tick + self.scenario.stated.ticks_per_day

    @cached_property
    def _settled_by(self) -> Array:
        """By transaction, the tick at which it settled; the day's end for those that did not."""
        ticks = np.full(len(self.transactions.amounts), self._end_tick, np.int64)
        ticks[self.settlements.transactions] = self.settlements.ticks
        return ticks

    def overdrawn(self) -> list[int]:
        """Balance below 0 at the end of a tick, over all ticks."""
        rows = self.settlements.transactions
        amounts = self.transactions.amounts[rows]
        paid = self.transactions.senders[rows], amounts
        received = self.transactions.receivers[rows], -amounts
        return self._over_ticks(-np.array(self.opening.balances, np.int64), self.settlements.ticks, paid, received)

    def posted(self) -> list[int]:
        """Posted collateral at the end of a tick, over all ticks."""
        events = self.collateral_events
        changes = events.agents, events.posted_after - events.posted_before
        return self._over_ticks(np.array(self.opening.posted_collateral, np.int64), events.ticks, changes)

    def delayed(self) -> list[int]:
        """Value of a transaction x ticks at whose end it was unsettled x its priority's weight in percent."""
        waited = self._settled_by - np.maximum(self.transactions.arrival_ticks, self._first_tick)
        weights = self.scenario.stated.costs.delay_weights
        classes = [getattr(weights, priority) for priority in PRIORITIES]
        groups = self.transactions.senders.astype(np.int64) * len(classes) + self.transactions.priorities
        sums = self._of_transactions(waited, groups, self._agents * len(classes))
        return [
            sum(held * weight for held, weight in zip(sums[at : at + len(classes)], classes, strict=True))
            for at in range(0, len(sums), len(classes))
        ]

    def overdue(self) -> list[int]:
        """Value of a transaction x ticks, from its deadline's on, at whose end it was unsettled."""
        deadlines = self.transactions.deadline_ticks
        late = self._settled_by - np.maximum(deadlines, self._first_tick)
        return self._of_transactions(np.where(deadlines == NONE, 0, late), self.transactions.senders, self._agents)

    def unsettled(self) -> list[int]:
        """Value that it has queued at the end of the day."""
        rows = self.queued_at_end.transactions
        senders, amounts = self.transactions.senders[rows], self.transactions.amounts[rows]
        sums: list[int] = sums_by_group(senders, amounts, self._agents).tolist()
        return sums

    def _of_transactions(self, ticks: Array, groups: Array, count: int) -> list[int]:
        """Sum of amount x ticks, where that is above 0, by each transaction's group."""
        chosen = np.flatnonzero(ticks > 0)
        return _sums_of_products(groups[chosen], self.transactions.amounts[chosen], ticks[chosen], count)

    def _over_ticks(self, opening: Array, ticks: Array, *changes: tuple[Array, Array]) -> list[int]:
        """Sum over the day's ticks of what each agent has at their ends, where that is above 0.

        opening: what each opens with, int64. ticks: when that changes, ascending. changes: agents and by how much, each
        as long as ticks.
        """
        starts = np.flatnonzero(np.diff(ticks, prepend=self._first_tick - 1))
        moments = ticks[starts]
        lasting = np.diff(moments, append=self._end_tick)
        until_first = np.array([(moments[0] if len(moments) else self._end_tick) - self._first_tick])
        low, high = _products(opening[None, :], until_first)
        held, block = opening, max(1, _BLOCK_CELLS // self._agents)
        for at in range(0, len(moments), block):
            of_block = slice(starts[at], starts[at + block] if at + block < len(starts) else None)
            places = np.searchsorted(moments[at : at + block], ticks[of_block]) * self._agents
            table = np.zeros((len(moments[at : at + block]), self._agents), np.int64)
            for agents, amounts in changes:
                np.add.at(table.ravel(), places + agents[of_block], amounts[of_block])
            table[0] += held
            np.cumsum(table, axis=0, out=table)
            held = table[-1].copy()
            more = _products(table, lasting[at : at + block])
            low, high = low + more[0], high + more[1]
        return [(above << 32) + below for above, below in zip(high.tolist(), low.tolist(), strict=True)]


def _products(held: Array, ticks: Array) -> tuple[Array, Array]:
    """Sums over rows of what is held above 0 x the row's ticks, by their lower 32 bits and the rest.

    Neither outgrows int64: a day has fewer than 2^20 ticks.
    """
    above_0 = np.maximum(held, 0)
    return ((above_0 & 0xFFFFFFFF) * ticks[:, None]).sum(axis=0), ((above_0 >> 32) * ticks[:, None]).sum(axis=0)


def _sums_of_products(groups: Array, values: Array, ticks: Array, count: int) -> list[int]:
    """Sum of value x ticks of each group 0..count-1, exact.

    No part below outgrows int64: there are fewer than 2^31 values, which add up to less than 2^63, and a day has fewer
    than 2^20 ticks.
    """
    low = (values & 0xFFFFFFFF) * ticks
    parts = ((low & 0xFFFFFFFF, 0), (low >> 32, 32), ((values >> 32) * ticks, 32))
    sums = [(sums_by_group(groups, part, count).tolist(), shift) for part, shift in parts]
    return [sum(part[group] << shift for part, shift in sums) for group in range(count)]


def _half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
