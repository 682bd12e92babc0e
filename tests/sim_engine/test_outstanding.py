"""What is outstanding in a day: carried in first, then arrived (SPEC 3)."""

from dataclasses import fields

import numpy as np

from sim_engine.arrivals import Payments, payments_of_day
from sim_engine.outstanding import transactions_of_day
from sim_engine.records import Transactions
from sim_engine.state import QueuedTransaction
from tests.helpers.settling import scenario_of

OF_PAYMENTS = {
    "ids": "ids",
    "senders": "senders",
    "receivers": "receivers",
    "amounts": "amounts",
    "priorities": "priorities",
    "arrival_ticks": "ticks",
    "deadline_ticks": "deadlines",
}
"""Which attribute of Payments becomes which of Transactions."""

DTYPES = {
    "senders": np.int32,
    "receivers": np.int32,
    "amounts": np.int64,
    "priorities": np.int8,
    "arrival_ticks": np.int64,
    "arrival_seqs": np.int64,
    "deadline_ticks": np.int64,
}


def arriving() -> Payments:
    return payments_of_day(scenario_of("bank A 9  bank B 9  pay A>B 5 @1  pay B>A 6 @3 low deadline 7"), 0, 0)


def carried(name: str, amount: int, arrival_seq: int) -> QueuedTransaction:
    return QueuedTransaction(
        id=name,
        sender=1,
        receiver=0,
        amount=amount,
        priority=2,
        arrival_tick=4,
        arrival_seq=arrival_seq,
        deadline_tick=9,
        queue=2,
        entry_tick=5,
        entry_seq=3,
        wait_reason=0,
    )


def dtypes_of(transactions: Transactions) -> dict[str, type]:
    return {name: getattr(transactions, name).dtype for name in DTYPES}


def test_every_attribute_is_accounted_for():
    assert {field.name for field in fields(Transactions)} == OF_PAYMENTS.keys() | {"arrival_seqs", "carried"}
    assert {field.name for field in fields(Payments)} == set(OF_PAYMENTS.values())


def test_without_anything_carried_the_arrivals_are_not_copied():
    payments = arriving()
    transactions = transactions_of_day([], payments, 40)
    assert transactions.carried == 0
    assert all(getattr(transactions, name) is getattr(payments, of) for name, of in OF_PAYMENTS.items())
    assert transactions.arrival_seqs.tolist() == [40, 41]
    assert dtypes_of(transactions) == DTYPES


def test_what_is_carried_stands_before_what_arrives():
    large = 2**62 + 1
    transactions = transactions_of_day([carried("N1", large, 7), carried("N2", 8, 9)], arriving(), 10)
    assert transactions.carried == 2
    assert transactions.ids == ("N1", "N2", "T1", "T2")
    assert transactions.senders.tolist() == [1, 1, 0, 1]
    assert transactions.receivers.tolist() == [0, 0, 1, 0]
    assert transactions.amounts.tolist() == [large, 8, 5, 6]
    assert transactions.priorities.tolist() == [2, 2, 1, 2]
    assert transactions.arrival_ticks.tolist() == [4, 4, 1, 3]
    assert transactions.arrival_seqs.tolist() == [7, 9, 10, 11]
    assert transactions.deadline_ticks.tolist() == [9, 9, -1, 7]
    assert dtypes_of(transactions) == DTYPES


def test_a_day_without_arrivals_has_what_was_carried():
    nothing = payments_of_day(scenario_of("bank A 9  bank B 9  pay A>B 5 @1", days=2), 0, 0)
    assert len(nothing.ids) == 0
    transactions = transactions_of_day([carried("N1", 3, 0)], nothing, 1)
    assert transactions.ids == ("N1",)
    assert transactions.arrival_seqs.tolist() == [0]
    assert dtypes_of(transactions) == DTYPES
