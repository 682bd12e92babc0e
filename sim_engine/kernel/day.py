"""Between the engine's values and the kernel's arrays: a Work from what a day opens with, its record from that."""

import numpy as np

from sim_engine.costs import agent_costs
from sim_engine.kernel import layout
from sim_engine.kernel.behaviour import behaviour_of_day
from sim_engine.kernel.compiled import run_day_in_place
from sim_engine.kernel.layout import INFINITE, NIL, Work
from sim_engine.records import (
    AgentDays,
    CollateralEvents,
    DayRecord,
    LsmCycles,
    LsmRuns,
    QueuedAtEnd,
    Settlements,
    TickEnds,
    Transactions,
)
from sim_engine.scenario import Scenario, credit_capacities
from sim_engine.state import QueuedTransaction, SystemState
from sim_engine.vocabulary import CANCELLED, CARRIED, NONE

_PAIRS_MIN = 64
"""Size that the table of pairs starts with, a power of two."""


def settle_day(scenario: Scenario, opening: SystemState, transactions: Transactions) -> tuple[DayRecord, SystemState]:
    """Settles the transactions outstanding in a day: its record, and the state that the next day opens with."""
    work = work_of_day(scenario, opening, transactions)
    run_day_in_place(work)
    return record_of_day(scenario, opening, transactions, work)


def work_of_day(
    scenario: Scenario, opening: SystemState, transactions: Transactions, *, keeps_cycles: bool = True
) -> Work:
    """The arrays that the kernel runs the day on. They are untouched where the kernel writes before it reads."""
    stated = scenario.stated
    agents, rows, ticks = len(stated.agents), len(transactions.senders), stated.ticks_per_day
    sent = np.bincount(transactions.senders, minlength=agents)
    received = np.bincount(transactions.receivers, minlength=agents)
    assert max(rows, agents) < 1 << 30, "a slot and an agent take 30 bits beside a place in the queue"
    steps = stated.lsm.max_cycle_length + 1
    queue1, queue2 = ([waiting for waiting in opening.queued if waiting.queue == queue] for queue in (1, 2))
    row_of = {seq: row for row, seq in enumerate(transactions.arrival_seqs[: transactions.carried].tolist())}
    rows_of_queue1 = sorted(row_of[waiting.arrival_seq] for waiting in queue1)
    rows_of_queue2 = [row_of[waiting.arrival_seq] for waiting in queue2]
    behaviour = behaviour_of_day(scenario, opening, transactions, rows_of_queue1)
    pairs = min(rows + 2 * len(behaviour.limits), agents * (agents - 1))
    work = Work(
        rules=np.zeros(1, layout.Rules),
        counts=np.zeros(1, layout.Counts),
        phases=np.zeros(1, layout.Phases),
        first_row_by_tick=_first_row_by_tick(opening.day * ticks, ticks, transactions),
        senders=transactions.senders.view(np.uint32),
        receivers=transactions.receivers.view(np.uint32),
        amounts=transactions.amounts,
        priorities=transactions.priorities,
        carried=np.array(rows_of_queue1 + rows_of_queue2, np.uint32),
        agents=_accounts(scenario, opening),
        credit_agents=np.empty(agents, np.uint32),
        # A line grows when three quarters of it are taken: to 8/3 of what it holds at most, over parts twice that long.
        lines=np.empty(6 * rows + layout.ROOM_MIN * agents, layout.Waiting),
        slots=np.empty(rows, layout.Slot),
        pairs=np.empty(pairs, layout.Pair),
        pair_entries=np.zeros(2 * _table_size(pairs), layout.PairEntry),
        legs_out=np.empty(4 * int(np.minimum(sent, agents - 1).sum()) + layout.ROOM_MIN * agents, layout.Leg),
        legs_in=np.empty(4 * int(np.minimum(received, agents - 1).sum()) + layout.ROOM_MIN * agents, layout.Leg),
        both_ways=np.empty(pairs // 2 + 1, layout.BothWays),
        touched=np.zeros((agents + 63) // 64, np.uint64),
        gained=np.empty(agents, np.uint32),
        dirty=np.empty(agents, np.uint32),
        grew=np.empty(agents, np.uint32),
        heap=np.empty(2 * rows + agents, np.int64),
        positions=np.empty(agents, np.int64),
        cursors=np.empty(agents, np.uint32),
        stack=np.empty(rows + agents, np.uint32),
        groups=np.empty(agents, np.int64),
        offsets=np.empty(agents, np.int64),
        closings=np.zeros(agents, layout.Closing),
        search=np.zeros(1, layout.Search),
        sized=np.empty(agents, layout.Sized),
        closers=np.empty(agents, np.uint32),
        class_ends=np.empty(layout.SIZE_CLASSES, np.uint32),
        class_needed=np.empty(layout.SIZE_CLASSES, np.int64),
        admitted=np.empty(agents, np.uint32),
        options=np.empty(agents * steps, np.uint32),
        needs=np.zeros(agents * steps, layout.Need),
        reached=np.empty(2 * agents, np.uint32),
        path=np.empty(steps, layout.Step),
        entry_ticks=np.empty(rows, np.int32),
        entry_seqs=np.empty(rows, np.int64),
        wait_reasons=np.empty(rows, np.int8),
        cycles=np.empty(rows, layout.Cycle),
        cycle_agents=np.empty(2 * rows, np.int32),
        net_positions=np.empty(2 * rows, np.int64),
        behaviours=behaviour.behaviours,
        pair_limits=np.empty(behaviour.size(pairs), layout.PairLimit),
        limit_senders=behaviour.limit_senders,
        limit_receivers=behaviour.limit_receivers,
        limits=behaviour.limits,
        limit_pairs=np.empty(len(behaviour.limits), np.uint32),
        profiles=behaviour.profiles,
        due_rows=behaviour.due_rows,
        first_due_by_tick=behaviour.first_due_by_tick,
        due_at_once=behaviour.due_at_once,
        holding=np.empty(behaviour.size(agents), np.uint32),
        deciding=np.empty(behaviour.size(agents), np.uint32),
        keeping=behaviour.keeping,
        held=np.empty(behaviour.size(rows), layout.Held),
        at_once=np.empty(behaviour.size(rows), np.uint32),
        collateral=np.empty(_collateral_events_max(len(behaviour.keeping), ticks, rows), layout.Collateral),
        runs=np.zeros(ticks, layout.Run),
        tick_ends=np.zeros(ticks, layout.TickEnd),
        settled_rows=np.empty(rows, np.int32),
        settled_mechanisms=np.empty(rows, np.int8),
        settled_ticks=np.empty(rows, np.int32),
        settled_steps=np.empty(rows, np.int32),
        settled_passes=np.empty(rows, np.int32),
        settled_cycles=np.empty(rows, np.int32),
        settled_entry_ticks=np.empty(rows, np.int32),
        settled_entry_seqs=np.empty(rows, np.int64),
        settled_wait_reasons=np.empty(rows, np.int8),
    )
    work.entry_ticks[rows_of_queue2] = [waiting.entry_tick for waiting in queue2]
    work.entry_seqs[rows_of_queue2] = [waiting.entry_seq for waiting in queue2]
    work.wait_reasons[rows_of_queue2] = [waiting.wait_reason for waiting in queue2]
    if not scenario.is_plain:
        work.entry_ticks[rows_of_queue1] = NONE
        work.entry_ticks[transactions.carried :] = NONE
    has_credit = np.flatnonzero((work.agents["credit_capacity"] > 0) | behaviour.may_post)
    work.credit_agents[: len(has_credit)] = has_credit

    counts = work.counts
    counts["submitted"] = len(queue2)
    counts["pair_table"] = _PAIRS_MIN
    counts["credit_agents"] = len(has_credit)
    counts["keeping"] = len(behaviour.keeping)
    counts["free_slot"] = NIL
    rules = work.rules
    rules["first_tick"] = opening.day * ticks
    rules["ticks"] = ticks
    rules["is_plain"] = scenario.is_plain
    rules["is_fifo"] = stated.queue2.discipline == "fifo"
    rules["entry_only_queues"] = stated.queue2.entry == "queue"
    rules["entry_settles_urgent"] = stated.queue2.entry == "settle_urgent"
    rules["entry_offset"] = stated.lsm.entry_offset
    rules["bilateral_most"] = stated.lsm.bilateral_max_payments or 0
    rules["bilateral_limits"] = len(behaviour.limits)
    rules["bilateral"] = stated.lsm.bilateral
    rules["ring"] = stated.lsm.ring
    rules["gridlock"] = stated.lsm.gridlock
    rules["max_cycle_length"] = stated.lsm.max_cycle_length
    rules["every_ticks"] = stated.lsm.every_ticks
    rules["max_passes"] = stated.lsm.max_passes
    rules["max_cycles"] = stated.lsm.max_cycles_per_tick
    rules["carried_queue1"] = len(queue1)
    rules["carried_queue2"] = len(queue2)
    rules["first_entry_seq"] = opening.entries_count
    rules["keeps_cycles"] = keeps_cycles
    return work


def _collateral_events_max(keeping: int, ticks: int, rows: int) -> int:
    """How often so many agents can change their collateral in a day: once a tick, and not without a cause.

    What an agent is short of grows only when it releases a payment, so that it posts at most once for each it sends and
    once for those carried in; it withdraws again only after it was paid or has posted, and once besides.
    """
    return min(keeping * ticks, 3 * rows + 3 * keeping)


def _first_row_by_tick(first_tick: int, ticks: int, transactions: Transactions) -> np.ndarray:
    arrived = transactions.arrival_ticks[transactions.carried :]
    return transactions.carried + np.searchsorted(arrived, first_tick + np.arange(ticks + 1))


def _accounts(scenario: Scenario, opening: SystemState) -> np.ndarray:
    accounts = np.zeros(len(opening.balances), layout.Agent)
    accounts["credit_capacity"] = credit_capacities(scenario.stated, opening.posted_collateral)
    available = np.array(opening.balances, np.int64) + accounts["credit_capacity"]
    assert (available >= 0).all(), "available liquidity is never negative"
    for name in ("available", "low", "high", "lowest"):
        accounts[name] = available
    accounts["smallest"] = INFINITE
    accounts["candidate"] = NIL
    return accounts


def _table_size(pairs: int) -> int:
    """What the table of pairs grows to with so many: a power of two, never more than half full."""
    size = _PAIRS_MIN
    while size < 2 * (pairs + 1):
        size *= 2
    return size


def record_of_day(
    scenario: Scenario, opening: SystemState, transactions: Transactions, work: Work
) -> tuple[DayRecord, SystemState]:
    """The day's record, and the state that the next day opens with, from the arrays that the kernel has run on."""
    counts = work.counts[0]
    accounts = work.agents
    balances = accounts["available"] - accounts["credit_capacity"]
    cancels = scenario.stated.end_of_day == "cancel"
    is_plain = scenario.is_plain
    behaviours = work.behaviours
    posted = np.array(opening.posted_collateral, np.int64) if is_plain else behaviours["posted"].copy()
    settled = slice(int(counts["settled"]))
    queued = _queued_at_end(transactions, work, cancels)
    settlements = Settlements(
        transactions=work.settled_rows[settled],
        ticks=work.settled_ticks[settled],
        seqs=work.settled_steps[settled],
        mechanisms=work.settled_mechanisms[settled],
        entry_ticks=work.settled_entry_ticks[settled],
        entry_seqs=work.settled_entry_seqs[settled],
        lsm_passes=work.settled_passes[settled],
        cycle_seqs=work.settled_cycles[settled],
        wait_reasons=work.settled_wait_reasons[settled],
    )
    collateral_events = _collateral_events(work)
    record = DayRecord(
        day=opening.day,
        transactions=transactions,
        settlements=settlements,
        lsm_cycles=_lsm_cycles(work),
        lsm_runs=_lsm_runs(work),
        tick_ends=_tick_ends(work),
        agent_days=AgentDays(
            opening_balances=np.array(opening.balances, np.int64),
            opening_collateral=np.array(opening.posted_collateral, np.int64),
            closing_balances=balances,
            min_balances=np.minimum(accounts["low"], accounts["lowest"]) - accounts["credit_capacity"]
            if is_plain
            else behaviours["balance_min"].copy(),
            max_balances=accounts["high"] - accounts["credit_capacity"]
            if is_plain
            else behaviours["balance_max"].copy(),
            queue1_sizes_max=np.zeros(len(accounts), np.int64)
            if is_plain
            else behaviours["queued1_max"].astype(np.int64),
            queue2_sizes_max=accounts["queued_max"].astype(np.int64),
        ),
        queued_at_end=queued,
        collateral_events=collateral_events,
        agent_costs=agent_costs(scenario, opening, transactions, settlements, queued, collateral_events),
    )
    closing = SystemState(
        scenario_hash=opening.scenario_hash,
        day=opening.day + 1,
        balances=tuple(balances.tolist()),
        posted_collateral=tuple(posted.tolist()),
        queued=() if cancels else _carried_over(transactions, queued),
        arrivals_count=opening.arrivals_count + len(transactions.senders) - transactions.carried,
        entries_count=opening.entries_count + int(counts["submitted"] - work.rules["carried_queue2"][0]),
        money_total=opening.money_total + int(transactions.amounts[transactions.carried :].sum()),
    )
    return record, closing


def _collateral_events(work: Work) -> CollateralEvents:
    count = int(work.counts["collateral"][0])
    assert count <= len(work.collateral), "no more changes of collateral than there is cause for"
    events = work.collateral[:count]
    return CollateralEvents(
        agents=events["agent"].copy(),
        ticks=events["tick"].copy(),
        actions=events["action"].copy(),
        posted_before=events["posted_before"].copy(),
        posted_after=events["posted_after"].copy(),
        reasons=events["reason"].copy(),
    )


def _lsm_cycles(work: Work) -> LsmCycles:
    counts = work.counts[0]
    cycles = work.cycles[: counts["cycles"]]
    agents = slice(int(counts["cycle_agents"]))
    rows = work.settled_rows[: counts["settled"]]
    of_cycles = work.settled_cycles[: counts["settled"]]
    by_lsm = of_cycles >= 0
    return LsmCycles(
        ticks=cycles["tick"].copy(),
        lsm_passes=cycles["lsm_pass"].copy(),
        mechanisms=cycles["mechanism"].astype(np.int8),
        min_amounts=cycles["min_amount"].copy(),
        settled_values=cycles["settled_value"].copy(),
        total_values=cycles["total_value"].copy(),
        agent_offsets=np.concatenate([[0], cycles["agents_end"]]).astype(np.int64),
        agents=work.cycle_agents[agents].copy(),
        net_positions=work.net_positions[agents].copy(),
        transaction_offsets=np.searchsorted(of_cycles[by_lsm], np.arange(len(cycles) + 1)).astype(np.int64),
        transactions=rows[by_lsm],
    )


def _lsm_runs(work: Work) -> LsmRuns:
    runs = work.runs[: work.counts["runs"][0]]
    columns = [runs[name].copy() for name in layout.RUN_COLUMNS]
    columns[-1] = columns[-1].astype(np.int8)
    return LsmRuns(*columns)


def _tick_ends(work: Work) -> TickEnds:
    ends = work.tick_ends
    return TickEnds(
        queue1_sizes=ends["queue1_size"].copy(),
        queue1_values=ends["queue1_value"].copy(),
        queue2_sizes=ends["queue2_size"].copy(),
        queue2_values=ends["queue2_value"].copy(),
        intraday_credit_used=ends["credit_used"].copy(),
    )


def _queued_at_end(transactions: Transactions, work: Work, cancels: bool) -> QueuedAtEnd:
    """What has not settled: Queue 1 by agent and arrival, then Queue 2 in order."""
    is_settled = np.zeros(len(transactions.senders), np.bool_)
    is_settled[work.settled_rows[: work.counts["settled"][0]]] = True
    rows = np.flatnonzero(~is_settled)
    in_queue1 = rows[work.entry_ticks[rows] == NONE]
    in_queue1 = in_queue1[np.argsort(transactions.senders[in_queue1], kind="stable")]
    senders = transactions.senders[in_queue1]
    rows = np.setdiff1d(rows, in_queue1, assume_unique=True) if len(in_queue1) else rows
    rows = rows[np.lexsort((work.entry_seqs[rows], transactions.priorities[rows]))]

    def both(of_queue1: np.ndarray | int, of_queue2: np.ndarray) -> np.ndarray:
        if not len(in_queue1):
            return of_queue2
        return np.concatenate([np.broadcast_to(np.array(of_queue1, of_queue2.dtype), len(in_queue1)), of_queue2])

    count = len(in_queue1) + len(rows)
    return QueuedAtEnd(
        transactions=both(in_queue1, rows).astype(np.int32),
        queues=both(1, np.full(len(rows), 2, np.int8)),
        positions=both(np.arange(len(senders)) - np.searchsorted(senders, senders), np.arange(len(rows))),
        entry_ticks=both(NONE, work.entry_ticks[rows]),
        entry_seqs=both(NONE, work.entry_seqs[rows]),
        wait_reasons=both(NONE, work.wait_reasons[rows]),
        outcomes=np.full(count, CANCELLED if cancels else CARRIED, np.int8),
    )


def _carried_over(transactions: Transactions, queued: QueuedAtEnd) -> tuple[QueuedTransaction, ...]:
    rows = queued.transactions
    return tuple(
        QueuedTransaction(*attributes)
        for attributes in zip(
            transactions.ids.take(rows),
            transactions.senders[rows].tolist(),
            transactions.receivers[rows].tolist(),
            transactions.amounts[rows].tolist(),
            transactions.priorities[rows].tolist(),
            transactions.arrival_ticks[rows].tolist(),
            transactions.arrival_seqs[rows].tolist(),
            transactions.deadline_ticks[rows].tolist(),
            queued.queues.tolist(),
            queued.entry_ticks.tolist(),
            queued.entry_seqs.tolist(),
            queued.wait_reasons.tolist(),
            strict=True,
        )
    )
