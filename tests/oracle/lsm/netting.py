"""The netting rule, which all three mechanisms share (SPEC 4)."""

from collections.abc import Sequence

from sim_engine.vocabulary import URGENT
from tests.oracle.bounds import Liquidity
from tests.oracle.item import Item


def net(items: Sequence[Item], bounds: Liquidity) -> list[Item]:
    """The unique maximal FIFO-respecting subset of items that can settle simultaneously.

    Where a sender's payments to another exceed what its bilateral limit leaves, the newest of that pair are dropped and
    all its later ones. While some agent would pay net more than its bounds allow, its newest remaining item is dropped.
    The order in which agents are served does not matter: dropping an item never helps another sender, so every item
    dropped is one that any feasible FIFO-respecting set lacks.

    items: in Queue 2 order, so that of each sender the urgent ones, which no limit binds, are dropped last.
    Returns the kept items in Queue 2 order; touches nothing.
    Source: Bech and Soramaki (2001), Gridlock Resolution in Interbank Payment Systems, Bank of Finland DP 9/2001.
    """
    remaining: dict[int, list[Item]] = {}
    outflow: dict[int, int] = {}
    for item in items:
        remaining.setdefault(item.sender, []).append(item)
    for sender, queued in remaining.items():
        remaining[sender] = _within_bilateral_limits(queued, bounds)
    for queued in remaining.values():
        for item in queued:
            outflow[item.sender] = outflow.get(item.sender, 0) + item.amount
            outflow[item.receiver] = outflow.get(item.receiver, 0) - item.amount

    dropped = {item.entry_seq for item in items} - {item.entry_seq for row in remaining.values() for item in row}
    to_look_at = list(remaining)
    while to_look_at:
        agent = to_look_at.pop()
        queued = remaining[agent]
        while queued and outflow[agent] > bounds.out_of(agent, queued[-1].priority != URGENT):
            newest = queued.pop()
            dropped.add(newest.entry_seq)
            outflow[agent] -= newest.amount
            outflow[newest.receiver] += newest.amount
            if newest.receiver in remaining:
                to_look_at.append(newest.receiver)
    return [item for item in items if item.entry_seq not in dropped]


def _within_bilateral_limits(items: list[Item], bounds: Liquidity) -> list[Item]:
    """A sender's items up to the first that exceeds what a bilateral limit leaves."""
    paid: dict[int, int] = {}
    for place, item in enumerate(items):
        if item.priority == URGENT:
            continue
        paid[item.receiver] = paid.get(item.receiver, 0) + item.amount
        room = bounds.towards(item.sender, item.receiver)
        if room is not None and paid[item.receiver] > room:
            return items[:place]
    return items


def net_positions(items: Sequence[Item]) -> dict[int, int]:
    """Received - paid within a set, by agent, minor units; agents in order of their first appearance."""
    positions: dict[int, int] = {}
    for item in items:
        positions[item.sender] = positions.get(item.sender, 0) - item.amount
        positions[item.receiver] = positions.get(item.receiver, 0) + item.amount
    return positions
