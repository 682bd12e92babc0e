"""How long the netting rule takes on a large queue, in the plain-Python engine."""

from functools import partial
from random import Random

from benchmarks.report import Section
from benchmarks.timing import Effort, Spread, timed
from tests.oracle.bounds import Liquidity
from tests.oracle.item import Item
from tests.oracle.lsm.netting import net

AGENTS = 200
SIZES = (4_000, 40_000)


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


def netting(effort: Effort) -> Section:
    """The netting rule of the plain-Python engine on large queues."""
    rows = []
    for name, acyclic, liquidity in (("mostly nets", False, 1_000_000), ("all is dropped", True, 0)):
        for size in SIZES:
            items, bounds = queue_of(size, acyclic=acyclic), Liquidity([liquidity] * AGENTS)
            runs = [timed(partial(net, items, bounds)) for _ in range(len(effort.seeds) * effort.runs_per_seed)]
            seconds = Spread.of(took for took, _ in runs)
            rows.append((name, f"{size:,}", f"{len(runs[0][1]):,}", seconds.text(4)))
    return Section(
        "The netting rule in plain Python",
        f"Seconds to find what of a queue among {AGENTS} agents can settle at once, by the engine that defines it: in "
        "one queue nearly everything can, in the other every transaction is dropped, each once.",
        ("queue", "transactions", "kept", "seconds"),
        rows,
    )
