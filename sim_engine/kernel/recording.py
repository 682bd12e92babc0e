"""Noting what happened. Only what has settled is ever told to it."""

from typing import Any

import numpy as np

from sim_engine.kernel.jit import cycle_counter, inlined, is_plain, part, spliced
from sim_engine.kernel.layout import GREW, HOLDING_MORE, INFINITE, Work
from sim_engine.vocabulary import BILATERAL, ENTRY_OFFSET, NONE, RING


@inlined
def clock(w: Work) -> int:
    """The time for a day that is timed by phase, in processor cycles; else 0."""
    return cycle_counter() if w.rules[0].is_timed else np.uint64(0)


@inlined
def settlement(w: Work, row: int, mechanism: int) -> None:
    """The next settlement of the day."""
    counts = w.counts[0]
    w.settled_rows[counts.settled] = row
    w.settled_mechanisms[counts.settled] = mechanism
    counts.settled += 1


@inlined
def cycle_agent(w: Work, agent: int, net_position: int) -> None:
    """The next agent of the cycle that is being recorded; net_position: received - paid."""
    counts = w.counts[0]
    if w.rules[0].keeps_cycles:
        w.cycle_agents[counts.cycle_agents] = agent
        w.net_positions[counts.cycle_agents] = net_position
        counts.cycle_agents += 1


@part
def cycle(w: Work, first_settlement: int, total: int, net: int, mechanism: int, same_step: bool) -> None:
    """A cycle that has settled: the log's rows from first_settlement on, its agents told before.

    total, net: its gross and net value, minor units. same_step: it settled in one step with the cycle before it.
    """
    counts, run = w.counts[0], w.runs[w.counts[0].runs]
    if w.rules[0].keeps_cycles:
        smallest = INFINITE
        for at in range(first_settlement, counts.settled):
            smallest = min(smallest, w.amounts[w.settled_rows[at]])
        told = w.cycles[counts.cycles]
        told.min_amount = smallest
        told.settled_value = net
        told.total_value = total
        told.tick = run.tick
        told.lsm_pass = run.passes
        told.mechanism = mechanism
        told.first_settlement = first_settlement
        told.same_step = same_step
        told.agents_end = counts.cycle_agents
    counts.cycles += 1
    if mechanism == ENTRY_OFFSET:
        return  # outside any run
    if mechanism == BILATERAL:
        run.bilateral_cycles += 1
    elif mechanism == RING:
        run.ring_cycles += 1
    else:
        run.gridlock_cycles += 1
    run.settled_transactions += counts.settled - first_settlement
    run.total_value += total
    run.settled_value += net


@spliced
def tick_end(w: Work, tick_of_day: int) -> None:
    """Queues and accounts as a tick leaves them."""
    counts, end = w.counts[0], w.tick_ends[tick_of_day]
    for g in range(counts.grew):
        account = w.agents[w.grew[g]]
        account.marks &= ~GREW
        account.queued_max = max(account.queued_max, account.queued)
    counts.grew = 0
    if not is_plain(w):
        note_queue1(w, end)
    credit_used = 0
    for c in range(counts.credit_agents):
        account = w.agents[w.credit_agents[c]]
        credit_used += max(0, account.credit_capacity - account.available)
    end.queue2_size = counts.queue_size
    end.queue2_value = counts.queue_value
    end.credit_used = credit_used
    end.settled = counts.settled


@inlined
def note_queue1(w: Work, end: Any) -> None:
    """The agents' own queues as a tick leaves them."""
    counts = w.counts[0]
    for at in range(counts.holding):
        behaviour = w.behaviours[w.holding[at]]
        behaviour.marks &= ~HOLDING_MORE
        behaviour.queued1_max = max(behaviour.queued1_max, behaviour.queued1)
    counts.holding = 0
    end.queue1_size = counts.queue1_size
    end.queue1_value = counts.queue1_value


@spliced
def write_settlements(w: Work) -> None:
    """Spells the settlements out: what their rows and mechanisms, the tick ends and the cycles say together."""
    cycles, at, step = np.int64(0), np.int64(0), np.int64(-1)
    first_of_next = _first_settlement_of(w, cycles)
    for tick_of_day in range(w.rules[0].ticks):
        tick = w.rules[0].first_tick + tick_of_day
        while at < w.tick_ends[tick_of_day].settled:
            row = np.uint32(w.settled_rows[at])
            w.settled_ticks[at] = tick
            w.settled_entry_ticks[at] = w.entry_ticks[row]
            w.settled_entry_seqs[at] = w.entry_seqs[row]
            w.settled_wait_reasons[at] = w.wait_reasons[row]
            if w.settled_mechanisms[at] < BILATERAL:
                step += 1
                w.settled_passes[at] = NONE
                w.settled_cycles[at] = NONE
            else:
                if at == first_of_next:
                    step += 1 - w.cycles[cycles].same_step
                    cycles += 1
                    first_of_next = _first_settlement_of(w, cycles)
                w.settled_passes[at] = w.cycles[cycles - 1].lsm_pass
                w.settled_cycles[at] = cycles - 1
            w.settled_steps[at] = step
            at += 1


@inlined
def _first_settlement_of(w: Work, cycle: int) -> int:
    return np.int64(w.cycles[cycle].first_settlement) if cycle < w.counts[0].cycles else np.int64(-1)
