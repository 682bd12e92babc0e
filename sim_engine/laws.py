"""Laws that hold on every run (SPEC 5), asserted where a day is made."""

from collections.abc import Sequence
from typing import cast

import numpy as np

from sim_engine.records import Array, DayRecord
from sim_engine.scenario import Scenario, credit_capacities
from sim_engine.state import SystemState
from sim_engine.sums import sums_by_group
from sim_engine.vocabulary import BILATERAL, ENTRY_OFFSET, POSTED


def check_laws(scenario: Scenario, opening: SystemState, record: DayRecord, closing: SystemState) -> None:
    """Raises AssertionError if the day broke a law: the engine is wrong, not its user."""
    _check_rows(record)
    _check_collateral(scenario, opening, record, closing)
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
    capacities = _capacities(scenario, _largest_posted(opening, record))
    overdrawn = np.flatnonzero(days.min_balances < -capacities)
    assert not overdrawn.size, f"available liquidity is never negative, but that of {agents[overdrawn[0]].id} was"
    lowest_known = np.minimum(days.opening_balances, days.closing_balances)
    highest_known = np.maximum(days.opening_balances, days.closing_balances)
    assert (days.min_balances <= lowest_known).all(), "no balance is below the smallest"
    assert (days.max_balances >= highest_known).all(), "no balance is above the largest"


def _check_collateral(scenario: Scenario, opening: SystemState, record: DayRecord, closing: SystemState) -> None:
    events, days = record.collateral_events, record.agent_days
    assert opening.posted_collateral == tuple(days.opening_collateral.tolist()), "a day opens with what was posted"
    if not len(events.agents):
        assert closing.posted_collateral == opening.posted_collateral, "collateral changes by events alone"
        return
    assert _all_within(events.agents, len(days.opening_collateral)), "collateral is the agents'"
    assert _ascends(events.ticks), "changes of collateral stand in the order of their ticks"
    assert (events.posted_before != events.posted_after).all(), "a change of collateral changes it"
    assert (events.posted_after >= 0).all(), "posted collateral is never negative"
    is_more = events.posted_after > events.posted_before
    assert (is_more == (events.actions == POSTED)).all(), "what is posted adds, what is withdrawn takes away"

    order = np.argsort(events.agents, kind="stable")
    agents, before, after = events.agents[order], events.posted_before[order], events.posted_after[order]
    is_next = agents[1:] == agents[:-1]
    known = days.opening_collateral[agents]
    known[1:][is_next] = after[:-1][is_next]
    assert (before == known).all(), "each change of collateral starts from the one before"
    posted = days.opening_collateral.copy()
    is_last = np.append(~is_next, True)
    posted[agents[is_last]] = after[is_last]
    assert closing.posted_collateral == tuple(posted.tolist()), "collateral changes by events alone"
    capacities = _capacities(scenario, closing.posted_collateral)
    assert (days.closing_balances >= -capacities).all(), "nobody closes with more credit than is posted for"


def _largest_posted(opening: SystemState, record: DayRecord) -> Sequence[int]:
    """The most collateral that each agent had posted at any time of the day."""
    events = record.collateral_events
    if not len(events.agents):
        return opening.posted_collateral
    posted = record.agent_days.opening_collateral.copy()
    np.maximum.at(posted, events.agents, events.posted_after)
    return cast(list[int], posted.tolist())


def _capacities(scenario: Scenario, posted: Sequence[int]) -> Array:
    return np.array(credit_capacities(scenario.stated, posted), np.int64)


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
    is_offset = cycles.mechanisms == ENTRY_OFFSET
    assert (np.minimum(cycles.lsm_passes, 1) == ~is_offset).all(), "offsets on entry, and they alone, are of pass 0"
    assert (np.diff(cycles.agent_offsets)[is_offset] == 2).all(), "an offset on entry is between two"
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
    in_runs = np.count_nonzero(record.lsm_cycles.mechanisms != ENTRY_OFFSET)
    assert int(cycles.sum()) == in_runs, "every cycle but an offset on entry is of a run"
    by_runs = np.count_nonzero((settlements.mechanisms >= BILATERAL) & (settlements.mechanisms != ENTRY_OFFSET))
    assert int(runs.settled_transactions.sum()) == by_runs, "every transaction of such a cycle is of a run"


def _combined(combine: np.ufunc, values: Array, offsets: Array) -> Array:
    """Values combined within each segment offsets[k]:offsets[k + 1], none of which is empty."""
    combined: Array = combine.reduceat(values, offsets[:-1])
    return combined


def _ascends(numbers: Array) -> bool:
    return bool((numbers[1:] >= numbers[:-1]).all())


def _all_within(places: Array, count: int) -> bool:
    """Whether all are among 0..count-1: numpy would take a negative one from the end."""
    return not len(places) or bool(places.min() >= 0 and places.max() < count)
