"""Laws that hold on every run (SPEC 5), asserted where a day is made."""

import numpy as np

from sim_engine.records import DayRecord
from sim_engine.scenario import Scenario, credit_capacity
from sim_engine.state import SystemState
from sim_engine.vocabulary import LSM_MECHANISMS, MECHANISMS

_BY_LSM = [MECHANISMS.index(mechanism) for mechanism in LSM_MECHANISMS]


def check_laws(scenario: Scenario, opening: SystemState, record: DayRecord, closing: SystemState) -> None:
    """Raises AssertionError if the day broke a law: the engine is wrong, not its user."""
    _check_money(scenario, opening, record, closing)
    _check_settlements(record)
    _check_cycles(record)
    _check_lsm_runs(record)


def _check_money(scenario: Scenario, opening: SystemState, record: DayRecord, closing: SystemState) -> None:
    agents = scenario.stated.agents
    rows, transactions = record.settlements.transactions, record.transactions
    moved = np.zeros(len(agents), np.int64)
    np.subtract.at(moved, transactions.senders[rows], transactions.amounts[rows])
    np.add.at(moved, transactions.receivers[rows], transactions.amounts[rows])
    days = record.agent_days
    assert opening.balances == tuple(days.opening_balances.tolist()), "a day opens as the one before closed"
    assert closing.balances == tuple(days.closing_balances.tolist())
    assert (days.opening_balances + moved == days.closing_balances).all(), "money moves by settlements alone"
    assert sum(opening.balances) == sum(closing.balances), "money is conserved"
    for agent, posted, balance in zip(agents, opening.posted_collateral, days.min_balances.tolist(), strict=True):
        capacity = credit_capacity(agent.credit_limit, posted, agent.haircut_bp)
        assert balance + capacity >= 0, f"available liquidity of {agent.id} was negative"
    assert (days.min_balances <= np.minimum(days.opening_balances, days.closing_balances)).all()
    assert (days.max_balances >= np.maximum(days.opening_balances, days.closing_balances)).all()


def _check_settlements(record: DayRecord) -> None:
    settlements = record.settlements
    outstanding = np.concatenate([settlements.transactions, record.queued_at_end.transactions])
    assert (np.sort(outstanding) == np.arange(len(record.transactions.ids))).all(), (
        "each outstanding transaction settles once or is queued at the end"
    )
    assert (np.diff(settlements.seqs) >= 0).all() and (np.diff(settlements.ticks) >= 0).all()
    assert (settlements.entry_ticks <= settlements.ticks).all()
    by_lsm = np.isin(settlements.mechanisms, _BY_LSM)
    assert (by_lsm == (settlements.cycle_seqs >= 0)).all() and (by_lsm == (settlements.lsm_passes >= 0)).all()


def _check_cycles(record: DayRecord) -> None:
    cycles, settlements = record.lsm_cycles, record.settlements
    cycle_of_row = np.full(len(record.transactions.ids), -1, np.int64)
    cycle_of_row[settlements.transactions] = settlements.cycle_seqs
    lengths = np.diff(cycles.transaction_offsets)
    stated = np.repeat(np.arange(len(lengths)), lengths)
    assert (cycle_of_row[cycles.transactions] == stated).all(), "a cycle's transactions settled by it"
    assert len(cycles.transactions) == int((settlements.cycle_seqs >= 0).sum()), "and the other way round"

    for seq in range(len(cycles.ticks)):
        agents = cycles.agents[cycles.agent_offsets[seq] : cycles.agent_offsets[seq + 1]].tolist()
        positions = cycles.net_positions[cycles.agent_offsets[seq] : cycles.agent_offsets[seq + 1]].tolist()
        rows = cycles.transactions[cycles.transaction_offsets[seq] : cycles.transaction_offsets[seq + 1]]
        amounts = record.transactions.amounts[rows].tolist()
        recomputed = dict.fromkeys(agents, 0)
        ends = zip(
            record.transactions.senders[rows].tolist(), record.transactions.receivers[rows].tolist(), strict=True
        )
        for (sender, receiver), amount in zip(ends, amounts, strict=True):
            recomputed[sender] -= amount
            recomputed[receiver] += amount
        assert len(recomputed) == len(agents), "agents are the endpoints of the transactions, each once"
        assert list(recomputed.values()) == positions and sum(positions) == 0
        assert sum(amounts) == cycles.total_values[seq] and min(amounts) == cycles.min_amounts[seq]
        assert (
            sum(max(0, -position) for position in positions) == cycles.settled_values[seq] <= cycles.total_values[seq]
        )


def _check_lsm_runs(record: DayRecord) -> None:
    runs, settlements = record.lsm_runs, record.settlements
    settled = runs.settled_transactions + runs.retry_settled
    assert (runs.queue_sizes_before - runs.queue_sizes_after == settled).all()
    assert (runs.queue_values_before - runs.queue_values_after == runs.total_values + runs.retry_values).all()
    cycles = runs.bilateral_cycles + runs.ring_cycles + runs.gridlock_cycles
    assert int(cycles.sum()) == len(record.lsm_cycles.ticks)
    assert int(runs.settled_transactions.sum()) == int((settlements.cycle_seqs >= 0).sum())
