"""What is outstanding in a day: what the night left over, then what arrives (SPEC 3)."""

from collections.abc import Sequence
from operator import attrgetter

import numpy as np

from sim_engine.arrivals import Payments
from sim_engine.records import Transactions
from sim_engine.state import QueuedTransaction
from sim_engine.transaction_ids import TransactionIds


def transactions_of_day(carried: Sequence[QueuedTransaction], payments: Payments, arrivals_count: int) -> Transactions:
    """All transactions outstanding in a day.

    carried: those carried in, by arrival_seq. payments: those that arrive; their arrays are not copied if nothing is
    carried in. arrivals_count: arrivals of the days before.
    """

    def column(name: str, arrived: np.ndarray) -> np.ndarray:
        if not carried:
            return arrived
        return np.concatenate([np.fromiter(map(attrgetter(name), carried), arrived.dtype, len(carried)), arrived])

    ids = payments.ids
    if carried:
        ids = TransactionIds.concat([TransactionIds.of(row.id for row in carried), ids])
    return Transactions(
        ids=ids,
        senders=column("sender", payments.senders),
        receivers=column("receiver", payments.receivers),
        amounts=column("amount", payments.amounts),
        priorities=column("priority", payments.priorities),
        arrival_ticks=column("arrival_tick", payments.ticks),
        arrival_seqs=column("arrival_seq", np.arange(arrivals_count, arrivals_count + len(payments.ids))),
        deadline_ticks=column("deadline_tick", payments.deadlines),
        carried=len(carried),
    )
