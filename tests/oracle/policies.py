"""What leaves Queue 1: each agent's release policy (SPEC 3, step 2)."""

from collections.abc import Callable

from tests.oracle.item import Item
from tests.oracle.system import System


def release_by_policy(system: System, tick: int) -> list[Item]:
    """Takes out of every agent's Queue 1 what its policy releases in this tick, agents in scenario order."""
    released: list[Item] = []
    for agent, queue1 in enumerate(system.queue1):
        if queue1:
            leaving, staying = POLICIES[system.policies[agent]](queue1)
            system.queue1[agent] = staying
            released += leaving
    return released


def release_all(queue1: list[Item]) -> tuple[list[Item], list[Item]]:
    """Policy `fifo`: everything, at once."""
    return queue1, []


POLICIES: dict[str, Callable[[list[Item]], tuple[list[Item], list[Item]]]] = {"fifo": release_all}
"""By name, what splits a Queue 1 into the items that leave it and those that stay, both in its order."""
