"""Gridlock resolution: everything queued at once (SPEC 4)."""

import numpy as np

from sim_engine.kernel.accounts import change
from sim_engine.kernel.heap import pop, push
from sim_engine.kernel.jit import inlined, is_plain, part, spliced
from sim_engine.kernel.layout import NIL, ORDER_BITS, Work
from sim_engine.kernel.limits import held_back, room_of_pair
from sim_engine.kernel.lsm.run import may_try_another_scope
from sim_engine.kernel.queue2 import is_urgent_slot, settle, touch_if_pair_goes_on
from sim_engine.kernel.recording import cycle, cycle_agent
from sim_engine.vocabulary import GRIDLOCK, URGENT

_SLOT_BITS = np.int64(30)
_SLOT_MASK = (np.int64(1) << _SLOT_BITS) - 1


@part
def resolve_gridlock(w: Work) -> bool:
    """Settles the largest FIFO-respecting set of the whole queue as one step. Returns whether anything settled."""
    if w.counts[0].queue_size == 0 or not may_try_another_scope(w):
        return False
    if _drop_what_is_not_covered(w) == 0:
        return False
    _settle_what_is_kept(w)
    return True


@spliced
def _drop_what_is_not_covered(w: Work) -> int:
    """The netting rule. Returns how many items remain; those of an agent stand in its line before its cursor."""
    if not is_plain(w):
        return _drop_what_breaks_a_bound(w)
    remaining = w.counts[0].queue_size
    in_deficit = np.uint64(0)
    for agent in range(np.uint64(w.agents.shape[0])):
        account = w.agents[agent]
        position = account.available + account.incoming
        w.positions[agent] = position
        w.cursors[agent] = account.end
        if position < 0:
            w.stack[in_deficit] = agent
            in_deficit += np.uint64(1)
    while in_deficit > 0:
        in_deficit -= np.uint64(1)
        agent = w.stack[in_deficit]
        position, cursor = w.positions[agent], np.uint64(w.cursors[agent])
        while position < 0:
            cursor -= np.uint64(1)
            waiting = w.lines[cursor]
            if waiting.slot != NIL:
                amount, receiver = waiting.amount, waiting.receiver
                position += amount
                remaining -= 1
                received = w.positions[receiver]
                w.positions[receiver] = received - amount
                if received >= 0 and received < amount:
                    w.stack[in_deficit] = receiver
                    in_deficit += np.uint64(1)
        w.positions[agent] = position
        w.cursors[agent] = cursor
    return remaining


@part
def _drop_what_breaks_a_bound(w: Work) -> int:
    """The same where agents have limits or a reservation, too; offsets[agent] is 1 while it is on the stack."""
    remaining = w.counts[0].queue_size
    for agent in range(np.uint64(w.agents.shape[0])):
        account = w.agents[agent]
        w.positions[agent] = account.available + account.incoming
        w.cursors[agent] = account.end
        w.offsets[agent] = 0
    for agent in range(np.uint64(w.agents.shape[0])):
        if w.behaviours[agent].limits_end > w.behaviours[agent].limits_from:
            barred = _first_barred(w, agent)
            while w.cursors[agent] > barred:
                remaining -= _drop_newest(w, agent)
    on_stack = np.uint64(0)
    for agent in range(np.uint64(w.agents.shape[0])):
        if _is_short(w, agent):
            w.offsets[agent] = 1
            w.stack[on_stack] = agent
            on_stack += np.uint64(1)
    while on_stack > 0:
        on_stack -= np.uint64(1)
        agent = w.stack[on_stack]
        w.offsets[agent] = 0
        while _is_short(w, agent):
            receiver = w.lines[w.cursors[agent] - np.uint32(1)].receiver
            remaining -= _drop_newest(w, agent)
            if w.offsets[receiver] == 0 and _is_short(w, receiver):
                w.offsets[receiver] = 1
                w.stack[on_stack] = receiver
                on_stack += np.uint64(1)
    return remaining


@inlined
def _drop_newest(w: Work, agent: int) -> int:
    """Moves an agent's cursor before what stands last before it. Returns how many items that drops: 0 for a hole."""
    w.cursors[agent] -= np.uint32(1)
    waiting = w.lines[w.cursors[agent]]
    if waiting.slot == NIL:
        return 0
    w.positions[agent] += waiting.amount
    w.positions[waiting.receiver] -= waiting.amount
    return 1


@inlined
def _is_short(w: Work, agent: int) -> bool:
    """Whether an agent's remaining items take more out of it than its bounds allow; its cursor steps over holes."""
    position, held = w.positions[agent], held_back(w, agent, False)
    if position >= held:
        return False
    cursor, first = np.uint64(w.cursors[agent]), np.uint64(w.agents[agent].first)
    while cursor > first and w.lines[cursor - np.uint64(1)].slot == NIL:
        cursor -= np.uint64(1)
    w.cursors[agent] = cursor
    if cursor == first:
        return False  # it only receives
    return position < 0 or w.lines[cursor - np.uint64(1)].place >> ORDER_BITS != URGENT


@part
def _first_barred(w: Work, agent: int) -> int:
    """Where in an agent's line a bilateral limit is exceeded first; the line's end if nowhere."""
    behaviour, first = w.behaviours[agent], w.agents[agent].end
    for at in range(behaviour.limits_from, behaviour.limits_end):
        p = w.limit_pairs[at]
        room = room_of_pair(w, p)
        k = w.pairs[p].oldest
        if k == NIL or w.pairs[p].total <= room:
            continue
        while k != NIL:
            slot = w.slots[k]
            if not is_urgent_slot(w, k):
                if slot.amount > room:
                    first = min(first, slot.in_line)
                    break
                room -= slot.amount
            k = slot.newer
    return first


@spliced
def _settle_what_is_kept(w: Work) -> None:
    """One step, recorded as one cycle per weakly connected component, by lowest agent."""
    counts = w.counts[0]
    agents = w.agents.shape[0]
    for agent in range(agents):
        w.groups[agent] = agent
        w.positions[agent] = 0
        w.offsets[agent] = 0
    for agent in range(agents):
        for at in range(w.agents[agent].first, w.cursors[agent]):
            waiting = w.lines[at]
            if waiting.slot != NIL:
                push(w, (waiting.place << _SLOT_BITS) | np.int64(waiting.slot))
                w.positions[agent] -= waiting.amount
                w.positions[waiting.receiver] += waiting.amount
                one, other = _lowest_joined(w, agent), _lowest_joined(w, waiting.receiver)
                w.groups[max(one, other)] = min(one, other)
                w.offsets[agent] += 1

    # Kept items by component, in order of its lowest agent; within one in Queue 2 order. First: where each begins.
    for agent in range(agents):
        lowest = _lowest_joined(w, agent)
        w.groups[agent] = lowest
        if lowest != agent:
            w.offsets[lowest] += w.offsets[agent]
    begin = 0
    for agent in range(agents):
        if w.groups[agent] == agent:
            size = w.offsets[agent]
            w.offsets[agent] = begin
            begin += size
    kept = counts.heap
    for _ in range(kept):
        k = pop(w) & _SLOT_MASK
        component = w.groups[w.slots[k].sender]
        w.stack[w.offsets[component]] = k
        w.offsets[component] += 1

    begin = 0
    is_first = True
    for lowest in range(agents):
        end = w.offsets[lowest]
        if w.groups[lowest] != lowest or end == begin:
            continue
        first_settlement = counts.settled
        total = np.int64(0)
        net = np.int64(0)
        for at in range(begin, end):
            k = w.stack[at]
            total += w.slots[k].amount
            settle(w, k, GRIDLOCK)
        for at in range(begin, end):
            touch_if_pair_goes_on(w, np.uint32(w.stack[at]))
        for agent in range(lowest, agents):
            if w.groups[agent] == lowest:
                change(w, np.uint32(agent), w.positions[agent])
                cycle_agent(w, agent, w.positions[agent])
                net += max(0, -w.positions[agent])
        cycle(w, first_settlement, total, net, GRIDLOCK, not is_first)
        is_first = False
        begin = end


@part
def _lowest_joined(w: Work, agent: int) -> int:
    """The lowest agent of the component as far as it is known."""
    at = np.int64(agent)
    while w.groups[at] != at:
        w.groups[at] = w.groups[w.groups[at]]
        at = np.int64(w.groups[at])
    return at
