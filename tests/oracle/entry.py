"""Settlement of single transactions: on entry, and when the queue is tried again (SPEC 3, steps 3 and 4)."""

from sim_engine.vocabulary import BEHIND_ANOTHER, ENTRY_RULE, IMMEDIATE, LIQUIDITY, NONE, QUEUE
from tests.oracle.item import Item
from tests.oracle.system import System


def settle_on_entry(system: System, tick: int, released: list[Item]) -> None:
    """Submits what was released, by arrival_seq whoever released it: each settles at once or joins Queue 2."""
    for item in sorted(released, key=lambda item: item.arrival_seq):
        item.entry_tick = tick
        item.entry_seq = system.next_entry_seq()
        item.wait_reason = _why_it_must_wait(system, item)
        if item.wait_reason == NONE:
            system.settle_alone(item, IMMEDIATE, tick)
        else:
            system.queue2.insert(item)


def _why_it_must_wait(system: System, item: Item) -> int:
    """The first rule that keeps it from settling, or -1: the entry rule, the discipline, its sender's liquidity."""
    if system.rules.queue2.entry == "queue":
        return ENTRY_RULE
    if system.rules.queue2.discipline == "fifo" and system.queue2.holds_same_or_higher_class(
        item.sender, item.priority
    ):
        return BEHIND_ANOTHER
    if item.amount > system.ledger.available[item.sender]:
        return LIQUIDITY
    return NONE


def retry_queue(system: System, tick: int) -> tuple[int, int]:
    """Sweeps through Queue 2 in order until a sweep settles nothing.

    Returns how many transactions settled and their value in minor units.
    """
    settled = value = 0
    if system.rules.queue2.entry == "queue":
        return settled, value
    while True:
        settled_in_sweep = _sweep(system, tick)
        if not settled_in_sweep:
            return settled, value
        settled += len(settled_in_sweep)
        value += sum(item.amount for item in settled_in_sweep)


def _sweep(system: System, tick: int) -> list[Item]:
    available = system.ledger.available
    blocks_later_items = system.rules.queue2.discipline == "fifo"
    blocked: set[int] = set()
    settled = []
    for item in system.queue2.in_order():
        if item.sender in blocked:
            continue
        if item.amount <= available[item.sender]:
            system.settle_alone(item, QUEUE, tick)
            settled.append(item)
        elif blocks_later_items:
            blocked.add(item.sender)
    return settled
