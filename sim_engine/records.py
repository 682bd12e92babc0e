"""What a simulated day leaves behind, as arrays.

Every class is one kind of event with one array per attribute, all of the same length unless said otherwise. A
transaction is named by its row in the day's `Transactions`, an agent by its index; a nullable number is -1 where it is
null, and words are codes of sim_engine.vocabulary. Ticks count from 0 through the whole simulation, money is in minor
units.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sim_engine.transaction_ids import TransactionIds
from sim_engine.vocabulary import CYCLE_TYPES, MECHANISMS

Array = np.ndarray


@dataclass(frozen=True)
class Transactions:
    """All transactions outstanding in a day: those carried in first, then those that arrived, each by arrival_seq.

    ids: names. senders, receivers: agent indexes, int32. amounts: minor units, int64. priorities: int8.
    arrival_ticks, arrival_seqs: when it arrived, and its place among all arrivals of the simulation, int64.
    deadline_ticks: tick after which it is overdue, -1 for none, int64.
    carried: how many of them were carried in.
    """

    ids: TransactionIds
    senders: Array
    receivers: Array
    amounts: Array
    priorities: Array
    arrival_ticks: Array
    arrival_seqs: Array
    deadline_ticks: Array
    carried: int


@dataclass(frozen=True)
class Settlements:
    """Transactions settled in the day by step, those of one step cycle by cycle, each as the cycle lists them.

    transactions: rows of Transactions, int32. ticks: int32. seqs: number of the simultaneous step in the day, int32.
    mechanisms: int8. entry_ticks: when it was submitted, int32. entry_seqs: its place among all submissions of the
    simulation, int64. lsm_passes, cycle_seqs: -1 unless settled by the LSM, int32. wait_reasons: -1 if it never joined
    Queue 2, int8.
    """

    transactions: Array
    ticks: Array
    seqs: Array
    mechanisms: Array
    entry_ticks: Array
    entry_seqs: Array
    lsm_passes: Array
    cycle_seqs: Array
    wait_reasons: Array


@dataclass(frozen=True)
class LsmCycles:
    """Settled cycles in order of cycle_seq, which is their row.

    ticks, lsm_passes: int32. mechanisms: int8. min_amounts, settled_values (net), total_values (gross): int64.
    agents: indexes, int32, and net_positions: received - paid, int64; both flat, those of cycle k at
    agent_offsets[k]:agent_offsets[k + 1].
    transactions: rows of Transactions, int32, flat; those of cycle k at
    transaction_offsets[k]:transaction_offsets[k + 1].
    """

    ticks: Array
    lsm_passes: Array
    mechanisms: Array
    min_amounts: Array
    settled_values: Array
    total_values: Array
    agent_offsets: Array
    agents: Array
    net_positions: Array
    transaction_offsets: Array
    transactions: Array


@dataclass(frozen=True)
class LsmRuns:
    """LSM runs of the day in order; int64 but for hit_limits (int8). Values are minor units.

    ticks; passes: begun, the last empty one included; cycles by mechanism; settled_transactions, total_values (gross)
    and settled_values (net) of the cycles; what the retries between passes settled; Queue 2 before the run and after
    its last retry.
    """

    ticks: Array
    passes: Array
    bilateral_cycles: Array
    ring_cycles: Array
    gridlock_cycles: Array
    settled_transactions: Array
    total_values: Array
    settled_values: Array
    retry_settled: Array
    retry_values: Array
    queue_sizes_before: Array
    queue_sizes_after: Array
    queue_values_before: Array
    queue_values_after: Array
    hit_limits: Array


@dataclass(frozen=True)
class TickEnds:
    """The system at the end of each tick of the day, int64.

    Sizes are transactions, values minor units; intraday_credit_used is the sum of all overdrawn balances.
    """

    queue1_sizes: Array
    queue1_values: Array
    queue2_sizes: Array
    queue2_values: Array
    intraday_credit_used: Array


@dataclass(frozen=True)
class AgentDays:
    """What each agent's day was like, by agent index, int64.

    Balances and posted collateral in minor units; the smallest and largest balance after any settlement step, the
    opening included, collateral as of the opening. Queue sizes: the largest at the end of a tick.
    """

    opening_balances: Array
    opening_collateral: Array
    closing_balances: Array
    min_balances: Array
    max_balances: Array
    queue1_sizes_max: Array
    queue2_sizes_max: Array


@dataclass(frozen=True)
class QueuedAtEnd:
    """Transactions unsettled at the end of the day, after the last LSM run and before any cancellation.

    Queue 1 by agent and place in its queue, then Queue 2 in order.
    transactions: rows of Transactions, int32. queues: 1 or 2, int8. positions: place in that queue from 0 (Queue 1 is
    each agent's own, Queue 2 the system's), int64. entry_ticks: -1 in Queue 1, int32. entry_seqs: likewise, int64.
    wait_reasons: int8, -1 in Queue 1. outcomes: int8.
    """

    transactions: Array
    queues: Array
    positions: Array
    entry_ticks: Array
    entry_seqs: Array
    wait_reasons: Array
    outcomes: Array


@dataclass(frozen=True)
class CollateralEvents:
    """Changes of posted collateral in order, which is their event_seq.

    agents: indexes, int32. ticks: int32. actions, reasons: int8. posted_before, posted_after: minor units, int64.
    """

    agents: Array
    ticks: Array
    actions: Array
    posted_before: Array
    posted_after: Array
    reasons: Array


@dataclass(frozen=True)
class AgentCosts:
    """What is booked for each agent and the day, by agent index, minor units, int64 (see sim_engine.costs)."""

    overdraft: Array
    delay: Array
    overdue: Array
    collateral: Array
    unsettled: Array


@dataclass(frozen=True)
class DayRecord:
    """Everything one simulated day leaves behind.

    day: its number from 0.
    """

    day: int
    transactions: Transactions
    settlements: Settlements
    lsm_cycles: LsmCycles
    lsm_runs: LsmRuns
    tick_ends: TickEnds
    agent_days: AgentDays
    queued_at_end: QueuedAtEnd
    collateral_events: CollateralEvents
    agent_costs: AgentCosts


@dataclass(frozen=True, slots=True)
class LsmCycle:
    """One settled cycle with every column of the table `lsm_cycles`; agents and transactions by name.

    Money is minor units. `amounts` is aligned with `transactions`, `net_positions` (received - paid) with `agents`.
    settled_value is the net of the set, the liquidity that moved; total_value its gross.
    """

    simulation_id: str
    day: int
    cycle_seq: int
    tick: int
    lsm_pass: int
    mechanism: str
    cycle_type: str
    cycle_length: int
    agents: list[str]
    transactions: list[str]
    amounts: list[int]
    net_positions: list[int]
    min_amount: int
    settled_value: int
    total_value: int


def lsm_cycles_of(record: DayRecord, simulation_id: str, agent_ids: tuple[str, ...]) -> Iterator[LsmCycle]:
    """The day's cycles one by one, in order of cycle_seq."""
    cycles, transactions = record.lsm_cycles, record.transactions
    for seq in range(len(cycles.ticks)):
        agents = slice(cycles.agent_offsets[seq], cycles.agent_offsets[seq + 1])
        rows = cycles.transactions[cycles.transaction_offsets[seq] : cycles.transaction_offsets[seq + 1]]
        length = agents.stop - agents.start
        yield LsmCycle(
            simulation_id=simulation_id,
            day=record.day,
            cycle_seq=seq,
            tick=int(cycles.ticks[seq]),
            lsm_pass=int(cycles.lsm_passes[seq]),
            mechanism=MECHANISMS[cycles.mechanisms[seq]],
            cycle_type=cycle_type(int(length)),
            cycle_length=int(length),
            agents=[agent_ids[agent] for agent in cycles.agents[agents]],
            transactions=[transactions.ids[row] for row in rows],
            amounts=transactions.amounts[rows].tolist(),
            net_positions=cycles.net_positions[agents].tolist(),
            min_amount=int(cycles.min_amounts[seq]),
            settled_value=int(cycles.settled_values[seq]),
            total_value=int(cycles.total_values[seq]),
        )


def cycle_type(cycle_length: int) -> str:
    """The word for a cycle among that many agents (SPEC 2)."""
    return CYCLE_TYPES[cycle_length > 2]
