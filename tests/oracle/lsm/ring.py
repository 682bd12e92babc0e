"""Ring search: simple rings of three or more agents, one transaction a leg (SPEC 4)."""

from sim_engine.vocabulary import RING, URGENT
from tests.oracle.item import Item
from tests.oracle.lsm.run import LsmRun
from tests.oracle.system import Cycle, System


def search_rings(system: System, run: LsmRun) -> bool:
    """Settles rings until no feasible one is left or the run's bound is met. Returns whether anything settled."""
    queue, ledger, memory = system.queue2, system.ledger, system.ring_memory
    settled_any = False
    while memory.touched:
        agent = min(memory.touched)
        # An agent that does not both pay and receive is on no ring: there is no scope to try.
        while queue.receivers_of[agent] and queue.senders_to[agent]:
            if not run.may_try_another_scope():
                return settled_any
            ring = first_feasible_ring(system, agent)
            if not ring:
                break
            system.settle_cycles([_from_lowest_agent(ring)], RING, run)
            settled_any = True
        memory.search_ended(agent, ledger.available[agent])
    return settled_any


def first_feasible_ring(system: System, agent: int) -> list[Item]:
    """The first feasible ring that the agent's search admits, by (length, path), leg by leg from the agent.

    Empty if there is none.
    """
    for length in range(3, system.rules.lsm.max_cycle_length + 1):
        ring = _RingOfLength(system, agent, length).first()
        if ring:
            return ring
    return []


class _RingOfLength:
    """Depth-first search for one ring of a given length through an agent, paths in ascending order of index.

    A path is given up at the first agent whose net outflow is not covered: what comes later cannot mend it.
    """

    def __init__(self, system: System, agent: int, length: int) -> None:
        self._queue = system.queue2
        self._bounds = system.bounds
        self._memory = system.ring_memory
        self._agent = agent
        self._length = length

    def first(self) -> list[Item]:
        """The legs of the first feasible ring; empty if there is none."""
        amounts_in = [self._queue.oldest(sender, self._agent).amount for sender in self._queue.senders_to[self._agent]]
        for receiver in self._queue.receivers_of[self._agent]:
            leg = self._queue.oldest(self._agent, receiver)
            if self._admits(leg, min(amounts_in)) and self._bounds.covers(leg, max(amounts_in)):
                ring = self._extended([leg])
                if ring:
                    return ring
        return []

    def _extended(self, legs: list[Item]) -> list[Item]:
        here, paid_in = legs[-1].receiver, legs[-1].amount
        receivers = self._queue.receivers_of[here]
        if len(legs) == self._length - 1:
            receivers = [self._agent] if self._queue.pair(here, self._agent) else []
        elif len(legs) == self._length - 2:
            closers = self._queue.senders_to[self._agent]
            receivers = [receiver for receiver in receivers if receiver in closers]
        for receiver in receivers:
            leg = self._queue.oldest(here, receiver)
            if not self._bounds.covers(leg, paid_in):
                continue
            if receiver == self._agent:
                if (
                    len(legs) == self._length - 1
                    and self._admits(legs[0], leg.amount)
                    and self._bounds.covers(legs[0], leg.amount)
                ):
                    return [*legs, leg]
            elif all(receiver != passed.receiver for passed in legs):
                ring = self._extended([*legs, leg])
                if ring:
                    return ring
        return []

    def _admits(self, first: Item, amount_in: int) -> bool:
        """Whether the ring may have become feasible through its start since the start's last search."""
        if self._memory.is_new(first.sender, first.receiver):
            return True
        low = self._memory.low(self._agent)
        return first.amount - amount_in > self._bounds.out_of_at(self._agent, low, first.priority != URGENT)


def _from_lowest_agent(legs: list[Item]) -> Cycle:
    """The ring in payment direction from its lowest agent."""
    lowest = min(range(len(legs)), key=lambda place: legs[place].sender)
    legs = legs[lowest:] + legs[:lowest]
    return Cycle([leg.sender for leg in legs], legs)
