"""The engine does what the literal reading of SPEC 3 and 4 in tests/helpers/naive_engine.py does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim_engine import Scenario, SystemState, run_days
from sim_engine.records import DayRecord, LsmCycle, lsm_cycles_of
from sim_engine.vocabulary import MECHANISMS, NONE, WAIT_REASONS
from tests.helpers.drawing import crowded_scenarios, scenarios, sparse_ring_scenario
from tests.helpers.naive_engine import DayNotes, NaiveEngine, Payment
from tests.helpers.settling import Day


def told_by_engine(scenario: Scenario, record: DayRecord) -> DayNotes:
    """The record in the naive engine's form."""
    ids, settled, ends = record.transactions.ids, record.settlements, record.tick_ends

    def none(number):
        return None if number == NONE else number

    queued = [
        (ids[row], tick, seq)
        for row, tick, seq in zip(
            record.queued_at_end.transactions.tolist(),
            record.queued_at_end.entry_ticks.tolist(),
            record.queued_at_end.entry_seqs.tolist(),
            strict=True,
        )
    ]
    return DayNotes(
        settlements=[
            (ids[row], tick, step, MECHANISMS[mechanism], entry_tick, entry_seq, none(lsm_pass), none(cycle),
             None if reason == NONE else WAIT_REASONS[reason])
            for row, tick, step, mechanism, entry_tick, entry_seq, lsm_pass, cycle, reason in zip(
                settled.transactions.tolist(), settled.ticks.tolist(), settled.seqs.tolist(),
                settled.mechanisms.tolist(), settled.entry_ticks.tolist(), settled.entry_seqs.tolist(),
                settled.lsm_passes.tolist(), settled.cycle_seqs.tolist(), settled.wait_reasons.tolist(), strict=True,
            )
        ],
        cycles=[in_naive_form(scenario, cycle) for cycle in lsm_cycles_of(record, "", scenario.agent_ids)],
        runs=[tuple(run.values()) for run in Day(scenario, record, SystemState.opening(scenario)).runs],
        queued=queued,
        tick_ends=[
            tuple(row) for row in zip(
                ends.queue2_sizes.tolist(), ends.queue2_values.tolist(), ends.intraday_credit_used.tolist(), strict=True
            )
        ],
        min_balances=record.agent_days.min_balances.tolist(),
        max_balances=record.agent_days.max_balances.tolist(),
        steps=int(settled.seqs.max(initial=-1)) + 1,
    )  # fmt: skip


def in_naive_form(scenario: Scenario, cycle: LsmCycle) -> tuple:
    agents = [scenario.agent_ids.index(agent) for agent in cycle.agents]
    return (
        cycle.tick, cycle.lsm_pass, cycle.mechanism, agents, list(cycle.transactions), list(cycle.amounts),
        list(cycle.net_positions), cycle.min_amount, cycle.settled_value, cycle.total_value,
    )  # fmt: skip


def arrivals_of(record: DayRecord) -> list[Payment]:
    arrived, first = record.transactions, record.transactions.carried
    return [
        Payment(*attributes)
        for attributes in zip(
            arrived.ids[first:],
            arrived.senders[first:].tolist(),
            arrived.receivers[first:].tolist(),
            arrived.amounts[first:].tolist(),
            arrived.priorities[first:].tolist(),
            arrived.arrival_ticks[first:].tolist(),
            arrived.arrival_seqs[first:].tolist(),
            strict=True,
        )
    ]


def check_engine_does_what_the_rules_say(scenario: Scenario) -> None:
    naive = NaiveEngine(scenario.stated)
    days = list(run_days(scenario, SystemState.opening(scenario), scenario.stated.num_days))
    assert len(days) == scenario.stated.num_days
    for record, closing in days:
        assert told_by_engine(scenario, record) == naive.run_day(record.day, arrivals_of(record))
        assert list(closing.balances) == naive.balances
        assert [row.id for row in closing.queued] == [payment.id for payment in naive.in_order()]


@settings(max_examples=150)
@given(scenarios())
def test_engine_does_what_the_rules_say(scenario):
    check_engine_does_what_the_rules_say(scenario)


@settings(max_examples=100)
@given(crowded_scenarios())
def test_engine_does_what_the_rules_say_in_crowded_queues(scenario):
    check_engine_does_what_the_rules_say(scenario)


@settings(max_examples=60)
@given(crowded_scenarios(ring_only=True))
def test_rings_settle_in_the_order_that_the_rules_say(scenario):
    check_engine_does_what_the_rules_say(scenario)


@pytest.mark.parametrize("first_seed", range(0, 1_000, 200))
def test_rings_settle_in_the_order_that_the_rules_say_in_sparse_queues(first_seed):
    for seed in range(first_seed, first_seed + 200):
        check_engine_does_what_the_rules_say(sparse_ring_scenario(seed))


@pytest.mark.slow
@settings(max_examples=1_000)
@given(st.one_of(scenarios(), crowded_scenarios(), crowded_scenarios(ring_only=True)))
def test_engine_does_what_the_rules_say_in_many_scenarios(scenario):
    check_engine_does_what_the_rules_say(scenario)
