"""What a day that is not plain works on besides: policies, collateral and limits, as the kernel's arrays."""

from dataclasses import dataclass

import numpy as np

from sim_engine.kernel import layout
from sim_engine.kernel.layout import INFINITE, NIL
from sim_engine.kernel.policies import parameters, release_ticks
from sim_engine.records import Array, Transactions
from sim_engine.scenario import Scenario, credit_capacities
from sim_engine.state import SystemState
from sim_engine.sums import sums_by_group


@dataclass(frozen=True)
class DayBehaviour:
    """Arrays of a Work, under their names there; empty in a plain day.

    may_post: by agent, whether collateral may give it credit within the day.
    """

    behaviours: Array
    limit_senders: Array
    limit_receivers: Array
    limits: Array
    profiles: Array
    due_rows: Array
    first_due_by_tick: Array
    due_at_once: Array
    keeping: Array
    may_post: Array

    def size(self, needed: int) -> int:
        """How long an array is that is needed in a day that is not plain alone."""
        return needed if len(self.behaviours) else 0


def behaviour_of_day(
    scenario: Scenario, opening: SystemState, transactions: Transactions, rows_of_queue1: list[int]
) -> DayBehaviour:
    """What the scenario states of a day; rows_of_queue1: rows that open it in Queue 1."""
    stated = scenario.stated
    if scenario.is_plain:
        return _nothing(len(stated.agents))
    agents, ticks, first_tick = stated.agents, stated.ticks_per_day, opening.day * stated.ticks_per_day
    policies = [agent.policy_on(opening.day) for agent in agents]
    behaviours = _behaviours(scenario, opening)
    profiles = parameters(policies, behaviours)
    senders, receivers, limits = _bilateral_limits(scenario)
    behaviours["limits_from"] = np.searchsorted(senders, np.arange(len(agents)))
    behaviours["limits_end"] = np.searchsorted(senders, np.arange(len(agents)), side="right")
    behaviours["is_limited"][senders] = 1
    behaviours["is_limited"][receivers] = 1

    released_by = release_ticks(policies, behaviours, transactions, first_tick + ticks - 1)
    arriving = np.zeros(len(released_by), bool)
    arriving[transactions.carried :] = True
    arriving[rows_of_queue1] = True
    behaviours["value_of_day"] = sums_by_group(
        transactions.senders[arriving], transactions.amounts[arriving], len(agents)
    )
    arrival_ticks = np.maximum(transactions.arrival_ticks, first_tick)
    due = np.flatnonzero(arriving & (released_by > arrival_ticks) & (released_by < first_tick + ticks))
    due = due[np.argsort(released_by[due], kind="stable")]
    is_keeping = (behaviours["most_posted"] >= 0) | (behaviours["idle_after"] >= 0)
    return DayBehaviour(
        behaviours=behaviours,
        limit_senders=senders,
        limit_receivers=receivers,
        limits=limits,
        profiles=profiles,
        due_rows=due.astype(np.uint32),
        first_due_by_tick=np.searchsorted(released_by[due], first_tick + np.arange(ticks + 1)),
        due_at_once=(released_by <= arrival_ticks).astype(np.uint8),
        keeping=np.flatnonzero(is_keeping).astype(np.uint32),
        may_post=behaviours["most_posted"] > 0,
    )


def _behaviours(scenario: Scenario, opening: SystemState) -> Array:
    agents = scenario.stated.agents
    behaviours = np.zeros(len(agents), layout.Behaviour)
    balances = np.array(opening.balances, np.int64)
    capacities = np.array(credit_capacities(scenario.stated, opening.posted_collateral), np.int64)
    multilateral = [agent.limits.multilateral for agent in agents]
    is_limited = np.array([limit is not None for limit in multilateral])
    least = int(-INFINITE) + 1  # no balance comes near it, and no limit does
    rooms = np.array(
        [max(least, balance - (limit or 0)) for balance, limit in zip(opening.balances, multilateral, strict=True)],
        np.int64,
    )
    behaviours["reserved"] = [agent.reserved_for_urgent for agent in agents]
    behaviours["limit_room"] = np.where(is_limited, rooms, -INFINITE)
    behaviours["limit_floor"] = np.where(is_limited, rooms + capacities, -INFINITE)
    behaviours["floor"] = np.maximum(0, np.maximum(behaviours["reserved"], behaviours["limit_floor"]))
    behaviours["balance_min"] = behaviours["balance_max"] = balances
    behaviours["posted"] = opening.posted_collateral
    behaviours["credit_limit"] = [agent.credit_limit for agent in agents]
    behaviours["share"] = [10_000 - agent.haircut_bp for agent in agents]
    rules = [agent.collateral for agent in agents]
    behaviours["most_posted"] = [-1 if rule.on_need is None else rule.on_need.max for rule in rules]
    behaviours["idle_after"] = [-1 if rule.return_when_idle is None else rule.return_when_idle.ticks for rule in rules]
    behaviours["first"] = behaviours["last"] = NIL
    return behaviours


def _bilateral_limits(scenario: Scenario) -> tuple[Array, Array, Array]:
    index = {agent: place for place, agent in enumerate(scenario.agent_ids)}
    stated = [
        (sender, index[receiver], limit)
        for sender, agent in enumerate(scenario.stated.agents)
        for receiver, limit in agent.limits.bilateral.items()
    ]
    senders, receivers, limits = zip(*sorted(stated), strict=True) if stated else ((), (), ())
    return np.array(senders, np.uint32), np.array(receivers, np.uint32), np.array(limits, np.int64)


def _nothing(agents: int) -> DayBehaviour:
    rows, numbers = np.empty(0, np.uint32), np.empty(0, np.int64)
    return DayBehaviour(
        behaviours=np.empty(0, layout.Behaviour),
        limit_senders=rows,
        limit_receivers=rows,
        limits=numbers,
        profiles=np.empty(0, layout.ScheduleStep),
        due_rows=rows,
        first_due_by_tick=numbers,
        due_at_once=np.empty(0, np.uint8),
        keeping=rows,
        may_post=np.zeros(agents, bool),
    )
