"""Step 2 of the tick (SPEC 3): collateral posted on need and taken back when idle, with its haircut."""

import pytest

ON_NEED = {"A": {"collateral": {"on_need": {"max": 100}}}}


def idle_after(ticks: int) -> dict:
    """A takes back what it does not need after so many idle ticks."""
    return {"A": {"collateral": {"return_when_idle": {"ticks": ticks}}}}


# Posting on need


def test_what_is_short_is_posted_before_entry(settle):
    """50 to pay, 10 at hand: 40."""
    day = settle("bank A 10  bank B 0  pay A>B 50", behaviour=ON_NEED)
    assert day.collateral == ["A posted 40 to 40 @0 on_need"]
    assert day.settled == ["A>B 50 immediate"]
    assert day.balances == {"A": -40, "B": 50}
    assert day.posted == {"A": 40, "B": 0}


@pytest.mark.parametrize(("amount", "events"), [(18, []), (19, ["A posted 1 to 4 @0 on_need"])])
def test_nothing_is_posted_for_what_liquidity_covers(settle, amount, events):
    """10 on the account, credit 5 and collateral 3 cover 18."""
    day = settle(f"bank A 10 credit 5 collateral 3  bank B 0  pay A>B {amount}", behaviour=ON_NEED)
    assert day.collateral == events
    assert day.settled == [f"A>B {amount} immediate"]


@pytest.mark.parametrize("rule", ["static", {}])
def test_static_collateral_stays_as_it_is(settle, rule):
    day = settle("bank A 10 collateral 5  bank B 0  pay A>B 50  pay A>B 1 @3", behaviour={"A": {"collateral": rule}})
    assert day.collateral == []
    assert day.posted == {"A": 5, "B": 0}


@pytest.mark.parametrize(
    ("haircut", "opening", "amount", "event"),
    [
        (5000, 0, 40, "A posted 80 to 80 @0 on_need"),
        (3000, 0, 40, "A posted 58 to 58 @0 on_need"),  # 70 % of 57 is 39.9, of 58 is 40.6
        (3333, 5, 10, "A posted 10 to 15 @0 on_need"),  # 5 are worth 3; 66.67 % of 14 is 9.3, of 15 is 10.0005
        (3333, 5, 4, "A posted 1 to 6 @0 on_need"),  # 66.67 % of 6 is 4.0002
    ],
)
def test_the_least_amount_is_posted_whose_worth_after_the_haircut_covers_the_shortfall(
    settle, haircut, opening, amount, event
):
    text = f"bank A 0 collateral {opening} haircut {haircut}  bank B 0  pay A>B {amount}"
    day = settle(text, behaviour=ON_NEED)
    assert day.collateral == [event]
    assert day.settled == [f"A>B {amount} immediate"]


def test_no_more_is_posted_than_the_maximum(settle):
    """40 are short and 30 may be posted: so much is, and the payment waits. In tick 1 there is no more to post."""
    behaviour = {"A": {"collateral": {"on_need": {"max": 30}}}}
    day = settle("bank A 10  bank B 0  pay A>B 50", behaviour=behaviour, ticks_per_day=3)
    assert day.collateral == ["A posted 30 to 30 @0 on_need"]
    assert day.settled == []
    assert day.waits == {"T1": "liquidity"}


def test_the_maximum_is_meant_before_the_haircut(settle):
    """100 posted are worth 50: a payment of 51 is not covered."""
    day = settle("bank A 0 haircut 5000  bank B 0  pay A>B 51  pay A>B 50 @1", behaviour=ON_NEED)
    assert day.collateral == ["A posted 100 to 100 @0 on_need"]
    assert day.settled == ["A>B 50 immediate"]


def test_worthless_collateral_is_never_posted(settle):
    day = settle("bank A 0 haircut 10000  bank B 0  pay A>B 5", behaviour=ON_NEED)
    assert day.collateral == []
    assert day.queue == ["A>B 5"]


def test_what_waits_in_queue_2_is_to_be_covered_too(settle):
    """Entry only queues. Tick 0: 50. Tick 1: 20 + 50 - 50 available."""
    day = settle("bank A 0  bank B 0  pay A>B 50  pay A>B 20 @1", behaviour=ON_NEED, entry="queue", lsm="")
    assert day.collateral == ["A posted 50 to 50 @0 on_need", "A posted 20 to 70 @1 on_need"]
    assert day.queue == ["A>B 50", "A>B 20"]


def test_nothing_is_posted_for_what_stays_in_queue_1(settle):
    behaviour = {"A": {"policy": {"deadline": {"urgency_ticks": 0}}, **ON_NEED["A"]}}
    day = settle("bank A 0  bank B 0  pay A>B 50", behaviour=behaviour, ticks_per_day=3)
    assert day.collateral == ["A posted 50 to 50 @2 on_need"]


def test_money_that_comes_in_the_same_tick_comes_too_late_to_save_collateral(settle):
    """B's 10 arrive first, but after A has looked. What was posted is not drawn on: A's balance goes 0, 10, 0."""
    day = settle("bank A 0  bank B 10  pay B>A 10  pay A>B 10", behaviour=ON_NEED)
    assert day.collateral == ["A posted 10 to 10 @0 on_need"]
    assert day.days[0].record.agent_days.min_balances.tolist() == [0, 0]
    assert day.days[0].record.agent_days.max_balances.tolist() == [10, 10]
    assert day.balances == {"A": 0, "B": 10}


def test_all_that_is_released_in_a_tick_is_covered_at_once(settle):
    day = settle("bank A 10  bank B 0  pay A>B 5  pay A>B 10  pay A>B 15 urgent", behaviour=ON_NEED)
    assert day.collateral == ["A posted 20 to 20 @0 on_need"]
    assert day.settled == ["A>B 5 immediate", "A>B 10 immediate", "A>B 15 immediate"]


def test_what_is_posted_can_be_netted_with(settle):
    """30 of the 50 that are short may be posted: too few to pay 50 alone, enough to pay it for 20."""
    behaviour = {"A": {"collateral": {"on_need": {"max": 30}}}}
    day = settle("bank A 0  bank B 0  pay A>B 50  pay B>A 20", behaviour=behaviour)
    assert day.collateral == ["A posted 30 to 30 @0 on_need"]
    assert day.cycles == ["bilateral: A>B 50, B>A 20"]
    assert day.balances == {"A": -30, "B": 30}


def test_agents_post_in_the_order_of_the_scenario(settle):
    """B's payments arrive first."""
    behaviour = dict.fromkeys("ABC", ON_NEED["A"])
    text = "bank A 0  bank B 0  bank C 0  pay C>A 1  pay B>A 2  pay A>C 4"
    day = settle(text, behaviour=behaviour)
    assert day.collateral == [
        "A posted 4 to 4 @0 on_need",
        "B posted 2 to 2 @0 on_need",
        "C posted 1 to 1 @0 on_need",
    ]


# Taking back


def test_what_is_not_needed_is_taken_back_after_so_many_idle_ticks(settle):
    day = settle("bank A 0 collateral 50  bank B 0", behaviour=idle_after(2), ticks_per_day=4)
    assert day.collateral == ["A withdrawn 50 to 0 @1 idle"]
    assert day.posted == {"A": 0, "B": 0}


@pytest.mark.parametrize(
    ("bank", "left"),
    [
        ("bank A 0 collateral 50", 10),
        ("bank A 0 collateral 50 haircut 5000", 20),
        ("bank A 0 collateral 50 haircut 3000", 15),  # 70 % of 14 is 9.8, of 15 is 10.5
        ("bank A 0 collateral 50 credit 4", 6),
        ("bank A 0 collateral 50 haircut 10000 credit 10", 0),
        ("bank A 3 collateral 50", 7),
        ("bank A 10 collateral 50", 0),
    ],
)
def test_as_much_is_taken_back_as_liquidity_can_spare(settle, bank, left):
    """10 paid in tick 0 are to stay covered; ticks 1 and 2 are idle."""
    day = settle(f"{bank}  bank B 0  pay A>B 10", behaviour=idle_after(2), ticks_per_day=5)
    assert day.collateral == [f"A withdrawn {50 - left} to {left} @2 idle"]
    assert day.settled == ["A>B 10 immediate"]


def test_a_reservation_keeps_no_collateral_posted(settle):
    day = settle("bank A 0 collateral 50  bank B 0", behaviour={"A": idle_after(1)["A"] | {"reserved_for_urgent": 40}})
    assert day.collateral == ["A withdrawn 50 to 0 @0 idle"]


def test_nothing_is_taken_back_where_all_of_it_is_needed(settle):
    """66.67 % of 15 is 10.0005, of 14 not enough: the event would be one of 0."""
    text = "bank A 0 collateral 15 haircut 3333  bank B 0  pay A>B 10"
    day = settle(text, behaviour=idle_after(1), ticks_per_day=4)
    assert day.settled == ["A>B 10 immediate"]
    assert day.collateral == []


def test_an_agent_that_stays_idle_takes_back_what_becomes_free(settle):
    """Tick 2: 10 are to be covered, 15 at a haircut of 30 %. B pays 10 in tick 4: all of it is free in tick 5."""
    day = settle(
        "bank A 0 collateral 50 haircut 3000  bank B 0  pay A>B 10  pay B>A 10 @4",
        behaviour=idle_after(2),
        ticks_per_day=7,
    )
    assert day.collateral == ["A withdrawn 35 to 15 @2 idle", "A withdrawn 15 to 0 @5 idle"]


def test_an_agent_that_releases_in_a_tick_is_not_idle_in_it(settle):
    """Tick 0 is idle, tick 1 is not: the two in a row are 2 and 3."""
    day = settle("bank A 9 collateral 50  bank B 0  pay A>B 1 @1", behaviour=idle_after(2), ticks_per_day=6)
    assert day.collateral == ["A withdrawn 50 to 0 @3 idle"]


@pytest.mark.parametrize(
    "held",
    [
        {"limits": {"bilateral": {"B": 0}}},
        {"policy": {"receipt_reactive": {"allowance": 0}}},
    ],
    ids=["in Queue 2", "in Queue 1"],
)
def test_an_agent_with_a_payment_in_either_queue_is_not_idle(settle, held):
    behaviour = {"A": idle_after(1)["A"] | held}
    day = settle("bank A 9 collateral 50  bank B 0  pay A>B 1", behaviour=behaviour, ticks_per_day=4)
    assert len(day.queue1 + day.queue) == 1
    assert day.collateral == []


@pytest.mark.parametrize(("ticks", "events"), [(2, []), (3, ["A withdrawn 50 to 0 @2 idle"])])
def test_idle_ticks_are_counted_from_zero_every_day(settle, ticks, events):
    """Three in a row do not come about in two days of two ticks."""
    story = settle("bank A 0 collateral 50  bank B 0", behaviour=idle_after(3), ticks_per_day=ticks, days=2)
    assert story.collateral == events


def test_only_who_says_so_takes_collateral_back(settle):
    day = settle("bank A 0 collateral 5  bank B 0 collateral 7", behaviour=idle_after(1), ticks_per_day=2)
    assert day.collateral == ["A withdrawn 5 to 0 @0 idle"]
    assert day.posted == {"A": 0, "B": 7}


def test_what_was_posted_on_need_is_taken_back_when_idle_and_posted_again(settle):
    """40 posted for 40; B returns 25; 15 are needed on. Then 5 more are short."""
    behaviour = {"A": {"collateral": {"on_need": {"max": 100}, "return_when_idle": {"ticks": 1}}}}
    day = settle("bank A 0  bank B 0  pay A>B 40  pay B>A 25 @1  pay A>B 5 @4", behaviour=behaviour, ticks_per_day=5)
    assert day.collateral == [
        "A posted 40 to 40 @0 on_need",
        "A withdrawn 25 to 15 @2 idle",
        "A posted 5 to 20 @4 on_need",
    ]
    assert day.balances == {"A": -20, "B": 20}


# What collateral does not touch, and what keeps it


def test_collateral_is_not_money_on_the_account(settle):
    """50 taken back and 80 posted move no balance; the 90 paid take A's from 10 to -80."""
    behaviour = {"A": {"collateral": {"on_need": {"max": 90}, "return_when_idle": {"ticks": 1}}}}
    story = settle("bank A 10 collateral 50  bank B 0  pay A>B 90 @1", behaviour=behaviour, ticks_per_day=3)
    assert story.collateral == ["A withdrawn 50 to 0 @0 idle", "A posted 80 to 80 @1 on_need"]
    days = story.days[0].record.agent_days
    assert days.opening_balances.tolist() == [10, 0]
    assert days.min_balances.tolist() == [-80, 0]
    assert days.max_balances.tolist() == [10, 90]
    assert days.closing_balances.tolist() == [-80, 90]
    assert days.opening_collateral.tolist() == [50, 0]


def test_posted_collateral_is_carried_into_the_next_day(settle):
    """Day 0: 40 for 40. Day 1 opens with them in use: 10 more for 10."""
    story = settle("bank A 0  bank B 0  pay A>B 40  pay A>B 10 @1", behaviour=ON_NEED, days=2)
    assert [day.collateral for day in story.days] == [
        ["A posted 40 to 40 @0 on_need"],
        ["A posted 10 to 50 @1 on_need"],
    ]
    assert [day.record.agent_days.opening_collateral.tolist() for day in story.days] == [[0, 0], [40, 0]]
    assert [day.posted for day in story.days] == [{"A": 40, "B": 0}, {"A": 50, "B": 0}]
    assert story.balances == {"A": -50, "B": 50}


def test_collateral_taken_back_does_not_open_the_next_day(settle):
    story = settle("bank A 0 collateral 5  bank B 0  pay A>B 5 @1", behaviour=idle_after(1), days=2)
    assert story.collateral == ["A withdrawn 5 to 0 @0 idle"]
    assert story.days[1].record.agent_days.opening_collateral.tolist() == [0, 0]
    assert story.queue == ["A>B 5"]
