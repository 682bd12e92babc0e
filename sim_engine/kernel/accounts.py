"""Accounts: the only place where money moves."""

import numpy as np

from sim_engine.kernel.jit import inlined
from sim_engine.kernel.layout import DIRTY, GAINED, RECHECK, Work


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
