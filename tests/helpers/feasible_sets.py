"""Exhaustive search for the netting sets that a queue still holds."""

from collections.abc import Sequence
from itertools import permutations, product
from typing import Protocol


class Queued(Protocol):
    """A queued transaction, agents by index."""

    sender: int
    receiver: int
    amount: int


def is_feasible(payments: Sequence[Queued], available: Sequence[int]) -> bool:
    """Whether they can settle simultaneously."""
    after = list(available)
    for payment in payments:
        after[payment.sender] -= payment.amount
        after[payment.receiver] += payment.amount
    return min(after) >= 0


def feasible_pairs(queue: Sequence[Queued], available: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of agents of whose queues for each other some prefixes, neither empty, can settle."""
    agents = range(len(available))
    found = []
    for i, j in ((i, j) for i in agents for j in agents if i < j):
        one_way = [payment for payment in queue if (payment.sender, payment.receiver) == (i, j)]
        other_way = [payment for payment in queue if (payment.sender, payment.receiver) == (j, i)]
        lengths = product(range(1, len(one_way) + 1), range(1, len(other_way) + 1))
        if any(is_feasible(one_way[:there] + other_way[:back], available) for there, back in lengths):
            found.append((i, j))
    return found


def feasible_rings(queue: Sequence[Queued], available: Sequence[int], length_max: int) -> list[tuple[int, ...]]:
    """Rings of 3..length_max agents, each from its lowest, whose oldest transactions can settle."""
    oldest: dict[tuple[int, int], Queued] = {}
    for payment in queue:
        oldest.setdefault((payment.sender, payment.receiver), payment)
    found = []
    for length in range(3, length_max + 1):
        for path in permutations(range(len(available)), length):
            legs = [oldest.get((path[k], path[(k + 1) % length])) for k in range(length)]
            if path[0] == min(path) and all(legs) and is_feasible(legs, available):
                found.append(path)
    return found


def feasible_prefix_sets(queue: Sequence[Queued], available: Sequence[int]) -> list[list[Queued]]:
    """Every set, but the empty one, of a prefix of each sender's queue that can settle."""
    by_sender = [[payment for payment in queue if payment.sender == agent] for agent in range(len(available))]
    found = []
    for lengths in product(*(range(len(own) + 1) for own in by_sender)):
        chosen = [payment for own, length in zip(by_sender, lengths, strict=True) for payment in own[:length]]
        if chosen and is_feasible(chosen, available):
            found.append(chosen)
    return found
