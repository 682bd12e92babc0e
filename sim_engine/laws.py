"""Laws that hold on every run (SPEC 5), asserted where a day is made."""

import numpy as np

from sim_engine.records import Array, DayRecord
from sim_engine.scenario import Scenario, credit_capacities
from sim_engine.state import SystemState
from sim_engine.sums import sums_by_group
from sim_engine.vocabulary import BILATERAL


def check_laws(scenario: Scenario, opening: SystemState, record: DayRecord, closing: SystemState) -> None:
    """Raises AssertionError if the day broke a law: the engine is wrong, not its user."""
    _check_rows(record)
    _check_money(scenario, opening, record, closing)
    _check_settlements(record)
    _check_cycles(record)
    _check_lsm_runs(record)


def _check_rows(record: DayRecord) -> None:
    """What the other laws count on: every transaction has one row here or there, and lists lie end to end."""
    settled, queued, cycles = record.settlements.transactions, record.queued_at_end.transactions, record.lsm_cycles
    count = len(record.transactions.ids)
    for rows in (settled, queued, cycles.transactions):
        assert _all_within(rows, count), "whatever is named is outstanding"
    told = np.zeros(count, bool)
    told[settled] = told[queued] = True
    assert told.all() and len(settled) + len(queued) == count, (
        "each outstanding transaction settles once or is queued at the end"
    )
    for offsets, flat in ((cycles.agent_offsets, cycles.agents), (cycles.transaction_offsets, cycles.transactions)):
        assert len(offsets) == len(cycles.ticks) + 1, "each cycle has its lists"
        assert offsets[0] == 0 and offsets[-1] == len(flat), "lists of cycles lie end to end"
        assert (offsets[1:] > offsets[:-1]).all(), "no cycle is empty"
    assert len(cycles.net_positions) == len(cycles.agents), "each agent of a cycle has a net position"


def _check_money(scenario: Scenario, opening: SystemState, record: DayRecord, closing: SystemState) -> None:
    agents = scenario.stated.agents
    rows, transactions, days = record.settlements.transactions, record.transactions, record.agent_days
    assert opening.balances == tuple(days.opening_balances.tolist()), "a day opens as the one before closed"
    assert closing.balances == tuple(days.closing_balances.tolist()), "the next day opens as this one closed"
    assert sum(opening.balances) == sum(closing.balances), "money is conserved"
    amounts = transactions.amounts[rows]
    moved = sums_by_group(transactions.receivers[rows], amounts, len(agents))
    moved -= sums_by_group(transactions.senders[rows], amounts, len(agents))
    assert (days.opening_balances + moved == days.closing_balances).all(), "money moves by settlements alone"
    capacities = np.array(credit_capacities(scenario.stated, opening.posted_collateral), np.int64)
    overdrawn = np.flatnonzero(days.min_balances < -capacities)
    assert not overdrawn.size, f"available liquidity is never negative, but that of {agents[overdrawn[0]].id} was"
    lowest_known = np.minimum(days.opening_balances, days.closing_balances)
    highest_known = np.maximum(days.opening_balances, days.closing_balances)
    assert (days.min_balances <= lowest_known).all(), "no balance is below the smallest"
    assert (days.max_balances >= highest_known).all(), "no balance is above the largest"


def _check_settlements(record: DayRecord) -> None:
    settlements = record.settlements
    assert _ascends(settlements.seqs), "settlements stand in the order of their steps"
    assert _ascends(settlements.ticks), "steps stand in the order of their ticks"
    assert (settlements.entry_ticks <= settlements.ticks).all(), "nothing settles before it is submitted"
    by_lsm = settlements.mechanisms >= BILATERAL
    assert (by_lsm == (settlements.cycle_seqs >= 0)).all(), "the LSM, and it alone, settles in cycles"
    assert (by_lsm == (settlements.lsm_passes >= 0)).all(), "the LSM, and it alone, settles in passes"


def _check_cycles(record: DayRecord) -> None:
    cycles, settlements = record.lsm_cycles, record.settlements
    seqs = np.arange(len(cycles.ticks))
    cycle_of_transaction = np.repeat(seqs, np.diff(cycles.transaction_offsets))
    by_lsm = np.flatnonzero(settlements.cycle_seqs >= 0)
    assert np.array_equal(settlements.transactions[by_lsm], cycles.transactions), "cycles settle what they list"
    assert np.array_equal(settlements.cycle_seqs[by_lsm], cycle_of_transaction), "a cycle is told by what it settles"
    if not len(seqs):
        return  # numpy has no sums of no segments

    # Agent i of cycle k is the number k * agents + i, so that all cycles are held against their transactions at once.
    agents_count, rows = len(record.agent_days.opening_balances), cycles.transactions
    amounts, positions = record.transactions.amounts[rows], cycles.net_positions
    assert _all_within(cycles.agents, agents_count), "cycles are among the agents"
    listed = np.repeat(seqs, np.diff(cycles.agent_offsets)) * agents_count + cycles.agents
    ends = np.concatenate([record.transactions.senders[rows], record.transactions.receivers[rows]])
    endpoints, places = np.unique(np.tile(cycle_of_transaction, 2) * agents_count + ends, return_inverse=True)
    order = np.argsort(listed)
    assert np.array_equal(listed[order], endpoints), "agents are the endpoints of the transactions, each once"
    assert (_combined(np.add, positions, cycles.agent_offsets) == 0).all(), "what some lose others gain"
    moved = sums_by_group(places, np.concatenate([-amounts, amounts]), len(endpoints))
    assert (positions[order] == moved).all(), "net positions are what the transactions move"
    gross = _combined(np.add, amounts, cycles.transaction_offsets)
    assert (cycles.total_values == gross).all(), "the gross value is the sum of the amounts"
    smallest = _combined(np.minimum, amounts, cycles.transaction_offsets)
    assert (cycles.min_amounts == smallest).all(), "the smallest amount is one of them"
    assert (cycles.settled_values <= cycles.total_values).all(), "the net value is at most the gross"
    net = _combined(np.add, np.maximum(-positions, 0), cycles.agent_offsets)
    assert (cycles.settled_values == net).all(), "the net value is the liquidity that moves"


def _check_lsm_runs(record: DayRecord) -> None:
    runs, settlements = record.lsm_runs, record.settlements
    settled = runs.settled_transactions + runs.retry_settled
    assert (runs.queue_sizes_before - runs.queue_sizes_after == settled).all(), "what leaves the queue settles"
    value = runs.total_values + runs.retry_values
    assert (runs.queue_values_before - runs.queue_values_after == value).all(), "value that leaves the queue settles"
    cycles = runs.bilateral_cycles + runs.ring_cycles + runs.gridlock_cycles
    assert int(cycles.sum()) == len(record.lsm_cycles.ticks), "every cycle is of a run"
    by_lsm = np.count_nonzero(settlements.cycle_seqs >= 0)
    assert int(runs.settled_transactions.sum()) == by_lsm, "every transaction of a cycle is of a run"


def _combined(combine: np.ufunc, values: Array, offsets: Array) -> Array:
    """Values combined within each segment offsets[k]:offsets[k + 1], none of which is empty."""
    combined: Array = combine.reduceat(values, offsets[:-1])
    return combined


def _ascends(numbers: Array) -> bool:
    return bool((numbers[1:] >= numbers[:-1]).all())


def _all_within(places: Array, count: int) -> bool:
    """Whether all are among 0..count-1: numpy would take a negative one from the end."""
    return not len(places) or bool(places.min() >= 0 and places.max() < count)
