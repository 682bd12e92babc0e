"""Collateral: posted when what an agent has submitted exceeds its liquidity, withdrawn when it is idle (SPEC 3)."""

import numpy as np

from sim_engine.kernel.accounts import change_liquidity
from sim_engine.kernel.jit import inlined, part
from sim_engine.kernel.layout import Work
from sim_engine.vocabulary import IDLE, ON_NEED, POSTED, WITHDRAWN


@part
def change_collateral(w: Work, tick: int) -> None:
    """Posts and withdraws, agents in scenario order; what they release in this tick stands in `releasing`."""
    for at in range(w.counts[0].keeping):
        agent = w.keeping[at]
        account, behaviour = w.agents[agent], w.behaviours[agent]
        submitted = behaviour.releasing + behaviour.submitted
        if submitted > 0 or behaviour.queued1 > 0:
            behaviour.idle_ticks = 0
        else:
            behaviour.idle_ticks += 1
        if submitted > account.available:
            needed = _least_worth(w, agent, _worth(w, agent) + (submitted - account.available), behaviour.most_posted)
            if needed > behaviour.posted:
                _post(w, agent, needed, ON_NEED, tick)
        if behaviour.idle_after >= 0 and behaviour.idle_ticks >= behaviour.idle_after:
            needed = _least_worth(w, agent, max(0, _worth(w, agent) - account.available), behaviour.posted)
            if needed < behaviour.posted:
                _post(w, agent, needed, IDLE, tick)


@inlined
def _worth(w: Work, agent: int) -> int:
    """What the agent's collateral is worth after the haircut."""
    return w.agents[agent].credit_capacity - w.behaviours[agent].credit_limit


@inlined
def _least_worth(w: Work, agent: int, worth: int, most: int) -> int:
    """The least collateral that is worth so much after the haircut, but no more than `most`."""
    share = w.behaviours[agent].share
    if share == 0:
        return np.int64(0)
    if worth // share > most // 10_000:
        return most
    return min(most, worth // share * 10_000 + (worth % share * 10_000 + share - 1) // share)


@part
def _post(w: Work, agent: int, posted: int, reason: int, tick: int) -> None:
    counts, behaviour = w.counts[0], w.behaviours[agent]
    event = w.collateral[counts.collateral]
    counts.collateral += 1
    event.agent = agent
    event.tick = tick
    event.action = POSTED if posted > behaviour.posted else WITHDRAWN
    event.posted_before = behaviour.posted
    event.posted_after = posted
    event.reason = reason
    behaviour.posted = posted
    worth = posted // 10_000 * behaviour.share + posted % 10_000 * behaviour.share // 10_000
    change_liquidity(w, agent, behaviour.credit_limit + worth)
