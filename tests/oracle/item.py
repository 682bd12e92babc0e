"""A transaction on its way through the queues of a day."""

from sim_engine.vocabulary import NONE


class Item:
    """One transaction: row is its place in the day's Transactions, the rest as in records.Transactions.

    entry_tick, entry_seq and wait_reason are -1 while it stands in Queue 1; wait_reason also if it never waited.
    in_queue2: whether it stands in Queue 2 now.
    """

    __slots__ = (
        "amount",
        "arrival_seq",
        "deadline_tick",
        "entry_seq",
        "entry_tick",
        "in_queue2",
        "priority",
        "receiver",
        "row",
        "sender",
        "wait_reason",
    )  # fmt: skip

    def __init__(
        self,
        row: int,
        sender: int,
        receiver: int,
        amount: int,
        priority: int,
        arrival_seq: int,
        deadline_tick: int = NONE,
    ) -> None:
        self.row = row
        self.sender = sender
        self.receiver = receiver
        self.amount = amount
        self.priority = priority
        self.arrival_seq = arrival_seq
        self.deadline_tick = deadline_tick
        self.entry_tick = NONE
        self.entry_seq = NONE
        self.wait_reason = NONE
        self.in_queue2 = False

    def __repr__(self) -> str:
        return f"Item({self.sender}>{self.receiver} {self.amount}, entry {self.entry_seq})"


def queue2_order(item: Item) -> tuple[int, int]:
    """Where an item stands in Queue 2: class first, then age."""
    return (item.priority, item.entry_seq)
