"""Bilateral netting: all that two agents have queued for each other (SPEC 4)."""

from sim_engine.vocabulary import BILATERAL
from tests.oracle.item import Item, queue2_order
from tests.oracle.lsm.netting import net
from tests.oracle.lsm.run import LsmRun
from tests.oracle.system import Cycle, System


def sweep_bilaterally(system: System, run: LsmRun) -> bool:
    """Tries each pair i < j once, ascending. Returns whether anything settled."""
    settled_any = False
    # A sweep only takes items out, and only those of the pair it looks at: the pairs are known beforehand.
    for i, j in system.queue2.pairs_queued_both_ways():
        if not run.may_try_another_scope():
            break
        kept = plan_pair(system, i, j)
        if kept:
            system.settle_cycles([Cycle([i, j], kept)], BILATERAL, run)
            settled_any = True
    return settled_any


def plan_pair(system: System, i: int, j: int) -> list[Item]:
    """What the pair would settle, in Queue 2 order; empty if both sides cannot keep at least one item."""
    most = system.rules.lsm.bilateral_max_payments
    scope = system.queue2.pair(i, j)[:most] + system.queue2.pair(j, i)[:most]
    kept = net(sorted(scope, key=queue2_order), system.bounds)
    senders = {item.sender for item in kept}
    return kept if len(senders) == 2 else []
