"""Offset on entry: a transaction about to wait, against what its receiver has queued for its sender (SPEC 4)."""

from sim_engine.vocabulary import ENTRY_OFFSET
from tests.oracle.item import Item, queue2_order
from tests.oracle.lsm.netting import net
from tests.oracle.lsm.run import LsmRun
from tests.oracle.system import Cycle, System


def offset_on_entry(system: System, item: Item, tick: int) -> None:
    """Settles the item, which has just joined Queue 2, with what it can be netted with; if it can."""
    opposite = system.queue2.pair(item.receiver, item.sender)
    kept = net(sorted([*opposite, item], key=queue2_order), system.bounds)
    if item in kept and len(kept) > 1:
        outside_any_run = LsmRun(tick, max_cycles=1, queue_size_before=0, queue_value_before=0)
        system.settle_cycles([Cycle(sorted((item.sender, item.receiver)), kept)], ENTRY_OFFSET, outside_any_run)
