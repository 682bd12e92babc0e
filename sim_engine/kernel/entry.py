"""Settlement of single transactions: on entry, and when the queue is tried again (SPEC 3, steps 3 and 4)."""

import numpy as np

from sim_engine.kernel.accounts import pay, soil, touch
from sim_engine.kernel.heap import pop, push
from sim_engine.kernel.jit import inlined, is_plain, part, spliced
from sim_engine.kernel.layout import AGENT_BITS, GAINED, INFINITE, NIL, ORDER_BITS, RECHECK, Work
from sim_engine.kernel.limits import count_payment, held_back, limited_pair, room_of_pair
from sim_engine.kernel.lsm.entry_offset import offset_on_entry
from sim_engine.kernel.queue2 import is_urgent_slot, join, leave, touch_if_pair_goes_on
from sim_engine.kernel.recording import settlement
from sim_engine.vocabulary import (
    BEHIND_ANOTHER,
    BILATERAL_LIMIT,
    ENTRY_RULE,
    IMMEDIATE,
    LIQUIDITY,
    MULTILATERAL_LIMIT,
    NONE,
    QUEUE,
    RESERVATION,
    URGENT,
)

_AGENT_MASK = (np.int64(1) << AGENT_BITS) - 1


@part
def settle_on_entry(w: Work, first_row: int, last_row: int, tick: int) -> None:
    """Submits rows first_row..last_row - 1, which stand by arrival_seq: each settles at once or joins Queue 2."""
    rules, counts = w.rules[0], w.counts[0]
    settled, order = np.uint64(counts.settled), counts.submitted
    first_entry_seq = rules.first_entry_seq - rules.carried_queue2
    for row in range(np.uint64(first_row), np.uint64(last_row)):
        sender, amount = w.senders[row], w.amounts[row]
        w.entry_ticks[row] = tick
        w.entry_seqs[row] = first_entry_seq + order
        reason = -1
        if rules.entry_only_queues:
            reason = ENTRY_RULE
        elif rules.is_fifo and _holds_same_or_higher_class(w, sender, w.priorities[row]):
            reason = BEHIND_ANOTHER
        elif amount > w.agents[sender].available:
            reason = LIQUIDITY
        w.wait_reasons[row] = reason
        if reason < 0:
            pay(w, sender, w.receivers[row], amount)
            w.settled_rows[settled] = row
            w.settled_mechanisms[settled] = IMMEDIATE
            settled += np.uint64(1)
        else:
            join(w, row, (np.int64(w.priorities[row]) << ORDER_BITS) | order)
        order += 1
    counts.settled = settled
    counts.submitted = order


@part
def submit(w: Work, row: int, tick: int) -> None:
    """Submits one row where what may settle is more than a question of liquidity."""
    rules, counts = w.rules[0], w.counts[0]
    sender, receiver, amount = w.senders[row], w.receivers[row], w.amounts[row]
    is_urgent = w.priorities[row] == URGENT
    p = limited_pair(w, sender, receiver)
    order = counts.submitted
    counts.submitted += 1
    w.entry_ticks[row] = tick
    w.entry_seqs[row] = rules.first_entry_seq - rules.carried_queue2 + order
    if rules.entry_only_queues or (rules.entry_settles_urgent and not is_urgent):
        reason = ENTRY_RULE
    elif rules.is_fifo and _holds_same_or_higher_class(w, sender, w.priorities[row]):
        reason = BEHIND_ANOTHER
    else:
        reason = _bound_that_keeps(w, sender, p, amount, is_urgent)
    w.wait_reasons[row] = reason
    if reason == NONE:
        settlement(w, row, IMMEDIATE)
        pay(w, sender, receiver, amount)
        count_payment(w, p, receiver, amount)
    else:
        k = join(w, row, (np.int64(w.priorities[row]) << ORDER_BITS) | order)
        if rules.entry_offset and reason != ENTRY_RULE and reason != BEHIND_ANOTHER:
            offset_on_entry(w, k, tick)


@inlined
def _bound_that_keeps(w: Work, sender: int, p: int, amount: int, is_urgent: int) -> int:
    """The wait reason of a transaction that could not settle alone now; NONE if it could. p: see limited_pair."""
    available, behaviour = w.agents[sender].available, w.behaviours[sender]
    if not is_urgent:
        if p != NIL and amount > room_of_pair(w, p):
            return BILATERAL_LIMIT
        if behaviour.limit_floor > -INFINITE and amount - available > -behaviour.limit_floor:
            return MULTILATERAL_LIMIT
        if behaviour.reserved > 0 and amount > available - behaviour.reserved:
            return RESERVATION
    return LIQUIDITY if amount > available else NONE


@inlined
def _holds_same_or_higher_class(w: Work, sender: int, priority: int) -> bool:
    """Whether the sender has an item in Queue 2 that stands before a new one of that class."""
    account = w.agents[sender]
    return account.queued > 0 and (w.lines[account.first].place >> ORDER_BITS) <= priority


@part
def retry_queue(w: Work) -> tuple[int, int]:
    """Sweeps through Queue 2 in order until a sweep settles nothing.

    Equal to looking at every item in every sweep: after a retry nobody can pay any of its items (fifo: its first), so
    the next one starts from the agents whose liquidity rose since; within a sweep, which stands at some place of the
    queue, a settlement lets its receiver pay items behind that place, and in the next sweep any.
    Returns how many transactions settled and their value in minor units.
    """
    rules, counts = w.rules[0], w.counts[0]
    settled = np.int64(0)
    value = np.int64(0)
    while counts.gained > 0:
        _begin_sweep(w)
        if rules.entry_only_queues:
            counts.heap = 0
        while counts.heap > 0:
            key = pop(w)
            place, sender = key >> AGENT_BITS, np.uint32(key & _AGENT_MASK)
            account = w.agents[sender]
            at = account.candidate
            if at == NIL or w.lines[at].place != place:
                continue  # an earlier item of the sender has become its candidate
            waiting = w.lines[at]
            k, receiver, amount = waiting.slot, waiting.receiver, waiting.amount
            was_oldest = w.slots[k].older == NIL
            settlement(w, w.slots[k].row, QUEUE)
            settled += 1
            value += amount
            pay(w, sender, receiver, amount)
            leave(w, k)
            if not is_plain(w):
                count_payment(w, w.slots[k].pair, receiver, amount)
            if was_oldest:
                touch_if_pair_goes_on(w, k)
            _choose_candidate(w, sender, place)
            _choose_candidate(w, receiver, place)
    return settled, value


@spliced
def _begin_sweep(w: Work) -> None:
    counts = w.counts[0]
    gained = counts.gained
    counts.gained = 0
    for g in range(np.uint64(gained)):
        agent = w.gained[g]
        account = w.agents[agent]
        if account.marks & GAINED:
            touch(w, agent)
            soil(w, agent)
        account.marks &= ~(GAINED | RECHECK)
        account.candidate = NIL
        _choose_candidate(w, agent, -1)


@inlined
def _choose_candidate(w: Work, agent: int, after: int) -> None:
    """Finds the agent's first item behind a place that it can pay now, and queues it for the sweep."""
    account = w.agents[agent]
    if account.queued == 0 or account.available < account.smallest:
        account.candidate = NIL
        return
    at = _first_payable(w, agent, after)
    if at != NIL and at != account.candidate:
        push(w, (w.lines[at].place << AGENT_BITS) | np.int64(agent))
    account.candidate = at


@part
def _first_payable(w: Work, agent: int, after: int) -> int:
    if not is_plain(w):
        return _first_within_bounds(w, agent, after)
    account = w.agents[agent]
    available, end = account.available, np.uint64(account.end)
    if w.rules[0].is_fifo:
        waiting = w.lines[account.first]
        return account.first if waiting.place > after and waiting.amount <= available else NIL
    first = np.uint64(account.first)
    if after >= 0:
        for at in range(_first_behind(w, first, end, after), end):
            if w.lines[at].amount <= available and w.lines[at].slot != NIL:
                return np.uint32(at)
        return NIL
    smallest = INFINITE
    for at in range(first, end):
        amount = w.lines[at].amount
        if amount <= available and w.lines[at].slot != NIL:
            return np.uint32(at)
        smallest = min(smallest, amount)
    account.smallest = smallest
    return NIL


@inlined
def _first_behind(w: Work, first: int, end: int, after: int) -> int:
    """Where in a line the first place behind another stands: places ascend along a line, holes keep theirs."""
    beyond = end
    while first < beyond:
        middle = (first + beyond) >> np.uint64(1)
        if w.lines[middle].place > after:
            beyond = middle
        else:
            first = middle + np.uint64(1)
    return first


@part
def _first_within_bounds(w: Work, agent: int, after: int) -> int:
    """The same where the agent may have limits or a reservation, or only urgent transactions settle alone."""
    account, rules = w.agents[agent], w.rules[0]
    first, end = np.uint64(account.first), np.uint64(account.end)
    for_urgent = account.available
    for_others = for_urgent - held_back(w, agent, False)
    if for_others < account.smallest and not is_urgent_slot(w, w.lines[first].slot):
        return NIL
    if after >= 0 and not rules.is_fifo:
        first = _first_behind(w, first, end, after)
    smallest = INFINITE
    for at in range(first, end):
        waiting = w.lines[at]
        k, amount = waiting.slot, waiting.amount
        if k == NIL:
            continue
        smallest = min(smallest, amount)
        is_urgent = is_urgent_slot(w, k)
        if rules.entry_settles_urgent and not is_urgent:
            return NIL  # nor are those behind it
        if amount <= (for_urgent if is_urgent else for_others) and (
            is_urgent or amount <= room_of_pair(w, w.slots[k].pair)
        ):
            return np.uint32(at) if waiting.place > after else NIL
        if rules.is_fifo:
            return NIL
    if after < 0:
        account.smallest = smallest
    return NIL
