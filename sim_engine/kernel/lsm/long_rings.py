"""Rings of five and more agents: the first feasible one of a length, in order of its path (SPEC 4)."""

import numpy as np

from sim_engine.kernel.jit import inlined, is_plain, part, spliced
from sim_engine.kernel.layout import INFINITE, Work
from sim_engine.kernel.limits import held_back, held_back_at


@part
def first_long_path(w: Work, start: int, admitted: int, length: int) -> bool:
    """Puts the first feasible ring of a length, which begins with one of the admitted legs, into the path.

    Depth first, paths in ascending order of index; a path is given up where an agent's net outflow is not covered, or
    where what has been paid in cannot lead back to the start whatever way is taken.
    Returns whether there is one; closing legs have been noted.
    """
    if not _work_out_needs(w, start, length - 1):
        return False
    width = np.int64(w.agents.shape[0])
    w.path[0].agent = start
    w.path[0].next_option = 0
    w.path[0].options = _order_first_legs(w, start, admitted, length)
    step = 0
    while step >= 0:
        here = w.path[step]
        if here.next_option == here.options:
            step -= 1
            continue
        leg = w.legs_out[w.options[step * width + here.next_option]]
        here.next_option += 1
        here.amount = leg.amount
        here.pair = leg.pair
        step += 1
        there = w.path[step]
        there.agent = leg.agent
        if step == length - 1:
            closing = w.closings[leg.agent]
            if _start_admits(w, start, closing.amount):
                there.amount = closing.amount
                there.pair = closing.pair
                return True
            step -= 1
        else:
            there.next_option = 0
            there.options = _order_options(w, start, step, length)
    return False


@spliced
def _start_admits(w: Work, start: int, last: int) -> bool:
    """Whether the start can pay the path's first leg out of a last one of that amount, and its search admits it."""
    account = w.agents[start]
    first = w.legs_out[w.pairs[w.path[0].pair].leg_out]
    rise = first.amount - last
    return rise <= account.available - held_back(w, start, first.is_urgent) and (
        first.changed >= account.searched or rise > account.low - held_back_at(w, start, first.is_urgent, account.low)
    )


@spliced
def _order_first_legs(w: Work, start: int, admitted: int, length: int) -> int:
    options = 0
    for a in range(admitted):
        at = w.admitted[a]
        leg = w.legs_out[at]
        if leg.amount >= _need(w, length - 1, leg.agent):
            _insert_by_agent(w, np.int64(0), options, at)
            options += 1
    return options


@spliced
def _order_options(w: Work, start: int, step: int, length: int) -> int:
    """Lists the legs that may follow at a step of the path, by agent. Returns how many there are.

    The last of them lead to agents that have, and can pay, a leg back to the start: others have no need that is met.
    """
    account = w.agents[w.path[step].agent]
    most = account.available + w.path[step - 1].amount
    width = np.int64(w.agents.shape[0])
    legs_left = length - step - 1  # after the one that is chosen here
    options = 0
    for at in range(np.uint64(account.payees_from), np.uint64(account.payees_from + account.payees)):
        leg = w.legs_out[at]
        agent = w.path[step].agent
        if leg.amount > most - held_back(w, agent, leg.is_urgent) or leg.amount < _need(w, legs_left, leg.agent):
            continue
        passed = False
        for before in range(step):
            passed |= w.path[before].agent == leg.agent
        if not passed:
            _insert_by_agent(w, step * width, options, at)
            options += 1
    return options


@part
def _insert_by_agent(w: Work, region: int, count: int, leg: int) -> None:
    """Keeps the legs of a region of the options in order of the agents they lead to."""
    at = region + count
    agent = w.legs_out[leg].agent
    while at > region and w.legs_out[w.options[at - 1]].agent > agent:
        w.options[at] = w.options[at - 1]
        at -= 1
    w.options[at] = leg


# What an agent must at least be paid so that some walk of so many legs, each covered, leads from it to the start. Walks
# that pass an agent twice count too, so that more may seem possible than is. Worked out outwards from the start, once
# for all lengths: from the agents that so many legs lead back from to those that pay them.


@inlined
def _need(w: Work, legs: int, agent: int) -> int:
    need = w.needs[(legs - 1) * np.int64(w.agents.shape[0]) + np.int64(agent)]
    if need.search != w.search[0].number:
        return INFINITE
    return need.least - w.agents[agent].available


@part
def _work_out_needs(w: Work, start: int, legs: int) -> bool:
    """For up to so many legs, by agent. Returns whether so many lead back from any agent."""
    search, account = w.search[0], w.agents[start]
    if search.legs == 0:
        for at in range(np.uint64(account.payers_from), np.uint64(account.payers_from + account.payers)):
            leg = w.legs_in[at]
            if is_plain(w) or leg.amount < INFINITE:
                _reach(w, 1, leg.agent, leg.amount + held_back(w, leg.agent, leg.is_urgent))
        search.legs = 1
    agents = np.int64(w.agents.shape[0])
    while search.legs < legs and search.reached > 0:
        # Those reached last stand in one half of the list; those reached from them go into the other.
        known, reached = search.legs, search.reached
        half = (known & 1) * agents
        search.legs += 1
        search.reached = 0
        for r in range(reached):
            agent = w.reached[half + r]
            payee = w.agents[agent]
            need = _need(w, known, agent)
            for at in range(np.uint64(payee.payers_from), np.uint64(payee.payers_from + payee.payers)):
                leg = w.legs_in[at]
                if leg.amount >= need and leg.agent != start and (is_plain(w) or leg.amount < INFINITE):
                    _reach(w, known + 1, leg.agent, leg.amount + held_back(w, leg.agent, leg.is_urgent))
    return search.reached > 0


@inlined
def _reach(w: Work, legs: int, agent: int, amount: int) -> None:
    """So many legs lead back to the start; the agent pays the first out of what it is paid and all it has available.

    amount: of that first leg, and what the agent has but must not pay it with.
    """
    search = w.search[0]
    agents = np.int64(w.agents.shape[0])
    need = w.needs[(legs - 1) * agents + np.int64(agent)]
    if need.search != search.number:
        need.search = search.number
        need.least = amount
        w.reached[(legs & 1) * agents + search.reached] = agent
        search.reached += 1
    elif amount < need.least:
        need.least = amount
