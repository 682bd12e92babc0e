"""The legs that lead back to where a ring search starts."""

from typing import Any

import numpy as np

from sim_engine.kernel.jit import highest_bit, inlined, is_plain, part, spliced
from sim_engine.kernel.layout import INFINITE, Work
from sim_engine.kernel.limits import held_back

_FEW = 16
"""So many legs are looked through quicker than sorted."""


@spliced
def note_closing_legs(w: Work, start: int) -> None:
    """Notes the legs by the agent that pays, and by size if there are many; their smallest and largest are known."""
    search, account = w.search[0], w.agents[start]
    search.number += 1
    search.legs = 0
    search.reached = 0
    for at in range(np.uint64(account.payers_from), np.uint64(account.payers_from + account.payers)):
        leg = w.legs_in[at]
        closing = w.closings[leg.agent]
        closing.amount = leg.amount
        closing.pair = leg.pair
        closing.search = search.number
        if not is_plain(w):
            closing.is_urgent = leg.is_urgent
    if account.payers > _FEW:
        _sort_by_size(w, start)


@inlined
def least_needed(w: Work, start: int, last_min: int, last_max: int) -> int:
    """The least that any agent must be paid which has a closing leg of last_min..last_max; INFINITE if there is none.

    Each pays its closing leg out of that and of what it has available. Lists these agents in w.closers if looking them
    up one by one was necessary: search.closers says how many, or INFINITE.
    """
    account, search = w.agents[start], w.search[0]
    search.closers = 0
    if account.payers > _FEW:
        return _least_needed_by_size(w, last_min, last_max)
    least = INFINITE
    for at in range(np.uint64(account.payers_from), np.uint64(account.payers_from + account.payers)):
        leg = w.legs_in[at]
        if last_min <= leg.amount <= last_max:
            least = min(least, _needed(w, leg))
            w.closers[search.closers] = leg.agent
            search.closers += 1
    return least


@inlined
def _needed(w: Work, leg: Any) -> int:
    """What the payer of a closing leg must be paid to pay it."""
    return leg.amount - (w.agents[leg.agent].available - held_back(w, leg.agent, leg.is_urgent))


@inlined
def _size_class(amount: int) -> int:
    """Eighths of octaves: classes ascend with the amount, which is at least 1, and there are fewer than 512."""
    octave = np.int64(highest_bit(np.uint64(amount)))
    if octave < 3:
        return amount
    return ((octave - 2) << 3) | ((amount >> (octave - 3)) & 7)


@spliced
def _sort_by_size(w: Work, start: int) -> None:
    """A counting sort by class; within one in no order. class_needed: the least of a class and those above."""
    search, account = w.search[0], w.agents[start]
    lowest, highest = _size_class(search.smallest_in), _size_class(search.largest_in)
    first, end = np.uint64(account.payers_from), np.uint64(account.payers_from + account.payers)
    for size in range(lowest, highest + 2):
        w.class_ends[size] = 0
        w.class_needed[size] = INFINITE
    for at in range(first, end):
        w.class_ends[_size_class(w.legs_in[at].amount)] += 1
    below = np.int64(0)
    for size in range(lowest, highest + 1):
        members = np.int64(w.class_ends[size])
        w.class_ends[size] = below
        below += members
    for at in range(first, end):
        leg = w.legs_in[at]
        size = _size_class(leg.amount)
        needed = _needed(w, leg)
        sized = w.sized[w.class_ends[size]]
        sized.amount = leg.amount
        sized.needed = needed
        sized.agent = leg.agent
        w.class_ends[size] += 1
        w.class_needed[size] = min(w.class_needed[size], needed)
    for size in range(highest, lowest, -1):
        w.class_needed[size - 1] = min(w.class_needed[size - 1], w.class_needed[size])


@part
def _least_needed_by_size(w: Work, last_min: int, last_max: int) -> int:
    search = w.search[0]
    least = INFINITE
    if last_max < search.smallest_in or last_min > search.largest_in:
        return least
    lowest = _size_class(search.smallest_in)
    low = _size_class(max(last_min, search.smallest_in))
    high = _size_class(min(last_max, search.largest_in))
    if last_max >= search.largest_in:
        least = w.class_needed[low + 1]  # of the classes above all are within the bounds
        high = low
    begin = np.uint64(w.class_ends[low - 1]) if low > lowest else np.uint64(0)
    for at in range(begin, np.uint64(w.class_ends[high])):
        sized = w.sized[at]
        if last_min <= sized.amount <= last_max:
            least = min(least, sized.needed)
            w.closers[search.closers] = sized.agent
            search.closers += 1
    if last_max >= search.largest_in:
        search.closers = INFINITE
    return least
