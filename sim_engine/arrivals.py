"""The payments that arrive on a day: listed ones, then those of a file, then generated ones, tick by tick (SPEC 3)."""

from dataclasses import dataclass

import numpy as np

from sim_engine import sums
from sim_engine.bounds import MONEY_MAX
from sim_engine.errors import InputError, Problem
from sim_engine.names import LISTED_ID_PREFIX
from sim_engine.payments_file import PaymentsFile
from sim_engine.scenario import Generate, Scenario
from sim_engine.transaction_ids import TransactionIds
from sim_engine.vocabulary import NONE, PRIORITIES


@dataclass(frozen=True, slots=True)
class Payments:
    """The payments of a day in order of arrival; attributes as in records.Transactions."""

    ids: TransactionIds
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
    sources = [_listed(scenario, day)]
    if scenario.payments_file is not None:
        sources.append(_of_file(scenario, scenario.payments_file, day))
    if scenario.stated.generate is not None:
        sources.append(_generated(scenario, scenario.stated.generate, day))
    payments = _merged(sources)
    total = money_total + sums.total(payments.amounts)
    capacity_max = max(agent.largest_credit_capacity for agent in scenario.stated.agents)
    if total + capacity_max > MONEY_MAX:
        remedy = (
            f"all money up to day {day} plus any credit capacity must stay at or below {MONEY_MAX}; lower the amounts"
        )
        raise InputError(scenario.stated.name, [Problem("generate", total, remedy)])
    return payments


def _merged(sources: list[Payments]) -> Payments:
    """Payments of several sources by tick; within a tick in the order of the sources, then as each has them.

    Each source is in order of tick; the only one that has any payments is the result as it is.
    """
    sources = [source for source in sources if len(source.ids)] or sources[:1]
    if len(sources) == 1:
        return sources[0]
    order = np.argsort(np.concatenate([source.ticks for source in sources]), kind="stable")

    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(source, name) for source in sources])[order]

    return Payments(
        ids=TransactionIds.concat(source.ids for source in sources).take(order),
        senders=column("senders"),
        receivers=column("receivers"),
        amounts=column("amounts"),
        priorities=column("priorities"),
        ticks=column("ticks"),
        deadlines=column("deadlines"),
    )


def _listed(scenario: Scenario, day: int) -> Payments:
    ticks_per_day = scenario.stated.ticks_per_day
    rows = [
        (place, arrival)
        for place, arrival in enumerate(scenario.stated.arrivals)
        if arrival.tick // ticks_per_day == day
    ]
    rows.sort(key=lambda row: row[1].tick)
    index = {agent: place for place, agent in enumerate(scenario.agent_ids)} if rows else {}
    deadlines = [NONE if arrival.deadline is None else arrival.deadline for _, arrival in rows]
    return Payments(
        ids=TransactionIds.of(arrival.id or f"{LISTED_ID_PREFIX}{place}" for place, arrival in rows),
        senders=np.array([index[arrival.sender] for _, arrival in rows], np.int32),
        receivers=np.array([index[arrival.receiver] for _, arrival in rows], np.int32),
        amounts=np.array([arrival.amount for _, arrival in rows], np.int64),
        priorities=np.array([PRIORITIES.index(arrival.priority) for _, arrival in rows], np.int8),
        ticks=np.array([arrival.tick for _, arrival in rows], np.int64),
        deadlines=np.array(deadlines, np.int64),
    )


def _of_file(scenario: Scenario, file: PaymentsFile, day: int) -> Payments:
    ticks_per_day = scenario.stated.ticks_per_day
    chosen: slice | np.ndarray
    if (np.diff(file.ticks) >= 0).all():
        chosen = slice(*np.searchsorted(file.ticks, [day * ticks_per_day, (day + 1) * ticks_per_day]).tolist())
        ids = file.ids[chosen]
    else:
        rows = np.flatnonzero(file.ticks // ticks_per_day == day)
        chosen = rows[np.argsort(file.ticks[rows], kind="stable")]
        ids = file.ids.take(chosen)
    return Payments(
        ids=ids,
        senders=file.senders[chosen],
        receivers=file.receivers[chosen],
        amounts=file.amounts[chosen],
        priorities=file.priorities[chosen],
        ticks=file.ticks[chosen],
        deadlines=file.deadlines[chosen],
    )


def _generated(scenario: Scenario, generate: Generate, day: int) -> Payments:
    from sim_engine.generation.day import AmountBeyondInt64, generated_day  # here: they load the compiler

    stated = scenario.stated
    try:
        drawn = generated_day(generate, scenario.agent_ids, stated.rng_seed, day, stated.ticks_per_day)
    except AmountBeyondInt64 as error:
        remedy = f"an amount drawn for day {day} must stay at or below {MONEY_MAX}; lower its median or sigma"
        key = f"generate.agents.{error.agent}.amount"
        raise InputError(stated.name, [Problem(key, error.amount, remedy)]) from None
    count = len(drawn.ids)
    return Payments(
        ids=drawn.ids,
        senders=drawn.senders,
        receivers=drawn.receivers,
        amounts=drawn.amounts,
        priorities=np.full(count, PRIORITIES.index("normal"), np.int8),
        ticks=drawn.ticks,
        deadlines=np.full(count, NONE, np.int64),
    )
