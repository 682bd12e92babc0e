"""Bilateral netting: all that two agents have queued for each other (SPEC 4)."""

import numpy as np

from sim_engine.kernel.accounts import change, soil
from sim_engine.kernel.heap import pop, push
from sim_engine.kernel.jit import inlined, is_plain, part, spliced
from sim_engine.kernel.layout import DIRTY, INFINITE, NIL, Work
from sim_engine.kernel.limits import held_back, room_of_pair
from sim_engine.kernel.lsm.run import may_try_another_scope
from sim_engine.kernel.pair_table import pair_entry
from sim_engine.kernel.queue2 import is_urgent_slot, settle, touch_if_pair_goes_on
from sim_engine.kernel.recording import cycle, cycle_agent
from sim_engine.vocabulary import BILATERAL

_INDEX_BITS = np.int64(31)
_INDEX_MASK = (np.int64(1) << _INDEX_BITS) - 1


@part
def sweep_bilaterally(w: Work) -> bool:
    """Tries each pair i < j once, ascending. Returns whether anything settled.

    A pair that could not net when it was last tried can only if since then an item of it came or went or the liquidity
    of one of its agents rose: such agents are dirty, and only their pairs are looked at.
    """
    counts = w.counts[0]
    if counts.both_ways == 0 or not may_try_another_scope(w):
        return False
    counts.sweeps += 1
    for at in range(np.uint64(counts.both_ways)):
        both = w.both_ways[at]
        if (w.agents[both.i].marks | w.agents[both.j].marks) & DIRTY:
            _await_turn(w, both.i, both.j, both.pair)
    for at in range(np.uint64(counts.dirty)):
        w.agents[w.dirty[at]].marks &= ~DIRTY
    counts.dirty = 0

    settled_any = False
    tried = np.int64(-1)
    while counts.heap > 0 and may_try_another_scope(w):
        tried = pop(w)
        i, j = np.uint32(tried >> _INDEX_BITS), np.uint32(tried & _INDEX_MASK)
        p = w.pair_entries[pair_entry(w, i, j)].pair
        q = w.pairs[p].reverse
        i_keeps, j_keeps = _newest_kept(w, p, q)
        if i_keeps != NIL and j_keeps != NIL:
            gainer = settle_two_sides(w, w.pairs[p].oldest, i_keeps, w.pairs[q].oldest, j_keeps, BILATERAL)
            settled_any = True
            if gainer != NIL:
                _await_turns_of(w, gainer, tried)
    if counts.heap > 0:
        _put_off(w)
    elif settled_any:
        _note_bound_before_pairs_beyond(w, tried)
    return settled_any


@inlined
def _turn(i: int, j: int) -> int:
    """When the sweep comes to a pair."""
    return (np.int64(i) << _INDEX_BITS) | np.int64(j)


@inlined
def _await_turn(w: Work, i: int, j: int, p: int) -> None:
    """Lets the sweep try a pair (p pays from i to j), unless a look at its ends shows that it cannot net."""
    pair = w.pairs[p]
    reverse = w.pairs[pair.reverse]
    if (
        pair.oldest_amount - reverse.total <= w.agents[i].available
        and reverse.oldest_amount - pair.total <= w.agents[j].available
        and pair.sweep != np.uint32(w.counts[0].sweeps)
    ):
        pair.sweep = w.counts[0].sweeps
        push(w, _turn(i, j))


@spliced
def _await_turns_of(w: Work, gainer: int, tried: int) -> None:
    """The pairs of an agent whose liquidity rose that are still to come in the sweep."""
    account = w.agents[gainer]
    for at in range(np.uint64(account.payees_from), np.uint64(account.payees_from + account.payees)):
        place = w.pairs[w.legs_out[at].pair].both_ways
        if place != NIL:
            both = w.both_ways[place]
            if _turn(both.i, both.j) > tried:
                _await_turn(w, both.i, both.j, both.pair)


@spliced
def _put_off(w: Work) -> None:
    """The bound cut the sweep: what still awaits its turn has it in the next."""
    counts = w.counts[0]
    while counts.heap > 0:
        key = pop(w)
        soil(w, np.uint32(key >> _INDEX_BITS))


@spliced
def _note_bound_before_pairs_beyond(w: Work, tried: int) -> None:
    """The bound also holds before pairs of which it is known that they cannot net."""
    for at in range(np.uint64(w.counts[0].both_ways)):
        both = w.both_ways[at]
        if _turn(both.i, both.j) > tried:
            may_try_another_scope(w)
            return


@spliced
def _newest_kept(w: Work, p: int, q: int) -> tuple[int, int]:
    """The netting rule for a pair: the newest slot that each side keeps, NIL if it keeps none."""
    pair, reverse = w.pairs[p], w.pairs[q]
    i_has, j_has = w.agents[pair.sender].available, w.agents[pair.receiver].available
    i_pays, j_pays = pair.total, reverse.total
    i_keeps, j_keeps = pair.newest, reverse.newest
    if not is_plain(w):
        i_keeps, i_pays = newest_in_scope(w, p, w.rules[0].bilateral_most)
        j_keeps, j_pays = newest_in_scope(w, q, w.rules[0].bilateral_most)
    while i_keeps != NIL and j_keeps != NIL:
        if i_pays - j_pays > i_has - held_back(w, pair.sender, is_urgent_slot(w, i_keeps)):
            i_pays -= w.slots[i_keeps].amount
            i_keeps = w.slots[i_keeps].older
        elif j_pays - i_pays > j_has - held_back(w, pair.receiver, is_urgent_slot(w, j_keeps)):
            j_pays -= w.slots[j_keeps].amount
            j_keeps = w.slots[j_keeps].older
        else:
            break
    return i_keeps, j_keeps


@part
def newest_in_scope(w: Work, p: int, most: int) -> tuple[int, int]:
    """The newest slot of a pair that its sender's limit admits, with all before it, and what they come to.

    most: how many are admitted, 0 for all. The slot is NIL if none is.
    """
    room, count = room_of_pair(w, p), 0
    if room == INFINITE and most == 0:
        return w.pairs[p].newest, w.pairs[p].total
    keeps, pays, bound = NIL, np.int64(0), np.int64(0)
    k = w.pairs[p].oldest
    while k != NIL and (most == 0 or count < most):
        amount = w.slots[k].amount
        if not is_urgent_slot(w, k):
            if amount > room - bound:
                break
            bound += amount
        keeps = k
        pays += amount
        count += 1
        k = w.slots[k].newer
    return keeps, pays


@part
def settle_two_sides(w: Work, i_next: int, i_keeps: int, j_next: int, j_keeps: int, mechanism: int) -> int:
    """Settles a stretch of a pair and one of its reverse, slots from the one to the other, in Queue 2 order.

    Returns who gained, NIL if nobody did.
    """
    i, j = w.slots[i_next].sender, w.slots[j_next].sender
    i_is_oldest, j_is_oldest = w.slots[i_next].older == NIL, w.slots[j_next].older == NIL
    i_end, j_end = w.slots[i_keeps].newer, w.slots[j_keeps].newer
    first_settlement = w.counts[0].settled
    i_pays = np.int64(0)
    j_pays = np.int64(0)
    while i_next != i_end or j_next != j_end:
        if j_next == j_end or (i_next != i_end and w.slots[i_next].place < w.slots[j_next].place):
            k = i_next
            i_next = w.slots[k].newer
            i_pays += w.slots[k].amount
        else:
            k = j_next
            j_next = w.slots[k].newer
            j_pays += w.slots[k].amount
        settle(w, k, mechanism)
    if i_is_oldest:
        touch_if_pair_goes_on(w, i_keeps)
    if j_is_oldest:
        touch_if_pair_goes_on(w, j_keeps)
    change(w, i, j_pays - i_pays)
    change(w, j, i_pays - j_pays)
    cycle_agent(w, min(i, j), j_pays - i_pays if i < j else i_pays - j_pays)
    cycle_agent(w, max(i, j), i_pays - j_pays if i < j else j_pays - i_pays)
    cycle(w, first_settlement, i_pays + j_pays, abs(i_pays - j_pays), mechanism, False)
    if i_pays == j_pays:
        return NIL
    return i if j_pays > i_pays else j
