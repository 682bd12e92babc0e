"""Accounts: the only place where money moves."""

import numpy as np

from sim_engine.kernel.jit import inlined, is_plain
from sim_engine.kernel.layout import DIRTY, GAINED, INFINITE, RECHECK, Work


@inlined
def pay(w: Work, sender: int, receiver: int, amount: int) -> None:
    """Settles one transaction by itself; the sender's available liquidity covers it."""
    payer, payee = w.agents[sender], w.agents[receiver]
    available = payer.available - amount
    payer.available = available
    if available < payer.low:
        payer.low = available
    available = payee.available + amount
    payee.available = available
    if available > payee.high:
        payee.high = available
    if payee.marks & GAINED == 0:
        note_for_retry(w, receiver, GAINED)
    if not is_plain(w):
        _note_balance(w, sender)
        _note_balance(w, receiver)


@inlined
def change(w: Work, agent: int, net_position: int) -> None:
    """One agent's part in a netting set: received - paid."""
    account = w.agents[agent]
    account.available += net_position
    if net_position < 0:
        account.low = min(account.low, account.available)
    elif net_position > 0:
        account.high = max(account.high, account.available)
        note_for_retry(w, agent, RECHECK)  # touched and soiled here; its next search may end before the retry
        touch(w, agent)
        soil(w, agent)
    if not is_plain(w):
        _note_balance(w, agent)


@inlined
def change_liquidity(w: Work, agent: int, credit_capacity: int) -> None:
    """Collateral changes how far below zero an agent's balance may go; no money moves."""
    account = w.agents[agent]
    rise = credit_capacity - account.credit_capacity
    account.credit_capacity = credit_capacity
    account.available += rise
    set_floor(w, agent)
    if rise > 0:
        note_for_retry(w, agent, GAINED)
    elif rise < 0:
        account.low = min(account.low, account.available)


@inlined
def set_floor(w: Work, agent: int) -> None:
    """Works out anew what available liquidity all but urgent transactions must leave."""
    behaviour = w.behaviours[agent]
    behaviour.floor = max(0, behaviour.reserved)
    if behaviour.limit_room > -INFINITE:
        behaviour.limit_floor = behaviour.limit_room + w.agents[agent].credit_capacity
        behaviour.floor = max(behaviour.floor, behaviour.limit_floor)


@inlined
def _note_balance(w: Work, agent: int) -> None:
    """Smallest and largest balance, of which available liquidity says nothing where collateral changes."""
    account, behaviour = w.agents[agent], w.behaviours[agent]
    balance = account.available - account.credit_capacity
    behaviour.balance_min = min(behaviour.balance_min, balance)
    behaviour.balance_max = max(behaviour.balance_max, balance)


@inlined
def note_for_retry(w: Work, agent: int, mark: int) -> None:
    """The next sweep of the queue looks at the agent; mark: GAINED or RECHECK."""
    account, counts = w.agents[agent], w.counts[0]
    if account.marks & (GAINED | RECHECK) == 0:
        w.gained[counts.gained] = agent
        counts.gained += 1
    account.marks |= mark


@inlined
def touch(w: Work, agent: int) -> None:
    """The next ring search looks at the agent (SPEC 4)."""
    w.touched[agent >> 6] |= np.uint64(1) << np.uint64(agent & 63)


@inlined
def untouch(w: Work, agent: int) -> None:
    """The ring search is done with the agent."""
    w.touched[agent >> 6] &= ~(np.uint64(1) << np.uint64(agent & 63))


@inlined
def soil(w: Work, agent: int) -> None:
    """The next bilateral sweep looks at the agent's pairs."""
    account, counts = w.agents[agent], w.counts[0]
    if account.marks & DIRTY == 0:
        account.marks |= DIRTY
        w.dirty[counts.dirty] = agent
        counts.dirty += 1
