"""Steps 3 and 4 of the tick (SPEC 3): who settles on entry, who waits and why, and what a retry settles."""

import pytest


def test_a_covered_payment_settles_on_entry(settle):
    day = settle("""
        bank A 500   bank B 0
        pay  A>B 500
    """)
    assert day.settled == ["A>B 500 immediate"]
    assert day.balances == {"A": 0, "B": 500}
    assert day.runs == []


def test_entry_goes_by_arrival_whoever_released(settle):
    """Agents release in index order, A first; B's payment arrived first all the same and is tried first."""
    day = settle(
        """
        bank A 10    bank B 0
        pay  B>A 10  pay  A>B 10
        """,
        lsm="",
    )
    assert day.settled == ["A>B 10 immediate", "B>A 10 queue"]
    assert day.waits == {"T1": "liquidity", "T2": None}


def test_money_received_on_entry_is_spent_by_the_next_entry(settle):
    day = settle(
        """
        bank A 10    bank B 0     bank C 0
        pay  A>B 10  pay  B>C 10  pay C>A 10
        """,
        lsm="",
    )
    assert day.settled == ["A>B 10 immediate", "B>C 10 immediate", "C>A 10 immediate"]
    assert day.steps == [0, 1, 2]


def test_bypass_lets_a_small_payment_pass_a_large_one(settle):
    day = settle("bank A 5  bank B 0  pay A>B 9  pay A>B 5", lsm="")
    assert day.settled == ["A>B 5 immediate"]
    assert day.queue == ["A>B 9"]


def test_fifo_keeps_a_small_payment_behind_a_large_one(settle):
    day = settle("bank A 5  bank B 0  pay A>B 9  pay A>B 5", discipline="fifo", lsm="")
    assert day.settled == []
    assert day.queue == ["A>B 9", "A>B 5"]
    assert day.waits == {"T1": "liquidity", "T2": "behind_another"}


def test_fifo_holds_back_across_receivers(settle):
    day = settle("bank A 5  bank B 0  bank C 0  pay A>B 9  pay A>C 5", discipline="fifo", lsm="")
    assert day.settled == []
    assert day.waits == {"T1": "liquidity", "T2": "behind_another"}


def test_fifo_holds_back_nobody_else(settle):
    day = settle("bank A 5  bank B 7  pay A>B 9  pay B>A 2", discipline="fifo", lsm="")
    assert day.settled == ["B>A 2 immediate"]


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("normal", "urgent", None),
        ("low", "normal", None),
        ("urgent", "normal", "behind_another"),
        ("urgent", "urgent", "behind_another"),
        ("low", "low", "behind_another"),
        ("normal", "low", "behind_another"),
    ],
)
def test_fifo_waits_behind_the_same_or_a_higher_class_only(settle, first, second, reason):
    day = settle(f"bank A 5  bank B 0  pay A>B 9 {first}  pay A>B 5 {second}", discipline="fifo", lsm="")
    assert day.waits == {"T1": "liquidity", "T2": reason}


def test_queue_2_stands_by_class_then_entry(settle):
    day = settle(
        """
        bank A 0   bank B 0
        pay A>B 1 low   pay A>B 2   pay A>B 3 urgent
        pay B>A 4 low   pay B>A 5   pay B>A 6 urgent
        """,
        lsm="",
    )
    assert day.queue == ["A>B 3", "B>A 6", "A>B 2", "B>A 5", "A>B 1", "B>A 4"]


def test_retry_serves_the_higher_class_first(settle):
    day = settle("bank A 0  bank B 5  bank C 0  pay A>C 5  pay A>C 5 urgent  pay B>A 5", lsm="")
    assert day.days[0].settled_ids == ["T3", "T2"]
    assert day.queue == ["A>C 5"]


def test_a_retry_credits_the_receiver_at_once(settle):
    """D's payment starts a chain that stands in the queue in the order of its links."""
    day = settle(
        """
        bank A 0   bank B 0   bank C 0   bank D 5
        pay A>B 5  pay B>C 5  pay C>D 5  pay D>A 5
        """,
        lsm="",
    )
    assert day.settled == ["D>A 5 immediate", "A>B 5 queue", "B>C 5 queue", "C>D 5 queue"]
    assert day.steps == [0, 1, 2, 3]


def test_retry_sweeps_until_nothing_settles(settle):
    """The same chain queued against its own direction: each sweep frees the link that stands before it."""
    day = settle(
        """
        bank A 0   bank B 0   bank C 0   bank D 5
        pay C>D 5  pay B>C 5  pay A>B 5  pay D>A 5
        """,
        lsm="",
    )
    assert day.settled == ["D>A 5 immediate", "A>B 5 queue", "B>C 5 queue", "C>D 5 queue"]
    assert day.queue == []


def test_a_sweep_takes_the_queue_in_order_before_it_starts_again(settle):
    """B's 3 covers one of its two; the sweep that credits B stands before the second, not before the first."""
    day = settle(
        """
        bank A 0   bank B 0   bank C 0   bank D 3
        pay B>C 3  pay A>B 3  pay B>D 3  pay D>A 3
        """,
        lsm="",
    )
    assert day.settled == ["D>A 3 immediate", "A>B 3 queue", "B>D 3 queue"]
    assert day.queue == ["B>C 3"]


@pytest.mark.parametrize(("discipline", "queue"), [("bypass", ["A>C 9"]), ("fifo", ["A>C 9", "A>C 5"])])
def test_in_a_retry_fifo_blocks_the_senders_later_items(settle, discipline, queue):
    day = settle("bank A 0  bank B 5  bank C 0  pay A>C 9  pay A>C 5  pay B>A 5", discipline=discipline, lsm="")
    assert day.queue == queue


def test_in_a_retry_fifo_blocks_later_classes_too(settle):
    day = settle("bank A 0  bank B 5  bank C 0  pay A>C 9  pay A>C 5 low  pay B>A 5", discipline="fifo", lsm="")
    assert day.queue == ["A>C 9", "A>C 5"]


def test_in_a_retry_fifo_blocks_no_other_sender(settle):
    day = settle("bank A 0  bank B 0  bank D 4  pay A>B 9  pay B>A 4  pay D>B 4", discipline="fifo", lsm="")
    assert day.settled == ["D>B 4 immediate", "B>A 4 queue"]


def test_with_entry_queue_nothing_settles_alone(settle):
    day = settle("bank A 5  bank B 0  pay A>B 5  pay A>B 1 @1", entry="queue", lsm="", ticks_per_day=3)
    assert day.settled == []
    assert day.queue == ["A>B 5", "A>B 1"]
    assert day.waits == {"T1": "entry_rule", "T2": "entry_rule"}


def test_with_entry_queue_the_lsm_is_followed_by_no_retry(settle):
    """B nets with A, ends with 2 and could pay C; alone nothing settles."""
    day = settle(
        """
        bank A 5   bank B 0   bank C 0
        pay A>B 5  pay B>A 3  pay B>C 2
        """,
        entry="queue",
        lsm="bilateral",
    )
    assert day.cycles == ["bilateral: A>B 5, B>A 3"]
    assert day.queue == ["B>C 2"]
    assert [run["retry_settled"] for run in day.runs] == [0]


def test_credit_and_collateral_after_its_haircut_can_be_spent(settle):
    day = settle(
        """
        bank A 10 credit 5 collateral 80 haircut 2500   bank B 0
        pay A>B 75   pay A>B 1
        """,
        lsm="",
    )
    assert day.settled == ["A>B 75 immediate"]
    assert day.queue == ["A>B 1"]
    assert day.balances == {"A": -65, "B": 75}


def test_collateral_value_is_rounded_down(settle):
    """5 after a haircut of 33.33 % is worth 3.33: 3 can be spent."""
    day = settle("bank A 0 collateral 5 haircut 3333  bank B 0  pay A>B 4  pay A>B 3", lsm="")
    assert day.settled == ["A>B 3 immediate"]
    assert day.queue == ["A>B 4"]


def test_credit_used_is_the_sum_of_overdrafts_at_the_end_of_each_tick(settle):
    day = settle("bank A 1 credit 9  bank B 0 credit 9  bank C 0  pay A>C 4  pay B>C 5  pay C>A 2 @1", lsm="")
    assert day.days[0].record.tick_ends.intraday_credit_used.tolist() == [8, 6]


def test_extremes_of_the_balance_are_taken_after_each_step(settle):
    day = settle("bank A 10  bank B 0  pay A>B 10  pay B>A 10  pay A>B 4 @1", lsm="").days[0].record.agent_days
    assert day.min_balances.tolist() == [0, 0]
    assert day.max_balances.tolist() == [10, 10]


def test_a_simultaneous_set_is_one_step_for_the_extremes(settle):
    """Each bank pays and receives 500 in the same step: nobody's balance ever differs from 0."""
    story = settle("bank A 0  bank B 0  bank C 0  pay A>B 500  pay B>C 500  pay C>A 500")
    assert story.cycles == ["ring: A>B 500, B>C 500, C>A 500"]
    assert story.steps == [0, 0, 0]
    assert story.days[0].record.agent_days.min_balances.tolist() == [0, 0, 0]
    assert story.days[0].record.agent_days.max_balances.tolist() == [0, 0, 0]


def test_an_overdue_payment_can_still_settle(settle):
    day = settle("bank A 0  bank B 0  bank C 5  pay A>B 5 deadline 1  pay C>A 5 @3")
    assert day.settled == ["C>A 5 immediate", "A>B 5 queue"]
    assert day.ticks_settled == [3, 3]
    assert day.days[0].record.transactions.deadline_ticks.tolist() == [1, -1]


def test_queue_sizes_are_those_at_the_ends_of_ticks(settle):
    """Two of A's wait through tick 0; both settle in tick 1."""
    record = settle("bank A 0  bank B 0  bank C 5  pay A>B 2  pay A>B 3  pay C>A 5 @1", lsm="").days[0].record
    assert record.tick_ends.queue2_sizes.tolist() == [2, 0]
    assert record.tick_ends.queue2_values.tolist() == [5, 0]
    assert record.agent_days.queue2_sizes_max.tolist() == [2, 0, 0]
    assert record.tick_ends.queue1_sizes.tolist() == [0, 0]
