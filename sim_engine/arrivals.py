"""The payments that arrive on a day: listed ones, then those of a file, then generated ones, tick by tick (SPEC 3)."""

import hashlib
from dataclasses import dataclass

import numpy as np

from sim_engine.bounds import MONEY_MAX
from sim_engine.errors import InputError, Problem
from sim_engine.names import GENERATED_ID_PREFIX, LISTED_ID_PREFIX
from sim_engine.scenario import Generate, Scenario
from sim_engine.vocabulary import NONE, PRIORITIES

_AMOUNT_BEYOND_INT64 = float(2**63)
"""Draws from here on have no int64."""


@dataclass(frozen=True, slots=True)
class Payments:
    """The payments of a day in order of arrival; attributes as in records.Transactions."""

    ids: tuple[str, ...]
    senders: np.ndarray
    receivers: np.ndarray
    amounts: np.ndarray
    priorities: np.ndarray
    ticks: np.ndarray
    deadlines: np.ndarray


def payments_of_day(scenario: Scenario, day: int, money_total: int) -> Payments:
    """The payments that arrive on a day, in order of arrival.

    money_total: opening balances plus all amounts that arrived on earlier days, minor units.
    Raises InputError if the day's amounts take that total beyond what int64 holds.
    """
    parts = [part for part in (_listed(scenario, day), _of_file(scenario, day), _generated(scenario, day)) if part]
    payments = _merged(parts)
    total = money_total + sum(payments.amounts.tolist())
    capacity_max = max(agent.credit_capacity for agent in scenario.stated.agents)
    if total + capacity_max > MONEY_MAX:
        remedy = (
            f"all money up to day {day} plus any credit capacity must stay at or below {MONEY_MAX}; lower the amounts"
        )
        raise InputError(scenario.stated.name, [Problem("generate", total, remedy)])
    return payments


def _merged(parts: list[Payments]) -> Payments:
    """Payments of several sources by tick; within a tick in the order of the sources, then as each has them."""
    ticks = np.concatenate([np.empty(0, np.int64), *(part.ticks for part in parts)])
    order = np.argsort(ticks, kind="stable")
    ids = [name for part in parts for name in part.ids]

    def column(name: str, dtype: type) -> np.ndarray:
        return np.concatenate([np.empty(0, dtype), *(getattr(part, name) for part in parts)])[order]

    return Payments(
        ids=tuple(ids[row] for row in order.tolist()),
        senders=column("senders", np.int32),
        receivers=column("receivers", np.int32),
        amounts=column("amounts", np.int64),
        priorities=column("priorities", np.int8),
        ticks=ticks[order],
        deadlines=column("deadlines", np.int64),
    )


def _listed(scenario: Scenario, day: int) -> Payments:
    ticks_per_day = scenario.stated.ticks_per_day
    rows = [
        (place, arrival)
        for place, arrival in enumerate(scenario.stated.arrivals)
        if arrival.tick // ticks_per_day == day
    ]
    index = {agent: place for place, agent in enumerate(scenario.agent_ids)}
    deadlines = [NONE if arrival.deadline is None else arrival.deadline for _, arrival in rows]
    return Payments(
        ids=tuple(arrival.id or f"{LISTED_ID_PREFIX}{place}" for place, arrival in rows),
        senders=np.array([index[arrival.sender] for _, arrival in rows], np.int32),
        receivers=np.array([index[arrival.receiver] for _, arrival in rows], np.int32),
        amounts=np.array([arrival.amount for _, arrival in rows], np.int64),
        priorities=np.array([PRIORITIES.index(arrival.priority) for _, arrival in rows], np.int8),
        ticks=np.array([arrival.tick for _, arrival in rows], np.int64),
        deadlines=np.array(deadlines, np.int64),
    )


def _of_file(scenario: Scenario, day: int) -> Payments | None:
    file = scenario.payments_file
    if file is None:
        return None
    rows = np.flatnonzero(file.ticks // scenario.stated.ticks_per_day == day)
    return Payments(
        ids=tuple(file.ids[row] for row in rows.tolist()),
        senders=file.senders[rows],
        receivers=file.receivers[rows],
        amounts=file.amounts[rows],
        priorities=file.priorities[rows],
        ticks=file.ticks[rows],
        deadlines=file.deadlines[rows],
    )


def _generated(scenario: Scenario, day: int) -> Payments | None:
    if scenario.stated.generate is None:
        return None
    flows = [_agent_flow(scenario, scenario.stated.generate, day, sender) for sender in range(len(scenario.agent_ids))]
    return _merged(flows)


def _agent_flow(scenario: Scenario, generate: Generate, day: int, sender: int) -> Payments:
    """One agent's generated payments of a day, in order of time.

    Number and times, amounts and receivers each have a stream of their own, keyed by (seed, agent, day): other agents,
    and other days, change no agent's times and amounts (SPEC 10).
    """
    agent = scenario.agent_ids[sender]
    flow = generate.flow(agent)
    seed, ticks_per_day = scenario.stated.rng_seed, scenario.stated.ticks_per_day
    assert flow.payments_per_day is not None, "checked when the scenario was loaded"

    times = _stream(seed, agent, day, "times")
    count = int(times.poisson(flow.payments_per_day))
    parts = np.cumsum(np.asarray(generate.intraday_profile))
    share_of_day = np.interp(
        times.random(count) * parts[-1], np.concatenate([[0.0], parts]), np.linspace(0, 1, len(parts) + 1)
    )
    ticks = np.sort(np.minimum((share_of_day * ticks_per_day).astype(np.int64), ticks_per_day - 1))

    amounts = np.empty(0, np.int64)
    receivers = np.empty(0, np.int32)
    if count:
        assert flow.amount is not None, "checked when the scenario was loaded"
        draws = _stream(seed, agent, day, "amounts").standard_normal(count)
        with np.errstate(over="ignore"):
            drawn = flow.amount.median * np.exp(flow.amount.sigma * draws)
        if drawn.max() >= _AMOUNT_BEYOND_INT64:
            remedy = f"an amount drawn for day {day} must stay at or below {MONEY_MAX}; lower its median or sigma"
            raise InputError(
                scenario.stated.name, [Problem(f"generate.agents.{agent}.amount", float(drawn.max()), remedy)]
            )
        amounts = np.maximum(drawn, 1).astype(np.int64)
        ladder = np.cumsum(_counterparty_weights(scenario, generate, sender))
        steps = _stream(seed, agent, day, "receivers").random(count) * ladder[-1]
        receivers = np.searchsorted(ladder, steps, side="right").astype(np.int32)
    return Payments(
        ids=tuple(f"{GENERATED_ID_PREFIX}{agent}:{day}:{seq}" for seq in range(count)),
        senders=np.full(count, sender, np.int32),
        receivers=receivers,
        amounts=amounts,
        priorities=np.full(count, PRIORITIES.index("normal"), np.int8),
        ticks=day * ticks_per_day + ticks,
        deadlines=np.full(count, NONE, np.int64),
    )


def _counterparty_weights(scenario: Scenario, generate: Generate, sender: int) -> np.ndarray:
    """Weight of each agent, by index, as receiver of the sender's payments."""
    agent_ids = scenario.agent_ids
    stated = generate.flow(agent_ids[sender]).counterparties
    if stated is None:
        weights = [generate.flow(agent).payments_per_day or 0.0 for agent in agent_ids]
    else:
        weights = [stated.get(agent, 0.0) for agent in agent_ids]
    weights[sender] = 0.0
    return np.asarray(weights, np.float64)


def _stream(seed: int, agent: str, day: int, purpose: str) -> np.random.Generator:
    """A counter-based generator (Philox, Salmon et al. 2011) whose key is the digest of what it is for."""
    digest = hashlib.sha256(f"{seed}\n{agent}\n{day}\n{purpose}".encode()).digest()
    key = np.frombuffer(digest[:16], dtype="<u8").astype(np.uint64)
    return np.random.Generator(np.random.Philox(key=key))
