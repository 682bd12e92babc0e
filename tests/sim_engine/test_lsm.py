"""The liquidity-saving mechanisms (SPEC 4), rule by rule, on sets that can be worked out by hand."""

import pytest

# When the LSM runs


def test_the_lsm_is_due_every_so_many_ticks_and_on_the_last_of_each_day(settle):
    story = settle("bank A 0  bank B 0  pay A>B 1", ticks_per_day=5, days=2, every_ticks=2)
    assert [run["ticks"] for run in story.runs] == [1, 3, 4, 6, 8, 9]


def test_the_lsm_does_not_run_on_an_empty_queue(settle):
    story = settle("bank A 0  bank B 0  pay A>B 1 @2  pay B>A 1 @3", ticks_per_day=6)
    assert [run["ticks"] for run in story.runs] == [2, 3]


def test_with_every_mechanism_off_there_is_no_run(settle):
    story = settle("bank A 0  bank B 0  pay A>B 1  pay B>A 1", lsm="")
    assert story.runs == []
    assert story.queue == ["A>B 1", "B>A 1"]


# Bilateral


def test_two_banks_net_what_they_owe_each_other(settle):
    story = settle("bank A 0  bank B 100  pay A>B 500  pay B>A 600")
    assert story.cycles == ["bilateral: A>B 500, B>A 600"]
    assert story.balances == {"A": 100, "B": 0}
    (cycle,) = story.cycle_records
    assert (cycle.cycle_seq, cycle.tick, cycle.lsm_pass) == (0, 0, 1)
    assert (cycle.cycle_type, cycle.cycle_length, cycle.agents) == ("bilateral", 2, ["A", "B"])
    assert (cycle.transactions, cycle.amounts) == (["T1", "T2"], [500, 600])
    assert (cycle.net_positions, cycle.min_amount) == ([100, -100], 500)
    assert (cycle.settled_value, cycle.total_value) == (100, 1100)


def test_a_bank_in_deficit_drops_its_newest(settle):
    """A pays 9 for 6 and has nothing: its newest (4) goes; then B pays 6 for 5 and has the 1 it needs."""
    story = settle("bank A 0  bank B 1  pay A>B 5  pay A>B 4  pay B>A 6", lsm="bilateral")
    assert story.cycles == ["bilateral: A>B 5, B>A 6"]
    assert story.queue == ["A>B 4"]


def test_the_newest_is_dropped_even_where_dropping_another_would_do(settle):
    """A pays 10 for 5: the newest (9) goes though it leaves B to pay 5 for 1, which B's 4 just covers."""
    story = settle("bank A 0  bank B 4  pay A>B 1  pay A>B 9  pay B>A 5", lsm="bilateral")
    assert story.cycles == ["bilateral: A>B 1, B>A 5"]
    assert story.queue == ["A>B 9"]


def test_newest_is_meant_in_queue_2_order_not_in_time(settle):
    """The urgent payment came last but stands first: the normal one is dropped."""
    story = settle("bank A 0  bank B 1  pay A>B 4  pay A>B 5 urgent  pay B>A 6", lsm="bilateral")
    assert story.cycles == ["bilateral: A>B 5, B>A 6"]
    assert story.queue == ["A>B 4"]


def test_drops_of_one_bank_bring_the_other_into_deficit(settle):
    """A drops 4, so B pays 6 for 5 with nothing and drops it, so A drops 5: nothing is left and nothing happens."""
    story = settle("bank A 0  bank B 0  pay A>B 5  pay A>B 4  pay B>A 6", lsm="bilateral")
    assert story.cycles == []
    assert story.queue == ["A>B 5", "A>B 4", "B>A 6"]


def test_both_sides_of_a_pair_must_keep_a_payment(settle):
    """B drops its 9; what remains would settle, but it is not a pair any more."""
    story = settle("bank A 5  bank B 0  pay A>B 5  pay B>A 99", entry="queue", lsm="bilateral")
    assert story.cycles == []
    assert story.balances == {"A": 5, "B": 0}
    assert story.queue == ["A>B 5", "B>A 99"]


def test_pairs_are_tried_in_ascending_order_and_pass_liquidity_on(settle):
    """A gains 2 from B, and needs them with C."""
    story = settle("bank A 0  bank B 2  bank C 0  pay A>C 6  pay C>A 4  pay A>B 3  pay B>A 5", lsm="bilateral")
    assert story.cycles == ["bilateral: A>B 3, B>A 5", "bilateral: A>C 6, C>A 4"]
    assert [cycle.lsm_pass for cycle in story.cycle_records] == [1, 1]


def test_a_pair_that_stands_before_its_liquidity_waits_for_the_next_pass(settle):
    """The same with the names of B and C exchanged: A's gain comes after the pair that needs it was tried."""
    story = settle("bank A 0  bank B 0  bank C 2  pay A>B 6  pay B>A 4  pay A>C 3  pay C>A 5", lsm="bilateral")
    assert story.cycles == ["bilateral: A>C 3, C>A 5", "bilateral: A>B 6, B>A 4"]
    assert [cycle.lsm_pass for cycle in story.cycle_records] == [1, 2]
    assert [run["passes"] for run in story.runs] == [3]


def test_credit_counts_as_liquidity(settle):
    story = settle("bank A 0 credit 3  bank B 0  pay A>B 8  pay B>A 5", lsm="bilateral")
    assert story.cycles == ["bilateral: A>B 8, B>A 5"]
    assert story.balances == {"A": -3, "B": 3}


def test_an_infeasible_pair_leaves_no_trace(settle):
    story = settle("bank A 0  bank B 0  pay A>B 5  pay B>A 6", lsm="bilateral")
    assert story.cycles == []
    assert story.balances == {"A": 0, "B": 0}
    (run,) = story.runs
    assert (run["passes"], run["bilateral_cycles"], run["settled_transactions"], run["total_values"]) == (1, 0, 0, 0)


# Rings


def test_three_banks_without_money_settle_their_ring(settle):
    story = settle("bank A 0  bank B 0  bank C 0  pay A>B 500  pay B>C 500  pay C>A 500")
    assert story.cycles == ["ring: A>B 500, B>C 500, C>A 500"]
    (cycle,) = story.cycle_records
    assert (cycle.cycle_type, cycle.cycle_length, cycle.settled_value, cycle.total_value) == (
        "multilateral", 3, 0, 1500,
    )  # fmt: skip


def test_ring_with_one_poor_bank_waits(settle):
    story = settle("""
        bank A 0      bank B 100    bank C 0
        pay  A>B 500  pay  B>C 800  pay  C>A 700
    """)  # B is short: net outflow 300, has 100
    assert story.cycles == []
    assert story.queue == ["A>B 500", "B>C 800", "C>A 700"]
    assert story.balances == {"A": 0, "B": 100, "C": 0}


def test_a_ring_settles_once_its_poor_bank_is_paid(settle):
    """D's 300 are not enough for B to pay alone, but for the ring."""
    story = settle("""
        bank A 0      bank B 0      bank C 0      bank D 300
        pay  A>B 500  pay  B>C 800  pay  C>A 700  pay D>B 300 @3
    """)
    assert story.settled == ["D>B 300 immediate", "A>B 500 ring", "B>C 800 ring", "C>A 700 ring"]
    assert story.ticks_settled == [3, 3, 3, 3]
    assert story.cycle_records[0].net_positions == [200, -300, 100]


def test_a_ring_is_written_in_payment_direction_from_the_lowest_bank(settle):
    story = settle("bank A 0  bank B 0  bank C 1  pay C>B 5  pay A>C 5  pay B>A 5", lsm="ring", entry="queue")
    (cycle,) = story.cycle_records
    assert cycle.agents == ["A", "C", "B"]
    assert cycle.transactions == ["T2", "T1", "T3"]
    assert story.settled_ids == ["T2", "T1", "T3"]


def test_a_ring_takes_the_oldest_of_each_pair_only(settle):
    """A's newer 5 would fit where its oldest 9 does not."""
    story = settle("bank A 0  bank B 0  bank C 0  pay A>B 9  pay A>B 5  pay B>C 5  pay C>A 5", lsm="ring")
    assert story.cycles == []


def test_the_oldest_of_a_pair_is_the_first_by_class(settle):
    story = settle("bank A 0  bank B 0  bank C 0  pay A>B 9  pay A>B 5 urgent  pay B>C 5  pay C>A 5", lsm="ring")
    assert story.cycles == ["ring: A>B 5, B>C 5, C>A 5"]


@pytest.mark.parametrize(("length_max", "cycles"), [(3, 0), (4, 1), (10, 1)])
def test_no_ring_is_longer_than_allowed(settle, length_max, cycles):
    story = settle(
        "bank A 0  bank B 0  bank C 0  bank D 0  pay A>B 5  pay B>C 5  pay C>D 5  pay D>A 5",
        lsm="ring",
        max_cycle_length=length_max,
    )
    assert len(story.cycles) == cycles


def test_two_banks_are_no_ring(settle):
    story = settle("bank A 0  bank B 0  pay A>B 5  pay B>A 5", lsm="ring")
    assert story.cycles == []


def test_ten_banks_are_a_ring(settle):
    banks = "ABCDEFGHIJ"
    lines = [f"bank {bank} 0  pay {bank}>{following} 7" for bank, following in zip(banks, "BCDEFGHIJA", strict=True)]
    story = settle(" ".join(lines), lsm="ring", max_cycle_length=10)
    assert [cycle.agents for cycle in story.cycle_records] == [list(banks)]


def test_the_shorter_ring_goes_first(settle):
    """A>B is a leg of A>B>C>D>A and of A>B>E>A; only one of them can have it."""
    story = settle(
        """
        bank A 0  bank B 0  bank C 0  bank D 0  bank E 0
        pay A>B 5  pay B>C 5  pay C>D 5  pay D>A 5  pay B>E 5  pay E>A 5
        """,
        lsm="ring",
    )
    assert story.cycles == ["ring: A>B 5, B>E 5, E>A 5"]


@pytest.mark.parametrize(
    ("fork", "ring"),
    [
        ("pay A>B 5  pay D>A 5  pay B>D 5  pay C>A 5  pay B>C 5", "A>B 5, B>C 5, C>A 5"),
        ("pay A>C 5  pay C>D 5  pay A>B 5  pay B>D 5  pay D>A 5", "A>B 5, B>D 5, D>A 5"),
    ],
)
def test_of_equally_long_rings_the_lower_path_goes_first(settle, fork, ring):
    """Two rings share a leg and fork at the second or the first step; the higher path was queued first."""
    story = settle(f"bank A 0  bank B 0  bank C 0  bank D 0  {fork}", lsm="ring")
    assert story.cycles == [f"ring: {ring}"]


@pytest.mark.parametrize("late", ["A>B", "B>C", "C>A"])
def test_a_ring_settles_when_its_last_leg_arrives(settle, late):
    """Whoever sends it; nobody's liquidity changes, so it is the new pair that lets its sender look."""
    legs = [f"pay {leg} 5 {'@1' if leg == late else ''}" for leg in ("A>B", "B>C", "C>A")]
    story = settle(f"bank A 0  bank B 0  bank C 0  {' '.join(legs)}", lsm="ring", ticks_per_day=3)
    assert story.cycles == ["ring: A>B 5, B>C 5, C>A 5"]
    assert [cycle.tick for cycle in story.cycle_records] == [1]


def test_liquidity_that_fell_and_came_back_opens_a_ring_again(settle):
    """A's last unit covers its part all along but in tick 1, when B gets what it lacks.

    B's search in tick 1 fails on A. In tick 2 A has no more than when it last searched, but more than in between.
    """
    story = settle(
        """
        bank A 1   bank B 0   bank C 0   bank D 0   bank E 2
        pay A>B 6  pay B>C 7  pay C>A 5
        pay A>D 1 @1   pay E>B 1 @1   pay E>A 1 @2
        """,
        lsm="ring",
    )
    assert story.cycles == ["ring: A>B 6, B>C 7, C>A 5"]
    assert [cycle.tick for cycle in story.cycle_records] == [2]


def test_a_search_admits_only_rings_that_its_own_start_may_have_opened(settle):
    """Two rings want C>D. In tick 1 E's payments touch A and let D afford A>C>D>A, and B's payment is new.

    A searches first, but what opened its ring is D's gain, neither a new leg nor liquidity of A's own; so B's ring
    settles, and when D's turn comes C>D is gone.
    """
    story = settle(
        """
        bank A 0   bank B 0   bank C 0   bank D 0   bank E 2
        pay A>C 5  pay C>D 5  pay D>A 6  pay D>B 5
        pay E>A 1 @1   pay E>D 1 @1   pay B>C 5 @1
        """,
        lsm="ring",
    )
    assert story.cycles == ["ring: B>C 5, C>D 5, D>B 5"]
    assert story.queue == ["A>C 5", "D>A 6"]


def test_a_ring_that_cannot_settle_gives_way_to_a_later_one(settle):
    """The lower path is short by 1."""
    story = settle(
        """
        bank A 0  bank B 0  bank C 0  bank D 0
        pay A>B 5  pay D>A 5  pay B>D 5  pay C>A 5  pay B>C 6
        """,
        lsm="ring",
    )
    assert story.cycles == ["ring: A>B 5, B>D 5, D>A 5"]


def test_the_lowest_touched_bank_searches_first(settle):
    """Two rings share C>D: B>C>D>B and A>C>D>A. A searches before B."""
    story = settle(
        """
        bank A 0  bank B 0  bank C 0  bank D 0
        pay B>C 5  pay C>D 5  pay D>B 5  pay A>C 5  pay D>A 5
        """,
        lsm="ring",
    )
    assert story.cycles == ["ring: A>C 5, C>D 5, D>A 5"]


def test_a_bank_searches_again_after_its_ring_settled(settle):
    story = settle("bank A 0  bank B 0  bank C 0 " + "pay A>B 5  pay B>C 5  pay C>A 5 " * 2, lsm="ring")
    assert story.cycles == ["ring: A>B 5, B>C 5, C>A 5"] * 2
    assert [cycle.lsm_pass for cycle in story.cycle_records] == [1, 1]
    assert [cycle.transactions for cycle in story.cycle_records] == [["T1", "T2", "T3"], ["T4", "T5", "T6"]]


def test_a_ring_through_the_middle_of_anothers_search_is_found_by_its_own_start(settle):
    """B gets the 2 it lacks from A's ring; its own ring, which A is no part of, follows in the same search."""
    story = settle(
        """
        bank A 2  bank B 0  bank C 0  bank D 0  bank E 0
        pay A>B 7  pay B>C 5  pay C>A 5   pay B>D 9  pay D>E 7  pay E>B 7
        """,
        lsm="ring",
        entry="queue",
    )
    assert story.cycles == ["ring: A>B 7, B>C 5, C>A 5", "ring: B>D 9, D>E 7, E>B 7"]
    assert [cycle.lsm_pass for cycle in story.cycle_records] == [1, 1]


# Gridlock


def test_gridlock_settles_what_no_pair_and_no_ring_can(settle):
    """Over all five each bank pays what it receives; in every pair and ring some bank is short by 3."""
    story = settle(
        """
        bank A 0   bank B 0   bank C 0
        pay A>B 6  pay A>C 6  pay B>A 3  pay B>C 3  pay C>A 9
        """
    )
    assert story.cycles == ["gridlock: A>B 6, A>C 6, B>A 3, B>C 3, C>A 9"]
    assert [cycle.agents for cycle in story.cycle_records] == [["A", "B", "C"]]


def test_gridlock_settles_as_one_step_and_is_recorded_by_component(settle):
    story = settle(
        """
        bank A 0   bank B 0   bank C 0   bank D 0
        pay D>B 3  pay A>C 4  pay B>D 3  pay C>A 4
        """,
        lsm="gridlock",
    )
    assert story.cycles == ["gridlock: A>C 4, C>A 4", "gridlock: D>B 3, B>D 3"]
    assert story.steps == [0, 0, 0, 0]
    assert [cycle.agents for cycle in story.cycle_records] == [["A", "C"], ["B", "D"]]
    assert [cycle.cycle_type for cycle in story.cycle_records] == ["bilateral", "bilateral"]
    assert story.runs[0]["gridlock_cycles"] == 2


def test_gridlock_is_tried_only_in_a_pass_where_the_others_settled_nothing(settle):
    story = settle(
        """
        bank A 0   bank B 0   bank C 0   bank D 0
        pay A>B 6  pay A>C 6  pay B>A 3  pay B>C 3  pay C>A 9
        pay B>D 5  pay D>B 5
        """,
        lsm="bilateral gridlock",
    )
    assert [(cycle.mechanism, cycle.lsm_pass) for cycle in story.cycle_records] == [("bilateral", 1), ("gridlock", 2)]


def test_gridlock_settles_a_single_payment_where_nothing_settles_alone(settle):
    story = settle("bank A 5  bank B 0  pay A>B 5", entry="queue", lsm="gridlock")
    assert story.cycles == ["gridlock: A>B 5"]
    assert story.balances == {"A": 0, "B": 5}


def test_gridlock_writes_transactions_in_queue_2_order(settle):
    story = settle("bank A 0  bank B 0  bank C 0  pay C>A 5 low  pay B>C 5  pay A>B 5 urgent", lsm="gridlock")
    assert story.cycles == ["gridlock: A>B 5, B>C 5, C>A 5"]


# Passes, retries and bounds


def test_passes_count_the_last_empty_one(settle):
    assert settle("bank A 0  bank B 0  pay A>B 5  pay B>A 5").runs[0]["passes"] == 2
    assert settle("bank A 0  bank B 0  pay A>B 5  pay B>A 6").runs[0]["passes"] == 1


def test_a_pass_that_settled_something_is_followed_by_a_retry(settle):
    """The net of A and B gives A the 2 that it pays C."""
    story = settle("bank A 0  bank B 2  bank C 0  pay A>C 2  pay A>B 3  pay B>A 5")
    assert story.settled == ["A>B 3 bilateral", "B>A 5 bilateral", "A>C 2 queue"]
    (run,) = story.runs
    assert (run["passes"], run["hit_limits"]) == (2, "none")
    assert (run["settled_transactions"], run["total_values"], run["settled_values"]) == (2, 8, 2)
    assert (run["retry_settled"], run["retry_values"]) == (1, 2)
    assert (run["queue_sizes_before"], run["queue_sizes_after"]) == (3, 0)
    assert (run["queue_values_before"], run["queue_values_after"]) == (10, 0)


def test_a_retry_can_open_the_way_for_the_next_pass(settle):
    """A and B net, A pays C out of its gain, and C has what it needs to net with D."""
    story = settle("""
        bank A 0   bank B 2   bank C 0   bank D 0
        pay A>B 3  pay B>A 5  pay A>C 2  pay C>D 9  pay D>C 7
    """)
    assert story.settled == [
        "A>B 3 bilateral", "B>A 5 bilateral", "A>C 2 queue", "C>D 9 bilateral", "D>C 7 bilateral",
    ]  # fmt: skip
    assert [cycle.lsm_pass for cycle in story.cycle_records] == [1, 2]
    assert story.runs[0]["passes"] == 3


def test_progress_in_the_last_allowed_pass_hits_the_limit(settle):
    lines = "bank A 0  bank B 0  bank C 2  pay A>B 6  pay B>A 4  pay A>C 3  pay C>A 5"
    cut = settle(lines, lsm="bilateral", max_passes=1)
    assert cut.cycles == ["bilateral: A>C 3, C>A 5"]
    assert [(run["passes"], run["hit_limits"]) for run in cut.runs] == [(1, "passes")]
    uncut = settle(lines, lsm="bilateral", max_passes=3)
    assert [(run["passes"], run["hit_limits"]) for run in uncut.runs] == [(3, "none")]
    assert [(run["passes"], run["hit_limits"]) for run in settle(lines, lsm="bilateral", max_passes=2).runs] == [
        (2, "passes")
    ]


def test_what_a_bound_cut_off_settles_in_the_next_tick(settle):
    """One cycle a tick: the second pair, though feasible at once, waits a tick."""
    story = settle(
        "bank A 0  bank B 0  bank C 0  bank D 0  pay A>B 5  pay B>A 5  pay C>D 5  pay D>C 5",
        ticks_per_day=3,
        max_cycles_per_tick=1,
    )
    assert story.cycles == ["bilateral: A>B 5, B>A 5", "bilateral: C>D 5, D>C 5"]
    assert [cycle.tick for cycle in story.cycle_records] == [0, 1]
    assert [(run["ticks"], run["passes"], run["hit_limits"]) for run in story.runs] == [
        (0, 2, "cycles"),
        (1, 2, "none"),
    ]


def test_a_ring_search_that_was_cut_off_goes_on_in_the_next_tick(settle):
    story = settle(
        "bank A 0  bank B 0  bank C 0 " + "pay A>B 5  pay B>C 5  pay C>A 5 " * 3,
        lsm="ring",
        ticks_per_day=4,
        max_cycles_per_tick=2,
    )
    assert [cycle.tick for cycle in story.cycle_records] == [0, 0, 1]
    assert [run["hit_limits"] for run in story.runs] == ["cycles", "none"]


def test_the_bound_on_cycles_counts_all_mechanisms(settle):
    """A pair, then a ring: the pair takes the only cycle."""
    story = settle(
        "bank A 0  bank B 0  bank C 0  bank D 0  pay C>D 5  pay D>C 5  pay A>B 5  pay B>C 5  pay C>A 5",
        ticks_per_day=2,
        max_cycles_per_tick=1,
    )
    assert story.cycles == ["bilateral: C>D 5, D>C 5", "ring: A>B 5, B>C 5, C>A 5"]
    assert [cycle.tick for cycle in story.cycle_records] == [0, 1]


def test_a_gridlock_set_is_never_cut(settle):
    story = settle(
        "bank A 0  bank B 0  bank C 0  bank D 0  pay A>B 5  pay B>A 5  pay C>D 5  pay D>C 5",
        lsm="gridlock",
        max_cycles_per_tick=1,
    )
    assert len(story.cycles) == 2
    assert story.runs[0]["gridlock_cycles"] == 2


def test_fifo_governs_entry_and_retry_but_not_the_scopes_of_the_lsm(settle):
    """Under fifo A's second payment waits behind its first; the pair A, B nets it all the same."""
    story = settle("bank A 0  bank B 0  bank C 0  pay A>C 9  pay A>B 5  pay B>A 5", discipline="fifo", lsm="bilateral")
    assert story.cycles == ["bilateral: A>B 5, B>A 5"]
    assert story.queue == ["A>C 9"]
    assert story.waits == {"T1": "liquidity", "T2": "behind_another", "T3": "liquidity"}
