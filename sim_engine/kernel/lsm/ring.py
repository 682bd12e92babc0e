"""Ring search: simple rings of three or more agents, one transaction a leg (SPEC 4)."""

import numpy as np

from sim_engine.kernel.accounts import change, untouch
from sim_engine.kernel.jit import lowest_bit, part, spliced
from sim_engine.kernel.layout import INFINITE, Work
from sim_engine.kernel.limits import held_back, held_back_at
from sim_engine.kernel.lsm.closing_legs import note_closing_legs
from sim_engine.kernel.lsm.long_rings import first_long_path
from sim_engine.kernel.lsm.run import may_try_another_scope
from sim_engine.kernel.lsm.short_rings import first_short_path
from sim_engine.kernel.queue2 import settle, touch_if_pair_goes_on
from sim_engine.kernel.recording import cycle, cycle_agent
from sim_engine.vocabulary import RING


@part
def search_rings(w: Work) -> bool:
    """Settles rings until no feasible one is left or the run's bound is met. Returns whether anything settled."""
    settled_any = False
    word = np.uint64(0)
    while word < np.uint64(w.touched.shape[0]):
        if w.touched[word] == 0:
            word += np.uint64(1)
            continue
        start = (word << np.uint64(6)) | lowest_bit(w.touched[word])
        account = w.agents[start]
        # An agent that does not both pay and receive is on no ring: there is no scope to try.
        while account.payees > 0 and account.payers > 0:
            if not may_try_another_scope(w):
                return settled_any
            length = _find_ring(w, start)
            if length == 0:
                break
            _settle_ring(w, length)
            settled_any = True
            word = np.uint64(0)  # a ring may have touched any agent
        _end_search(w, start)
    return settled_any


@spliced
def _end_search(w: Work, start: int) -> None:
    counts, account = w.counts[0], w.agents[start]
    untouch(w, np.uint32(start))
    counts.searches += 1
    account.searched = counts.searches
    account.lowest = min(account.lowest, account.low)
    account.low = account.available


@spliced
def _find_ring(w: Work, start: int) -> int:
    """Puts the first feasible ring that the start's search admits into the path. Returns its length, 0 for none."""
    admitted = _admit_first_legs(w, start)
    if admitted == 0:
        return 0
    note_closing_legs(w, start)
    length = first_short_path(w, start, admitted)
    if length > 0:
        return length
    for longer in range(5, w.rules[0].max_cycle_length + 1):
        if first_long_path(w, start, admitted, longer):
            return longer
    return 0


@spliced
def _admit_first_legs(w: Work, start: int) -> int:
    """Lists the legs out of the start that a ring may begin with. Returns how many there are.

    Besides being new, or larger by more than `low` than some leg in, a leg must be covered by the largest leg in.
    """
    account = w.agents[start]
    available, low = account.available, account.low
    largest_in, smallest_in = np.int64(-1), INFINITE
    for at in range(np.uint64(account.payers_from), np.uint64(account.payers_from + account.payers)):
        amount = w.legs_in[at].amount
        largest_in = max(largest_in, amount)
        smallest_in = min(smallest_in, amount)
    w.search[0].smallest_in = smallest_in
    w.search[0].largest_in = largest_in
    admitted = np.uint64(0)
    for at in range(np.uint64(account.payees_from), np.uint64(account.payees_from + account.payees)):
        leg = w.legs_out[at]
        if leg.amount - (available - held_back(w, start, leg.is_urgent)) <= largest_in and (
            leg.changed >= account.searched
            or (available > low and leg.amount - smallest_in > low - held_back_at(w, start, leg.is_urgent, low))
        ):
            w.admitted[admitted] = at
            admitted += np.uint64(1)
    return admitted


@part
def _settle_ring(w: Work, length: int) -> None:
    """Settles the ring of the path, recorded in payment direction from its lowest agent."""
    first_settlement = w.counts[0].settled
    lowest = 0
    for step in range(1, length):
        if w.path[step].agent < w.path[lowest].agent:
            lowest = step
    total = np.int64(0)
    net = np.int64(0)
    for turn in range(length):
        step = (lowest + turn) % length
        agent, paid = w.path[step].agent, w.path[step].amount
        position = w.path[(step + length - 1) % length].amount - paid
        total += paid
        net += max(0, -position)
        k = w.pairs[w.path[step].pair].oldest
        settle(w, k, RING)
        touch_if_pair_goes_on(w, k)
        change(w, agent, position)
        cycle_agent(w, agent, position)
    cycle(w, first_settlement, total, net, RING, False)
