"""What an agent may pay net: its liquidity, and what limits and a reservation leave of it to payments not urgent."""

from collections.abc import Iterable, Sequence

from sim_engine.scenario import Agent
from sim_engine.vocabulary import URGENT
from tests.oracle.item import Item
from tests.oracle.ledger import Ledger
from tests.oracle.ring_memory import RingMemory


class Liquidity:
    """Bounds where nobody states more than liquidity. available: by agent index, minor units."""

    def __init__(self, available: Sequence[int]) -> None:
        self.available = available

    def out_of(self, agent: int, holds_bound: bool) -> int:
        """Most that a set may take net out of an agent; holds_bound: whether it holds one of its that is not urgent."""
        return self.available[agent]

    def towards(self, sender: int, receiver: int) -> int | None:
        """Most that payments which are not urgent may bring from sender to receiver in a step; None: no limit."""
        return None


class Bounds(Liquidity):
    """The bounds of a day under way: net positions count everything that settles in it, limits bind all but urgent."""

    def __init__(
        self, agents: Sequence[Agent], ledger: Ledger, opening_balances: Sequence[int], memory: RingMemory
    ) -> None:
        super().__init__(ledger.available)
        self._ledger = ledger
        self._memory = memory
        self._opening_balances = opening_balances
        self._reserved = [agent.reserved_for_urgent for agent in agents]
        self._multilateral = [agent.limits.multilateral for agent in agents]
        index = {agent.id: place for place, agent in enumerate(agents)}
        self._limits = {
            (sender, index[receiver]): limit
            for sender, agent in enumerate(agents)
            for receiver, limit in agent.limits.bilateral.items()
        }
        self._positions = dict.fromkeys(self._limits, 0)

    def out_of(self, agent: int, holds_bound: bool) -> int:
        return self.out_of_at(agent, self.available[agent], holds_bound)

    def out_of_at(self, agent: int, available: int, holds_bound: bool) -> int:
        """The same, had the agent so much available."""
        if not holds_bound:
            return available
        return max(0, min(available, available - self._reserved[agent], self._below_limit_at(agent, available)))

    def _below_limit_at(self, agent: int, available: int) -> int:
        """What the multilateral limit leaves: the limit less the net debit since the day's opening."""
        limit = self._multilateral[agent]
        if limit is None:
            return available
        balance = available - self._ledger.credit_capacities[agent]
        return limit - (self._opening_balances[agent] - balance)

    def towards(self, sender: int, receiver: int) -> int | None:
        limit = self._limits.get((sender, receiver))
        return None if limit is None else max(0, limit - self._positions[sender, receiver])

    def breaks_bilateral_limit(self, item: Item) -> bool:
        """Whether its sender's limit towards its receiver keeps the item from settling alone."""
        room = self.towards(item.sender, item.receiver)
        return item.priority != URGENT and room is not None and item.amount > room

    def breaks_multilateral_limit(self, item: Item) -> bool:
        """Whether its sender's limit towards all others together keeps the item from settling alone."""
        room = max(0, self._below_limit_at(item.sender, self.available[item.sender]))
        return item.priority != URGENT and self._multilateral[item.sender] is not None and item.amount > room

    def breaks_reservation(self, item: Item) -> bool:
        """Whether what its sender reserves for urgent payments keeps the item from settling alone."""
        reserved = self._reserved[item.sender]
        return item.priority != URGENT and reserved > 0 and item.amount > self.available[item.sender] - reserved

    def covers(self, item: Item, paid_in: int = 0) -> bool:
        """Whether its sender may pay it, alone or in a step in which it is paid so much by others."""
        is_bound = item.priority != URGENT
        return item.amount - paid_in <= self.out_of(item.sender, is_bound) and not self.breaks_bilateral_limit(item)

    def settled(self, items: Iterable[Item]) -> None:
        """Counts what has settled; who is paid by an agent for which it states a limit may pay that agent more."""
        for item in items:
            there, back = (item.sender, item.receiver), (item.receiver, item.sender)
            if there in self._positions:
                self._positions[there] += item.amount
            if back in self._positions:
                self._positions[back] -= item.amount
                self._memory.pair_has_new_oldest(*back)
