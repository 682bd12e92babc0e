"""What the ring search remembers between searches, so that no ring is looked at twice without cause (SPEC 4)."""

_MINUS_INFINITY = -(2**64)
"""Below any available liquidity."""


class RingMemory:
    """Touched agents, new pairs and each agent's smallest available liquidity since its last search ended.

    At the start of a day every agent is touched and every pair new: those that stand in the queue then become new as
    they are put into it, and no others can be part of a ring.
    """

    def __init__(self, agents: int) -> None:
        self.touched = set(range(agents))
        self._new_receivers: list[set[int]] = [set() for _ in range(agents)]
        self._low = [_MINUS_INFINITY] * agents

    def is_new(self, sender: int, receiver: int) -> bool:
        """Whether the pair got a first or a different oldest transaction since the sender's last search ended."""
        return receiver in self._new_receivers[sender]

    def low(self, agent: int) -> int:
        """The agent's smallest available liquidity since its last search ended."""
        return self._low[agent]

    def pair_has_new_oldest(self, sender: int, receiver: int) -> None:
        """The pair has a first or a different oldest transaction."""
        self._new_receivers[sender].add(receiver)
        self.touched.add(sender)

    def liquidity_rose(self, agent: int) -> None:
        """The agent's available liquidity is higher than before."""
        self.touched.add(agent)

    def liquidity_fell(self, agent: int, available: int) -> None:
        """The agent's available liquidity is lower than before."""
        self._low[agent] = min(self._low[agent], available)

    def search_ended(self, agent: int, available: int) -> None:
        """No ring that the agent's search admits is left."""
        self.touched.discard(agent)
        self._new_receivers[agent].clear()
        self._low[agent] = available
