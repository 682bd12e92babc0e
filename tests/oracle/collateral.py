"""Collateral: posted when what an agent has submitted exceeds its liquidity, withdrawn when it is idle (SPEC 3)."""

from sim_engine.scenario import Agent
from sim_engine.vocabulary import IDLE, ON_NEED
from tests.oracle.item import Item
from tests.oracle.system import System


def change_collateral(system: System, tick: int, released: list[Item]) -> None:
    """Posts and withdraws, agents in scenario order. released: what left Queue 1 in this tick."""
    releasing = [0] * len(system.agents)
    for item in released:
        releasing[item.sender] += item.amount
    for index, agent in enumerate(system.agents):
        submitted = releasing[index] + system.queue2.values[index]
        is_idle = submitted == 0 and not system.queue1[index]
        system.idle_ticks[index] = system.idle_ticks[index] + 1 if is_idle else 0
        on_need, when_idle = agent.collateral.on_need, agent.collateral.return_when_idle
        posted, available = system.posted[index], system.ledger.available[index]
        if on_need and submitted > available:
            needed = _least_worth(agent, _worth(agent, posted) + submitted - available, on_need.max)
            if needed > posted:
                system.post(index, needed, ON_NEED, tick)
        if when_idle and system.idle_ticks[index] >= when_idle.ticks:
            needed = _least_worth(agent, max(0, _worth(agent, posted) - available), posted)
            if needed < posted:
                system.post(index, needed, IDLE, tick)


def _worth(agent: Agent, posted: int) -> int:
    return posted * (10_000 - agent.haircut_bp) // 10_000


def _least_worth(agent: Agent, worth: int, most: int) -> int:
    """The least collateral that is worth so much after the haircut, but no more than `most`."""
    share = 10_000 - agent.haircut_bp
    if share == 0:
        return 0
    return min(most, -(-worth * 10_000 // share))
