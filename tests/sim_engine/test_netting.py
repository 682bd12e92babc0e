"""The netting rule (SPEC 4): the unique maximal FIFO-respecting set, with each transaction dropped at most once."""

import sys
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.feasible_sets import feasible_prefix_sets, is_feasible
from tests.oracle.bounds import Liquidity
from tests.oracle.item import Item
from tests.oracle.lsm.netting import net, net_positions


def queued(payments: list[tuple[int, int, int]]) -> list[Item]:
    """Items in Queue 2 order from (sender, receiver, amount)."""
    items = [Item(row, *payment, 1, row) for row, payment in enumerate(payments)]
    for item in items:
        item.entry_seq = item.row
    return items


@st.composite
def small_queues(draw):
    agents = draw(st.integers(2, 4))
    pair = st.permutations(range(agents)).map(lambda order: order[:2])
    payments = draw(st.lists(st.tuples(pair, st.integers(1, 9)), max_size=9))
    available = draw(st.lists(st.integers(0, 8), min_size=agents, max_size=agents))
    return queued([(*ends, amount) for ends, amount in payments]), available


@settings(max_examples=400)
@given(small_queues())
def test_what_remains_is_the_union_of_all_feasible_prefixes(case):
    items, available = case
    sets = feasible_prefix_sets(items, available)
    kept = net(items, Liquidity(available))
    assert {item.row for item in kept} == {item.row for chosen in sets for item in chosen}
    assert is_feasible(kept, available)
    assert kept == [item for item in items if item in kept]


@settings(max_examples=100)
@given(small_queues())
def test_netting_touches_nothing(case):
    items, available = case
    before = list(available)
    net(items, Liquidity(available))
    assert available == before
    assert [item.row for item in items] == list(range(len(items)))


def test_net_positions_are_received_less_paid():
    assert net_positions(queued([(0, 1, 500), (1, 2, 300), (2, 0, 100)])) == {0: -400, 1: 200, 2: 200}


def test_one_bank_without_money_unravels_a_whole_chain():
    """Each bank can pay only out of what it is paid, and the first is paid too late."""
    items = queued([(agent, agent + 1, 10) for agent in range(50)])
    assert net(items, Liquidity([0] * 51)) == []
    assert net(items, Liquidity([10] + [0] * 50)) == items


def work_of_netting(transactions: int) -> tuple[int, int]:
    """Calls that netting makes on a queue in which nearly every item is dropped, one cascade after the other.

    Returns how many items were dropped and how many calls of any kind were made.
    """
    random = Random(transactions)
    agents = 200
    payments = []
    for _ in range(transactions):
        sender = random.randrange(agents - 1)
        payments.append((sender, random.randrange(sender + 1, agents), random.randint(1, 1_000)))
    items = queued(payments)
    calls = {"add": 0, "all": 0}

    def count(_frame, event, callee):
        calls["all"] += event in ("call", "c_call")
        calls["add"] += event == "c_call" and callee.__name__ == "add"

    sys.setprofile(count)
    try:
        kept = net(items, Liquidity([0] * agents))
    finally:
        sys.setprofile(None)
    assert kept == []
    return calls["add"], calls["all"]


def test_each_transaction_is_dropped_at_most_once():
    """All 4,000 go, each by one drop."""
    dropped, _ = work_of_netting(4_000)
    assert dropped == 4_000


def test_ten_times_the_queue_is_ten_times_the_work():
    """40,000 queued transactions: no more calls for each than with 4,000."""
    _, small = work_of_netting(4_000)
    _, large = work_of_netting(40_000)
    assert small > 4_000
    assert large <= 10.5 * small
