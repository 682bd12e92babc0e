"""Gridlock resolution: everything queued at once (SPEC 4)."""

from collections.abc import Sequence

from sim_engine.vocabulary import GRIDLOCK
from tests.oracle.item import Item
from tests.oracle.lsm.netting import net
from tests.oracle.lsm.run import LsmRun
from tests.oracle.system import Cycle, System


def resolve_gridlock(system: System, run: LsmRun) -> bool:
    """Settles the largest FIFO-respecting set of the whole queue as one step. Returns whether anything settled."""
    if not system.queue2.size or not run.may_try_another_scope():
        return False
    kept = net(system.queue2.in_order(), system.bounds)
    if kept:
        system.settle_cycles(weakly_connected_components(kept), GRIDLOCK, run)
    return bool(kept)


def weakly_connected_components(items: Sequence[Item]) -> list[Cycle]:
    """The set split where no payment joins its agents, ordered by lowest agent; items keep their order."""
    group: dict[int, int] = {}

    def lowest(agent: int) -> int:
        while group.setdefault(agent, agent) != agent:
            group[agent] = group[group[agent]]
            agent = group[agent]
        return agent

    for item in items:
        one, other = lowest(item.sender), lowest(item.receiver)
        group[max(one, other)] = min(one, other)
    members: dict[int, list[int]] = {}
    for agent in sorted(group):
        members.setdefault(lowest(agent), []).append(agent)
    transactions: dict[int, list[Item]] = {}
    for item in items:
        transactions.setdefault(lowest(item.sender), []).append(item)
    return [Cycle(members[first], transactions[first]) for first in sorted(members)]
