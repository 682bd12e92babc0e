"""What a simulation did, in the terms of a head comment, and where the two differ."""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

import numpy as np

from sim_engine import DayRecord, Scenario, Simulation
from sim_engine.vocabulary import COLLATERAL_ACTIONS, IMMEDIATE, MECHANISMS, NONE, WAIT_REASONS
from tests.scenarios.head_comment import (
    LSM_MECHANISMS,
    OPTIONAL_WORDS,
    OUTCOME_WORDS,
    Bound,
    Census,
    CollateralChange,
    Cycle,
    DayOutcome,
    Head,
    Settlement,
)


def differences(head: Head, simulation: Simulation) -> list[str]:
    """Where a simulation that has run all its days is not what the head says; empty if it is."""
    found = [f"census: {line}" for line in _compared(vars(head.census), vars(census_of(simulation.scenario)))]
    for day, expected in enumerate(head.days):
        actual = day_outcome_of(simulation, day)
        words = (*OUTCOME_WORDS, *(word for word in OPTIONAL_WORDS if vars(expected)[word] is not None))
        found += [f"day {day}, {line}" for line in _compared(vars(expected), vars(actual), words)]
    by_day = [measures_of(simulation.scenario, record) for record in simulation.records if head.each_day]
    for bound in head.each_day:
        found += [f"day {day}, {line}" for day, values in enumerate(by_day) for line in _outside(bound, values)]
    for bound in head.in_the_run:
        total = {bound.measure: sum((values[bound.measure] for values in by_day), Fraction(0))}
        found += [f"run, {line}" for line in _outside(bound, total)]
    return found


def census_of(scenario: Scenario) -> Census:
    """The scenario's size as its file states it."""
    stated = scenario.stated
    payments = len(stated.arrivals)
    if stated.generate is not None:
        payments = round(sum(stated.generate.flow(agent).payments_per_day or 0 for agent in scenario.agent_ids))
    return Census(
        agents=len(stated.agents),
        payments=payments,
        generated=stated.generate is not None,
        days=stated.num_days,
        ticks_per_day=stated.ticks_per_day,
        liquidity=sum(agent.opening_balance + agent.credit_capacity for agent in stated.agents),
    )


def day_outcome_of(simulation: Simulation, day: int) -> DayOutcome:
    """What a day left behind."""
    record = simulation.records[day]
    ids, settlements, queued = record.transactions.ids, record.settlements, record.queued_at_end
    agents, changes = simulation.scenario.agent_ids, record.collateral_events
    steps = [
        (int(seq), Settlement(ids[row], MECHANISMS[mechanism], int(tick)))
        for seq, row, mechanism, tick in zip(
            settlements.seqs, settlements.transactions, settlements.mechanisms, settlements.ticks, strict=True
        )
    ]
    in_queue2 = queued.queues == 2
    entered = [*settlements.transactions, *queued.transactions[in_queue2]]
    reasons = [*settlements.wait_reasons, *queued.wait_reasons[in_queue2]]
    return DayOutcome(
        settled=tuple(settlement for _, settlement in sorted(steps, key=lambda step: (step[0], step[1].transaction))),
        cycles=tuple(
            Cycle(
                cycle.mechanism,
                cycle.tick,
                tuple(cycle.agents),
                tuple(cycle.transactions),
                cycle.total_value,
                cycle.settled_value,
            )
            for cycle in simulation.get_lsm_cycles_for_day(day)
        ),
        queued=tuple(ids[row] for row in queued.transactions[in_queue2]),
        balances=dict(zip(agents, record.agent_days.closing_balances.tolist(), strict=True)),
        held=tuple(ids[row] for row in queued.transactions[~in_queue2]),
        collateral=tuple(
            CollateralChange(COLLATERAL_ACTIONS[action], int(tick), agents[agent], int(posted))
            for action, tick, agent, posted in zip(
                changes.actions, changes.ticks, changes.agents, changes.posted_after, strict=True
            )
        ),
        waits={ids[row]: WAIT_REASONS[reason] for row, reason in zip(entered, reasons, strict=True) if reason != NONE},
    )


def measures_of(scenario: Scenario, record: DayRecord) -> dict[str, Fraction]:
    """A day's value of every measure that bounds can be stated for."""
    transactions, settlements = record.transactions, record.settlements
    amounts = transactions.amounts
    submitted = int(amounts[transactions.carried :].sum())
    # A transaction that settles immediately arrived on the same day: the policy releases everything at once.
    immediate = int(amounts[settlements.transactions[settlements.mechanisms == IMMEDIATE]].sum())
    cycles = np.bincount(record.lsm_cycles.mechanisms, minlength=len(MECHANISMS))
    liquidity = [
        balance + agent.credit_capacity
        for balance, agent in zip(record.agent_days.closing_balances.tolist(), scenario.stated.agents, strict=True)
    ]
    return {
        "payments": Fraction(len(transactions.ids) - transactions.carried),
        "settled": Fraction(int(amounts[settlements.transactions].sum()), int(amounts.sum())),
        "queued on entry": 1 - Fraction(immediate, submitted),
        "queued at the end": Fraction(int(amounts[record.queued_at_end.transactions].sum()), submitted),
        **{f"cycles by {one}": Fraction(int(cycles[MECHANISMS.index(one)])) for one in LSM_MECHANISMS},
        "balances": Fraction(max(liquidity), sum(liquidity)),
    }


def _compared(
    expected: Mapping[str, object], actual: Mapping[str, object], words: Iterable[str] | None = None
) -> Iterator[str]:
    for word in words or expected:
        if expected[word] != actual[word]:
            yield f"{word}: expected {expected[word]}, found {actual[word]}"


def _outside(bound: Bound, values: Mapping[str, Fraction]) -> Iterator[str]:
    value = values[bound.measure]
    if not bound.admits(value):
        yield f"{bound.measure}: expected {bound.lowest} to {bound.highest}, found {float(value):.4f}"
