"""Settlement of single transactions: on entry, and when the queue is tried again (SPEC 3, steps 3 and 4)."""

from sim_engine.vocabulary import (
    BEHIND_ANOTHER,
    BILATERAL_LIMIT,
    ENTRY_RULE,
    IMMEDIATE,
    LIQUIDITY,
    MULTILATERAL_LIMIT,
    NONE,
    QUEUE,
    RESERVATION,
    URGENT,
)
from tests.oracle.item import Item
from tests.oracle.lsm.entry_offset import offset_on_entry
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
            if system.rules.lsm.entry_offset and item.wait_reason not in (ENTRY_RULE, BEHIND_ANOTHER):
                offset_on_entry(system, item, tick)


def _why_it_must_wait(system: System, item: Item) -> int:
    """The first rule that keeps it from settling, or -1."""
    if not _may_settle_alone(system, item):
        return ENTRY_RULE
    if system.rules.queue2.discipline == "fifo" and system.queue2.holds_same_or_higher_class(
        item.sender, item.priority
    ):
        return BEHIND_ANOTHER
    if system.bounds.breaks_bilateral_limit(item):
        return BILATERAL_LIMIT
    if system.bounds.breaks_multilateral_limit(item):
        return MULTILATERAL_LIMIT
    if system.bounds.breaks_reservation(item):
        return RESERVATION
    return NONE if system.bounds.covers(item) else LIQUIDITY


def _may_settle_alone(system: System, item: Item) -> bool:
    """Whether `queue2.entry` lets the item settle other than by the LSM."""
    entry = system.rules.queue2.entry
    return entry == "settle" or (entry == "settle_urgent" and item.priority == URGENT)


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
    blocks_later_items = system.rules.queue2.discipline == "fifo"
    blocked: set[int] = set()
    settled = []
    for item in system.queue2.in_order():
        if item.sender in blocked:
            continue
        if _may_settle_alone(system, item) and system.bounds.covers(item):
            system.settle_alone(item, QUEUE, tick)
            settled.append(item)
        elif blocks_later_items:
            blocked.add(item.sender)
    return settled
