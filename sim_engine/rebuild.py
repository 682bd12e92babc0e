"""The state at the end of any tick, rebuilt from rows of the raw tables alone (SPEC 5)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sim_engine.errors import InputError, Problem
from sim_engine.vocabulary import PRIORITIES

Row = Mapping[str, Any]
"""One row of a raw table by column name."""


@dataclass(frozen=True, slots=True)
class RebuiltTransaction:
    """A transaction that is queued; attributes as the columns of `arrivals`.

    entry_tick, entry_seq: when it was submitted, and its place among all submissions; None in Queue 1.
    """

    transaction: str
    sender: str
    receiver: str
    amount: int
    priority: str
    arrival_tick: int
    arrival_seq: int
    deadline_tick: int | None
    entry_tick: int | None
    entry_seq: int | None


@dataclass(frozen=True, slots=True)
class RebuiltState:
    """One simulation at the end of a tick; money in minor units, agents in index order.

    balances, posted_collateral: by agent. queue1: each agent's own queue, in order of arrival. queue2: the central
    queue in order.
    """

    simulation_id: str
    day: int
    tick: int
    balances: dict[str, int]
    posted_collateral: dict[str, int]
    queue1: dict[str, tuple[RebuiltTransaction, ...]]
    queue2: tuple[RebuiltTransaction, ...]


def rebuild_state(
    simulation_id: str,
    tick: int,
    *,
    ticks_per_day: int,
    agents: Iterable[Row],
    arrivals: Iterable[Row],
    settlements: Iterable[Row],
    queue_snapshots: Iterable[Row],
    collateral_events: Iterable[Row],
) -> RebuiltState:
    """The state of a simulation at the end of a tick: after its last settlement, before an end of day cancels anything.

    Needed rows, with d the day of the tick (``tick // ticks_per_day``); any others are passed over:
    `agents`, `settlements`, `collateral_events`: day d.
    `queue_snapshots`: day d, and day d - 1 for what it carried into d.
    `arrivals`: day d, and the earlier days on which transactions carried into d arrived; all days up to d will do.
    Raises InputError if day d is not there, the tick is no tick of the simulation, a transaction's rows are missing, or
    a change of collateral does not start from the one before.
    """
    day = tick // ticks_per_day
    opening = sorted(_rows_of(simulation_id, agents, day), key=lambda row: row["agent_index"])
    if tick < 0 or not opening:
        remedy = f"lies on no stored day of {simulation_id}, whose days have {ticks_per_day} ticks; name another tick"
        raise InputError("raw tables", [Problem("tick", tick, remedy)])

    snapshots = list(queue_snapshots)
    settled = _rows_of(simulation_id, settlements, day)
    queued_at_end = _rows_of(simulation_id, snapshots, day)
    carried = {row["transaction"] for row in _rows_of(simulation_id, snapshots, day - 1) if row["outcome"] == "carried"}
    entries = {row["transaction"]: row for row in [*queued_at_end, *settled]}
    settled_by_now = {row["transaction"] for row in settled if row["tick"] <= tick}
    known = {row["transaction"]: row for row in arrivals if row["simulation_id"] == simulation_id and row["day"] <= day}
    of_day = carried | {name for name, row in known.items() if row["day"] == day}
    _refuse_untold(simulation_id, (of_day ^ entries.keys()) | (carried - known.keys()))
    outstanding = {name: known[name] for name in of_day if known[name]["arrival_tick"] <= tick}

    balances = {row["agent"]: row["opening_balance"] for row in opening}
    for name in settled_by_now:
        row = outstanding[name]
        balances[row["sender"]] -= row["amount"]
        balances[row["receiver"]] += row["amount"]

    queue1: dict[str, list[RebuiltTransaction]] = {agent: [] for agent in balances}
    queue2: list[RebuiltTransaction] = []
    for name in sorted(outstanding.keys() - settled_by_now, key=lambda name: outstanding[name]["arrival_seq"]):
        entry = entries[name]
        if entry["entry_tick"] is not None and entry["entry_tick"] <= tick:
            queue2.append(_transaction(outstanding[name], entry["entry_tick"], entry["entry_seq"]))
        else:
            queue1[outstanding[name]["sender"]].append(_transaction(outstanding[name], None, None))
    queue2.sort(key=lambda waiting: (PRIORITIES.index(waiting.priority), waiting.entry_seq))
    return RebuiltState(
        simulation_id=simulation_id,
        day=day,
        tick=tick,
        balances=balances,
        posted_collateral=_posted_collateral(opening, _rows_of(simulation_id, collateral_events, day), tick),
        queue1={agent: tuple(queue) for agent, queue in queue1.items()},
        queue2=tuple(queue2),
    )


def _rows_of(simulation_id: str, rows: Iterable[Row], day: int) -> list[Row]:
    return [row for row in rows if row["simulation_id"] == simulation_id and row["day"] == day]


def _posted_collateral(opening: list[Row], events: list[Row], tick: int) -> dict[str, int]:
    """What each agent has posted at the end of a tick: what it opened the day with, changed by the events so far."""
    posted = {row["agent"]: row["posted_collateral"] for row in opening}
    at_tick = dict(posted)
    for place, event in enumerate(sorted(events, key=lambda row: row["event_seq"])):
        agent, seq = event["agent"], event["event_seq"]
        if seq != place or posted.get(agent) != event["posted_before"]:
            found = f"event_seq {seq}, posted_before {event['posted_before']} of {agent}"
            remedy = (
                f"event_seq {place} was to come and {posted.get(agent, 'nothing')} was posted; give the rows of agents "
                "and collateral_events of the tick's whole day"
            )
            raise InputError("raw tables", [Problem("collateral_events", found, remedy)])
        posted[agent] = event["posted_after"]
        if event["tick"] <= tick:
            at_tick[agent] = event["posted_after"]
    return at_tick


def _refuse_untold(simulation_id: str, names: set[str]) -> None:
    """Every transaction of a day has arrived or was carried in, and settles or is queued at its end."""
    if names:
        remedy = (
            f"is not told of from arrival to end in {simulation_id}; give the rows of arrivals, settlements and "
            "queue_snapshots of every day up to the tick's"
        )
        raise InputError("raw tables", [Problem("transaction", min(names), remedy)])


def _transaction(arrival: Row, entry_tick: int | None, entry_seq: int | None) -> RebuiltTransaction:
    return RebuiltTransaction(
        transaction=arrival["transaction"],
        sender=arrival["sender"],
        receiver=arrival["receiver"],
        amount=arrival["amount"],
        priority=arrival["priority"],
        arrival_tick=arrival["arrival_tick"],
        arrival_seq=arrival["arrival_seq"],
        deadline_tick=arrival["deadline_tick"],
        entry_tick=entry_tick,
        entry_seq=entry_seq,
    )
