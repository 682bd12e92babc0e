"""Offset on entry: a transaction about to wait, against what its receiver has queued for its sender (SPEC 4)."""

import numpy as np

from sim_engine.kernel.jit import part
from sim_engine.kernel.layout import NIL, Work
from sim_engine.kernel.limits import held_back, room_of_pair
from sim_engine.kernel.lsm.bilateral import settle_two_sides
from sim_engine.kernel.queue2 import is_urgent_slot
from sim_engine.vocabulary import ENTRY_OFFSET


@part
def offset_on_entry(w: Work, k: int, tick: int) -> None:
    """Settles the transaction in a slot, which has just joined Queue 2, with what it can be netted with; if it can."""
    slot = w.slots[k]
    p = slot.pair
    q = w.pairs[p].reverse
    if q == NIL or w.pairs[q].oldest == NIL:
        return
    i, j, pays = slot.sender, slot.receiver, slot.amount
    is_urgent = is_urgent_slot(w, k)
    if not is_urgent and pays > room_of_pair(w, p):
        return
    # Bounds only tighten from one of j's transactions to the next: the first that breaks one ends what is kept.
    keeps, received, bound = NIL, np.int64(0), np.int64(0)
    other = w.pairs[q].oldest
    while other != NIL:
        amount, is_other_urgent = w.slots[other].amount, is_urgent_slot(w, other)
        if received + amount - pays > w.agents[j].available - held_back(w, j, is_other_urgent):
            break
        if not is_other_urgent:
            if amount > room_of_pair(w, q) - bound:
                break
            bound += amount
        keeps = other
        received += amount
        other = w.slots[other].newer
    if keeps != NIL and pays - received <= w.agents[i].available - held_back(w, i, is_urgent):
        w.runs[w.counts[0].runs].tick = tick  # the row of the next run, which has not begun: its pass is 0
        settle_two_sides(w, k, k, w.pairs[q].oldest, keeps, ENTRY_OFFSET)
