"""The end of a day (SPEC 3): what is noted, what is carried, and what the next day opens with."""

import dataclasses

import pytest

from sim_engine import InputError, Simulation, SystemState, run_day
from tests.helpers.settling import scenario_of


def test_an_unsettled_payment_is_carried_and_settles_on_a_later_day(settle):
    story = settle("bank A 0  bank B 0  bank C 5  pay A>B 5  pay C>A 5 @2", days=3, lsm="")
    assert [day.settled for day in story.days] == [[], [], ["C>A 5 immediate", "A>B 5 queue"]]
    assert [day.queue for day in story.days] == [["A>B 5"], ["A>B 5"], []]
    assert [day.outcomes for day in story.days] == [["carried"], ["carried"], []]
    assert story.days[2].record.settlements.entry_ticks.tolist() == [2, 0]
    assert story.days[2].waits == {"T1": "liquidity", "T2": None}


def test_what_is_carried_stands_before_what_enters_later(settle):
    story = settle(
        """
        bank A 0   bank C 3
        pay A>C 3  pay A>C 3   pay A>C 3 @1   pay C>A 3 @1
        """,
        days=2,
        lsm="",
    )
    assert story.settled_ids == [
        "T4",
        "T1",
    ]
    assert story.days[1].record.queued_at_end.entry_seqs.tolist() == [1, 2]


def test_order_by_class_holds_over_a_night(settle):
    story = settle(
        """
        bank A 0   bank B 0
        pay A>B 1 low   pay A>B 2   pay A>B 3 urgent @1   pay A>B 4 @1   pay A>B 5 low @1
        """,
        days=2,
        lsm="",
    )
    assert story.days[0].queue == ["A>B 2", "A>B 1"]
    assert story.days[1].queue == ["A>B 3", "A>B 2", "A>B 4", "A>B 1", "A>B 5"]


def test_a_carried_payment_blocks_newcomers_under_fifo(settle):
    story = settle("bank A 5  bank B 0  pay A>B 9  pay A>B 5 @1", days=2, discipline="fifo", lsm="")
    assert story.queue == ["A>B 9", "A>B 5"]
    assert story.waits == {"T1": "liquidity", "T2": "behind_another"}


def test_a_carried_payment_is_retried_on_the_first_tick(settle):
    """After the last LSM run of day 0 nothing could settle; on day 1 C pays A, and A's old payment follows."""
    story = settle("bank A 0  bank B 0  bank C 5  pay A>B 5 @1  pay C>A 5 @3", ticks_per_day=3, days=2)
    assert story.settled == ["C>A 5 immediate", "A>B 5 queue"]
    assert story.ticks_settled == [3, 3]


def test_cancelled_payments_never_settle(settle):
    story = settle("bank A 0  bank B 0  bank C 5  pay A>B 5  pay C>A 5 @1", days=2, end_of_day="cancel", lsm="")
    assert [day.queue for day in story.days] == [["A>B 5"], []]
    assert [day.outcomes for day in story.days] == [["cancelled"], []]
    assert story.settled == ["C>A 5 immediate"]


def test_snapshots_come_after_the_last_lsm_run(settle):
    story = settle("bank A 0  bank B 0  pay A>B 5  pay B>A 5  pay A>B 7", every_ticks=100, ticks_per_day=3)
    assert story.cycles == ["bilateral: A>B 5, B>A 5"]
    assert story.ticks_settled == [2, 2]
    assert story.queue == ["A>B 7"]


def test_each_day_opens_as_the_one_before_closed(settle):
    story = settle("bank A 9  bank B 0  pay A>B 4  pay A>B 3 @1  pay B>A 1 @2", days=3)
    assert [day.record.agent_days.opening_balances.tolist() for day in story.days] == [[9, 0], [5, 4], [2, 7]]
    assert [day.record.agent_days.closing_balances.tolist() for day in story.days] == [[5, 4], [2, 7], [3, 6]]


def test_extremes_start_anew_each_day(settle):
    story = settle("bank A 9  bank B 0  pay A>B 9  pay B>A 9  pay A>B 1 @1", days=2)
    assert [day.record.agent_days.min_balances.tolist() for day in story.days] == [[0, 0], [8, 0]]
    assert [day.record.agent_days.max_balances.tolist() for day in story.days] == [[9, 9], [9, 1]]


def test_numbering_runs_through_the_simulation_and_steps_and_cycles_through_the_day(settle):
    story = settle("bank A 0  bank B 0  pay A>B 5  pay B>A 5  pay A>B 6 @1  pay B>A 6 @1", days=2)
    records = [day.record for day in story.days]
    assert [record.transactions.arrival_seqs.tolist() for record in records] == [[0, 1], [2, 3]]
    assert [record.settlements.entry_seqs.tolist() for record in records] == [[0, 1], [2, 3]]
    assert [record.settlements.seqs.tolist() for record in records] == [[0, 0], [0, 0]]
    assert [record.settlements.cycle_seqs.tolist() for record in records] == [[0, 0], [0, 0]]


def test_a_state_survives_its_text(settle):
    story = settle("bank A 0 credit 2 collateral 7  bank B 0  pay A>B 95 deadline 0  pay B>A 96 urgent @1", days=2)
    states = [day.closing for day in story.days]
    assert [len(state.queued) for state in states] == [1, 2]
    assert [SystemState.from_json(state.to_json()) for state in states] == states
    assert [SystemState.from_json(state.to_json()).to_json() for state in states] == [
        state.to_json() for state in states
    ]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"queued": [[1]]}', '{"queued": [], "balances": 3, "posted_collateral": []}']
)
def test_a_text_that_is_no_state_is_refused(text):
    with pytest.raises(ValueError, match="not a stored system state"):
        SystemState.from_json(text)


def test_a_state_of_another_scenario_is_refused():
    one = scenario_of("bank A 1  bank B 0", days=2)
    other = scenario_of("bank A 2  bank B 0", days=2)
    with pytest.raises(InputError, match=r"scenario_hash: .*has changed, so run it again from day 0"):
        run_day(other, SystemState.opening(one))


def test_a_state_of_another_engine_is_refused():
    scenario = scenario_of("bank A 1  bank B 0")
    state = dataclasses.replace(SystemState.opening(scenario), engine_version="0.0.0")
    with pytest.raises(InputError, match=r"engine_version: found '0\.0\.0'.*run it again from day 0"):
        run_day(scenario, state)


def test_no_day_follows_the_last(settle):
    story = settle("bank A 1  bank B 0", days=2)
    with pytest.raises(InputError, match=r"the scenario's days are 0\.\.1"):
        run_day(story.days[0].scenario, story.days[-1].closing)


def test_a_simulation_runs_day_by_day_or_at_once_alike():
    scenario = scenario_of("bank A 0  bank B 0  pay A>B 5  pay B>A 5 @1", days=2)
    at_once, by_day = Simulation(scenario), Simulation(scenario)
    at_once.run()
    by_day.run_day()
    assert by_day.get_lsm_cycles_for_day(0) == []
    by_day.run_day()
    assert len(at_once.records) == len(by_day.records) == 2
    assert at_once.state == by_day.state
    assert at_once.get_lsm_cycles_for_day(1) == by_day.get_lsm_cycles_for_day(1)
    assert [cycle.transactions for cycle in at_once.get_lsm_cycles_for_day(1)] == [["T1", "T2"]]
    assert at_once.balances == {"A": 0, "B": 0}


@pytest.mark.parametrize("day", [-1, 1, 2])
def test_cycles_of_a_day_that_has_not_been_run_are_refused(day):
    simulation = Simulation(scenario_of("bank A 0  bank B 0", days=2))
    simulation.run_day()
    with pytest.raises(IndexError, match=f"day {day} has not been run; days run so far: 1"):
        simulation.get_lsm_cycles_for_day(day)
