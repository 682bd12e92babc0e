"""The compiled kernel leaves behind what the plain-Python engine of tests/oracle does: the same arrays, bit for bit."""

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.workloads import WORKLOADS, Workload, scenario_mapping
from sim_engine import Scenario, SystemState, parse_scenario, run_days
from sim_engine.bounds import MONEY_MAX
from sim_engine.vocabulary import COLLATERAL_REASONS, HIT_LIMITS, MECHANISMS, NONE, POLICY, WAIT_REASONS
from tests.helpers.behaving import behaving_busy_scenario, behaving_scenarios
from tests.helpers.drawing import busy_scenario, crowded_scenarios, scenarios, sparse_ring_scenario
from tests.helpers.records import check_kernel_day_is_oracle_day, check_kernel_is_oracle
from tests.helpers.settling import scenario_of

BUSY_SEEDS = 2_000
"""Seeds of busy scenarios in the quick run; the slow one goes on from there."""

BEHAVING_SEEDS = 1_000
"""Likewise of those in which banks behave."""


@pytest.mark.parametrize("first_seed", range(0, BUSY_SEEDS, 200))
def test_kernel_is_the_oracle_in_busy_systems(first_seed):
    for seed in range(first_seed, first_seed + 200):
        check_kernel_is_oracle(busy_scenario(seed))


@pytest.mark.parametrize("first_seed", range(0, BEHAVING_SEEDS, 200))
def test_kernel_is_the_oracle_where_banks_behave(first_seed):
    for seed in range(first_seed, first_seed + 200):
        check_kernel_is_oracle(behaving_busy_scenario(seed))


def test_what_is_drawn_of_behaviour_shows_every_rule_at_work():
    """Every wait reason, mechanism and reason for collateral, and both queues at the end of a day."""
    seen: dict[str, set[int]] = {kind: set() for kind in ("reasons", "mechanisms", "collateral", "queues")}
    held = 0
    for seed in range(200):  # of which the test above says that both engines do the same
        scenario = behaving_busy_scenario(seed)
        for record, _ in run_days(scenario, SystemState.opening(scenario), scenario.stated.num_days):
            settlements, queued = record.settlements, record.queued_at_end
            seen["reasons"] |= {*settlements.wait_reasons.tolist(), *queued.wait_reasons.tolist()}
            seen["mechanisms"] |= set(settlements.mechanisms.tolist())
            seen["collateral"] |= set(record.collateral_events.reasons.tolist())
            seen["queues"] |= set(queued.queues.tolist())
            held += int((settlements.entry_ticks > record.transactions.arrival_ticks[settlements.transactions]).sum())
    assert seen["reasons"] == {NONE, *range(len(WAIT_REASONS))} - {POLICY}  # the engine leaves Queue 1's to the tables
    assert seen["mechanisms"] == set(range(len(MECHANISMS)))
    assert seen["collateral"] == set(range(len(COLLATERAL_REASONS)))
    assert seen["queues"] == {1, 2}
    assert held > 100


@settings(max_examples=300)
@given(behaving_scenarios())
def test_kernel_is_the_oracle_in_small_systems_that_behave(scenario):
    check_kernel_is_oracle(scenario)


@settings(max_examples=150)
@given(scenarios())
def test_kernel_is_the_oracle(scenario):
    check_kernel_is_oracle(scenario)


@settings(max_examples=150)
@given(crowded_scenarios())
def test_kernel_is_the_oracle_in_crowded_queues(scenario):
    check_kernel_is_oracle(scenario)


@settings(max_examples=100)
@given(crowded_scenarios(ring_only=True))
def test_kernel_settles_rings_in_the_order_of_the_oracle(scenario):
    check_kernel_is_oracle(scenario)


def test_kernel_settles_rings_in_the_order_of_the_oracle_in_sparse_queues():
    for seed in range(400):
        check_kernel_is_oracle(sparse_ring_scenario(seed))


def carried_over_three_days(seed: int) -> Scenario:
    """A busy scenario, run for a day more than anything arrives in."""
    scenario = busy_scenario(seed)
    return scenario.with_rules(num_days=scenario.stated.num_days + 1, end_of_day="carry_over")


@pytest.mark.parametrize("first_seed", range(0, 140, 70))
def test_kernel_is_the_oracle_over_a_day_of_carried_transactions_alone(first_seed):
    for seed in range(first_seed, first_seed + 70):
        check_kernel_is_oracle(carried_over_three_days(seed))


def with_last_items_in_queue1(random: Random, state: SystemState) -> SystemState:
    """The state, had some agents not yet submitted the last payments of their queues, but others that have settled."""
    last_by_sender = {transaction.sender: transaction for transaction in state.queued}
    kept_back = {transaction.arrival_seq for transaction in last_by_sender.values() if random.random() < 0.5}
    queue1 = [
        replace(transaction, queue=1, entry_tick=NONE, entry_seq=NONE, wait_reason=NONE)
        for transaction in state.queued
        if transaction.arrival_seq in kept_back
    ]
    queue1.sort(key=lambda transaction: (transaction.sender, transaction.arrival_seq))
    queue2 = [transaction for transaction in state.queued if transaction.arrival_seq not in kept_back]
    return replace(state, queued=(*queue1, *queue2), entries_count=state.entries_count + 7)


def test_kernel_is_the_oracle_in_a_day_that_opens_with_payments_in_queue_1():
    opened = 0
    for seed in range(140):
        scenario = carried_over_three_days(seed)
        _, state = check_kernel_day_is_oracle_day(scenario, SystemState.opening(scenario))
        opening = with_last_items_in_queue1(Random(seed), state)
        check_kernel_day_is_oracle_day(scenario, opening)
        opened += sum(transaction.queue == 1 for transaction in opening.queued)
    assert opened > 500


# Whom the bound on cycles is asked for, where random scenarios seldom tell


def hit_limits_by_both(text: str, **options: Any) -> list[str]:
    """What cut the LSM runs of a told day."""
    ((record, _),) = check_kernel_is_oracle(scenario_of(text, **options))
    return [HIT_LIMITS[code] for code in record.lsm_runs.hit_limits]


def test_agent_searched_since_its_liquidity_rose_is_not_searched_again():
    # C gains by the first ring and is searched before the second, which meets the bound: nobody is left to ask for.
    text = """
        bank A 1   bank B 0   bank C 0   bank D 0   bank E 0   bank F 0   bank X 0   bank Y 0
        pay A>B 5   pay B>C 5   pay C>A 4   pay D>E 5   pay E>F 5   pay F>D 5
        pay C>X 9   pay Y>C 9
    """
    assert hit_limits_by_both(text, lsm="ring", max_cycles_per_tick=2) == ["none"]


def test_agent_that_a_netting_set_leaves_as_rich_as_before_is_not_searched_again():
    # A stands on both ends of other legs: were it touched by its bilateral cycle, its search would meet the bound.
    text = """
        bank A 0   bank B 0   bank C 0   bank D 0
        pay A>C 5   pay D>A 5   pay A>B 3   pay B>A 4
        pay A>B 1 @1
    """
    assert hit_limits_by_both(text, lsm="bilateral ring", max_cycles_per_tick=1) == ["none", "none"]


def test_agent_whose_pair_keeps_its_oldest_in_a_retry_is_not_searched_again():
    # Ring ASB brings S 2, with which the retry settles S>T 2; S>T 9 stays the pair's oldest. T's 2 let ring TXY settle,
    # the last one allowed. S both pays and is paid, but on its side nothing has changed since its search.
    text = """
        bank A 0  bank B 2  bank T 0  bank X 0  bank Y 0  bank U 0  bank S 0
        pay A>S 5  pay S>B 3  pay B>A 5   pay S>T 9  pay S>T 2  pay U>S 50   pay T>X 4  pay X>Y 4  pay Y>T 2
    """
    assert hit_limits_by_both(text, lsm="ring", max_cycles_per_tick=2) == ["none"]


def test_bound_on_cycles_is_met_before_a_pair_that_cannot_net():
    text = "bank A 0   bank B 0   bank C 0   bank D 0   pay A>B 5   pay B>A 5   pay C>D 5   pay D>C 9"
    assert hit_limits_by_both(text, lsm="bilateral", max_cycles_per_tick=1, max_passes=1) == ["cycles"]


def test_bound_on_cycles_is_not_met_after_the_last_pair():
    text = "bank A 0   bank B 0   bank C 0   bank D 0   pay A>B 5   pay B>A 9   pay C>D 5   pay D>C 5"
    assert hit_limits_by_both(text, lsm="bilateral", max_cycles_per_tick=1, max_passes=1) == ["passes"]


# Whole days of the benchmarks


FEWER_OF_W4 = replace(WORKLOADS["W4"], payments=50_000)
"""All its 5,000 agents; with all its payments the oracle takes four minutes. They agree on that day too."""


def check_day_of_workload(workload: Workload, seed: int) -> None:
    scenario = parse_scenario(scenario_mapping(workload, seed), source=Path(workload.name))
    record, _ = check_kernel_day_is_oracle_day(scenario, SystemState.opening(scenario))
    assert len(record.lsm_cycles.ticks) > 20


@pytest.mark.parametrize("seed", range(1, 6))
def test_kernel_is_the_oracle_over_a_day_of_w1(seed):
    check_day_of_workload(WORKLOADS["W1"], seed)


def test_kernel_is_the_oracle_over_a_day_of_w2():
    check_day_of_workload(WORKLOADS["W2"], 1)


@pytest.mark.slow
@pytest.mark.parametrize("workload", [WORKLOADS["W3"], FEWER_OF_W4], ids=["W3", "fewer_of_W4"])
def test_kernel_is_the_oracle_over_a_day_of_many_agents(workload):
    check_day_of_workload(workload, 1)


# Sizes at which arithmetic ends


@pytest.mark.parametrize("limit", [MONEY_MAX, MONEY_MAX - 1, 9 * 10**18, 10**18])
def test_kernel_is_the_oracle_where_limits_are_as_large_as_money(limit):
    text = """
        bank A 1000000000000000000 credit 3000000000000000000   bank B 0   bank C 5
        pay A>B 1000000000000000000   pay A>B 1000000000000000000 @1   pay B>A 5 @1
        pay C>A 7   pay B>C 100 @1   pay A>C 3 @2   pay A>B 1000000000000000000 @3
    """
    behaviour = {
        bank: {"limits": {"multilateral": limit, "bilateral": {to: limit for to in "ABC" if to != bank}}}
        for bank in "ABC"
    }
    for days in (1, 2):
        scenario = scenario_of(text, ticks_per_day=4 // days, days=days, behaviour=behaviour)
        assert sum(len(record.settlements.ticks) for record, _ in check_kernel_is_oracle(scenario)) >= 5


# The same at length


@pytest.mark.slow
@pytest.mark.parametrize("first_seed", range(BUSY_SEEDS, 2 * BUSY_SEEDS, 500))
def test_kernel_is_the_oracle_in_many_busy_systems(first_seed):
    for seed in range(first_seed, first_seed + 500):
        check_kernel_is_oracle(busy_scenario(seed))


@pytest.mark.slow
@pytest.mark.parametrize("first_seed", range(BEHAVING_SEEDS, 3 * BEHAVING_SEEDS, 500))
def test_kernel_is_the_oracle_in_many_systems_where_banks_behave(first_seed):
    for seed in range(first_seed, first_seed + 500):
        check_kernel_is_oracle(behaving_busy_scenario(seed))


@pytest.mark.slow
@settings(max_examples=1_000)
@given(st.one_of(behaving_scenarios(), scenarios(), crowded_scenarios(), crowded_scenarios(ring_only=True)))
def test_kernel_is_the_oracle_in_many_scenarios(scenario):
    check_kernel_is_oracle(scenario)
