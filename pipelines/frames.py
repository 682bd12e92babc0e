"""Day records become typed frames: the only place where the engine's arrays meet the tables' columns."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.contracts import CONTRACTS, schema_of
from pipelines.runs import Member
from sim_engine import DayRecord, __version__
from sim_engine.vocabulary import CYCLE_TYPES, HIT_LIMITS, MECHANISMS, NONE, OUTCOMES, PRIORITIES, WAIT_REASONS

Columns = dict[str, Any]


def frames_of_day(day_of_members: Iterable[tuple[Member, DayRecord]]) -> dict[str, pl.DataFrame]:
    """One typed frame per raw table for a day of a run, its members' rows in the order given.

    The frames have the columns of their contracts and are not validated yet.
    """
    parts: dict[str, list[pl.DataFrame]] = {table: [] for table in CONTRACTS}
    for member, record in day_of_members:
        for table, columns in _columns_of_day(member, record).items():
            parts[table].append(_frame(table, member, record, columns))
    return {
        table: pl.concat(frames, rechunk=True) if frames else pl.DataFrame(schema=schema_of(table))
        for table, frames in parts.items()
    }


def _frame(table: str, member: Member, record: DayRecord, columns: Columns) -> pl.DataFrame:
    schema = schema_of(table)
    height = max((len(column) for column in columns.values()), default=1)
    stem: Columns = {
        "simulation_id": pl.repeat(member.simulation_id, height, eager=True),
        "day": pl.repeat(record.day, height, dtype=pl.Int64, eager=True),
    }
    assert [*stem, *columns] == schema.names(), f"{table}: {list(columns)}"
    return pl.DataFrame({name: pl.Series(name, values) for name, values in (stem | columns).items()}).cast(schema)


def _columns_of_day(member: Member, record: DayRecord) -> dict[str, Columns]:
    agents = pl.Series("agent", member.scenario.agent_ids, pl.String)
    transactions = pl.Series("transaction", record.transactions.ids, pl.String)
    return {
        "simulations": _simulations(member),
        "agents": _agents(member, record, agents),
        "arrivals": _arrivals(record, agents, transactions),
        "settlements": _settlements(record, transactions),
        "lsm_cycles": _lsm_cycles(record, agents, transactions),
        "lsm_runs": _lsm_runs(record),
        "ticks": _ticks(member, record),
        "agent_days": _agent_days(record, agents),
        "queue_snapshots": _queue_snapshots(record, agents, transactions),
        "policy_snapshots": _policy_snapshots(member, agents),
    }


def _simulations(member: Member) -> Columns:
    scenario = member.scenario
    return {
        "run_id": [member.run_id],
        "scenario": [scenario.stated.name],
        "scenario_hash": [scenario.scenario_hash],
        "arm": [member.arm],
        "rng_seed": [scenario.stated.rng_seed],
        "ticks_per_day": [scenario.stated.ticks_per_day],
        "num_days": [scenario.stated.num_days],
        "num_agents": [len(scenario.agent_ids)],
        "engine_version": [__version__],
        "config": [scenario.config],
    }


def _agents(member: Member, record: DayRecord, agents: pl.Series) -> Columns:
    stated = member.scenario.stated.agents
    return {
        "agent": agents,
        "agent_index": np.arange(len(stated)),
        "opening_balance": record.agent_days.opening_balances,
        "credit_limit": [agent.credit_limit for agent in stated],
        "posted_collateral": record.agent_days.opening_collateral,
        "haircut_bp": [agent.haircut_bp for agent in stated],
        "policy": [agent.policy for agent in stated],
    }


def _arrivals(record: DayRecord, agents: pl.Series, transactions: pl.Series) -> Columns:
    arrived = record.transactions
    first = arrived.carried
    return {
        "transaction": transactions[first:],
        "sender": agents.gather(arrived.senders[first:]),
        "receiver": agents.gather(arrived.receivers[first:]),
        "amount": arrived.amounts[first:],
        "priority": _words(PRIORITIES, arrived.priorities[first:]),
        "arrival_tick": arrived.arrival_ticks[first:],
        "arrival_seq": arrived.arrival_seqs[first:],
        "deadline_tick": _nullable(arrived.deadline_ticks[first:]),
        "parent": pl.repeat(None, len(transactions) - first, dtype=pl.String, eager=True),
    }


def _settlements(record: DayRecord, transactions: pl.Series) -> Columns:
    settled = record.settlements
    return {
        "transaction": transactions.gather(settled.transactions),
        "tick": settled.ticks,
        "settlement_seq": settled.seqs,
        "mechanism": _words(MECHANISMS, settled.mechanisms),
        "entry_tick": settled.entry_ticks,
        "entry_seq": settled.entry_seqs,
        "lsm_pass": _nullable(settled.lsm_passes),
        "cycle_seq": _nullable(settled.cycle_seqs),
        "wait_reason": _words(WAIT_REASONS, settled.wait_reasons),
    }


def _lsm_cycles(record: DayRecord, agents: pl.Series, transactions: pl.Series) -> Columns:
    cycles = record.lsm_cycles
    lengths = np.diff(cycles.agent_offsets)
    return {
        "cycle_seq": np.arange(len(lengths)),
        "tick": cycles.ticks,
        "lsm_pass": cycles.lsm_passes,
        "mechanism": _words(MECHANISMS, cycles.mechanisms),
        "cycle_type": _words(CYCLE_TYPES, (lengths > 2).astype(np.int8)),
        "cycle_length": lengths,
        "agents": _lists(cycles.agent_offsets, agents.gather(cycles.agents)),
        "transactions": _lists(cycles.transaction_offsets, transactions.gather(cycles.transactions)),
        "amounts": _lists(cycles.transaction_offsets, pl.Series(record.transactions.amounts[cycles.transactions])),
        "net_positions": _lists(cycles.agent_offsets, pl.Series(cycles.net_positions)),
        "min_amount": cycles.min_amounts,
        "settled_value": cycles.settled_values,
        "total_value": cycles.total_values,
    }


def _lsm_runs(record: DayRecord) -> Columns:
    runs = record.lsm_runs
    return {
        "tick": runs.ticks,
        "passes": runs.passes,
        "bilateral_cycles": runs.bilateral_cycles,
        "ring_cycles": runs.ring_cycles,
        "gridlock_cycles": runs.gridlock_cycles,
        "settled_transactions": runs.settled_transactions,
        "total_value": runs.total_values,
        "settled_value": runs.settled_values,
        "retry_settled": runs.retry_settled,
        "retry_value": runs.retry_values,
        "queue_size_before": runs.queue_sizes_before,
        "queue_size_after": runs.queue_sizes_after,
        "queue_value_before": runs.queue_values_before,
        "queue_value_after": runs.queue_values_after,
        "value_bound": pl.repeat(None, len(runs.ticks), dtype=pl.Int64, eager=True),
        "hit_limit": _words(HIT_LIMITS, runs.hit_limits),
    }


def _ticks(member: Member, record: DayRecord) -> Columns:
    ticks_per_day = member.scenario.stated.ticks_per_day
    first_tick = record.day * ticks_per_day
    arrived, settled, ends = record.transactions, record.settlements, record.tick_ends
    arrival_ticks = arrived.arrival_ticks[arrived.carried :] - first_tick
    columns: Columns = {
        "tick": first_tick + np.arange(ticks_per_day),
        "arrivals": np.bincount(arrival_ticks, minlength=ticks_per_day),
        "arrival_value": _sums(arrival_ticks, arrived.amounts[arrived.carried :], ticks_per_day),
    }
    for code, mechanism in enumerate(MECHANISMS):
        chosen = settled.mechanisms == code
        ticks = settled.ticks[chosen] - first_tick
        columns[f"settled_{mechanism}"] = np.bincount(ticks, minlength=ticks_per_day)
        columns[f"settled_value_{mechanism}"] = _sums(
            ticks, arrived.amounts[settled.transactions[chosen]], ticks_per_day
        )
    return columns | {
        "queue1_size": ends.queue1_sizes,
        "queue1_value": ends.queue1_values,
        "queue2_size": ends.queue2_sizes,
        "queue2_value": ends.queue2_values,
        "intraday_credit_used": ends.intraday_credit_used,
    }


def _agent_days(record: DayRecord, agents: pl.Series) -> Columns:
    arrived, settled, queued, days = record.transactions, record.settlements, record.queued_at_end, record.agent_days
    count = len(agents)
    to_send, amounts = arrived.senders[arrived.carried :], arrived.amounts[arrived.carried :]
    senders, receivers = arrived.senders[settled.transactions], arrived.receivers[settled.transactions]
    settled_amounts = arrived.amounts[settled.transactions]
    queued_senders = arrived.senders[queued.transactions]
    return {
        "agent": agents,
        "opening_balance": days.opening_balances,
        "closing_balance": days.closing_balances,
        "min_balance": days.min_balances,
        "max_balance": days.max_balances,
        # Net debit since the opening is the opening balance less the balance: settlements alone move money.
        "peak_net_debit": days.opening_balances - days.min_balances,
        "arrivals": np.bincount(to_send, minlength=count),
        "arrival_value": _sums(to_send, amounts, count),
        "sent": np.bincount(senders, minlength=count),
        "sent_value": _sums(senders, settled_amounts, count),
        "received": np.bincount(receivers, minlength=count),
        "received_value": _sums(receivers, settled_amounts, count),
        "lsm_releases": np.bincount(senders[settled.cycle_seqs != NONE], minlength=count),
        "queue1_size_max": days.queue1_sizes_max,
        "queue2_size_max": days.queue2_sizes_max,
        "queue1_size_end": np.bincount(queued_senders[queued.queues == 1], minlength=count),
        "queue2_size_end": np.bincount(queued_senders[queued.queues == 2], minlength=count),
    }


def _queue_snapshots(record: DayRecord, agents: pl.Series, transactions: pl.Series) -> Columns:
    queued = record.queued_at_end
    return {
        "agent": agents.gather(record.transactions.senders[queued.transactions]),
        "queue": queued.queues,
        "position": queued.positions,
        "transaction": transactions.gather(queued.transactions),
        "entry_tick": _nullable(queued.entry_ticks),
        "entry_seq": _nullable(queued.entry_seqs),
        "outcome": _words(OUTCOMES, queued.outcomes),
    }


def _policy_snapshots(member: Member, agents: pl.Series) -> Columns:
    policies = [agent.policy for agent in member.scenario.stated.agents]
    parameters = [json.dumps({}) for _ in policies]
    return {
        "agent": agents,
        "policy": policies,
        "parameters": parameters,
        "policy_hash": [
            hashlib.sha256(f"{policy}\n{stated}".encode()).hexdigest()
            for policy, stated in zip(policies, parameters, strict=True)
        ],
    }


def _words(vocabulary: tuple[str, ...], codes: np.ndarray) -> pl.Series:
    """Codes spelled out; -1 becomes null."""
    return pl.Series(vocabulary, dtype=pl.String).gather(_nullable(codes.astype(np.int64)))


def _nullable(numbers: np.ndarray) -> pl.Series:
    """Numbers with null for -1."""
    series = pl.Series(numbers)
    return series.set(series == NONE, None)


def _sums(groups: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Sum of the values of each group 0..count-1, in exact int64 (numpy's weighted bincount adds floats)."""
    sums = np.zeros(count, np.int64)
    np.add.at(sums, groups, values)
    return sums


def _lists(offsets: np.ndarray, values: pl.Series) -> pl.Series:
    """Flat values as a list column; list k holds values[offsets[k]:offsets[k + 1]]."""
    lists = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), values.to_arrow())
    series = pl.from_arrow(lists)
    assert isinstance(series, pl.Series)
    return series
