"""The netting rule, which all three mechanisms share (SPEC 4)."""

from collections.abc import Sequence

from tests.oracle.item import Item


def net(items: Sequence[Item], available: Sequence[int]) -> list[Item]:
    """The unique maximal FIFO-respecting subset of items that can settle simultaneously.

    While some agent's net outflow exceeds its available liquidity, that agent's newest remaining item is dropped. The
    order in which agents in deficit are served does not matter: dropping an item never covers another sender, so every
    item dropped is one that any feasible FIFO-respecting set lacks.

    items: in Queue 2 order. available: liquidity by agent index, minor units.
    Returns the kept items in Queue 2 order; touches nothing.
    Source: Bech and Soramaki (2001), Gridlock Resolution in Interbank Payment Systems, Bank of Finland DP 9/2001.
    """
    remaining: dict[int, list[Item]] = {}
    covered: dict[int, int] = {}
    for item in items:
        remaining.setdefault(item.sender, []).append(item)
        covered[item.sender] = covered.get(item.sender, available[item.sender]) - item.amount
        covered[item.receiver] = covered.get(item.receiver, available[item.receiver]) + item.amount

    dropped: set[int] = set()
    in_deficit = [agent for agent, position in covered.items() if position < 0]
    while in_deficit:
        agent = in_deficit.pop()
        while covered[agent] < 0:
            newest = remaining[agent].pop()
            dropped.add(newest.entry_seq)
            covered[agent] += newest.amount
            covered[newest.receiver] -= newest.amount
            if covered[newest.receiver] < 0:
                in_deficit.append(newest.receiver)
    return [item for item in items if item.entry_seq not in dropped]


def net_positions(items: Sequence[Item]) -> dict[int, int]:
    """Received - paid within a set, by agent, minor units; agents in order of their first appearance."""
    positions: dict[int, int] = {}
    for item in items:
        positions[item.sender] = positions.get(item.sender, 0) - item.amount
        positions[item.receiver] = positions.get(item.receiver, 0) + item.amount
    return positions
