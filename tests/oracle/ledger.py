"""Accounts and credit: the only place where money moves."""

from collections.abc import Mapping, Sequence

from tests.oracle.ring_memory import RingMemory


class Ledger:
    """The agents' liquidity, by agent index, minor units.

    available: balance plus credit capacity. balance_min, balance_max: after any settlement step of the day, its opening
    included. credit_capacities: how far below zero each balance may go; collateral changes them.
    """

    def __init__(self, balances: Sequence[int], credit_capacities: Sequence[int], memory: RingMemory) -> None:
        self.credit_capacities = list(credit_capacities)
        self._memory = memory
        self.available = [balance + credit for balance, credit in zip(balances, credit_capacities, strict=True)]
        self.balance_min = list(balances)
        self.balance_max = list(balances)
        assert min(self.available) >= 0, "available liquidity is never negative"

    def balances(self) -> list[int]:
        """Money on every account."""
        return [available - credit for available, credit in zip(self.available, self.credit_capacities, strict=True)]

    def move(self, net_positions: Mapping[int, int]) -> None:
        """One simultaneous step: every agent's balance changes by its net position (received - paid)."""
        assert sum(net_positions.values()) == 0, "money is conserved"
        for agent, change in net_positions.items():
            available = self.available[agent] + change
            assert available >= 0, f"agent {agent} would end with available liquidity {available}"
            self.available[agent] = available
            balance = available - self.credit_capacities[agent]
            if change < 0:
                self.balance_min[agent] = min(self.balance_min[agent], balance)
                self._memory.liquidity_fell(agent, available)
            elif change > 0:
                self.balance_max[agent] = max(self.balance_max[agent], balance)
                self._memory.liquidity_rose(agent)

    def change_credit_capacity(self, agent: int, credit_capacity: int) -> None:
        """Collateral was posted or withdrawn: liquidity changes, no money moves."""
        change = credit_capacity - self.credit_capacities[agent]
        self.credit_capacities[agent] = credit_capacity
        self.available[agent] += change
        assert self.available[agent] >= 0, f"agent {agent} would end with available liquidity {self.available[agent]}"
        if change > 0:
            self._memory.liquidity_rose(agent)
        elif change < 0:
            self._memory.liquidity_fell(agent, self.available[agent])
