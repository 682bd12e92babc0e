"""What may settle alone, why the rest waits, offset on entry, and how many and how long the LSM nets (SPEC 3 and 4)."""

from itertools import pairwise
from typing import Any

import pytest

from sim_engine import InputError
from tests.helpers.settling import scenario_of

# Why a payment waits

BOUNDS: dict[str, Any] = {
    "bilateral": {"limits": {"bilateral": {"B": 60}, "multilateral": 40}, "reserved_for_urgent": 20},
    "multilateral": {"limits": {"multilateral": 40}, "reserved_for_urgent": 20},
    "reservation": {"reserved_for_urgent": 20},
    "none": {},
}
"""What A states, of four bounds the last ones each time. Every one of them keeps 100 back: A has 50."""


@pytest.mark.parametrize(
    ("entry", "discipline", "bounds", "priority", "reason"),
    [
        ("settle_urgent", "fifo", "bilateral", "normal", "entry_rule"),
        ("queue", "fifo", "bilateral", "urgent", "entry_rule"),
        ("settle", "fifo", "bilateral", "normal", "behind_another"),
        ("settle", "bypass", "bilateral", "normal", "bilateral_limit"),
        ("settle", "bypass", "multilateral", "normal", "multilateral_limit"),
        ("settle", "bypass", "reservation", "normal", "reservation"),
        ("settle", "bypass", "none", "normal", "liquidity"),
        ("settle", "bypass", "bilateral", "low", "bilateral_limit"),
        ("settle", "bypass", "bilateral", "urgent", "liquidity"),
        ("settle_urgent", "bypass", "bilateral", "urgent", "liquidity"),
        ("settle_urgent", "fifo", "bilateral", "urgent", "behind_another"),
    ],
)
def test_a_payment_waits_for_the_first_rule_that_keeps_it(settle, entry, discipline, bounds, priority, reason):
    """T1 waits before it, in the same class or, where that is normal, in a higher one; no limit is for C."""
    day = settle(
        f"bank A 50  bank B 0  bank C 0  pay A>C 100 urgent  pay A>B 100 {priority}",
        behaviour={"A": BOUNDS[bounds]},
        entry=entry,
        discipline=discipline,
        lsm="",
    )
    assert day.waits["T2"] == reason
    assert day.settled == []


@pytest.mark.parametrize(
    ("bounds", "amount", "reason"),
    [
        ({"limits": {"bilateral": {"B": 60}}}, 60, None),
        ({"limits": {"bilateral": {"B": 60}}}, 61, "bilateral_limit"),
        ({"limits": {"multilateral": 60}}, 60, None),
        ({"limits": {"multilateral": 60}}, 61, "multilateral_limit"),
        ({"reserved_for_urgent": 40}, 60, None),
        ({"reserved_for_urgent": 40}, 61, "reservation"),
        ({}, 100, None),
        ({}, 101, "liquidity"),
        ({"limits": {"bilateral": {"B": 0}}}, 1, "bilateral_limit"),
        ({"limits": {"multilateral": 0}}, 1, "multilateral_limit"),
        ({"reserved_for_urgent": 0}, 101, "liquidity"),
        ({"reserved_for_urgent": 500}, 1, "reservation"),
    ],
)
def test_a_bound_keeps_back_what_exceeds_it_and_nothing_else(settle, bounds, amount, reason):
    """A has 100; a reservation of 40 leaves 60 of it."""
    day = settle(f"bank A 100  bank B 0  pay A>B {amount}", behaviour={"A": bounds}, lsm="")
    assert day.waits == {"T1": reason}


def test_a_payment_keeps_the_reason_for_which_it_joined_the_queue(settle):
    """T2 waits for the limit, 3 + 8 > 8. On day 1 the limit would let it go, but by then A has nothing till tick 4."""
    story = settle(
        "bank A 13  bank B 0  bank C 0  pay A>B 3  pay A>B 8  pay A>C 10  pay C>A 8 @4",
        behaviour={"A": {"limits": {"bilateral": {"B": 8}}}},
        ticks_per_day=3,
        days=2,
        lsm="",
    )
    assert story.settled == ["A>B 3 immediate", "A>C 10 immediate", "C>A 8 immediate", "A>B 8 queue"]
    assert story.ticks_settled == [0, 0, 4, 4]
    assert [day.waits["T2"] for day in story.days] == ["bilateral_limit", "bilateral_limit"]


# Settle urgent


def test_with_settle_urgent_only_urgent_payments_settle_on_entry(settle):
    day = settle("bank A 10  bank B 0  pay A>B 3  pay A>B 4 low  pay A>B 5 urgent", entry="settle_urgent", lsm="")
    assert day.settled == ["A>B 5 immediate"]
    assert day.waits == {"T1": "entry_rule", "T2": "entry_rule", "T3": None}
    assert day.queue == ["A>B 3", "A>B 4"]


def test_with_settle_urgent_only_urgent_payments_are_retried(settle):
    """C's 9 cover both of A's."""
    day = settle(
        "bank A 0  bank B 0  bank C 9  pay A>B 5 urgent  pay A>B 4  pay C>A 9 urgent @1",
        entry="settle_urgent",
        lsm="",
    )
    assert day.settled == ["C>A 9 immediate", "A>B 5 queue"]
    assert day.ticks_settled == [1, 1]
    assert day.queue == ["A>B 4"]


def test_with_settle_urgent_the_rest_settles_in_matching_cycles(settle):
    """Every second tick, and on the day's last: covered since it came, each waits for the next cycle."""
    day = settle(
        "bank A 50  bank B 0  pay A>B 5  pay A>B 6 urgent  pay A>B 7 @2  pay A>B 8 @4",
        entry="settle_urgent",
        lsm="gridlock",
        every_ticks=2,
        ticks_per_day=5,
    )
    assert day.settled == ["A>B 6 immediate", "A>B 5 gridlock", "A>B 7 gridlock", "A>B 8 gridlock"]
    assert day.ticks_settled == [0, 1, 3, 4]


def test_with_settle_urgent_a_normal_payment_settles_in_no_retry_after_a_cycle(settle):
    """A and B net, which leaves A 2: enough for its urgent payment to C, as well as for its normal one."""
    day = settle(
        "bank A 0  bank B 2  bank C 0  pay A>B 3  pay B>A 5  pay A>C 2  pay A>C 2 urgent",
        entry="settle_urgent",
        lsm="bilateral",
    )
    assert day.settled == ["A>B 3 bilateral", "B>A 5 bilateral", "A>C 2 queue"]
    assert day.days[0].settled_ids == ["T1", "T2", "T4"]
    assert day.queue == ["A>C 2"]


# Classes in the LSM


def test_netting_drops_low_before_normal_whichever_came_first(settle):
    day = settle("bank A 0  bank B 0  pay A>B 5 low  pay A>B 5  pay B>A 5", entry="queue", lsm="bilateral")
    assert day.settled_ids == ["T2", "T3"]


def test_a_ring_takes_the_payment_of_the_highest_class_of_each_pair(settle):
    text = "bank A 0  bank B 0  bank C 0  pay A>B 9  pay A>B 5 urgent  pay B>C 5  pay C>A 5"
    day = settle(text, lsm="ring")
    assert day.cycles == ["ring: A>B 5, B>C 5, C>A 5"]
    assert day.queue == ["A>B 9"]


# Overdue


@pytest.mark.parametrize(
    ("paid_at", "deadline", "policy", "cost"),
    [
        (3, 1, "fifo", 10),  # unsettled at the ends of ticks 1 and 2
        (3, 2, "fifo", 5),
        (3, 3, "fifo", 0),  # settles in the tick of its deadline
        (3, 0, "fifo", 15),
        (3, 0, {"receipt_reactive": {"allowance": 0}}, 20),  # in Queue 1 to the end: 0, 1, 2 and 3
    ],
)
def test_a_payment_is_overdue_from_the_end_of_its_deadlines_tick_on(settle, paid_at, deadline, policy, cost):
    """At 40,000 bp a day of four ticks, every tick costs what is overdue once: 5."""
    day = settle(
        f"bank A 0  bank B 0  bank C 5  pay A>B 5 deadline {deadline}  pay C>A 5 @{paid_at}",
        behaviour={"A": {"policy": policy}},
        costs={"overdue_bp": 40_000},
        ticks_per_day=4,
    )
    assert day.days[0].record.agent_costs.overdue.tolist() == [cost, 0, 0]


# Offset on entry


def test_two_payments_meet_on_entry(settle):
    """B's waits. A's would, too, and is netted with it: in pass 0, before any run, of which there is none."""
    day = settle("bank A 0  bank B 0  pay B>A 5  pay A>B 5", lsm="bilateral ring gridlock entry_offset")
    assert day.settled == ["B>A 5 entry_offset", "A>B 5 entry_offset"]
    assert day.steps == [0, 0]
    assert day.waits == {"T1": "liquidity", "T2": "liquidity"}
    assert day.runs == []
    (cycle,) = day.cycle_records
    assert (cycle.cycle_seq, cycle.tick, cycle.lsm_pass, cycle.mechanism) == (0, 0, 0, "entry_offset")
    assert (cycle.cycle_type, cycle.cycle_length, cycle.agents) == ("bilateral", 2, ["A", "B"])
    assert (cycle.transactions, cycle.amounts, cycle.net_positions) == (["T1", "T2"], [5, 5], [0, 0])
    assert (cycle.min_amount, cycle.settled_value, cycle.total_value) == (5, 0, 10)


def test_without_entry_offset_they_wait_for_the_lsm(settle):
    day = settle("bank A 0  bank B 0  pay B>A 5  pay A>B 5", every_ticks=3, ticks_per_day=3)
    assert day.settled == ["B>A 5 bilateral", "A>B 5 bilateral"]
    assert day.ticks_settled == [2, 2]


def test_an_offset_on_entry_waits_for_no_matching_cycle(settle):
    day = settle(
        "bank A 0  bank B 0  pay B>A 5  pay A>B 5 @1", lsm="bilateral entry_offset", every_ticks=4, ticks_per_day=4
    )
    assert day.settled == ["B>A 5 entry_offset", "A>B 5 entry_offset"]
    assert day.ticks_settled == [1, 1]


def test_a_covered_payment_settles_alone_rather_than_by_offset(settle):
    """And B's then settles in the retry."""
    day = settle("bank A 5  bank B 0  pay B>A 5  pay A>B 5", lsm="entry_offset")
    assert day.settled == ["A>B 5 immediate", "B>A 5 queue"]
    assert day.cycles == []


def test_an_offset_passes_the_senders_own_older_payments_under_bypass(settle):
    """T1 (9) cannot be netted with B's 5, so it stays; T3 joins behind it and is tried without it."""
    day = settle("bank A 0  bank B 0  pay A>B 9  pay B>A 5  pay A>B 5", lsm="entry_offset")
    assert day.cycles == ["entry_offset: B>A 5, A>B 5"]
    assert day.settled_ids == ["T2", "T3"]
    assert day.queue == ["A>B 9"]


def test_under_fifo_a_payment_behind_another_is_not_offset(settle):
    day = settle("bank A 0  bank B 0  pay A>B 9  pay B>A 5  pay A>B 5", lsm="entry_offset", discipline="fifo")
    assert day.cycles == []
    assert day.waits == {"T1": "liquidity", "T2": "liquidity", "T3": "behind_another"}


@pytest.mark.parametrize(("priority", "cycles"), [("normal", []), ("urgent", ["entry_offset: A>B 5, B>A 5"])])
def test_a_payment_that_waits_for_the_entry_rule_is_not_offset(settle, priority, cycles):
    """The urgent one is; it stands first in Queue 2, before the older one that it meets."""
    text = f"bank A 0  bank B 0  pay B>A 5  pay A>B 5 {priority}"
    day = settle(text, lsm="entry_offset", entry="settle_urgent")
    assert day.cycles == cycles


@pytest.mark.parametrize(("has", "cycles"), [(0, []), (1, []), (2, ["entry_offset: B>A 7, A>B 5"])])
def test_nothing_is_offset_that_the_receiver_could_not_cover(settle, has, cycles):
    """B would pay 7 for 5."""
    day = settle(f"bank A 0  bank B {has}  pay B>A 7  pay A>B 5", lsm="entry_offset")
    assert day.cycles == cycles
    assert len(day.queue) + len(day.settled) == 2


@pytest.mark.parametrize(("has", "cycles"), [(0, []), (1, []), (2, ["entry_offset: B>A 5, A>B 7"])])
def test_nothing_is_offset_that_the_sender_could_not_cover(settle, has, cycles):
    """A would pay 7 for 5."""
    day = settle(f"bank A {has}  bank B 0  pay B>A 5  pay A>B 7", lsm="entry_offset")
    assert day.cycles == cycles
    assert len(day.queue) + len(day.settled) == 2


def test_an_offset_takes_as_many_of_the_receivers_payments_as_it_can_pay(settle):
    """B has 7 coming: 3 + 3 of its three. A lacked 1 of the 7 and gets 6: both of them, not just the one it needs."""
    day = settle("bank A 6  bank B 0  pay B>A 3  pay B>A 3  pay B>A 3  pay A>B 7", lsm="entry_offset")
    assert day.cycles == ["entry_offset: B>A 3, B>A 3, A>B 7"]
    assert day.queue == ["B>A 3"]
    assert day.balances == {"A": 5, "B": 1}


def test_an_offset_takes_the_receivers_oldest_and_skips_none(settle):
    """B's 9 stands before its 5, and is too much."""
    day = settle("bank A 0  bank B 0  pay B>A 9  pay B>A 5  pay A>B 5", lsm="entry_offset")
    assert day.cycles == []
    assert day.queue == ["B>A 9", "B>A 5", "A>B 5"]


def test_an_offset_meets_the_receivers_payments_to_the_sender_alone(settle):
    """B's 4 for C would fit, but settle in the retry, out of what the offset brought."""
    day = settle("bank A 4  bank B 0  bank C 0  pay B>A 5  pay B>C 4  pay A>B 9", lsm="entry_offset")
    assert day.settled == ["B>A 5 entry_offset", "A>B 9 entry_offset", "B>C 4 queue"]
    assert day.steps == [0, 0, 1]


def test_an_offset_that_its_own_payment_drops_out_of_settles_nothing(settle):
    """A would pay 9 for 6. B's 3 + 3 are covered, by C's 6 or by rule, and it is not for the offset to settle them."""
    day = settle("bank A 0  bank B 0  bank C 6  pay B>A 3  pay B>A 3  pay C>B 6  pay A>B 9", lsm="entry_offset")
    assert day.settled == ["C>B 6 immediate", "B>A 3 queue", "B>A 3 queue"]
    text = "bank A 0  bank B 6  pay B>A 3  pay B>A 3  pay A>B 9 urgent"
    assert settle(text, entry="settle_urgent", lsm="entry_offset").settled == []


def test_the_bound_on_cycles_does_not_count_offsets_on_entry(settle):
    """A and B meet on entry, the ring settles in the run, whose bound is one."""
    day = settle(
        """
        bank A 0   bank B 0   bank C 0
        pay B>A 5  pay A>B 5
        pay A>B 7  pay B>C 7  pay C>A 7
        """,
        lsm="ring entry_offset",
        max_cycles_per_tick=1,
    )
    assert day.cycles == ["entry_offset: B>A 5, A>B 5", "ring: A>B 7, B>C 7, C>A 7"]
    assert [(cycle.cycle_seq, cycle.lsm_pass) for cycle in day.cycle_records] == [(0, 0), (1, 1)]
    (run,) = day.runs
    assert (run["hit_limits"], run["ring_cycles"], run["bilateral_cycles"]) == ("none", 1, 0)
    assert (run["queue_sizes_before"], run["settled_transactions"], run["total_values"]) == (3, 3, 21)


def test_an_offset_frees_money_for_the_next_entry_of_the_tick(settle):
    """A gains 2 by the offset, which its next payment spends at once."""
    day = settle("bank A 0  bank B 2  bank C 0  pay B>A 7  pay A>B 5  pay A>C 2", lsm="entry_offset")
    assert day.settled == ["B>A 7 entry_offset", "A>B 5 entry_offset", "A>C 2 immediate"]
    assert day.steps == [0, 0, 1]


@pytest.mark.parametrize(
    ("bounds", "reason"),
    [({"limits": {"multilateral": 3}}, "multilateral_limit"), ({"reserved_for_urgent": 6}, "reservation")],
)
def test_what_a_net_bound_keeps_from_settling_alone_may_be_offset(settle, bounds, reason):
    """A has 8. A limit of 3 bars its 5, and so does a reservation of 6; against B's 5 nothing leaves A."""
    day = settle("bank A 8  bank B 0  pay B>A 5  pay A>B 5", behaviour={"A": bounds}, lsm="entry_offset")
    assert day.cycles == ["entry_offset: B>A 5, A>B 5"]
    assert day.waits == {"T1": "liquidity", "T2": reason}


@pytest.mark.parametrize(("limit", "cycles"), [(4, []), (5, ["entry_offset: B>A 5, A>B 5"])])
@pytest.mark.parametrize("stating", ["A", "B"])
def test_a_bilateral_limit_of_either_side_holds_in_an_offset(settle, stating, limit, cycles):
    other = "AB".replace(stating, "")
    behaviour = {stating: {"limits": {"bilateral": {other: limit}}}}
    day = settle("bank A 0  bank B 0  pay B>A 5  pay A>B 5", behaviour=behaviour, lsm="entry_offset")
    assert day.cycles == cycles


def test_the_receivers_limit_ends_what_an_offset_takes(settle):
    """Of B's 3 + 3 a limit of 5 admits one; A pays 6 for it with the 3 it has."""
    day = settle(
        "bank A 3  bank B 0  pay B>A 3  pay B>A 3  pay A>B 6",
        behaviour={"B": {"limits": {"bilateral": {"A": 5}}}},
        lsm="entry_offset",
    )
    assert day.cycles == ["entry_offset: B>A 3, A>B 6"]
    assert day.days[0].settled_ids[:2] == ["T1", "T3"]


def test_the_receivers_reservation_bars_its_normal_payments_from_an_offset_and_not_its_urgent_ones(settle):
    """B has 2, reserved: it may pay 7 for 5 only if the 7 are urgent."""
    for priority, cycles in (("normal", []), ("urgent", ["entry_offset: B>A 7, A>B 5"])):
        day = settle(
            f"bank A 0  bank B 2  pay B>A 7 {priority}  pay A>B 5",
            behaviour={"B": {"reserved_for_urgent": 2}},
            lsm="entry_offset",
        )
        assert day.cycles == cycles


def test_an_offset_needs_an_entry_that_settles():
    with pytest.raises(InputError, match=r"lsm\.entry_offset: found true; does nothing where 'queue2\.entry: queue'"):
        scenario_of("bank A 0  bank B 0", lsm="entry_offset", entry="queue")


# How many a side, and how long a ring


@pytest.mark.parametrize(
    ("most", "cycles", "passes"),
    [
        (1, ["bilateral: A>B 1, B>A 1", "bilateral: A>B 2, B>A 2", "bilateral: A>B 3, B>A 3"], [1, 2, 3]),
        (2, ["bilateral: A>B 1, A>B 2, B>A 1, B>A 2", "bilateral: A>B 3, B>A 3"], [1, 2]),
        (3, ["bilateral: A>B 1, A>B 2, A>B 3, B>A 1, B>A 2, B>A 3"], [1]),
        (None, ["bilateral: A>B 1, A>B 2, A>B 3, B>A 1, B>A 2, B>A 3"], [1]),
    ],
)
def test_bilateral_nets_the_oldest_so_many_a_side(settle, most, cycles, passes):
    text = "bank A 0  bank B 0  pay A>B 1  pay A>B 2  pay A>B 3  pay B>A 1  pay B>A 2  pay B>A 3"
    day = settle(text, entry="queue", lsm="bilateral", bilateral_max_payments=most)
    assert day.cycles == cycles
    assert [cycle.lsm_pass for cycle in day.cycle_records] == passes


@pytest.mark.parametrize("names", ["AB", "BA"])
@pytest.mark.parametrize(
    ("most", "lsm", "settles"), [(1, "bilateral", False), (2, "bilateral", True), (1, "bilateral gridlock", True)]
)
def test_too_few_counter_payments_do_not_cover_a_large_one(settle, names, most, lsm, settles):
    """The one pays 10 for 4, then for 4 + 6; gridlock takes all, whatever bilateral may."""
    one, other = names
    text = f"bank A 0  bank B 0  pay {one}>{other} 4  pay {one}>{other} 6  pay {other}>{one} 10"
    day = settle(text, entry="queue", lsm=lsm, bilateral_max_payments=most)
    assert len(day.settled) == 3 * settles


def test_the_oldest_so_many_are_meant_in_queue_2_order(settle):
    text = "bank A 0  bank B 0  pay A>B 9  pay A>B 5 urgent  pay B>A 5"
    day = settle(text, entry="queue", lsm="bilateral", bilateral_max_payments=1)
    assert day.settled_ids == ["T2", "T3"]


def ring_of(names: str, amount: int) -> str:
    """Banks without money, each of which pays the next."""
    banks = " ".join(f"bank {name} 0" for name in names)
    return banks + " " + " ".join(f"pay {here}>{there} {amount}" for here, there in pairwise(names + names[0]))


@pytest.mark.parametrize("length", [5, 6, 7, 8, 9, 10])
def test_rings_are_found_up_to_the_length_stated_and_no_longer(settle, length):
    names = "ABCDEFGHIJ"[:length]
    ring = "ring: " + ", ".join(f"{here}>{there} 5" for here, there in pairwise(names + names[0]))
    assert settle(ring_of(names, 5), lsm="ring", max_cycle_length=length).cycles == [ring]
    assert settle(ring_of(names, 5), lsm="ring", max_cycle_length=length - 1).cycles == []


def test_ten_banks_settle_their_ring_as_one_cycle(settle):
    day = settle(ring_of("ABCDEFGHIJ", 5), lsm="ring", max_cycle_length=10)
    (cycle,) = day.cycle_records
    assert (cycle.cycle_type, cycle.cycle_length, cycle.agents) == ("multilateral", 10, list("ABCDEFGHIJ"))
    assert (cycle.total_value, cycle.settled_value) == (50, 0)
    assert day.steps == [0] * 10


def test_a_ring_of_ten_with_one_poor_bank_waits(settle):
    """A pays 5 for 4."""
    text = ring_of("ABCDEFGHIJ", 5).replace("J>A 5", "J>A 4")
    assert settle(text, lsm="ring", max_cycle_length=10).cycles == []
    assert len(settle(text.replace("bank A 0", "bank A 1"), lsm="ring", max_cycle_length=10).cycles) == 1
