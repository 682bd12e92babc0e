"""What an LSM run leaves behind (SPEC 4): nothing that one of its mechanisms could still settle."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim_engine import Scenario, SystemState
from sim_engine.vocabulary import HIT_LIMITS
from tests.helpers.behaving import behaving
from tests.helpers.drawing import crowded_scenarios, scenarios, sparse_ring_scenario
from tests.helpers.feasible_sets import feasible_pairs, feasible_prefix_sets, feasible_rings
from tests.helpers.records import check_kernel_is_oracle
from tests.helpers.settling import scenario_of
from tests.oracle.day import open_day, run_days
from tests.oracle.lsm import passes
from tests.oracle.lsm.ring import search_rings
from tests.oracle.system import System
from tests.oracle.tick import run_tick

_UNBOUNDED = {"max_passes": 1_000, "max_cycles_per_tick": 100_000}


def unbounded(scenario: Scenario) -> Scenario:
    """The scenario with bounds that no run meets."""
    return scenario.with_rules(lsm=scenario.stated.lsm.model_copy(update=_UNBOUNDED))


def left_undone(system: System) -> dict[str, list]:
    """By mechanism that is on, what it could still settle; under `alone`, what a retry could."""
    rules, queue, available = system.rules, system.queue2.in_order(), system.ledger.available
    alone = [item for item in queue if item.amount <= available[item.sender]]
    if rules.queue2.discipline == "fifo":
        firsts = {item.sender: item for item in reversed(queue)}
        alone = [item for item in alone if item is firsts[item.sender]]
    return {
        "alone": alone if rules.queue2.entry == "settle" else [],
        "bilateral": feasible_pairs(queue, available) if rules.lsm.bilateral else [],
        "ring": feasible_rings(queue, available, rules.lsm.max_cycle_length) if rules.lsm.ring else [],
        "gridlock": feasible_prefix_sets(queue, available) if rules.lsm.gridlock else [],
    }


NOTHING = {"alone": [], "bilateral": [], "ring": [], "gridlock": []}


def check_last_tick_leaves_nothing_undone(scenario: Scenario) -> None:
    """On the last tick of each day the LSM is due, whatever `every_ticks` says."""
    scenario = unbounded(scenario)
    state = SystemState.opening(scenario)
    for _ in range(scenario.stated.num_days):
        system = open_day(scenario, state)
        for tick in range(system.first_tick, system.first_tick + system.ticks_per_day):
            run_tick(system, tick)
        record, state = system.close()
        assert {HIT_LIMITS[code] for code in record.lsm_runs.hit_limits} <= {"none"}
        assert left_undone(system) == NOTHING


@settings(max_examples=200)
@given(scenarios(payments_max=10))
def test_after_the_last_tick_nothing_that_is_left_could_settle(scenario):
    check_last_tick_leaves_nothing_undone(scenario)


@pytest.mark.slow
@settings(max_examples=500)
@given(crowded_scenarios(payments_max=22))
def test_after_the_last_tick_of_a_crowded_day_nothing_that_is_left_could_settle(scenario):
    check_last_tick_leaves_nothing_undone(scenario)


@settings(max_examples=120)
@given(st.one_of(crowded_scenarios(ring_only=True), crowded_scenarios()))
def test_after_each_ring_search_no_feasible_ring_exists_anywhere(scenario):
    """Also where a search ended in earlier passes and ticks, and what changed since is all that is looked at."""
    scenario = unbounded(scenario)
    rings_left = []

    def search_and_look(system, run):
        settled = search_rings(system, run)
        length_max = system.rules.lsm.max_cycle_length
        rings_left.append(feasible_rings(system.queue2.in_order(), system.ledger.available, length_max))
        return settled

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes, "search_rings", search_and_look)
        records = [record for record, _ in run_days(scenario, SystemState.opening(scenario), scenario.stated.num_days)]
    assert len(rings_left) == sum(int(record.lsm_runs.passes.sum()) for record in records) * scenario.stated.lsm.ring
    assert rings_left == [[]] * len(rings_left)


def rings_within_bounds(system: System) -> list[tuple[int, ...]]:
    """Rings of admitted length, each from its lowest agent, whose oldest transactions every payer may pay."""
    queue, agents = system.queue2, range(len(system.agents))
    found = []
    for length in range(3, min(system.rules.lsm.max_cycle_length, len(agents)) + 1):
        for path in permutations(agents, length):
            pairs = [(path[k], path[(k + 1) % length]) for k in range(length)]
            if path[0] == min(path) and all(queue.pair(*pair) for pair in pairs):
                legs = [queue.oldest(*pair) for pair in pairs]
                if all(system.bounds.covers(leg, legs[k - 1].amount) for k, leg in enumerate(legs)):
                    found.append(path)
    return found


@pytest.mark.parametrize("first_seed", range(0, 6_000, 1_500))
def test_after_each_ring_search_no_ring_within_limits_and_reservations_exists_anywhere(first_seed):
    """Also where a limit barred a leg when its agent was searched, and receipts have freed it since."""
    rings_left = []

    def search_and_look(system, run):
        settled = search_rings(system, run)
        rings_left.append(rings_within_bounds(system))
        return settled

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes, "search_rings", search_and_look)
        for seed in range(first_seed, first_seed + 1_500):
            rules = (("bilateral_limits",), ("reservations",), ("bilateral_limits", "reservations"))[seed % 3]
            scenario = unbounded(behaving(sparse_ring_scenario(seed), seed, rules))
            for _ in run_days(scenario, SystemState.opening(scenario), scenario.stated.num_days):
                pass
    assert len(rings_left) > 1_500
    assert rings_left == [[]] * len(rings_left)


def test_a_receipt_that_frees_a_barred_leg_lets_its_ring_settle():
    """A may pay B 5, then 9, once B has paid it 4; nothing else of the ring has changed since A was searched."""
    scenario = scenario_of(
        "bank A 0  bank B 4  bank C 0  pay A>B 9  pay B>C 9  pay C>A 9  pay B>A 4 @1",
        lsm="ring",
        behaviour={"A": {"limits": {"bilateral": {"B": 5}}}},
    )
    ((record, closing),) = check_kernel_is_oracle(scenario)
    assert record.lsm_cycles.ticks.tolist() == [1]
    assert record.lsm_cycles.total_values.tolist() == [27]
    assert closing.balances == (4, 0, 0)


def test_the_search_for_what_is_left_undone_finds_it():
    """A pair, a ring and a set that could settle, in a queue that no mechanism has worked on."""
    scenario = scenario_of(
        "bank A 0  bank B 0  bank C 0  pay A>B 5  pay B>A 5  pay B>C 5  pay C>A 5", lsm="", entry="queue"
    )
    system = open_day(scenario, SystemState.opening(scenario))
    run_tick(system, 0)
    queue, available = system.queue2.in_order(), system.ledger.available
    assert feasible_pairs(queue, available) == [(0, 1)]
    assert feasible_rings(queue, available, 3) == [(0, 1, 2)]
    assert [len(chosen) for chosen in feasible_prefix_sets(queue, available)] == [2]
