"""What leaves Queue 1: each agent's release policy (SPEC 3, step 2)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sim_engine.vocabulary import NONE, URGENT
from tests.oracle.item import Item
from tests.oracle.system import System


@dataclass(frozen=True, slots=True)
class View:
    """What an agent's policy sees in a tick, ahead of its releases; values in minor units.

    rules: the policy's parameters (sim_engine.behaviour). available: the agent's liquidity as the tick opens.
    released_today, received_today: gross values. value_of_day: what stood in its Queue 1 as the day opened and what
    arrives for it to send on this day.
    """

    rules: Any
    tick: int
    first_tick: int
    last_tick: int
    available: int
    released_today: int
    received_today: int
    value_of_day: int


@dataclass(frozen=True, slots=True)
class Release:
    """A policy: what it releases whatever else waits, and how far it goes on releasing in order of arrival.

    is_due: asked of each item. goes_on: asked of the next item in order, told what is released in this tick already;
    the first that is refused ends it.
    """

    is_due: Callable[[Item, View], bool]
    goes_on: Callable[[Item, int, View], bool]


def release_by_policy(system: System, tick: int) -> list[Item]:
    """Takes out of every agent's Queue 1 what its policy releases in this tick, agents in scenario order."""
    released: list[Item] = []
    for agent, queue1 in enumerate(system.queue1):
        if not queue1:
            continue
        leaving = _leaving(queue1, system.policies[agent].name, _view(system, agent, tick))
        left = {item.row for item in leaving}
        system.queue1[agent] = [item for item in queue1 if item.row not in left]
        system.released_today[agent] += sum(item.amount for item in leaving)
        released += leaving
    return released


def _view(system: System, agent: int, tick: int) -> View:
    return View(
        rules=system.policies[agent].rules,
        tick=tick,
        first_tick=system.first_tick,
        last_tick=system.first_tick + system.ticks_per_day - 1,
        available=system.ledger.available[agent],
        released_today=system.released_today[agent],
        received_today=system.received_today[agent],
        value_of_day=system.values_of_day[agent],
    )


def _leaving(queue1: list[Item], policy: str, view: View) -> list[Item]:
    release = POLICIES[policy]
    leaving = [item for item in queue1 if item.priority == URGENT or release.is_due(item, view)]
    at_once = {item.row for item in leaving}
    value = sum(item.amount for item in leaving)
    for item in queue1:
        if item.row in at_once:
            continue
        if not release.goes_on(item, value, view):
            break
        leaving.append(item)
        value += item.amount
    return leaving


def _is_near_its_deadline(item: Item, view: View) -> bool:
    deadline = view.last_tick if item.deadline_tick == NONE else item.deadline_tick
    return view.tick + int(view.rules.urgency_ticks) >= deadline


def _leaves_the_buffer(item: Item, released: int, view: View) -> bool:
    return view.available - released - item.amount >= int(view.rules.target_buffer)


def _is_paid_for_by_receipts(item: Item, released: int, view: View) -> bool:
    return view.released_today + released + item.amount <= view.received_today + int(view.rules.allowance)


def _is_behind_schedule(item: Item, released: int, view: View) -> bool:
    share_bp = 0
    for step in view.rules.profile:
        if step.tick <= view.tick - view.first_tick:
            share_bp = step.share_bp
    target = -(-view.value_of_day * share_bp // 10_000)
    return view.released_today + released < target


def _always(item: Item, view: View) -> bool:
    return True


def _never(item: Item, view: View) -> bool:
    return False


def _stops(item: Item, released: int, view: View) -> bool:
    return False


POLICIES = {
    "fifo": Release(_always, _stops),
    "deadline": Release(_is_near_its_deadline, _stops),
    "liquidity_aware": Release(_is_near_its_deadline, _leaves_the_buffer),
    "receipt_reactive": Release(_never, _is_paid_for_by_receipts),
    "scheduled": Release(_never, _is_behind_schedule),
}
"""By name as in sim_engine.behaviour.Policy."""
