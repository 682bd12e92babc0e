"""Queue 2 in three views that change together: each sender's line, each pair's list, and the legs between agents."""

import numpy as np

from sim_engine.kernel.accounts import note_for_retry, soil, touch
from sim_engine.kernel.jit import inlined, is_plain, part
from sim_engine.kernel.layout import GREW, INFINITE, NIL, ORDER_BITS, RECHECK, ROOM_MIN, Work
from sim_engine.kernel.limits import count_payment, show_amount
from sim_engine.kernel.pair_table import pair_of
from sim_engine.kernel.recording import settlement
from sim_engine.vocabulary import URGENT

_HOLES_MIN = 32
"""A line is closed up when it has this many holes more than items."""


@inlined
def join(w: Work, row: int, place: int) -> int:
    """A transaction joins Queue 2 at its place in it. Returns its slot."""
    counts = w.counts[0]
    sender, amount = w.senders[row], w.amounts[row]
    k = _free_slot(w)
    p = pair_of(w, sender, w.receivers[row])
    slot = w.slots[k]
    slot.amount = amount
    slot.place = place
    slot.row = row
    slot.sender = sender
    slot.receiver = w.receivers[row]
    slot.pair = p
    _stand_in_line(w, k)
    _stand_in_pair(w, k)

    account = w.agents[sender]
    account.queued += 1
    account.incoming -= amount
    if amount < account.smallest:
        account.smallest = amount
    w.agents[slot.receiver].incoming += amount
    if account.marks & GREW == 0:
        account.marks |= GREW
        w.grew[counts.grew] = sender
        counts.grew += 1
    soil(w, sender)
    counts.queue_size += 1
    counts.queue_value += amount
    if not is_plain(w):
        w.behaviours[sender].submitted += amount
    return k


@inlined
def leave(w: Work, k: int) -> None:
    """The transaction in a slot leaves Queue 2; it has settled."""
    counts, slot = w.counts[0], w.slots[k]
    sender, amount = slot.sender, slot.amount
    _leave_line(w, k)
    _leave_pair(w, k)
    account = w.agents[sender]
    account.incoming += amount
    w.agents[slot.receiver].incoming -= amount
    soil(w, sender)
    counts.queue_size -= 1
    counts.queue_value -= amount
    if not is_plain(w):
        w.behaviours[sender].submitted -= amount
    slot.newer = counts.free_slot
    counts.free_slot = k


@inlined
def touch_if_pair_goes_on(w: Work, k: int) -> None:
    """Touches the sender of a pair's oldest transaction, which has left, if the pair has others: one of them is now.

    Asked when all that leave in the same step have left.
    """
    if w.pairs[w.slots[k].pair].oldest != NIL:
        touch(w, w.slots[k].sender)


@part
def settle(w: Work, k: int, mechanism: int) -> None:
    """The transaction in a slot settles by the LSM; its agents' accounts change once for the whole set."""
    slot = w.slots[k]
    settlement(w, slot.row, mechanism)
    if w.rules[0].is_fifo:
        note_for_retry(w, slot.sender, RECHECK)  # what it stood before may settle without any gain
    leave(w, k)
    if not is_plain(w):
        count_payment(w, slot.pair, slot.receiver, slot.amount)


@inlined
def _free_slot(w: Work) -> int:
    counts = w.counts[0]
    k = counts.free_slot
    if k != NIL:
        counts.free_slot = w.slots[k].newer
        return k
    k = np.uint32(counts.slots)
    counts.slots += 1
    return k


# Lines


@inlined
def _stand_in_line(w: Work, k: int) -> None:
    slot = w.slots[k]
    account = w.agents[slot.sender]
    if (
        account.end == account.line_from + account.line_room
        or account.end - account.first > 2 * np.int64(account.queued) + _HOLES_MIN
    ):
        _close_up(w, slot.sender)
    at = account.end
    account.end += 1
    if account.queued > 0 and w.lines[at - np.uint32(1)].place > slot.place:
        at = _make_room(w, slot.sender, slot.place)
    waiting = w.lines[at]
    waiting.amount = slot.amount
    waiting.place = slot.place
    waiting.slot = k
    waiting.receiver = slot.receiver
    slot.in_line = at


@part
def _make_room(w: Work, sender: int, place: int) -> int:
    """Moves what stands behind a place one further, into the free end of the line. Returns where the gap is."""
    account = w.agents[sender]
    at = account.end - np.uint32(1)
    while at > account.first and w.lines[at - np.uint32(1)].place > place:
        _move_in_line(w, at - np.uint32(1), at)
        at -= np.uint32(1)
    return at


@part
def _close_up(w: Work, sender: int) -> None:
    """Takes the holes out of a line, and gives it a longer part if they are few."""
    account, counts = w.agents[sender], w.counts[0]
    first, end = account.first, account.end
    if 4 * np.int64(account.queued) >= 3 * np.int64(account.line_room):
        account.line_room = max(ROOM_MIN, 2 * np.int64(account.line_room))
        account.line_from = counts.lines
        counts.lines += account.line_room
    to = account.line_from
    for at in range(first, end):
        if w.lines[at].slot != NIL:
            if at != to:
                _move_in_line(w, np.uint32(at), to)
            to += np.uint32(1)
    account.first = account.line_from
    account.end = to


@inlined
def _move_in_line(w: Work, start: int, end: int) -> None:
    source, target = w.lines[start], w.lines[end]
    target.amount = source.amount
    target.place = source.place
    target.slot = source.slot
    target.receiver = source.receiver
    if source.slot != NIL:
        w.slots[source.slot].in_line = end


@inlined
def _leave_line(w: Work, k: int) -> None:
    """Both ends of a line are items, not holes, as long as there are any."""
    slot = w.slots[k]
    account = w.agents[slot.sender]
    at = slot.in_line
    w.lines[at].amount = INFINITE
    w.lines[at].slot = NIL
    account.queued -= 1
    if account.queued == 0:
        account.first = account.line_from
        account.end = account.line_from
        account.smallest = INFINITE
    elif at == account.first:
        while w.lines[account.first].slot == NIL:
            account.first += 1
    elif at == account.end - np.uint32(1):
        while w.lines[account.end - np.uint32(1)].slot == NIL:
            account.end -= 1


# Pairs and legs


@inlined
def _stand_in_pair(w: Work, k: int) -> None:
    slot = w.slots[k]
    pair = w.pairs[slot.pair]
    older, newer = pair.newest, NIL
    while older != NIL and w.slots[older].place > slot.place:
        newer = older
        older = w.slots[older].older
    slot.older = older
    slot.newer = newer
    if newer == NIL:
        pair.newest = k
    else:
        w.slots[newer].older = k
    pair.total += slot.amount
    if older != NIL:
        w.slots[older].newer = k
        return
    is_leg = pair.oldest != NIL
    pair.oldest = k
    pair.oldest_amount = slot.amount
    touch(w, slot.sender)
    if is_leg:
        _update_leg(w, slot.pair)
    else:
        _open_leg(w, slot.pair)


@inlined
def _leave_pair(w: Work, k: int) -> None:
    slot = w.slots[k]
    pair = w.pairs[slot.pair]
    pair.total -= slot.amount
    older, newer = slot.older, slot.newer
    if newer == NIL:
        pair.newest = older
    else:
        w.slots[newer].older = older
    if older != NIL:
        w.slots[older].newer = newer
        return
    pair.oldest = newer
    if newer == NIL:
        _close_leg(w, slot.pair)
    else:
        pair.oldest_amount = w.slots[newer].amount
        _update_leg(w, slot.pair)


@inlined
def _update_leg(w: Work, p: int) -> None:
    """The pair has a different oldest transaction."""
    w.legs_out[w.pairs[p].leg_out].changed = w.counts[0].searches
    _show_oldest(w, p)


@inlined
def _show_oldest(w: Work, p: int) -> None:
    """The legs of a pair show what is to be known of its oldest transaction."""
    pair = w.pairs[p]
    leg_out, leg_in = w.legs_out[pair.leg_out], w.legs_in[pair.leg_in]
    if is_plain(w):
        leg_out.amount = pair.oldest_amount
        leg_in.amount = pair.oldest_amount
    else:
        is_urgent = is_urgent_slot(w, pair.oldest)
        leg_out.is_urgent = is_urgent
        leg_in.is_urgent = is_urgent
        show_amount(w, p)


@inlined
def is_urgent_slot(w: Work, k: int) -> bool:
    """Whether the transaction in a slot is urgent."""
    return w.slots[k].place >> ORDER_BITS == URGENT


@inlined
def _open_leg(w: Work, p: int) -> None:
    """The pair has a first transaction."""
    pair = w.pairs[p]
    payer, payee = w.agents[pair.sender], w.agents[pair.receiver]
    if payer.payees == payer.payees_room:
        _move_payees(w, pair.sender)
    at = payer.payees_from + payer.payees
    payer.payees += 1
    pair.leg_out = at
    leg = w.legs_out[at]
    leg.agent = pair.receiver
    leg.pair = p
    leg.changed = w.counts[0].searches
    if payee.payers == payee.payers_room:
        _move_payers(w, pair.receiver)
    at = payee.payers_from + payee.payers
    payee.payers += 1
    pair.leg_in = at
    leg = w.legs_in[at]
    leg.agent = pair.sender
    leg.pair = p
    _show_oldest(w, p)
    if pair.reverse != NIL and w.pairs[pair.reverse].oldest != NIL:
        _open_both_ways(w, p)


@inlined
def _close_leg(w: Work, p: int) -> None:
    """The pair has no transaction any more; the last leg of each part moves into the gap."""
    pair = w.pairs[p]
    payer, payee = w.agents[pair.sender], w.agents[pair.receiver]
    payer.payees -= 1
    last = payer.payees_from + payer.payees
    if pair.leg_out != last:
        _move_leg_out(w, last, pair.leg_out)
    payee.payers -= 1
    last = payee.payers_from + payee.payers
    if pair.leg_in != last:
        _move_leg_in(w, last, pair.leg_in)
    if pair.both_ways != NIL:
        _close_both_ways(w, p)


@part
def _move_payees(w: Work, agent: int) -> None:
    """Moves an agent's legs out to a longer part."""
    account, counts = w.agents[agent], w.counts[0]
    start, to = account.payees_from, np.uint32(counts.legs_out)
    account.payees_from = to
    account.payees_room = max(ROOM_MIN, 2 * np.int64(account.payees_room))
    counts.legs_out += account.payees_room
    for k in range(account.payees):
        _move_leg_out(w, np.uint32(start + k), np.uint32(to + k))


@part
def _move_payers(w: Work, agent: int) -> None:
    """Moves an agent's legs in to a longer part."""
    account, counts = w.agents[agent], w.counts[0]
    start, to = account.payers_from, np.uint32(counts.legs_in)
    account.payers_from = to
    account.payers_room = max(ROOM_MIN, 2 * np.int64(account.payers_room))
    counts.legs_in += account.payers_room
    for k in range(account.payers):
        _move_leg_in(w, np.uint32(start + k), np.uint32(to + k))


@inlined
def _move_leg_out(w: Work, start: int, end: int) -> None:
    source, target = w.legs_out[start], w.legs_out[end]
    target.amount = source.amount
    target.agent = source.agent
    target.pair = source.pair
    target.changed = source.changed
    if not is_plain(w):
        target.is_urgent = source.is_urgent
    w.pairs[source.pair].leg_out = end


@inlined
def _move_leg_in(w: Work, start: int, end: int) -> None:
    source, target = w.legs_in[start], w.legs_in[end]
    target.amount = source.amount
    target.agent = source.agent
    target.pair = source.pair
    if not is_plain(w):
        target.is_urgent = source.is_urgent
    w.pairs[source.pair].leg_in = end


@inlined
def _open_both_ways(w: Work, p: int) -> None:
    counts, pair = w.counts[0], w.pairs[p]
    both = w.both_ways[counts.both_ways]
    if pair.sender < pair.receiver:
        both.i = pair.sender
        both.j = pair.receiver
        both.pair = p
        both.reverse = pair.reverse
    else:
        both.i = pair.receiver
        both.j = pair.sender
        both.pair = pair.reverse
        both.reverse = p
    pair.both_ways = counts.both_ways
    w.pairs[pair.reverse].both_ways = counts.both_ways
    counts.both_ways += 1


@inlined
def _close_both_ways(w: Work, p: int) -> None:
    counts, pair = w.counts[0], w.pairs[p]
    counts.both_ways -= 1
    at = pair.both_ways
    pair.both_ways = NIL
    w.pairs[pair.reverse].both_ways = NIL
    if at != counts.both_ways:
        source, target = w.both_ways[counts.both_ways], w.both_ways[at]
        target.i = source.i
        target.j = source.j
        target.pair = source.pair
        target.reverse = source.reverse
        w.pairs[source.pair].both_ways = at
        w.pairs[source.reverse].both_ways = at
