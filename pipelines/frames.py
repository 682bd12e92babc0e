"""Day records become typed frames: the only place where the engine's arrays meet the tables' columns.

A table is made at once for all members of a day: their arrays are laid end to end, and agents and transactions are
numbered through all members. What is done in Python is done per member, never per row.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.contracts import schema_of
from pipelines.runs import Member
from sim_engine import DayRecord, __version__
from sim_engine.behaviour import Policy
from sim_engine.sums import sums_by_group
from sim_engine.vocabulary import (
    COLLATERAL_ACTIONS,
    COLLATERAL_REASONS,
    CYCLE_TYPES,
    HIT_LIMITS,
    MECHANISMS,
    NONE,
    OUTCOMES,
    POLICY,
    PRIORITIES,
    WAIT_REASONS,
)

Columns = dict[str, Any]
Array = np.ndarray


class PolicyTexts(NamedTuple):
    """A policy as tables tell of it: columns of `policy_snapshots`."""

    name: str
    parameters: str
    policy_hash: str


class MembersDay:
    """A day of a run's members, laid end to end.

    agents, transactions: names of all members' agents and transactions, members in order.
    senders, receivers: rows of agents, and amounts, minor units: of each transaction, int64.
    """

    def __init__(self, day_of_members: Iterable[tuple[Member, DayRecord]]) -> None:
        members_with_records = list(day_of_members)
        self.members = [member for member, _ in members_with_records]
        self.records = [record for _, record in members_with_records]
        self.agents_of_members = [len(member.scenario.stated.agents) for member in self.members]
        self.agents = pl.Series(
            [agent.id for member in self.members for agent in member.scenario.stated.agents], dtype=pl.String
        )
        self.transactions = _end_to_end([record.transactions.ids.arrow for record in self.records])
        self._first_agents = _starts(self.agents_of_members)
        self._first_transactions = _starts([len(record.transactions.ids) for record in self.records])
        self.senders = self.agent_rows(lambda record: record.transactions.senders)
        self.receivers = self.agent_rows(lambda record: record.transactions.receivers)
        self.amounts = self.stacked(lambda record: record.transactions.amounts)

    def stacked(self, pick: Callable[[DayRecord], Array], dtype: type = np.int64) -> Array:
        """An array of every record, end to end."""
        return np.concatenate([np.empty(0, dtype), *(pick(record) for record in self.records)], dtype=dtype)

    def each(self, pick: Callable[[DayRecord], Array], values: Array) -> Array:
        """A value per member, repeated for each item that pick gives of its record."""
        return np.repeat(values, _numbers([len(pick(record)) for record in self.records]))

    def agent_rows(self, pick: Callable[[DayRecord], Array]) -> Array:
        """Agents that records name by their index: their rows in agents."""
        rows: Array = self.stacked(pick) + self.each(pick, self._first_agents)
        return rows

    def transaction_rows(self, pick: Callable[[DayRecord], Array]) -> Array:
        """Transactions that records name by their row: their rows in transactions."""
        rows: Array = self.stacked(pick) + self.each(pick, self._first_transactions)
        return rows

    def arrived_rows(self) -> Array:
        """Rows in transactions of those that arrived on this day: all but those carried in, which stand first."""
        is_arrived = np.ones(len(self.transactions), bool)
        for first, record in zip(self._first_transactions, self.records, strict=True):
            is_arrived[first : first + record.transactions.carried] = False
        return np.flatnonzero(is_arrived)

    @cached_property
    def policies(self) -> list[PolicyTexts]:
        """What is told of the policies in force on this day, aligned with agents."""
        return [
            _texts_of(agent.policy_on(record.day))
            for member, record in zip(self.members, self.records, strict=True)
            for agent in member.scenario.stated.agents
        ]

    def stem(self, heights: Sequence[int]) -> Columns:
        """The columns that every table starts with, heights being the number of rows of each member."""
        names = pl.Series([member.simulation_id for member in self.members], dtype=pl.String)
        return {
            "simulation_id": _gathered(names, np.repeat(np.arange(len(heights)), heights)),
            "day": np.repeat(_numbers([record.day for record in self.records]), heights),
        }


def frame_of(table: str, day: MembersDay) -> pl.DataFrame:
    """The typed frame of a raw table for a day of a run, its members' rows in their order; not validated yet."""
    columns, schema = _COLUMNS_OF[table](day), schema_of(table)
    assert list(columns) == schema.names(), f"{table}: {list(columns)}"
    return pl.DataFrame({name: pl.Series(name, values) for name, values in columns.items()}).cast(schema)


def _simulations(day: MembersDay) -> Columns:
    scenarios = [member.scenario for member in day.members]
    return day.stem([1] * len(scenarios)) | {
        "run_id": _texts([member.run_id for member in day.members]),
        "scenario": _texts([scenario.stated.name for scenario in scenarios]),
        "scenario_hash": _texts([scenario.scenario_hash for scenario in scenarios]),
        "arm": _texts([member.arm for member in day.members]),
        "baseline_arm": _texts([member.baseline_arm for member in day.members]),
        "rng_seed": _numbers([scenario.stated.rng_seed for scenario in scenarios]),
        "ticks_per_day": _numbers([scenario.stated.ticks_per_day for scenario in scenarios]),
        "num_days": _numbers([scenario.stated.num_days for scenario in scenarios]),
        "num_agents": _numbers(day.agents_of_members),
        "engine_version": _texts([__version__] * len(scenarios)),
        "config": _texts([scenario.config for scenario in scenarios]),
    }


def _agents(day: MembersDay) -> Columns:
    stated = [agent for member in day.members for agent in member.scenario.stated.agents]
    return day.stem(day.agents_of_members) | {
        "agent": day.agents,
        "agent_index": _places(day.agents_of_members),
        "opening_balance": day.stacked(lambda record: record.agent_days.opening_balances),
        "credit_limit": _numbers([agent.credit_limit for agent in stated]),
        "posted_collateral": day.stacked(lambda record: record.agent_days.opening_collateral),
        "haircut_bp": _numbers([agent.haircut_bp for agent in stated]),
        "policy": _texts([policy.name for policy in day.policies]),
    }


def _arrivals(day: MembersDay) -> Columns:
    rows = day.arrived_rows()
    heights = [len(record.transactions.ids) - record.transactions.carried for record in day.records]

    def arrived(column: str, dtype: type = np.int64) -> Array:
        return day.stacked(lambda record: getattr(record.transactions, column)[record.transactions.carried :], dtype)

    return day.stem(heights) | {
        "transaction": _gathered(day.transactions, rows),
        "sender": _gathered(day.agents, day.senders[rows]),
        "receiver": _gathered(day.agents, day.receivers[rows]),
        "amount": day.amounts[rows],
        "priority": _words(PRIORITIES, arrived("priorities", np.int8)),
        "arrival_tick": arrived("arrival_ticks"),
        "arrival_seq": arrived("arrival_seqs"),
        "deadline_tick": _nullable(arrived("deadline_ticks")),
        "parent": pl.repeat(None, len(rows), dtype=pl.String, eager=True),
    }


def _settlements(day: MembersDay) -> Columns:
    def settled(column: str, dtype: type = np.int64) -> Array:
        return day.stacked(lambda record: getattr(record.settlements, column), dtype)

    return day.stem([len(record.settlements.transactions) for record in day.records]) | {
        "transaction": _gathered(
            day.transactions, day.transaction_rows(lambda record: record.settlements.transactions)
        ),
        "tick": settled("ticks"),
        "settlement_seq": settled("seqs"),
        "mechanism": _words(MECHANISMS, settled("mechanisms", np.int8)),
        "entry_tick": settled("entry_ticks"),
        "entry_seq": settled("entry_seqs"),
        "lsm_pass": _nullable(settled("lsm_passes")),
        "cycle_seq": _nullable(settled("cycle_seqs")),
        "wait_reason": _words(WAIT_REASONS, settled("wait_reasons", np.int8)),
    }


def _lsm_cycles(day: MembersDay) -> Columns:
    def cycles(column: str, dtype: type = np.int64) -> Array:
        return day.stacked(lambda record: getattr(record.lsm_cycles, column), dtype)

    heights = [len(record.lsm_cycles.ticks) for record in day.records]
    lengths = day.stacked(lambda record: np.diff(record.lsm_cycles.agent_offsets))
    sizes = day.stacked(lambda record: np.diff(record.lsm_cycles.transaction_offsets))
    agents = day.agent_rows(lambda record: record.lsm_cycles.agents)
    transactions = day.transaction_rows(lambda record: record.lsm_cycles.transactions)
    return day.stem(heights) | {
        "cycle_seq": _places(heights),
        "tick": cycles("ticks"),
        "lsm_pass": cycles("lsm_passes"),
        "mechanism": _words(MECHANISMS, cycles("mechanisms", np.int8)),
        "cycle_type": _words(CYCLE_TYPES, (lengths > 2).astype(np.int8)),
        "cycle_length": lengths,
        "agents": _lists(lengths, _gathered(day.agents, agents)),
        "transactions": _lists(sizes, _gathered(day.transactions, transactions)),
        "amounts": _lists(sizes, pl.Series(day.amounts[transactions])),
        "net_positions": _lists(lengths, pl.Series(cycles("net_positions"))),
        "min_amount": cycles("min_amounts"),
        "settled_value": cycles("settled_values"),
        "total_value": cycles("total_values"),
    }


def _lsm_runs(day: MembersDay) -> Columns:
    def runs(column: str, dtype: type = np.int64) -> Array:
        return day.stacked(lambda record: getattr(record.lsm_runs, column), dtype)

    heights = [len(record.lsm_runs.ticks) for record in day.records]
    return day.stem(heights) | {
        "tick": runs("ticks"),
        "passes": runs("passes"),
        "bilateral_cycles": runs("bilateral_cycles"),
        "ring_cycles": runs("ring_cycles"),
        "gridlock_cycles": runs("gridlock_cycles"),
        "settled_transactions": runs("settled_transactions"),
        "total_value": runs("total_values"),
        "settled_value": runs("settled_values"),
        "retry_settled": runs("retry_settled"),
        "retry_value": runs("retry_values"),
        "queue_size_before": runs("queue_sizes_before"),
        "queue_size_after": runs("queue_sizes_after"),
        "queue_value_before": runs("queue_values_before"),
        "queue_value_after": runs("queue_values_after"),
        "value_bound": pl.repeat(None, sum(heights), dtype=pl.Int64, eager=True),
        "hit_limit": _words(HIT_LIMITS, runs("hit_limits", np.int8)),
    }


def _ticks(day: MembersDay) -> Columns:
    heights = [member.scenario.stated.ticks_per_day for member in day.members]
    # A tick's row is its number less that of its day's first tick, after the rows of the members before.
    before_rows = _numbers([record.day for record in day.records]) * _numbers(heights) - _starts(heights)

    def ends(column: str) -> Array:
        return day.stacked(lambda record: getattr(record.tick_ends, column))

    def rows_of(pick: Callable[[DayRecord], Array]) -> Array:
        rows: Array = day.stacked(pick) - day.each(pick, before_rows)
        return rows

    count = sum(heights)
    arrived = rows_of(lambda record: record.transactions.arrival_ticks[record.transactions.carried :])
    settled = rows_of(lambda record: record.settlements.ticks)
    settled += day.stacked(lambda record: record.settlements.mechanisms) * count  # a block of rows per mechanism
    settled_amounts = day.amounts[day.transaction_rows(lambda record: record.settlements.transactions)]
    numbers = _counts(settled, count * len(MECHANISMS)).reshape(len(MECHANISMS), count)
    values = sums_by_group(settled, settled_amounts, count * len(MECHANISMS)).reshape(len(MECHANISMS), count)
    columns = day.stem(heights) | {
        "tick": np.arange(count) + np.repeat(before_rows, heights),
        "arrivals": _counts(arrived, count),
        "arrival_value": sums_by_group(arrived, day.amounts[day.arrived_rows()], count),
    }
    for code, mechanism in enumerate(MECHANISMS):
        columns |= {f"settled_{mechanism}": numbers[code], f"settled_value_{mechanism}": values[code]}
    return columns | {
        "queue1_size": ends("queue1_sizes"),
        "queue1_value": ends("queue1_values"),
        "queue2_size": ends("queue2_sizes"),
        "queue2_value": ends("queue2_values"),
        "intraday_credit_used": ends("intraday_credit_used"),
    }


def _agent_days(day: MembersDay) -> Columns:
    def days(column: str) -> Array:
        return day.stacked(lambda record: getattr(record.agent_days, column))

    count = len(day.agents)
    arrived = day.arrived_rows()
    settled = day.transaction_rows(lambda record: record.settlements.transactions)
    by_lsm = day.stacked(lambda record: record.settlements.cycle_seqs) != NONE
    queued_senders = day.senders[day.transaction_rows(lambda record: record.queued_at_end.transactions)]
    queues = day.stacked(lambda record: record.queued_at_end.queues)
    return day.stem(day.agents_of_members) | {
        "agent": day.agents,
        "opening_balance": days("opening_balances"),
        "closing_balance": days("closing_balances"),
        "min_balance": days("min_balances"),
        "max_balance": days("max_balances"),
        # Net debit since the opening is the opening balance less the balance: settlements alone move money.
        "peak_net_debit": days("opening_balances") - days("min_balances"),
        "arrivals": _counts(day.senders[arrived], count),
        "arrival_value": sums_by_group(day.senders[arrived], day.amounts[arrived], count),
        "sent": _counts(day.senders[settled], count),
        "sent_value": sums_by_group(day.senders[settled], day.amounts[settled], count),
        "received": _counts(day.receivers[settled], count),
        "received_value": sums_by_group(day.receivers[settled], day.amounts[settled], count),
        "lsm_releases": _counts(day.senders[settled[by_lsm]], count),
        "queue1_size_max": days("queue1_sizes_max"),
        "queue2_size_max": days("queue2_sizes_max"),
        "queue1_size_end": _counts(queued_senders[queues == 1], count),
        "queue2_size_end": _counts(queued_senders[queues == 2], count),
        "cost_overdraft": day.stacked(lambda record: record.agent_costs.overdraft),
        "cost_delay": day.stacked(lambda record: record.agent_costs.delay),
        "cost_overdue": day.stacked(lambda record: record.agent_costs.overdue),
        "cost_collateral": day.stacked(lambda record: record.agent_costs.collateral),
        "cost_unsettled": day.stacked(lambda record: record.agent_costs.unsettled),
    }


def _queue_snapshots(day: MembersDay) -> Columns:
    def queued(column: str, dtype: type = np.int64) -> Array:
        return day.stacked(lambda record: getattr(record.queued_at_end, column), dtype)

    rows = day.transaction_rows(lambda record: record.queued_at_end.transactions)
    queues = queued("queues")
    return day.stem([len(record.queued_at_end.transactions) for record in day.records]) | {
        "agent": _gathered(day.agents, day.senders[rows]),
        "queue": queues,
        "position": queued("positions"),
        "transaction": _gathered(day.transactions, rows),
        "entry_tick": _nullable(queued("entry_ticks")),
        "entry_seq": _nullable(queued("entry_seqs")),
        "outcome": _words(OUTCOMES, queued("outcomes", np.int8)),
        "wait_reason": _words(WAIT_REASONS, np.where(queues == 1, POLICY, queued("wait_reasons", np.int8))),
    }


def _policy_snapshots(day: MembersDay) -> Columns:
    return day.stem(day.agents_of_members) | {
        "agent": day.agents,
        "policy": _texts([policy.name for policy in day.policies]),
        "parameters": _texts([policy.parameters for policy in day.policies]),
        "policy_hash": _texts([policy.policy_hash for policy in day.policies]),
    }


def _collateral_events(day: MembersDay) -> Columns:
    def events(column: str, dtype: type = np.int64) -> Array:
        return day.stacked(lambda record: getattr(record.collateral_events, column), dtype)

    heights = [len(record.collateral_events.ticks) for record in day.records]
    before, after = events("posted_before"), events("posted_after")
    return day.stem(heights) | {
        "event_seq": _places(heights),
        "agent": _gathered(day.agents, day.agent_rows(lambda record: record.collateral_events.agents)),
        "tick": events("ticks"),
        "action": _words(COLLATERAL_ACTIONS, events("actions", np.int8)),
        "amount": np.abs(after - before),
        "posted_before": before,
        "posted_after": after,
        "reason": _words(COLLATERAL_REASONS, events("reasons", np.int8)),
    }


_COLUMNS_OF: dict[str, Callable[[MembersDay], Columns]] = {
    "simulations": _simulations,
    "agents": _agents,
    "arrivals": _arrivals,
    "settlements": _settlements,
    "lsm_cycles": _lsm_cycles,
    "lsm_runs": _lsm_runs,
    "ticks": _ticks,
    "agent_days": _agent_days,
    "queue_snapshots": _queue_snapshots,
    "policy_snapshots": _policy_snapshots,
    "collateral_events": _collateral_events,
}


@cache
def _texts_of(policy: Policy) -> PolicyTexts:
    parameters = json.dumps(
        policy.rules.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    digest = hashlib.sha256(f"{policy.name}\n{parameters}".encode()).hexdigest()
    return PolicyTexts(policy.name, parameters, digest)


def _texts(texts: Sequence[str | None]) -> pl.Series:
    return pl.Series(texts, dtype=pl.String)


def _numbers(numbers: Sequence[int]) -> Array:
    return np.array(numbers, np.int64)


def _end_to_end(names: Sequence[pa.LargeStringArray]) -> pl.Series:
    """Names of several members as one series."""
    series = pl.from_arrow(pa.chunked_array(names, pa.large_string()))
    assert isinstance(series, pl.Series)
    return series


def _starts(counts: Sequence[int]) -> Array:
    """Where each member's items start when they are laid end to end."""
    return np.cumsum([0, *counts], dtype=np.int64)[:-1]


def _places(counts: Sequence[int]) -> Array:
    """The place of each item among those of its member, from 0."""
    places: Array = np.arange(sum(counts)) - np.repeat(_starts(counts), counts)
    return places


def _gathered(names: pl.Series, rows: Array) -> pl.Series:
    return names.gather(pl.Series(rows.astype(np.uint32)))  # polars' own type of index: it gathers without a copy


def _words(vocabulary: tuple[str, ...], codes: Array) -> pl.Series:
    """Codes spelled out; -1 becomes null."""
    return _gathered(_texts([*vocabulary, None]), np.where(codes == NONE, len(vocabulary), codes))


def _nullable(numbers: Array) -> pl.Series:
    """Numbers with null for -1."""
    series = pl.Series(numbers)
    return series.set(series == NONE, None)


def _counts(groups: Array, count: int) -> Array:
    """Number of items in each group 0..count-1."""
    return np.bincount(groups, minlength=count)


def _lists(lengths: Array, values: pl.Series) -> pl.Series:
    """Flat values as a list column; list k holds the next lengths[k] of them."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64())
    flat = values.to_arrow(compat_level=pl.CompatLevel.newest())  # strings as views, which polars shares
    series = pl.from_arrow(pa.LargeListArray.from_arrays(offsets, flat))
    assert isinstance(series, pl.Series)
    return series
