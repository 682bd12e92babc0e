"""What leaves Queue 1: each agent's release policy (SPEC 3, step 2).

A policy is a code, what of it is known as the day opens (parameters, release_ticks), and how far it goes on releasing
within the day (_goes_on): all of it is here.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from sim_engine.kernel.heap import pop, push
from sim_engine.kernel.jit import inlined, part
from sim_engine.kernel.layout import DECIDING, HOLDING_MORE, NIL, Behaviour, ScheduleStep, Work
from sim_engine.vocabulary import NONE, URGENT

if TYPE_CHECKING:
    from sim_engine.behaviour import Policy
    from sim_engine.records import Array, Transactions

_NAMES = ("fifo", "deadline", "liquidity_aware", "receipt_reactive", "scheduled")
"""As in sim_engine.behaviour.Policy; a policy's code is its place here."""

_FIFO, _DEADLINE, _LIQUIDITY_AWARE, _RECEIPT_REACTIVE, _SCHEDULED = range(len(_NAMES))

_DECIDING = (_LIQUIDITY_AWARE, _RECEIPT_REACTIVE, _SCHEDULED)
"""Those that look at more than which transaction is due."""

_NEVER = np.iinfo(np.int64).max


def parameters(policies: "list[Policy]", behaviours: "Array") -> "Array":
    """Fills in the policies in force, by agent. Returns the schedules' steps, each agent's in its own part."""
    codes = np.array([_NAMES.index(policy.name) for policy in policies], np.uint32)
    assert behaviours.dtype == Behaviour, behaviours.dtype
    behaviours["policy"] = codes
    steps: list[tuple[int, int]] = []
    for agent in np.flatnonzero(np.isin(codes, _DECIDING)).tolist():
        rules, code = policies[agent].rules, codes[agent]
        if code == _LIQUIDITY_AWARE:
            behaviours["amount"][agent] = rules.target_buffer
        elif code == _RECEIPT_REACTIVE:
            behaviours["amount"][agent] = rules.allowance
        else:
            behaviours["profile_from"][agent] = len(steps)
            steps += [(step.tick, step.share_bp) for step in rules.profile]
            behaviours["profile_end"][agent] = len(steps)
    return np.array(steps, ScheduleStep)


def release_ticks(
    policies: "list[Policy]", behaviours: "Array", transactions: "Transactions", last_tick: int
) -> "Array":
    """By row, the tick from which on its sender's policy releases it whatever else it does; int64."""
    codes = behaviours["policy"][transactions.senders]
    urgency = np.array([getattr(policy.rules, "urgency_ticks", 0) for policy in policies], np.int64)
    deadlines = np.where(transactions.deadline_ticks == NONE, last_tick, transactions.deadline_ticks)
    ticks = np.full(len(codes), _NEVER, np.int64)
    by_deadline = np.isin(codes, (_DEADLINE, _LIQUIDITY_AWARE))
    ticks[by_deadline] = (deadlines - urgency[transactions.senders])[by_deadline]
    ticks[(codes == _FIFO) | (transactions.priorities == URGENT)] = NONE
    return ticks


@inlined
def _goes_on(w: Work, behaviour: Any, available: int, tick_of_day: int, amount: int) -> bool:
    """Whether a policy releases an amount now, the next in order of arrival."""
    if behaviour.policy == _LIQUIDITY_AWARE:
        return available - behaviour.releasing - amount >= behaviour.amount
    if behaviour.policy == _RECEIPT_REACTIVE:
        return behaviour.released + amount - behaviour.received <= behaviour.amount
    return behaviour.released < _target(w, behaviour, tick_of_day)


@inlined
def _target(w: Work, behaviour: Any, tick_of_day: int) -> int:
    """The value that a schedule asks to have been released, rounded up."""
    share = np.int64(0)
    for at in range(behaviour.profile_from, behaviour.profile_end):
        if w.profiles[at].tick <= tick_of_day:
            share = w.profiles[at].share_bp
    value = behaviour.value_of_day
    return value // 10_000 * share + (value % 10_000 * share + 9_999) // 10_000


@part
def release_by_policy(w: Work, tick_of_day: int) -> None:
    """Takes out of all Queues 1 what is released in the tick; the rows stand in at_once, then in the heap."""
    rules, counts = w.rules[0], w.counts[0]
    counts.at_once = 0
    if tick_of_day == 0:
        for c in range(rules.carried_queue1):
            _arrive(w, w.carried[c])
    for row in range(np.uint64(w.first_row_by_tick[tick_of_day]), np.uint64(w.first_row_by_tick[tick_of_day + 1])):
        _arrive(w, np.uint32(row))
    for at in range(np.uint64(w.first_due_by_tick[tick_of_day]), np.uint64(w.first_due_by_tick[tick_of_day + 1])):
        if w.held[w.due_rows[at]].is_held:
            _release(w, w.due_rows[at])
    deciding = counts.deciding
    counts.deciding = 0
    for at in range(deciding):
        agent = w.deciding[at]
        behaviour, available = w.behaviours[agent], w.agents[agent].available
        while behaviour.first != NIL and _goes_on(w, behaviour, available, tick_of_day, w.amounts[behaviour.first]):
            _release(w, behaviour.first)
        if behaviour.first == NIL:
            behaviour.marks &= ~DECIDING
        else:
            w.deciding[counts.deciding] = agent
            counts.deciding += 1


@inlined
def _arrive(w: Work, row: int) -> None:
    """A transaction arrives in its sender's Queue 1, or goes through it at once."""
    counts, sender, amount = w.counts[0], w.senders[row], w.amounts[row]
    behaviour = w.behaviours[sender]
    if w.due_at_once[row]:
        w.held[row].is_held = 0
        w.at_once[counts.at_once] = row
        counts.at_once += 1
        behaviour.released += amount
        behaviour.releasing += amount
        return
    held = w.held[row]
    held.is_held = 1
    held.before = behaviour.last
    held.after = NIL
    if behaviour.last == NIL:
        behaviour.first = row
    else:
        w.held[behaviour.last].after = row
    behaviour.last = row
    behaviour.queued1 += 1
    if behaviour.marks & DECIDING == 0 and behaviour.policy in _DECIDING:
        behaviour.marks |= DECIDING
        w.deciding[counts.deciding] = sender
        counts.deciding += 1
    if behaviour.marks & HOLDING_MORE == 0:
        behaviour.marks |= HOLDING_MORE
        w.holding[counts.holding] = sender
        counts.holding += 1
    counts.queue1_size += 1
    counts.queue1_value += amount


@part
def _release(w: Work, row: int) -> None:
    """A transaction leaves its sender's Queue 1."""
    counts, amount, held = w.counts[0], w.amounts[row], w.held[row]
    behaviour = w.behaviours[w.senders[row]]
    if held.before == NIL:
        behaviour.first = held.after
    else:
        w.held[held.before].after = held.after
    if held.after == NIL:
        behaviour.last = held.before
    else:
        w.held[held.after].before = held.before
    held.is_held = 0
    behaviour.queued1 -= 1
    behaviour.released += amount
    behaviour.releasing += amount
    counts.queue1_size -= 1
    counts.queue1_value -= amount
    push(w, np.int64(row))


@inlined
def next_released(w: Work, at: int) -> int:
    """The next row of those released in the tick, by arrival; at: how many of at_once have been taken. There is one."""
    counts = w.counts[0]
    if counts.heap == 0 or (at < counts.at_once and np.int64(w.at_once[at]) < w.heap[0]):
        return w.at_once[at]
    return np.uint32(pop(w))
