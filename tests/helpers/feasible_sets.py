"""Exhaustive search for the netting sets that a queue still holds, and what keeps a set from settling."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations, product
from typing import Protocol, TypeVar

from sim_engine.vocabulary import URGENT


class Queued(Protocol):
    """A queued transaction, agents by index."""

    sender: int
    receiver: int
    amount: int


class Ranked(Queued, Protocol):
    """A queued transaction with its class."""

    priority: int


Payment = TypeVar("Payment", bound=Queued)


@dataclass
class Stated:
    """What agents state, by index, and what has settled between them today; minor units.

    bilateral: by (sender, receiver). multilateral: None for no limit. opening: balances at the opening of the day.
    paid: by (sender, receiver), the value settled today.
    """

    bilateral: Mapping[tuple[int, int], int]
    multilateral: Sequence[int | None]
    reserved: Sequence[int]
    paid: dict[tuple[int, int], int] = field(default_factory=dict)

    def count(self, payments: Sequence[Queued]) -> None:
        """Notes what has settled."""
        for payment in payments:
            pair = payment.sender, payment.receiver
            self.paid[pair] = self.paid.get(pair, 0) + payment.amount

    def net_paid(self, sender: int, receiver: int) -> int:
        """The sender's net position towards the receiver."""
        return self.paid.get((sender, receiver), 0) - self.paid.get((receiver, sender), 0)

    def net_debit(self, agent: int) -> int:
        """How much less the agent has than at the opening."""
        there = sum(amount for (sender, _), amount in self.paid.items() if sender == agent)
        back = sum(amount for (_, receiver), amount in self.paid.items() if receiver == agent)
        return there - back


def broken_bounds(payments: Sequence[Ranked], available: Sequence[int], stated: Stated) -> list[str]:
    """What a set would break if it settled now; empty if it can."""
    broken = []
    for agent, has in enumerate(available):
        net = sum(payment.amount for payment in payments if payment.sender == agent)
        net -= sum(payment.amount for payment in payments if payment.receiver == agent)
        if net > has:
            broken.append(f"liquidity of {agent}")
        bound = [payment for payment in payments if payment.sender == agent and payment.priority != URGENT]
        limit = stated.multilateral[agent]
        if bound and limit is not None and net > max(0, limit - stated.net_debit(agent)):
            broken.append(f"multilateral limit of {agent}")
        if bound and net > max(0, has - stated.reserved[agent]):
            broken.append(f"reservation of {agent}")
        for receiver in {payment.receiver for payment in bound}:
            there = sum(payment.amount for payment in bound if payment.receiver == receiver)
            pair = agent, receiver
            if pair in stated.bilateral and there > max(0, stated.bilateral[pair] - stated.net_paid(*pair)):
                broken.append(f"bilateral limit of {agent} towards {receiver}")
    return broken


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
    return [chosen for chosen in _prefix_sets(queue, len(available)) if is_feasible(chosen, available)]


def bounded_prefix_sets(queue: Sequence[Ranked], available: Sequence[int], stated: Stated) -> list[list[Ranked]]:
    """Those of them that keep within what agents state."""
    return [chosen for chosen in _prefix_sets(queue, len(available)) if not broken_bounds(chosen, available, stated)]


def _prefix_sets(queue: Sequence[Payment], agents: int) -> Iterator[list[Payment]]:
    by_sender = [[payment for payment in queue if payment.sender == agent] for agent in range(agents)]
    for lengths in product(*(range(len(own) + 1) for own in by_sender)):
        chosen = [payment for own, length in zip(by_sender, lengths, strict=True) for payment in own[:length]]
        if chosen:
            yield chosen
