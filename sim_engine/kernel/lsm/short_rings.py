"""Rings of three and four agents: nearly all that there are, and nearly all of the searches' time."""

import numpy as np

from sim_engine.kernel.jit import inlined, spliced
from sim_engine.kernel.layout import INFINITE, NIL, Work
from sim_engine.kernel.limits import held_back, held_back_at
from sim_engine.kernel.lsm.closing_legs import least_needed
from sim_engine.kernel.pair_table import pair_entry

_LOOK_UP_RATIO = 8
"""Looking a pair up costs as much as looking at so many legs."""


@spliced
def first_short_path(w: Work, start: int, admitted: int) -> int:
    """Puts the first feasible ring of three or four agents into the path (SPEC 4). Returns its length, 0 for none.

    Legs stand in no order, most begin no ring, and that must be found out at little cost: so all of them are looked at,
    and the first path among the feasible ones is kept; closing legs have been noted.

    Every agent's net outflow must be covered: amounts along a ring rise by no more than the agent between has
    available. With `needed` the least that the last agent must be paid in any ring that begins with the leg, few second
    legs remain.
    """
    account = w.agents[start]
    available, low = account.available, account.low
    looks_for_four = w.rules[0].max_cycle_length >= 4
    length = 0
    for a in range(np.uint64(admitted)):
        first = w.legs_out[w.admitted[a]]
        second = w.agents[first.agent]
        if length == 3 and first.agent > w.path[1].agent:
            continue
        if second.available + first.amount < second.smallest:
            continue
        last_min = first.amount - (available - held_back(w, start, first.is_urgent))
        last_max = INFINITE
        if first.changed < account.searched:
            last_max = first.amount - (low - held_back_at(w, start, first.is_urgent, low)) - 1
        needed = least_needed(w, start, last_min, last_max)
        if needed == INFINITE:
            continue
        likely = _likely_second_legs(w, start, first.agent, first.amount, needed)
        closing_leg = _first_that_closes(w, likely, last_min, last_max)
        if closing_leg != NIL:
            length = 3
            _pay_in_path(w, 0, start, first.pair)
            _pay_in_path(w, 1, first.agent, w.legs_out[closing_leg].pair)
            _close_path(w, 2, w.legs_out[closing_leg].agent)
        elif looks_for_four and length != 3 and (length == 0 or first.agent < w.path[1].agent):
            fourth_agent = NIL
            for o in range(likely):
                leg = w.legs_out[w.options[o]]
                if fourth_agent != NIL and leg.agent > w.path[2].agent:
                    continue
                third_leg = _first_fourth(w, first.agent, leg.agent, leg.amount, last_min, last_max)
                if third_leg != NIL:
                    length = 4
                    fourth_agent = w.legs_out[third_leg].agent
                    _pay_in_path(w, 0, start, first.pair)
                    _pay_in_path(w, 1, first.agent, leg.pair)
                    _pay_in_path(w, 2, leg.agent, w.legs_out[third_leg].pair)
                    _close_path(w, 3, fourth_agent)
    return length


@inlined
def _likely_second_legs(w: Work, start: int, second_agent: int, paid: int, needed: int) -> int:
    """Lists legs out of the second agent, which was paid so much, by which what is needed may arrive. Returns how many.

    No branches: what passes is too random to be foreseen, and looking at the agents must not wait for it.
    """
    second = w.agents[second_agent]
    most = second.available + paid
    likely = np.uint64(0)
    for at in range(np.uint64(second.payees_from), np.uint64(second.payees_from + second.payees)):
        leg = w.legs_out[at]
        third = w.agents[leg.agent]
        has = third.available + leg.amount
        w.options[likely] = at
        likely += np.uint64(
            (leg.amount <= most - held_back(w, second_agent, leg.is_urgent))
            & (has >= needed)
            & (has >= third.smallest)
            & (leg.agent != start)
        )
    return likely


@inlined
def _first_that_closes(w: Work, likely: int, last_min: int, last_max: int) -> int:
    """The listed leg to the lowest agent that can pay the start and so closes a ring of three; NIL if none can."""
    found, lowest = NIL, NIL
    for o in range(likely):
        leg = w.legs_out[w.options[o]]
        if _may_close(w, leg.agent, leg.amount, last_min, last_max) and leg.agent < lowest:
            found, lowest = w.options[o], leg.agent
    return found


@inlined
def _first_fourth(w: Work, second_agent: int, third_agent: int, paid: int, last_min: int, last_max: int) -> int:
    """The leg out of the third agent, which was paid so much, to the lowest agent that can close; NIL if none can."""
    third, closers = w.agents[third_agent], w.search[0].closers
    most = third.available + paid
    found, lowest = NIL, NIL
    if closers < INFINITE and third.payees > _LOOK_UP_RATIO * closers:
        for c in range(np.uint64(closers)):
            agent = w.closers[c]
            if agent < lowest and agent != second_agent:
                entry = w.pair_entries[pair_entry(w, third_agent, agent)]
                if entry.key != 0:
                    pair = w.pairs[entry.pair]
                    if pair.oldest != NIL:
                        leg = w.legs_out[pair.leg_out]
                        if leg.amount <= most - held_back(w, third_agent, leg.is_urgent) and _can_close(
                            w, agent, leg.amount
                        ):
                            found, lowest = pair.leg_out, agent
        return found
    for at in range(np.uint64(third.payees_from), np.uint64(third.payees_from + third.payees)):
        leg = w.legs_out[at]
        if (
            leg.amount <= most - held_back(w, third_agent, leg.is_urgent)
            and _may_close(w, leg.agent, leg.amount, last_min, last_max)
            and leg.agent != second_agent
            and leg.agent < lowest
        ):
            found, lowest = np.uint32(at), leg.agent
    return found


@inlined
def _may_close(w: Work, agent: int, paid: int, last_min: int, last_max: int) -> bool:
    """Whether an agent that was paid so much can pay its leg back to the start, and that leg is within the bounds."""
    closing = w.closings[agent]
    return (
        closing.search == w.search[0].number and last_min <= closing.amount <= last_max and _can_close(w, agent, paid)
    )


@inlined
def _can_close(w: Work, agent: int, paid: int) -> bool:
    """Whether an agent with a leg back to the start can pay it out of what it was paid and what it has."""
    closing = w.closings[agent]
    return closing.amount <= w.agents[agent].available - held_back(w, agent, closing.is_urgent) + paid


@inlined
def _pay_in_path(w: Work, step: int, agent: int, pair: int) -> None:
    here = w.path[step]
    here.agent = agent
    here.pair = pair
    here.amount = w.pairs[pair].oldest_amount


@inlined
def _close_path(w: Work, step: int, agent: int) -> None:
    _pay_in_path(w, step, agent, w.closings[agent].pair)
