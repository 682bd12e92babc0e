"""How long the netting rule takes on a large queue.

    python benchmarks/netting.py

Two queues of each size among 200 agents: one where nearly everything nets, one where everything is dropped.
"""

import time
from random import Random

from sim_engine.settlement.item import Item
from sim_engine.settlement.lsm.netting import net

AGENTS = 200
SIZES = (4_000, 40_000)
REPEATS = 5


def queue_of(size: int, *, acyclic: bool) -> list[Item]:
    """Random payments; acyclic: each pays a later agent, so that without liquidity nothing can net."""
    random = Random(size)
    items = []
    for row in range(size):
        sender = random.randrange(AGENTS - 1)
        receiver = random.randrange(sender + 1, AGENTS)
        if not acyclic and random.random() < 0.5:
            sender, receiver = receiver, sender
        item = Item(row, sender, receiver, random.randint(1, 100_000), 1, row)
        item.entry_seq = row
        items.append(item)
    return items


def seconds_to_net(items: list[Item], available: list[int]) -> tuple[float, int]:
    """The fastest of a few tries, and how many items remain."""
    best, kept = float("inf"), 0
    for _ in range(REPEATS):
        start = time.perf_counter()
        kept = len(net(items, available))
        best = min(best, time.perf_counter() - start)
    return best, kept


def main() -> None:
    """Prints one line per queue."""
    print(f"{'queue':<16}{'transactions':>14}{'kept':>10}{'seconds':>10}{'us each':>10}")
    for name, acyclic, liquidity in (("mostly nets", False, 1_000_000), ("all is dropped", True, 0)):
        for size in SIZES:
            seconds, kept = seconds_to_net(queue_of(size, acyclic=acyclic), [liquidity] * AGENTS)
            print(f"{name:<16}{size:>14,}{kept:>10,}{seconds:>10.4f}{1e6 * seconds / size:>10.2f}")


if __name__ == "__main__":
    main()
