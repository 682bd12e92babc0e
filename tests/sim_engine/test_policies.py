"""Step 2 of the tick (SPEC 3): what each release policy lets out of Queue 1, tick by tick."""

from typing import Any

import pytest

NEVER: dict[str, Any] = {"receipt_reactive": {"allowance": 0}}
"""A policy that holds everything as long as nothing is received."""


def policy_of(agent: str, policy: Any, **more: Any) -> dict[str, dict[str, Any]]:
    """The behaviour of one agent that follows a policy."""
    return {agent: {"policy": policy, **more}}


# Whatever the policy


def test_fifo_releases_everything_in_the_tick_it_arrives_in(settle):
    day = settle("bank A 0  bank B 0  pay A>B 1  pay A>B 2 @1  pay A>B 3 low @1", behaviour=policy_of("A", "fifo"))
    assert day.entered == {"T1": 0, "T2": 1, "T3": 1}
    assert day.queue1 == []
    assert day.days[0].record.tick_ends.queue1_sizes.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("policy", "other"),
    [
        ({"deadline": {"urgency_ticks": 0}}, {"T2": 3}),
        ({"liquidity_aware": {"target_buffer": 50, "urgency_ticks": 0}}, {"T2": 3}),
        ({"receipt_reactive": {"allowance": 5}}, {}),
        ({"scheduled": {"profile": [{"tick": 0, "share_bp": 0}]}}, {}),
    ],
)
def test_an_urgent_payment_leaves_in_the_tick_it_arrives_in(settle, policy, other):
    """The other one waits for the day's last tick, or for ever."""
    text = "bank A 50  bank B 0  pay A>B 7 urgent @1 deadline 3  pay A>B 6 @1"
    day = settle(text, behaviour=policy_of("A", policy), ticks_per_day=4)
    assert day.entered == {"T1": 1} | other


def test_what_is_released_in_a_tick_is_submitted_by_arrival_whoever_released_it(settle):
    """B has held its payment since tick 0; both leave in tick 2. B's arrived first: it pays for A's."""
    day = settle(
        "bank A 0  bank B 10  pay B>A 10  pay A>B 10 @2",
        behaviour=policy_of("B", {"deadline": {"urgency_ticks": 0}}),
        lsm="",
    )
    assert day.entered == {"T1": 2, "T2": 2}
    assert day.settled == ["B>A 10 immediate", "A>B 10 immediate"]


def test_what_is_due_is_not_submitted_before_what_arrived_earlier_and_leaves_with_it(settle):
    """T2 is due, and T1 fits beside it: 50 - 20 - 30 = 0. T1 arrived first."""
    day = settle(
        "bank A 50  bank B 0  pay A>B 30  pay A>B 20 deadline 0",
        behaviour=policy_of("A", {"liquidity_aware": {"target_buffer": 0, "urgency_ticks": 0}}),
        ticks_per_day=2,
    )
    assert day.settled_ids == ["T1", "T2"]
    assert day.ticks_settled == [0, 0]


def test_a_policy_of_a_later_day_is_in_force_from_its_opening(settle):
    """Held on day 0; everything leaves on day 1; nothing again on day 2, nor on day 3, which names no policy."""
    changes = [{"day": 1, "policy": "fifo"}, {"day": 2, "policy": NEVER}]
    story = settle(
        "bank A 9  bank B 0  pay A>B 1 @1  pay A>B 2 @3  pay A>B 3 @4",
        behaviour=policy_of("A", NEVER, policy_changes=changes),
        ticks_per_day=2,
        days=4,
    )
    assert story.entered == {"T1": 2, "T2": 3}
    assert [day.queue1 for day in story.days] == [["A>B 1"], [], ["A>B 3"], ["A>B 3"]]


def test_queue_1_is_counted_at_the_ends_of_ticks(settle):
    day = settle(
        "bank A 9  bank B 0  pay A>B 2  pay A>B 3 @1",
        behaviour=policy_of("A", {"deadline": {"urgency_ticks": 0}}),
        ticks_per_day=4,
    )
    record = day.days[0].record
    assert record.tick_ends.queue1_sizes.tolist() == [1, 2, 2, 0]
    assert record.tick_ends.queue1_values.tolist() == [2, 5, 5, 0]
    assert record.agent_days.queue1_sizes_max.tolist() == [2, 0]
    assert record.tick_ends.queue2_sizes.tolist() == [0, 0, 0, 0]


def test_queue_1_keeps_its_order_over_a_night(settle):
    """T2 (3) would fit into the allowance of 5, but T1 (9) stands before it, on the second day too."""
    story = settle(
        "bank A 20  bank B 0  pay A>B 9  pay A>B 3  pay A>B 1 @1",
        behaviour=policy_of("A", {"receipt_reactive": {"allowance": 5}}),
        days=2,
    )
    assert story.entered == {}
    assert [day.queue1 for day in story.days] == [["A>B 9", "A>B 3"], ["A>B 9", "A>B 3", "A>B 1"]]
    assert [day.outcomes for day in story.days] == [["carried"] * 2, ["carried"] * 3]


def test_a_day_that_cancels_empties_queue_1_too(settle):
    """On day 1 the policy lets everything out: there is nothing."""
    story = settle(
        "bank A 9  bank B 0  pay A>B 9",
        behaviour=policy_of("A", NEVER, policy_changes=[{"day": 1, "policy": "fifo"}]),
        days=2,
        end_of_day="cancel",
    )
    assert [day.queue1 for day in story.days] == [["A>B 9"], []]
    assert story.days[0].outcomes == ["cancelled"]
    assert story.days[0].closing.queued == ()
    assert story.entered == {}
    assert story.balances == {"A": 9, "B": 0}


# Deadline


def test_deadline_releases_what_is_within_its_ticks_of_urgency(settle):
    """2 ticks ahead: 5 - 2 = 3; 3 - 2 = 1; without one the last tick, 7 - 2 = 5; at once if the time has passed."""
    day = settle(
        """
        bank A 99  bank B 0
        pay A>B 1 deadline 5   pay A>B 2 deadline 3   pay A>B 3   pay A>B 4 @4 deadline 5
        """,
        behaviour=policy_of("A", {"deadline": {"urgency_ticks": 2}}),
        ticks_per_day=8,
    )
    assert day.entered == {"T1": 3, "T2": 1, "T3": 5, "T4": 4}
    assert day.settled_ids == ["T2", "T1", "T4", "T3"]


def test_a_payment_without_deadline_is_due_on_the_last_tick_of_the_day_it_waits_in(settle):
    """Ticks 0..2 and 3..5: one of each day; with 2 ticks of urgency the last tick is near from the first on."""
    text = "bank A 99  bank B 0  pay A>B 1  pay A>B 2 @3"
    for urgency, entered in ((0, {"T1": 2, "T2": 5}), (1, {"T1": 1, "T2": 4}), (2, {"T1": 0, "T2": 3})):
        policy = {"deadline": {"urgency_ticks": urgency}}
        story = settle(text, behaviour=policy_of("A", policy), ticks_per_day=3, days=2)
        assert story.entered == entered


def test_a_deadline_on_a_later_day_keeps_a_payment_in_queue_1_over_the_night(settle):
    """4 - 1 = 3, the first tick of day 1; the other one's time, 5 - 1 = 4, is its second."""
    story = settle(
        "bank A 99  bank B 0  pay A>B 1 deadline 4  pay A>B 2 deadline 5",
        behaviour=policy_of("A", {"deadline": {"urgency_ticks": 1}}),
        ticks_per_day=3,
        days=2,
    )
    assert [day.queue1 for day in story.days] == [["A>B 1", "A>B 2"], []]
    assert story.entered == {"T1": 3, "T2": 4}


# Liquidity aware


@pytest.mark.parametrize(("amount", "tick"), [(70, 0), (71, 2)])
def test_liquidity_aware_leaves_its_buffer_and_not_more(settle, amount, tick):
    """100 - 70 = 30, the buffer; 71 waits until it is due, on the last tick."""
    day = settle(
        f"bank A 100  bank B 0  pay A>B {amount}",
        behaviour=policy_of("A", {"liquidity_aware": {"target_buffer": 30, "urgency_ticks": 0}}),
        ticks_per_day=3,
    )
    assert day.entered == {"T1": tick}


def test_the_first_payment_that_cuts_into_the_buffer_ends_the_releases_of_the_tick(settle):
    """100 - 50 = 50 is fine; 50 - 30 = 20 is below 30; 50 - 20 = 30 would be fine, but stands behind."""
    day = settle(
        "bank A 100  bank B 0  pay A>B 50  pay A>B 30  pay A>B 20",
        behaviour=policy_of("A", {"liquidity_aware": {"target_buffer": 30, "urgency_ticks": 0}}),
        ticks_per_day=3,
    )
    assert day.entered == {"T1": 0, "T2": 2, "T3": 2}


@pytest.mark.parametrize("other", ["pay A>B 40 deadline 0", "pay A>B 40 urgent"])
def test_what_leaves_anyway_is_taken_from_the_liquidity_first(settle, other):
    """T1 alone would fit, 100 - 50 = 50; beside the other 40 it does not: 10 is below 30."""
    day = settle(
        f"bank A 100  bank B 0  pay A>B 50  {other}",
        behaviour=policy_of("A", {"liquidity_aware": {"target_buffer": 30, "urgency_ticks": 0}}),
        ticks_per_day=3,
    )
    assert day.entered == {"T1": 2, "T2": 0}


def test_what_is_due_leaves_whatever_the_buffer(settle):
    day = settle(
        "bank A 0  bank B 0  pay A>B 50 deadline 2",
        behaviour=policy_of("A", {"liquidity_aware": {"target_buffer": 30, "urgency_ticks": 1}}),
        ticks_per_day=4,
    )
    assert day.entered == {"T1": 1}
    assert day.waits == {"T1": "liquidity"}


def test_money_received_in_a_tick_is_liquidity_from_the_next_tick_on(settle):
    """B's 10 comes in tick 0, after A has looked."""
    day = settle(
        "bank A 0  bank B 10  pay B>A 10  pay A>B 10",
        behaviour=policy_of("A", {"liquidity_aware": {"target_buffer": 0, "urgency_ticks": 0}}),
        ticks_per_day=3,
    )
    assert day.entered == {"T1": 0, "T2": 1}


def test_credit_and_posted_collateral_are_liquidity_to_a_policy_but_not_what_might_be_posted(settle):
    """A has 10 and could post more, which happens for what has been released alone: 11 waits until it is due."""
    behaviour = policy_of(
        "A",
        {"liquidity_aware": {"target_buffer": 0, "urgency_ticks": 0}},
        collateral={"on_need": {"max": 50}},
    )
    text = "bank A 3 credit 3 collateral 8 haircut 5000  bank B 0  pay A>B 10  pay A>B 11 @1"
    day = settle(text, behaviour=behaviour, ticks_per_day=4)
    assert day.entered == {"T1": 0, "T2": 3}
    assert [line.split(" @")[1] for line in day.collateral] == ["3 on_need"]


def test_what_waits_in_queue_2_is_not_taken_from_the_liquidity(settle):
    """In tick 0 the urgent 20 leaves, 10 - 20 - 10 is below 0. In tick 1 it waits in Queue 2, and 10 - 10 = 0."""
    day = settle(
        "bank A 10  bank B 0  pay A>B 20 urgent  pay A>B 10",
        behaviour=policy_of("A", {"liquidity_aware": {"target_buffer": 0, "urgency_ticks": 0}}),
        ticks_per_day=3,
        lsm="",
    )
    assert day.entered == {"T1": 0, "T2": 1}
    assert day.queue == ["A>B 20"]


# Receipt reactive


def test_receipt_reactive_pays_out_of_receipts_up_to_the_tick_before_and_an_allowance(settle):
    """Allowance 10. Tick 0: 6 leaves; 6 + 6 = 12 does not, and ends it, though 6 + 4 = 10 would fit.

    Tick 1: 2 were received in tick 0, and 12 <= 12. Tick 2: 12 + 4 = 16 > 12, as the 4 of this tick do not count yet.
    Tick 3: 16 <= 2 + 4 + 10. The last, 17, is left at the end of the day.
    """
    day = settle(
        """
        bank A 50  bank B 50
        pay A>B 6  pay A>B 6  pay A>B 4  pay A>B 1
        pay B>A 2  pay B>A 4 @2
        """,
        behaviour=policy_of("A", {"receipt_reactive": {"allowance": 10}}),
        ticks_per_day=5,
    )
    assert day.entered == {"T1": 0, "T2": 1, "T3": 3, "T5": 0, "T6": 2}
    assert day.queue1 == ["A>B 1"]


def test_a_deadline_does_not_move_receipt_reactive(settle):
    day = settle("bank A 50  bank B 0  pay A>B 6 deadline 1", behaviour=policy_of("A", NEVER), ticks_per_day=3)
    assert day.entered == {}
    assert day.queue1 == ["A>B 6"]


def test_receipts_by_the_lsm_and_urgent_releases_count(settle):
    """Allowance 4: the urgent 5 is over it already, so 4 waits. Both 5 net in tick 0.

    In tick 1, 5 + 4 <= 5 + 4, and there is nothing left for the 1, then or later.
    """
    day = settle(
        "bank A 0  bank B 0  pay A>B 5 urgent  pay A>B 4  pay A>B 1  pay B>A 5",
        behaviour=policy_of("A", {"receipt_reactive": {"allowance": 4}}),
        ticks_per_day=3,
    )
    assert day.cycles == ["bilateral: A>B 5, B>A 5"]
    assert day.entered == {"T1": 0, "T2": 1, "T4": 0}
    assert day.queue1 == ["A>B 1"]


def test_what_was_released_and_received_is_counted_from_zero_every_day(settle):
    """Two ticks a day, allowance 5. Day 0: T1, 5; B's 3 come in its last tick.

    Day 1: T2, 5 again; T3 not, 8 > 5, as yesterday's 3 are gone. Day 2: T3.
    """
    story = settle(
        "bank A 50  bank B 50  pay A>B 5  pay A>B 5  pay A>B 3  pay B>A 3 @1",
        behaviour=policy_of("A", {"receipt_reactive": {"allowance": 5}}),
        ticks_per_day=2,
        days=3,
    )
    assert story.entered == {"T1": 0, "T2": 2, "T3": 4, "T4": 1}


# Scheduled


def scheduled(*steps: tuple[int, int]) -> dict[str, Any]:
    """The policy by (tick of the day, share in basis points)."""
    return {"scheduled": {"profile": [{"tick": tick, "share_bp": share} for tick, share in steps]}}


def test_scheduled_releases_until_the_days_share_is_reached(settle):
    """Of 100: nothing before tick 1; 33.33 % from then on, which T1 alone exceeds; all of it from tick 3 on."""
    day = settle(
        "bank A 200  bank B 0  pay A>B 40  pay A>B 40  pay A>B 15 @2  pay A>B 5 @4",
        behaviour=policy_of("A", scheduled((1, 3333), (3, 10_000))),
        ticks_per_day=6,
    )
    assert day.entered == {"T1": 1, "T2": 3, "T3": 3, "T4": 4}


def test_a_scheduled_target_is_rounded_up(settle):
    """33.33 % of 100 is 33.33, so 34: 33 are not enough."""
    day = settle(
        "bank A 200  bank B 0  pay A>B 33  pay A>B 67",
        behaviour=policy_of("A", scheduled((0, 3333))),
        ticks_per_day=2,
    )
    assert day.entered == {"T1": 0, "T2": 0}


def test_a_scheduled_target_that_is_met_to_the_unit_asks_for_no_more(settle):
    """A half of 100 is 50."""
    day = settle("bank A 200  bank B 0  pay A>B 50  pay A>B 50", behaviour=policy_of("A", scheduled((0, 5000))))
    assert day.entered == {"T1": 0}
    assert day.queue1 == ["A>B 50"]


def test_the_value_of_the_day_counts_what_is_still_to_arrive(settle):
    """20 % of 10 + 10 + 10 + 70 is 20: two of them, not one."""
    day = settle(
        "bank A 200  bank B 0  pay A>B 10  pay A>B 10  pay A>B 10  pay A>B 70 @2",
        behaviour=policy_of("A", scheduled((0, 2000))),
    )
    assert day.entered == {"T1": 0, "T2": 0}


def test_the_value_of_the_day_is_the_agents_own(settle):
    """A half of A's 20; what B sends it does not count."""
    day = settle(
        "bank A 200  bank B 90  pay A>B 10  pay A>B 10  pay B>A 60",
        behaviour=policy_of("A", scheduled((0, 5000))),
    )
    assert day.entered == {"T1": 0, "T3": 0}


def test_urgent_payments_count_in_what_a_schedule_has_released(settle):
    """20 % of 100 is 20, and the urgent payment is 20, in its tick and after it."""
    day = settle(
        "bank A 200  bank B 0  pay A>B 10  pay A>B 70  pay A>B 20 urgent",
        behaviour=policy_of("A", scheduled((0, 2000))),
        ticks_per_day=3,
    )
    assert day.entered == {"T3": 0}
    assert day.queue1 == ["A>B 10", "A>B 70"]


def test_the_value_of_the_day_counts_what_queue_1_carried_over(settle):
    """Day 0: a half of 20 is T1. Day 1: a half of 10 + 20 is 15: T2 and, at 10, T3 too."""
    story = settle(
        "bank A 200  bank B 0  pay A>B 10  pay A>B 10  pay A>B 20 @2",
        behaviour=policy_of("A", scheduled((0, 5000))),
        ticks_per_day=2,
        days=2,
    )
    assert story.entered == {"T1": 0, "T2": 2, "T3": 2}


def test_the_value_of_the_day_does_not_count_what_queue_2_carried_over(settle):
    """A has nothing: T1 waits in Queue 2 over the night. Day 1: a half of 10 + 10 is T2; with T1 it would be 15."""
    story = settle(
        "bank A 0  bank B 0  pay A>B 10  pay A>B 10  pay A>B 10 @2",
        behaviour=policy_of("A", scheduled((0, 5000))),
        ticks_per_day=2,
        days=2,
    )
    assert story.entered == {"T1": 0, "T2": 2}
    assert story.queue == ["A>B 10", "A>B 10"]
    assert story.queue1 == ["A>B 10"]


def test_a_schedule_goes_by_the_tick_of_the_day(settle):
    story = settle(
        "bank A 9  bank B 0  pay A>B 1  pay A>B 2 @2",
        behaviour=policy_of("A", scheduled((1, 10_000))),
        ticks_per_day=2,
        days=2,
    )
    assert story.entered == {"T1": 1, "T2": 3}
