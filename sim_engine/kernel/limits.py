"""What limits and a reservation leave to transactions that are not urgent, and the net positions they are held against.

In a plain day none of it is asked for, or the answer is a constant.
"""

import numpy as np

from sim_engine.kernel.accounts import note_for_retry, touch
from sim_engine.kernel.jit import inlined, is_plain, part
from sim_engine.kernel.layout import INFINITE, NIL, RECHECK, Work
from sim_engine.kernel.pair_table import pair_entry, pair_of


@inlined
def held_back(w: Work, agent: int, is_urgent: int) -> int:
    """How much of an agent's available liquidity is not there for its next transaction, urgent or not."""
    return held_back_at(w, agent, is_urgent, w.agents[agent].available)


@inlined
def held_back_at(w: Work, agent: int, is_urgent: int, available: int) -> int:
    """The same, had the agent so much available."""
    if is_plain(w) or is_urgent:
        return np.int64(0)
    return min(w.behaviours[agent].floor, available)


@inlined
def room_of_pair(w: Work, p: int) -> int:
    """What the sender's bilateral limit leaves; INFINITE if it states none."""
    limited = w.pair_limits[p]
    if limited.limit >= INFINITE + min(0, limited.position):
        return INFINITE  # what it leaves is more than there is, and more than int64 holds
    return max(0, limited.limit - limited.position)


@inlined
def limited_pair(w: Work, sender: int, receiver: int) -> int:
    """The pair, if either of its agents may state a bilateral limit for the other; else NIL."""
    if not (w.behaviours[sender].is_limited and w.behaviours[receiver].is_limited):
        return NIL
    entry = w.pair_entries[pair_entry(w, sender, receiver)]
    return entry.pair if entry.key != np.uint64(0) else NIL


@inlined
def count_payment(w: Work, p: int, receiver: int, amount: int) -> None:
    """Counts what has settled; asked when Queue 2 stands as the settlement leaves it, or as a part of its set does.

    p: its pair; NIL will do where neither agent states a bilateral limit for the other.
    """
    w.behaviours[receiver].received += amount
    if p == NIL:
        return
    if w.pair_limits[p].limit < INFINITE:
        w.pair_limits[p].position += amount
        if w.pairs[p].oldest != NIL:
            show_amount(w, p)
    back = w.pairs[p].reverse
    if back != NIL and w.pair_limits[back].limit < INFINITE:
        w.pair_limits[back].position -= amount
        if w.pairs[back].oldest != NIL:
            show_amount(w, back)
            w.legs_out[w.pairs[back].leg_out].changed = w.counts[0].searches
        touch(w, receiver)
        note_for_retry(w, receiver, RECHECK)


@inlined
def show_amount(w: Work, p: int) -> None:
    """The legs of a pair that has any show the amount of its oldest transaction, or that its limit bars that."""
    pair = w.pairs[p]
    leg_out = w.legs_out[pair.leg_out]
    amount = pair.oldest_amount
    if not leg_out.is_urgent and amount > room_of_pair(w, p):
        amount = INFINITE
    leg_out.amount = amount
    w.legs_in[pair.leg_in].amount = amount


@part
def state_limits(w: Work) -> None:
    """Enters the pairs on which a bilateral limit is stated, both ways, before anything is queued."""
    for at in range(w.rules[0].bilateral_limits):
        p = pair_of(w, w.limit_senders[at], w.limit_receivers[at])
        pair_of(w, w.limit_receivers[at], w.limit_senders[at])
        w.pair_limits[p].limit = w.limits[at]
        w.limit_pairs[at] = p
