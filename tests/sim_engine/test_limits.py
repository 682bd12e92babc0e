"""Bilateral and multilateral limits, and liquidity reserved for urgent payments, wherever something may settle."""

from itertools import pairwise
from typing import Any

import pytest


def limit(receiver: str, amount: int) -> dict[str, Any]:
    """A bilateral limit towards one receiver."""
    return {"limits": {"bilateral": {receiver: amount}}}


def limit_to_all(amount: int) -> dict[str, Any]:
    """A multilateral limit."""
    return {"limits": {"multilateral": amount}}


def reserved(amount: int) -> dict[str, Any]:
    """A reservation for urgent payments."""
    return {"reserved_for_urgent": amount}


HUNDRED_EACH_WAY = "bank A 0  bank B 0  pay A>B 100  pay B>A 100"


# Two banks, 100 each way


def test_two_banks_without_money_settle_100_each_way_bilaterally(settle):
    day = settle(HUNDRED_EACH_WAY)
    assert day.cycles == ["bilateral: A>B 100, B>A 100"]
    assert day.waits == {"T1": "liquidity", "T2": "liquidity"}


def test_with_a_bilateral_limit_of_50_they_do_not_and_the_tables_say_why(settle):
    """A does not rely on B's simultaneous 100: 100 exceed 50, in no pair, ring or gridlock set."""
    day = settle(HUNDRED_EACH_WAY, behaviour={"A": limit("B", 50)}, ticks_per_day=3)
    assert day.cycles == []
    assert day.settled == []
    assert day.waits == {"T1": "bilateral_limit", "T2": "liquidity"}
    assert day.queue == ["A>B 100", "B>A 100"]


@pytest.mark.parametrize(
    ("of_a", "of_b", "cycles"), [(100, 100, 1), (99, 100, 0), (100, 99, 0), (100, None, 1), (None, 99, 0), (0, 0, 0)]
)
def test_each_side_keeps_its_own_limit(settle, of_a, of_b, cycles):
    stated = {"A": ("B", of_a), "B": ("A", of_b)}
    behaviour = {name: limit(*towards) for name, towards in stated.items() if towards[1] is not None}
    assert len(settle(HUNDRED_EACH_WAY, behaviour=behaviour).cycles) == cycles


# Bilateral limits on entry and in the retry


def test_a_bilateral_limit_bounds_what_a_bank_pays_another_ahead_of_having_received(settle):
    """A may be 50 ahead of B. Tick 0: 50. Tick 1: B's 10 leave room for 10 of the 11 that wait; tick 2: for 11."""
    day = settle(
        "bank A 100  bank B 0  pay A>B 50  pay A>B 11  pay B>A 10 @1  pay B>A 1 @2",
        behaviour={"A": limit("B", 50)},
        lsm="",
    )
    assert day.settled == ["A>B 50 immediate", "B>A 10 immediate", "B>A 1 immediate", "A>B 11 queue"]
    assert day.ticks_settled == [0, 1, 2, 2]
    assert day.waits["T2"] == "bilateral_limit"


def test_what_was_received_first_may_be_paid_beyond_the_limit(settle):
    """B is 30 ahead: 50 + 30."""
    text = "bank A 100  bank B 30  pay B>A 30  pay A>B"
    assert settle(f"{text} 80", behaviour={"A": limit("B", 50)}).waits == {"T1": None, "T2": None}
    assert settle(f"{text} 81", behaviour={"A": limit("B", 50)}).waits == {"T1": None, "T2": "bilateral_limit"}


def test_a_bilateral_limit_bounds_no_other_pair(settle):
    day = settle(
        "bank A 100  bank B 70  bank C 0  pay A>B 60  pay A>C 60  pay B>A 70  pay B>C 60 @1",
        behaviour={"A": limit("B", 50)},
        lsm="",
    )
    assert day.settled[:2] == ["A>C 60 immediate", "B>A 70 immediate"]
    assert day.waits == {"T1": "bilateral_limit", "T2": None, "T3": None, "T4": None}


def test_a_payment_received_from_another_bank_lifts_no_bilateral_limit(settle):
    day = settle("bank A 100  bank B 0  bank C 90  pay A>B 60  pay C>A 90 @1", behaviour={"A": limit("B", 50)}, lsm="")
    assert day.settled == ["C>A 90 immediate"]


def test_urgent_payments_are_never_bound_by_a_bilateral_limit_but_count(settle):
    """60 are paid for 50. B's 10 bring A back to its limit, which leaves nothing; one more leaves 1."""
    day = settle(
        "bank A 100  bank B 0  pay A>B 60 urgent  pay A>B 1  pay B>A 10 @1  pay B>A 1 @2",
        behaviour={"A": limit("B", 50)},
        lsm="",
    )
    assert day.settled == ["A>B 60 immediate", "B>A 10 immediate", "B>A 1 immediate", "A>B 1 queue"]
    assert day.ticks_settled == [0, 1, 2, 2]


@pytest.mark.parametrize(("discipline", "reason"), [("bypass", None), ("fifo", "behind_another")])
def test_a_payment_barred_by_a_limit_holds_back_what_is_behind_it_under_fifo_alone(settle, discipline, reason):
    """B's 10 in tick 1 let the 60 go, and in the same retry what stands behind."""
    day = settle(
        "bank A 100  bank B 10  bank C 0  pay A>B 60  pay A>C 10  pay A>C 5 urgent  pay B>A 10 @1",
        behaviour={"A": limit("B", 50)},
        discipline=discipline,
        lsm="",
    )
    assert day.waits == {"T1": "bilateral_limit", "T2": reason, "T3": None, "T4": None}
    assert dict(zip(day.settled_ids, day.ticks_settled, strict=True)) == {
        "T1": 1,
        "T2": 0 if discipline == "bypass" else 1,
        "T3": 0,
        "T4": 1,
    }


def test_a_retry_passes_a_payment_barred_by_its_limit_under_bypass(settle):
    """D's 20 would pay either of A's; the first is barred."""
    day = settle(
        "bank A 0  bank B 0  bank C 0  bank D 20  pay A>B 20  pay A>C 20  pay D>A 20 @1",
        behaviour={"A": limit("B", 19)},
        lsm="",
    )
    assert day.settled == ["D>A 20 immediate", "A>C 20 queue"]


# Bilateral limits in netting


def test_a_bilateral_limit_bounds_the_sum_of_a_step_and_drops_the_newest(settle):
    """A has 30 and would pay 30 + 30 for 30. Both fit into its liquidity; 60 exceed a limit of 59, 30 do not."""
    text = "bank A 30  bank B 0  pay A>B 30  pay A>B 30  pay B>A 30"
    held = {"entry": "queue", "lsm": "bilateral", "max_passes": 1}
    assert settle(text, **held).cycles == ["bilateral: A>B 30, A>B 30, B>A 30"]
    for amount, cycles in (
        (60, ["bilateral: A>B 30, A>B 30, B>A 30"]),
        (59, ["bilateral: A>B 30, B>A 30"]),
        (30, ["bilateral: A>B 30, B>A 30"]),
        (29, []),
    ):
        assert settle(text, behaviour={"A": limit("B", amount)}, **held).cycles == cycles


def test_netting_skips_no_payment_for_a_smaller_one_that_the_limit_would_admit(settle):
    """10 + 10 exceed 15; 10 + 5 would not, but the 5 stands behind."""
    text = "bank A 0  bank B 5  pay A>B 10  pay A>B 10  pay A>B 5  pay B>A 15"
    day = settle(text, behaviour={"A": limit("B", 15)}, entry="queue", lsm="bilateral", max_passes=1)
    assert day.cycles == ["bilateral: A>B 10, B>A 15"]
    assert day.queue == ["A>B 10", "A>B 5"]


def test_what_a_limit_leaves_grows_from_step_to_step(settle):
    """A may be 30 ahead: its 40 must wait until 30 have settled against B's 40, which leaves room for 30 + 10."""
    text = "bank A 0  bank B 10  pay A>B 30  pay A>B 40  pay B>A 40  pay B>A 30"
    unlimited = settle(text, lsm="bilateral")
    assert unlimited.cycles == ["bilateral: A>B 30, A>B 40, B>A 40, B>A 30"]
    limited = settle(text, behaviour={"A": limit("B", 30)}, lsm="bilateral")
    assert limited.cycles == ["bilateral: A>B 30, B>A 40", "bilateral: A>B 40, B>A 30"]
    assert [cycle.lsm_pass for cycle in limited.cycle_records] == [1, 2]


def test_a_step_that_settles_more_than_it_brings_back_leaves_less(settle):
    """Limit 30. First 30 for 20: A is 10 ahead, room for 20. So of 20 + 20 for 45, one."""
    text = "bank A 50  bank B 50  pay A>B 30  pay B>A 20  pay A>B 20 @1  pay A>B 20 @1  pay B>A 45 @1"
    day = settle(text, behaviour={"A": limit("B", 30)}, entry="queue", lsm="bilateral", max_passes=1, ticks_per_day=2)
    assert day.cycles == ["bilateral: A>B 30, B>A 20", "bilateral: A>B 20, B>A 45"]


def test_urgent_payments_are_in_no_sum_that_a_bilateral_limit_bounds(settle):
    """15 that are not urgent keep within 15, whatever the urgent 10."""
    text = "bank A 0  bank B 0  pay A>B 15  pay A>B 10 urgent  pay B>A 25"
    day = settle(text, behaviour={"A": limit("B", 15)}, entry="queue", lsm="bilateral")
    assert day.cycles == ["bilateral: A>B 10, A>B 15, B>A 25"]


GRIDLOCKED = """
    bank A 10   bank B 10   bank C 5
    pay A>B 10   pay A>C 5   pay A>B 20   pay A>C 5
    pay B>A 20   pay C>A 10
"""


def test_a_broken_bilateral_limit_drops_the_newest_of_its_pair_and_all_later_ones_of_its_sender(settle):
    """10 + 20 exceed 15: T3 goes, and T4, which is for C, with it. Without a limit everything settles."""
    held = {"entry": "queue", "lsm": "gridlock", "max_passes": 1}
    assert settle(GRIDLOCKED, **held).days[0].settled_ids == ["T1", "T2", "T3", "T4", "T5", "T6"]
    day = settle(GRIDLOCKED, behaviour={"A": limit("B", 15)}, **held)
    assert day.cycles == ["gridlock: A>B 10, A>C 5, B>A 20, C>A 10"]
    assert day.queue == ["A>B 20", "A>C 5"]
    assert day.cycle_records[0].net_positions == [15, -10, -5]


def test_what_was_dropped_settles_in_the_next_pass_if_the_counterparty_has_paid(settle):
    """B paid 20 for 10: A may now pay it 25, and has 25."""
    day = settle(GRIDLOCKED, behaviour={"A": limit("B", 15)}, entry="queue", lsm="gridlock")
    assert day.cycles == ["gridlock: A>B 10, A>C 5, B>A 20, C>A 10", "gridlock: A>B 20, A>C 5"]


def test_a_broken_bilateral_limit_spares_the_senders_earlier_ones_and_other_senders(settle):
    """T2 is over the limit; T1 stands before it, and C's T3 is another bank's."""
    text = "bank A 9  bank B 0  bank C 9  pay A>C 4  pay A>B 5  pay C>B 9"
    day = settle(text, behaviour={"A": limit("B", 4)}, entry="queue", lsm="gridlock", max_passes=1)
    assert day.settled_ids == ["T1", "T3"]


def test_urgent_payments_of_a_sender_are_not_dropped_with_what_its_limit_bars(settle):
    """They stand before all others in Queue 2."""
    text = "bank A 9  bank B 0  bank C 0  pay A>B 5  pay A>C 2  pay A>C 1 urgent  pay A>B 6 urgent"
    day = settle(text, behaviour={"A": limit("B", 4)}, entry="queue", lsm="gridlock", max_passes=1)
    assert day.settled_ids == ["T3", "T4"]
    assert day.queue == ["A>B 5", "A>C 2"]


# Multilateral limits


def test_a_multilateral_limit_bounds_the_net_debit_of_the_day(settle):
    """A may be 50 down. 30 go to B; 21 for C wait until C has paid 1."""
    day = settle(
        "bank A 100  bank B 0  bank C 1  pay A>B 30  pay A>C 21  pay A>C 20  pay C>A 20 @1",
        behaviour={"A": limit_to_all(50)},
        lsm="",
        ticks_per_day=2,
    )
    assert day.settled == ["A>B 30 immediate", "A>C 20 immediate", "C>A 20 immediate"]
    assert day.waits == {"T1": None, "T2": "multilateral_limit", "T3": None, "T4": None}


def test_what_a_multilateral_limit_leaves_grows_when_anybody_has_paid(settle):
    """Down 30 of 50, and B pays 1: room for 21."""
    day = settle(
        "bank A 100  bank B 0  bank C 0  pay A>B 30  pay A>C 21  pay B>A 1 @1",
        behaviour={"A": limit_to_all(50)},
        lsm="",
    )
    assert day.settled == ["A>B 30 immediate", "B>A 1 immediate", "A>C 21 queue"]
    assert day.ticks_settled == [0, 1, 1]


def test_urgent_payments_are_never_bound_by_a_multilateral_limit_but_count(settle):
    """60 down of 50. 10 received leave nothing, one more leaves 1."""
    day = settle(
        "bank A 100  bank B 0  pay A>B 60 urgent  pay A>B 1  pay B>A 10 @1  pay B>A 1 @2",
        behaviour={"A": limit_to_all(50)},
        lsm="",
    )
    assert day.settled == ["A>B 60 immediate", "B>A 10 immediate", "B>A 1 immediate", "A>B 1 queue"]
    assert day.ticks_settled == [0, 1, 2, 2]


def test_credit_and_collateral_widen_no_multilateral_limit(settle):
    """The limit is on money paid. 60 are posted for, and barred by 50; posting goes on to 100, and 50 settle."""
    behaviour = {"A": limit_to_all(50) | {"collateral": {"on_need": {"max": 100}}}}
    day = settle("bank A 0  bank B 0  pay A>B 60  pay A>B 50 @1  pay A>B 1 @2", behaviour=behaviour, lsm="")
    assert day.collateral == ["A posted 60 to 60 @0 on_need", "A posted 40 to 100 @1 on_need"]
    assert day.settled == ["A>B 50 immediate"]
    assert day.waits == {"T1": "multilateral_limit", "T2": None, "T3": "multilateral_limit"}


def test_a_multilateral_limit_bounds_the_net_of_a_set_and_drops_the_senders_newest(settle):
    """A pays 40 + 40 for 30: net 50. At a limit of 49 its newest goes, which leaves a net of 10 and room for 39."""
    text = "bank A 100  bank B 0  bank C 0  pay A>B 40  pay A>C 40  pay B>A 30"
    held = {"entry": "queue", "lsm": "gridlock"}
    assert settle(text, behaviour={"A": limit_to_all(50)}, **held).cycles == ["gridlock: A>B 40, A>C 40, B>A 30"]
    day = settle(text, behaviour={"A": limit_to_all(49)}, **held)
    assert day.cycles == ["gridlock: A>B 40, B>A 30"]
    assert day.queue == ["A>C 40"]


def test_a_set_of_urgent_payments_alone_is_bound_by_liquidity_alone(settle):
    """The normal 1 brings the set under the limit, or the reservation, of A: it is dropped, the urgent 60 settle."""
    text = "bank A 100  bank B 0  pay A>B 60 urgent  pay A>B 1"
    for bound in (limit_to_all(50), reserved(50)):
        day = settle(text, behaviour={"A": bound}, entry="queue", lsm="gridlock")
        assert day.cycles == ["gridlock: A>B 60"]
        assert day.queue == ["A>B 1"]


def test_urgent_payments_beside_a_normal_one_count_in_the_net_of_the_set(settle):
    """30 + 20 for 50; 30 + 21 for 50 not."""
    for amount, settled in ((20, ["T1", "T2"]), (21, ["T1"])):
        text = f"bank A 100  bank B 0  pay A>B 30 urgent  pay A>B {amount}"
        for bound in (limit_to_all(50), reserved(50)):
            assert settle(text, behaviour={"A": bound}, entry="queue", lsm="gridlock").days[0].settled_ids == settled


# Reservation


def test_what_is_reserved_is_left_to_urgent_payments(settle):
    """40 of 100: 60 go out, not 1 more, but 40 that are urgent. Then 0 are left: it takes 41 to pay the 1."""
    day = settle(
        "bank A 100  bank B 0  pay A>B 60  pay A>B 1  pay A>B 40 urgent  pay B>A 40 @1  pay B>A 1 @2",
        behaviour={"A": reserved(40)},
        lsm="",
    )
    assert day.settled == [
        "A>B 60 immediate",
        "A>B 40 immediate",
        "B>A 40 immediate",
        "B>A 1 immediate",
        "A>B 1 queue",
    ]
    assert day.ticks_settled == [0, 0, 1, 2, 2]
    assert day.waits["T2"] == "reservation"


def test_a_reservation_is_of_all_liquidity_credit_and_collateral_included(settle):
    """10 + 20 + 30 less 40."""
    text = "bank A 10 credit 20 collateral 60 haircut 5000  bank B 0  pay A>B"
    assert settle(f"{text} 20", behaviour={"A": reserved(40)}).waits == {"T1": None}
    assert settle(f"{text} 21", behaviour={"A": reserved(40)}).waits == {"T1": "reservation"}


def test_collateral_is_posted_for_payments_and_not_for_what_is_reserved_beside_them(settle):
    """50 for 50, of which 40 are reserved: the payment waits, and nothing more is short."""
    behaviour = {"A": reserved(40) | {"collateral": {"on_need": {"max": 100}}}}
    day = settle("bank A 0  bank B 0  pay A>B 50", behaviour=behaviour, ticks_per_day=2)
    assert day.collateral == ["A posted 50 to 50 @0 on_need"]
    assert day.waits == {"T1": "reservation"}


def test_a_reservation_bounds_the_net_of_a_set_and_drops_the_senders_newest(settle):
    """A has 100, 40 reserved, and pays 40 + 50 for 30: net 60. For 29, 61: its newest goes."""
    text = "bank A 100  bank B 0  bank C 0  pay A>B 40  pay A>C 50  pay B>A"
    held = {"behaviour": {"A": reserved(40)}, "entry": "queue", "lsm": "gridlock", "max_passes": 1}
    assert settle(f"{text} 30", **held).cycles == ["gridlock: A>B 40, A>C 50, B>A 30"]
    assert settle(f"{text} 29", **held).cycles == ["gridlock: A>B 40, B>A 29"]


def test_a_set_that_takes_nothing_out_of_an_agent_needs_none_of_what_it_reserves(settle):
    """More is reserved than there is."""
    for text, cycles in (
        (HUNDRED_EACH_WAY, ["bilateral: A>B 100, B>A 100"]),
        ("bank A 0  bank B 1  pay A>B 5  pay B>A 6", ["bilateral: A>B 5, B>A 6"]),
        ("bank A 1  bank B 0  pay A>B 6  pay B>A 5", []),
    ):
        assert settle(text, behaviour={"A": reserved(1_000)}, lsm="bilateral").cycles == cycles


# Bilateral scope


@pytest.mark.parametrize("bound", [limit_to_all(2), reserved(3)], ids=["multilateral", "reservation"])
@pytest.mark.parametrize("priority", ["normal", "urgent"])
def test_a_pair_nets_within_what_is_left_to_payments_that_are_not_urgent(settle, bound, priority):
    """A has 5 and may pay 2 net, but all of it if what it pays is urgent: 7 for 5, 8 for 5."""
    for amount, settles in ((7, True), (8, priority == "urgent"), (11, False)):
        text = f"bank A 5  bank B 0  pay A>B {amount} {priority}  pay B>A 5"
        day = settle(text, behaviour={"A": bound}, entry="queue", lsm="bilateral")
        assert len(day.cycles) == settles


# Rings


RINGS = ("ABC", "ABCD", "ABCDE", "ABCDEFGHIJ")


def ring_from(names: str, payer: str, priority: str) -> str:
    """Banks of which each pays the next 5, but the payer, which has 5, pays 10; the bank after it gains 5."""
    banks = " ".join(f"bank {name} {5 if name == payer else 0}" for name in names)
    pays = [
        f"pay {here}>{there} " + (f"10 {priority}" if here == payer else "5")
        for here, there in pairwise(names + names[0])
    ]
    return f"{banks} {' '.join(pays)}"


@pytest.mark.parametrize(
    ("names", "payer"),
    [(names, payer) for names in RINGS for payer in sorted({names[0], names[1], names[-2], names[-1]})],
)
@pytest.mark.parametrize(
    ("bound", "is_left"),
    [(reserved(0), 5), (reserved(1), 4), (limit_to_all(5), 5), (limit_to_all(4), 4)],
    ids=["nothing reserved", "1 reserved", "limit 5", "limit 4"],
)
def test_a_ring_settles_within_what_each_bank_may_pay_net(settle, names, payer, bound, is_left):
    """The payer, at whichever place the search meets it, is to pay 5 net: not what is left, unless it is urgent."""
    for priority in ("normal", "urgent"):
        text = ring_from(names, payer, priority)
        day = settle(text, behaviour={payer: bound}, lsm="ring", max_cycle_length=len(names))
        assert len(day.cycles) == (is_left == 5 or priority == "urgent")


@pytest.mark.parametrize("names", RINGS)
def test_what_is_on_no_ring_helps_nobody_to_pay_on_one(settle, names):
    """Z's 10 for A would cover A's net 5, but nobody pays Z."""
    for priority, cycles in (("normal", 0), ("urgent", 1)):
        text = f"{ring_from(names, 'A', priority)} bank Z 0 pay Z>A 10"
        day = settle(text, behaviour={"A": reserved(5)}, lsm="ring", max_cycle_length=len(names))
        assert len(day.cycles) == cycles


@pytest.mark.parametrize("length", [4, 5, 6])
def test_a_search_passes_a_leg_that_a_reservation_bars_for_one_that_it_does_not(settle, length):
    """B has 5, reserved: what A pays it covers its 5 for D, not its 10 for C, which the search meets first."""
    way = "EFGH"[: length - 3]
    legs = ["A>B 5", "B>D 5", *(f"{here}>{there} 5" for here, there in pairwise(f"D{way}A"))]
    banks = " ".join(f"bank {name} {5 if name == 'B' else 0}" for name in f"ABCD{way}")
    day = settle(
        f"{banks} pay B>C 10 pay C>{way[0]} 5 {' '.join(f'pay {leg}' for leg in legs)}",
        behaviour={"B": reserved(5)},
        lsm="ring",
        max_cycle_length=length,
    )
    assert day.cycles == [f"ring: {', '.join(legs)}"]


@pytest.mark.parametrize(
    ("names", "sender", "receiver"), [(names, *leg) for names in RINGS for leg in pairwise(names + names[0])]
)
def test_a_leg_barred_by_a_bilateral_limit_is_on_no_ring(settle, names, sender, receiver):
    legs = [f"{here}>{there} 10" for here, there in pairwise(names + names[0])]
    banks = " ".join(f"bank {name} 0" for name in names)
    text = f"{banks} {' '.join(f'pay {leg}' for leg in legs)}"
    held = {"lsm": "ring", "max_cycle_length": len(names)}
    assert settle(text, behaviour={sender: limit(receiver, 9)}, **held).cycles == []
    assert settle(text, behaviour={sender: limit(receiver, 10)}, **held).cycles == [f"ring: {', '.join(legs)}"]
    urgent = text.replace(f"{sender}>{receiver} 10", f"{sender}>{receiver} 10 urgent")
    assert len(settle(urgent, behaviour={sender: limit(receiver, 9)}, **held).cycles) == 1


def test_a_leg_barred_by_its_limit_is_taken_once_the_counterparty_has_paid(settle):
    """B's 5 let A pay it 5 + 5 = 10; for the ring's sake nobody would have needed them."""
    day = settle(
        "bank A 0  bank B 5  bank C 0  pay A>B 10  pay B>C 10  pay C>A 10  pay B>A 5 @1",
        behaviour={"A": limit("B", 5)},
        lsm="ring",
    )
    assert day.settled == ["B>A 5 immediate", "A>B 10 ring", "B>C 10 ring", "C>A 10 ring"]
    assert day.ticks_settled == [1, 1, 1, 1]


def test_a_ring_that_moves_no_money_may_free_a_leg_of_another(settle):
    """The ring over D, of which B>A 5 is a leg, leaves all liquidity as it was, and A room to pay B 10."""
    day = settle(
        """
        bank A 0   bank B 0   bank C 0   bank D 0
        pay A>B 10   pay B>C 10   pay C>A 10
        pay A>D 5 @1   pay D>B 5 @1   pay B>A 5 @1
        """,
        behaviour={"A": limit("B", 5)},
        lsm="ring",
    )
    assert day.cycles == ["ring: A>D 5, D>B 5, B>A 5", "ring: A>B 10, B>C 10, C>A 10"]
    assert [cycle.tick for cycle in day.cycle_records] == [1, 1]
    assert [cycle.lsm_pass for cycle in day.cycle_records] == [1, 1]


@pytest.mark.parametrize("lsm", ["ring", "gridlock"])
def test_what_a_set_that_moves_no_money_has_freed_settles_in_the_retry(settle, lsm):
    """A has 10, but may pay B 5. A, C and B pay 20 around: A is as rich as before, and 20 to the good towards B."""
    day = settle(
        "bank A 10  bank B 0  bank C 0  pay A>C 20  pay C>B 20  pay B>A 20  pay A>B 10",
        behaviour={"A": limit("B", 5)},
        lsm=lsm,
    )
    assert day.settled == [f"A>C 20 {lsm}", f"C>B 20 {lsm}", f"B>A 20 {lsm}", "A>B 10 queue"]
    assert day.waits["T4"] == "bilateral_limit"
    assert day.ticks_settled == [0, 0, 0, 0]


def test_what_a_ring_pays_is_counted_before_the_next_ring(settle):
    """Limit 10: A>B 10 by the ring over C uses it up; the ring over D, with A>B 1, waits."""
    day = settle(
        """
        bank A 0   bank B 0   bank C 0   bank D 0
        pay A>B 10   pay B>C 10   pay C>A 10
        pay A>B 1   pay B>D 1   pay D>A 1
        """,
        behaviour={"A": limit("B", 10)},
        lsm="ring",
    )
    assert day.cycles == ["ring: A>B 10, B>C 10, C>A 10"]
    assert day.queue == ["A>B 1", "B>D 1", "D>A 1"]


@pytest.mark.parametrize("names", RINGS)
@pytest.mark.parametrize("bound", [reserved(5), limit_to_all(0)], ids=["reservation", "multilateral"])
def test_a_ring_kept_back_by_a_bound_settles_once_its_payer_has_more(settle, names, bound):
    """A, with 5, may pay nothing net; the ring takes 2 out of it. Z's 2 are as much as is needed."""
    legs = ["A>B 10", *(f"{here}>{there} 8" for here, there in pairwise(names[1:] + "A"))]
    banks = "bank A 5 " + " ".join(f"bank {name} 0" for name in names[1:])
    day = settle(
        f"{banks} bank Z 2 {' '.join(f'pay {leg}' for leg in legs)} pay Z>A 2 @1",
        behaviour={"A": bound},
        lsm="ring",
        max_cycle_length=len(names),
    )
    assert day.settled == ["Z>A 2 immediate", *(f"{leg} ring" for leg in legs)]
    assert day.ticks_settled == [1] * len(day.settled)
    assert day.balances == dict.fromkeys(names[2:] + "Z", 0) | {"A": 5, "B": 2}


# The next day


@pytest.mark.parametrize("bound", [limit("B", 50), limit_to_all(50)], ids=["bilateral", "multilateral"])
def test_positions_start_anew_and_what_a_limit_kept_settles_without_anything_else(settle, bound):
    story = settle("bank A 100  bank B 0  pay A>B 50  pay A>B 50", behaviour={"A": bound}, days=2)
    assert [day.settled for day in story.days] == [["A>B 50 immediate"], ["A>B 50 queue"]]
    assert story.ticks_settled == [0, 1]


def test_what_was_received_yesterday_leaves_no_more_than_the_limit_today(settle):
    """A is 30 to the good on day 0, and may pay 50 on day 1 all the same."""
    for bound in (limit("B", 50), limit_to_all(50)):
        story = settle("bank A 100  bank B 30  pay B>A 30  pay A>B 51 @1", behaviour={"A": bound}, days=2)
        assert story.settled == ["B>A 30 immediate"]


def test_a_new_day_brings_no_reservation_back(settle):
    """Liquidity carries over as it is."""
    story = settle("bank A 100  bank B 0  pay A>B 50  pay A>B 50", behaviour={"A": reserved(50)}, days=3)
    assert story.settled == ["A>B 50 immediate"]


def test_what_a_limit_kept_from_netting_nets_on_the_next_day(settle):
    """The urgent 60 leave 40 of 100 on day 0."""
    story = settle(
        "bank A 60  bank B 0  pay A>B 60 urgent  pay A>B 100  pay B>A 100",
        behaviour={"A": limit("B", 100)},
        days=2,
    )
    assert [day.cycles for day in story.days] == [[], ["bilateral: A>B 100, B>A 100"]]


def test_a_ring_that_a_limit_kept_settles_on_the_next_day(settle):
    story = settle(
        "bank A 1  bank B 0  bank C 0  pay A>B 1  pay A>B 10  pay B>C 10  pay C>A 10",
        behaviour={"A": limit("B", 10)},
        lsm="ring",
        days=2,
    )
    assert [day.cycles for day in story.days] == [[], ["ring: A>B 10, B>C 10, C>A 10"]]
