"""Queue 2: what was submitted and is not yet settled, in order, by pair and by sender."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable

from tests.oracle.item import Item, queue2_order


class Queue2:
    """The central queue, ordered by (priority class, entry_seq).

    on_new_oldest: called with (sender, receiver) whenever that pair gets a first or a different oldest transaction.
    """

    def __init__(self, agents: int, on_new_oldest: Callable[[int, int], None]) -> None:
        self._ordered: list[Item] = []
        self._has_gaps = False
        self._pairs: dict[tuple[int, int], list[Item]] = {}
        self._on_new_oldest = on_new_oldest
        self.receivers_of: list[list[int]] = [[] for _ in range(agents)]
        self.senders_to: list[list[int]] = [[] for _ in range(agents)]
        self.sizes = [0] * agents
        self.values = [0] * agents
        self.size = 0
        self.value = 0

    def in_order(self) -> list[Item]:
        """All items, first to last; the list must not be changed, and is true until the queue changes."""
        if self._has_gaps:
            self._ordered = [item for item in self._ordered if item.in_queue2]
            self._has_gaps = False
        return self._ordered

    def pair(self, sender: int, receiver: int) -> list[Item]:
        """The items from sender to receiver, oldest first; empty if there are none."""
        return self._pairs.get((sender, receiver), [])

    def oldest(self, sender: int, receiver: int) -> Item:
        """The oldest item of a pair that has one."""
        return self._pairs[sender, receiver][0]

    def pairs_queued_both_ways(self) -> list[tuple[int, int]]:
        """Pairs (i, j), i < j, with items in both directions, ascending."""
        return sorted((i, j) for i, j in self._pairs if i < j and (j, i) in self._pairs)

    def holds_same_or_higher_class(self, sender: int, priority: int) -> bool:
        """Whether the sender has an item here that stands before a new one of that class."""
        return any(self._pairs[sender, receiver][0].priority <= priority for receiver in self.receivers_of[sender])

    def insert(self, item: Item) -> None:
        """Takes in an item with its entry_seq."""
        assert item.entry_seq >= 0 and not item.in_queue2, item
        item.in_queue2 = True
        _insert_ordered(self._ordered, item)
        pair = (item.sender, item.receiver)
        if pair not in self._pairs:
            self._pairs[pair] = []
            insort(self.receivers_of[item.sender], item.receiver)
            insort(self.senders_to[item.receiver], item.sender)
        _insert_ordered(self._pairs[pair], item)
        if self._pairs[pair][0] is item:
            self._on_new_oldest(*pair)
        self.sizes[item.sender] += 1
        self.values[item.sender] += item.amount
        self.size += 1
        self.value += item.amount

    def remove(self, items: Iterable[Item]) -> None:
        """Takes out items that leave at the same moment."""
        leaving: dict[tuple[int, int], list[Item]] = {}
        for item in items:
            assert item.in_queue2, item
            item.in_queue2 = False
            leaving.setdefault((item.sender, item.receiver), []).append(item)
            self.sizes[item.sender] -= 1
            self.values[item.sender] -= item.amount
            self.size -= 1
            self.value -= item.amount
        self._has_gaps = True
        for (sender, receiver), gone in leaving.items():
            queued = self._pairs[sender, receiver]
            oldest = queued[0]
            if len(gone) == 1:
                queued.remove(gone[0])  # settled alone or in a ring: mostly first, and the rest need no look
            else:
                queued[:] = [item for item in queued if item.in_queue2]
            if queued:
                if queued[0] is not oldest:
                    self._on_new_oldest(sender, receiver)
            else:
                del self._pairs[sender, receiver]
                _remove_ordered(self.receivers_of[sender], receiver)
                _remove_ordered(self.senders_to[receiver], sender)


def _insert_ordered(items: list[Item], item: Item) -> None:
    if not items or queue2_order(items[-1]) < queue2_order(item):
        items.append(item)
    else:
        insort(items, item, key=queue2_order)


def _remove_ordered(numbers: list[int], number: int) -> None:
    place = bisect_left(numbers, number)
    assert numbers[place] == number
    del numbers[place]
