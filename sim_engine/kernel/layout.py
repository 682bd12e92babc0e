"""What the compiled kernel works on: records and arrays, all of it made anew for each day.

Money is int64 in minor units, an index is unsigned (an array read at an unsigned index needs no look at its sign). A
*row* is a row of the day's Transactions; a *slot* holds a transaction while it stands in Queue 2; a *pair* is an
ordered (sender, receiver); a *leg* is a pair with something queued. Nothing is as large as agents times agents: what an
agent has a list of lies in a part of one array that is its own, and moves to one twice as long when that is full. The
arrays are as long as the day can ever need; memory that is never reached costs nothing.
"""

from typing import Annotated, Any, NamedTuple

import numpy as np

Array = np.ndarray

NIL: Any = np.uint32(0xFFFFFFFF)
"""No index."""

INFINITE: Any = np.int64(2**63 - 1)
"""No amount is larger."""

ORDER_BITS = np.int64(31)
"""A place in Queue 2 is priority << ORDER_BITS | order of submission."""

AGENT_BITS = np.int64(30)
"""What waits in the heap of a sweep is place << AGENT_BITS | agent."""

GAINED, RECHECK, DIRTY, GREW = np.uint32(1), np.uint32(2), np.uint32(4), np.uint32(8)
"""Marks of an agent: the next sweep of the queue looks at it, because a payment came in, for which it is then touched
and soiled too, or for another reason; one of its pairs may net now; its queue grew in this tick."""

ROOM_MIN = 4
"""How long an agent's part of an array is at first; it doubles whenever it is full."""

Agent = np.dtype(
    [
        ("available", "i8"),  # liquidity: balance plus credit capacity
        ("low", "i8"),  # smallest available liquidity since its last ring search ended
        ("high", "i8"),  # largest of the day
        ("smallest", "i8"),  # no queued amount is smaller
        ("incoming", "i8"),  # queued for it less queued by it
        ("marks", "u4"),
        ("queued", "u4"),  # how many it has in Queue 2
        ("first", "u4"),  # its line: from its first queued item
        ("end", "u4"),  # to behind its last one
        ("payees", "u4"),  # legs out
        ("payers", "u4"),  # legs in
        ("payees_from", "u4"),  # where its part of legs_out begins
        ("payers_from", "u4"),
        ("payees_room", "u4"),  # how long that part is
        ("payers_room", "u4"),
        ("candidate", "u4"),  # place in its line that the sweep settles next
        ("searched", "u4"),  # number of ring searches that had ended when its own last ended
        ("line_from", "u4"),  # where its part of the lines begins
        ("line_room", "u4"),
        ("queued_max", "u4"),  # at the end of a tick
        ("lowest", "i8"),  # of the day, up to the end of its last ring search
        ("credit_capacity", "i8"),
    ],
    align=True,
)

Waiting = np.dtype(
    # A sender's queued items, in Queue 2 order. An item that has left stays as a hole: slot NIL, amount INFINITE.
    [("amount", "i8"), ("place", "i8"), ("slot", "u4"), ("receiver", "u4")],
    align=True,
)

Slot = np.dtype(
    [
        ("amount", "i8"),
        ("place", "i8"),  # in Queue 2; see ORDER_BITS
        ("row", "u4"),
        ("sender", "u4"),
        ("receiver", "u4"),
        ("pair", "u4"),
        ("in_line", "u4"),  # index into the lines
        ("older", "u4"),  # in its pair
        ("newer", "u4"),  # in its pair; of a free slot: the next free one
    ],
    align=True,
)

Pair = np.dtype(
    [
        ("total", "i8"),  # queued value
        ("oldest_amount", "i8"),
        ("oldest", "u4"),  # slots
        ("newest", "u4"),
        ("sender", "u4"),
        ("receiver", "u4"),
        ("reverse", "u4"),  # the pair the other way round
        ("leg_out", "u4"),  # index into legs_out while it is a leg
        ("leg_in", "u4"),
        ("both_ways", "u4"),  # index into both_ways while its reverse is a leg too
        ("sweep", "u4"),  # number of the bilateral sweep that waits to try it
    ],
    align=True,
)

Leg = np.dtype(
    # amount: of the pair's oldest, INFINITE while a bilateral limit keeps that from settling. changed: number of ring
    # searches that had ended when it became the oldest. is_urgent: whether the oldest is; not kept in a plain day.
    [("amount", "i8"), ("agent", "u4"), ("pair", "u4"), ("changed", "u4"), ("is_urgent", "u4")],
    align=True,
)

BothWays = np.dtype([("i", "u4"), ("j", "u4"), ("pair", "u4"), ("reverse", "u4")], align=True)

PairEntry = np.dtype([("key", "u8"), ("pair", "u4")], align=True)

PairLimit = np.dtype([("limit", "i8"), ("position", "i8")])
"""Of a pair, not kept in a plain day: what its sender may send net of what it receives, INFINITE if it states nothing,
and what it has sent net in this day."""

Behaviour = np.dtype(
    # Of an agent; none of it is kept in a plain day. Values are minor units. What is read together stands together.
    [
        ("releasing", "i8"),  # in this tick
        ("submitted", "i8"),  # what it has in Queue 2
        ("posted", "i8"),
        ("most_posted", "i8"),  # on need; -1: it never posts more
        ("idle_after", "i8"),  # ticks after which it withdraws; -1: never
        ("idle_ticks", "i8"),
        ("queued1", "u4"),
        ("first", "u4"),  # its Queue 1: rows
        ("policy", "u4"),
        ("marks", "u4"),
        ("floor", "i8"),  # available liquidity that all but urgent transactions leave: the larger of the next two, or 0
        ("reserved", "i8"),
        ("limit_floor", "i8"),  # at this much available liquidity its multilateral limit is reached
        ("balance_min", "i8"),
        ("balance_max", "i8"),
        ("received", "i8"),  # on this day
        ("released", "i8"),  # on this day
        ("is_limited", "u4"),  # whether it states bilateral limits or is named in any
        ("last", "u4"),
        ("limit_room", "i8"),  # opening balance less multilateral limit: limit_floor less credit capacity
        ("value_of_day", "i8"),
        ("amount", "i8"),  # parameter of its policy
        ("credit_limit", "i8"),
        ("share", "i8"),  # of its collateral that counts, basis points
        ("profile_from", "u4"),  # its part of the profiles
        ("profile_end", "u4"),
        ("limits_from", "u4"),  # its part of the bilateral limits
        ("limits_end", "u4"),
        ("queued1_max", "u4"),  # at the end of a tick
    ],
    align=True,
)

DECIDING, HOLDING_MORE = np.uint32(1), np.uint32(2)
"""Marks of an agent's behaviour: its policy looks at more than what is due, and something stands in its Queue 1; its
Queue 1 took something in in this tick."""

Held = np.dtype([("before", "u4"), ("after", "u4"), ("is_held", "u4")])
"""Of a row: its neighbours in its sender's Queue 1, and whether it stands there."""

ScheduleStep = np.dtype([("tick", "i8"), ("share_bp", "i8")])
"""A step of a schedule: tick of the day, and the share of the day's value that is to have been released."""

Collateral = np.dtype(
    # In the order of records.CollateralEvents.
    [
        ("agent", "i4"),
        ("tick", "i4"),
        ("action", "i1"),
        ("posted_before", "i8"),
        ("posted_after", "i8"),
        ("reason", "i1"),
    ],
    align=True,
)

Closing = np.dtype(
    # The leg from an agent back to where a ring search starts. search: number of the search that wrote it.
    [("amount", "i8"), ("search", "i8"), ("pair", "u4"), ("is_urgent", "u4")],
    align=True,
)

Search = np.dtype(
    # The ring search under way: its number from 1, the smallest and largest of the legs into its start, and how many
    # agents are listed that can close a ring which begins with the leg that is looked at (INFINITE: they are not).
    # legs: up to how many back to the start needs are worked out for; reached: how many agents so many lead back from.
    [
        ("number", "i8"),
        ("smallest_in", "i8"),
        ("largest_in", "i8"),
        ("closers", "i8"),
        ("legs", "i8"),
        ("reached", "i8"),
    ]
)

Sized = np.dtype([("amount", "i8"), ("needed", "i8"), ("agent", "u4")], align=True)
"""A closing leg, what its payer must be paid to pay it, and the payer."""

SIZE_CLASSES = 512

Need = np.dtype([("least", "i8"), ("search", "i8")])
"""The smallest leg that an agent can pay on so many legs back to the start of a search; the search's number."""

Step = np.dtype(
    # One agent of the path of a ring search with the leg it pays; options: how many legs were listed for it, of which
    # next_option have been tried.
    [("amount", "i8"), ("options", "i8"), ("next_option", "i8"), ("agent", "u4"), ("pair", "u4")],
    align=True,
)

Cycle = np.dtype(
    [
        ("min_amount", "i8"),
        ("settled_value", "i8"),
        ("total_value", "i8"),
        ("tick", "i4"),
        ("lsm_pass", "i4"),
        ("mechanism", "i4"),
        ("first_settlement", "i4"),  # its transactions are those of settled_rows from here
        ("agents_end", "i4"),  # its agents are those of cycle_agents up to here, from where the one before ends
        ("same_step", "i4"),  # 1: settled in one step with the cycle before it
    ],
    align=True,
)

# In the order of records.LsmRuns.
RUN_COLUMNS = (
    "tick", "passes", "bilateral_cycles", "ring_cycles", "gridlock_cycles", "settled_transactions", "total_value",
    "settled_value", "retry_settled", "retry_value", "queue_size_before", "queue_size_after", "queue_value_before",
    "queue_value_after", "hit_limit",
)  # fmt: skip
Run = np.dtype([(name, "i8") for name in RUN_COLUMNS])

TickEnd = np.dtype(
    [
        ("queue1_size", "i8"),  # 0 in a plain day: all policies release everything at once
        ("queue1_value", "i8"),
        ("queue2_size", "i8"),
        ("queue2_value", "i8"),
        ("credit_used", "i8"),
        ("settled", "i8"),
    ],
)

Rules = np.dtype(
    [
        ("first_tick", "i8"),
        ("ticks", "i8"),
        ("is_plain", "i8"),  # see Scenario.is_plain
        ("is_fifo", "i8"),  # Queue 2's discipline, else bypass
        ("entry_only_queues", "i8"),
        ("entry_settles_urgent", "i8"),  # and nothing else
        ("entry_offset", "i8"),
        ("bilateral_most", "i8"),  # transactions a side; 0: all
        ("bilateral_limits", "i8"),  # how many are stated
        ("bilateral", "i8"),
        ("ring", "i8"),
        ("gridlock", "i8"),
        ("max_cycle_length", "i8"),
        ("every_ticks", "i8"),
        ("max_passes", "i8"),
        ("max_cycles", "i8"),
        ("carried_queue1", "i8"),  # rows that open the day in Queue 1: the first ones of `carried`
        ("carried_queue2", "i8"),  # rows that open it in Queue 2: the rest of `carried`, in its order
        ("first_entry_seq", "i8"),
        ("is_timed", "i8"),  # 1 fills in the phases
        ("keeps_cycles", "i8"),  # 0 leaves their agents, positions and values out, to measure what they cost
    ]
)

Counts = np.dtype(
    [
        ("queue_size", "i8"),
        ("queue_value", "i8"),
        ("settled", "i8"),  # of settled_rows
        ("submitted", "i8"),  # order of the next submission
        ("slots", "i8"),  # ever used
        ("pairs", "i8"),
        ("pair_table", "i8"),  # size of the pair table, a power of two; it starts at this index of pair_entries
        ("lines", "i8"),  # ever used
        ("legs_out", "i8"),
        ("legs_in", "i8"),
        ("both_ways", "i8"),
        ("gained", "i8"),
        ("dirty", "i8"),
        ("grew", "i8"),
        ("heap", "i8"),
        ("cycles", "i8"),
        ("cycle_agents", "i8"),
        ("runs", "i8"),
        ("searches", "i8"),  # ring searches ended
        ("sweeps", "i8"),  # bilateral sweeps begun
        ("credit_agents", "i8"),
        ("holding", "i8"),
        ("deciding", "i8"),
        ("keeping", "i8"),
        ("queue1_size", "i8"),
        ("queue1_value", "i8"),
        ("at_once", "i8"),
        ("collateral", "i8"),
        ("free_slot", "u4"),
    ],
    align=True,
)

Phases = np.dtype(
    [(name, "u8") for name in ("entry", "retry", "bilateral", "ring", "gridlock", "recording", "whole")],
)
"""Time spent in each part of a day, and in the whole of it, in processor cycles."""


class Work(NamedTuple):
    """Everything that the kernel reads and writes in a day; each array with the type of its elements.

    Given: rules, first_row_by_tick (int64, ticks + 1), senders, receivers, amounts, priorities (by row), carried
    (rows), entry_ticks, entry_seqs and wait_reasons of those carried in Queue 2, and the agents' accounts.
    Of a day that is not plain also: behaviours; limit_senders, limit_receivers and limits (bilateral ones); profiles
    (schedules' steps); due_rows with first_due_by_tick (rows by the tick in which their sender's policy releases them
    whatever else it does), due_at_once (by row: that tick is the one of its arrival); keeping (agents that change
    their collateral).
    Left behind: settled_* (settlements in order), entry_ticks, entry_seqs and wait_reasons by row, cycles with
    cycle_agents and net_positions, runs, tick_ends. The rest is the kernel's own.
    """

    rules: Annotated[Array, Rules]
    counts: Annotated[Array, Counts]
    phases: Annotated[Array, Phases]
    first_row_by_tick: Annotated[Array, np.int64]
    senders: Annotated[Array, np.uint32]
    receivers: Annotated[Array, np.uint32]
    amounts: Annotated[Array, np.int64]
    priorities: Annotated[Array, np.int8]
    carried: Annotated[Array, np.uint32]
    agents: Annotated[Array, Agent]
    credit_agents: Annotated[Array, np.uint32]
    lines: Annotated[Array, Waiting]
    slots: Annotated[Array, Slot]
    pairs: Annotated[Array, Pair]
    pair_entries: Annotated[Array, PairEntry]
    legs_out: Annotated[Array, Leg]
    legs_in: Annotated[Array, Leg]
    both_ways: Annotated[Array, BothWays]
    touched: Annotated[Array, np.uint64]
    gained: Annotated[Array, np.uint32]
    dirty: Annotated[Array, np.uint32]
    grew: Annotated[Array, np.uint32]
    heap: Annotated[Array, np.int64]
    positions: Annotated[Array, np.int64]
    cursors: Annotated[Array, np.uint32]
    stack: Annotated[Array, np.uint32]
    groups: Annotated[Array, np.int64]
    offsets: Annotated[Array, np.int64]
    closings: Annotated[Array, Closing]
    search: Annotated[Array, Search]
    sized: Annotated[Array, Sized]
    closers: Annotated[Array, np.uint32]
    class_ends: Annotated[Array, np.uint32]
    class_needed: Annotated[Array, np.int64]
    admitted: Annotated[Array, np.uint32]
    options: Annotated[Array, np.uint32]
    needs: Annotated[Array, Need]
    reached: Annotated[Array, np.uint32]
    path: Annotated[Array, Step]
    entry_ticks: Annotated[Array, np.int32]
    entry_seqs: Annotated[Array, np.int64]
    wait_reasons: Annotated[Array, np.int8]
    cycles: Annotated[Array, Cycle]
    cycle_agents: Annotated[Array, np.int32]
    net_positions: Annotated[Array, np.int64]
    behaviours: Annotated[Array, Behaviour]
    pair_limits: Annotated[Array, PairLimit]
    limit_senders: Annotated[Array, np.uint32]
    limit_receivers: Annotated[Array, np.uint32]
    limits: Annotated[Array, np.int64]
    limit_pairs: Annotated[Array, np.uint32]
    profiles: Annotated[Array, ScheduleStep]
    due_rows: Annotated[Array, np.uint32]
    first_due_by_tick: Annotated[Array, np.int64]
    due_at_once: Annotated[Array, np.uint8]
    holding: Annotated[Array, np.uint32]
    deciding: Annotated[Array, np.uint32]
    keeping: Annotated[Array, np.uint32]
    held: Annotated[Array, Held]
    at_once: Annotated[Array, np.uint32]
    collateral: Annotated[Array, Collateral]
    runs: Annotated[Array, Run]
    tick_ends: Annotated[Array, TickEnd]
    settled_rows: Annotated[Array, np.int32]
    settled_mechanisms: Annotated[Array, np.int8]
    settled_ticks: Annotated[Array, np.int32]
    settled_steps: Annotated[Array, np.int32]
    settled_passes: Annotated[Array, np.int32]
    settled_cycles: Annotated[Array, np.int32]
    settled_entry_ticks: Annotated[Array, np.int32]
    settled_entry_seqs: Annotated[Array, np.int64]
    settled_wait_reasons: Annotated[Array, np.int8]
