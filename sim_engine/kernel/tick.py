"""A day tick by tick, each in the order that SPEC 3 gives."""

import numpy as np

from sim_engine.kernel.accounts import note_for_retry, touch
from sim_engine.kernel.collateral import change_collateral
from sim_engine.kernel.entry import retry_queue, settle_on_entry, submit
from sim_engine.kernel.jit import is_plain, part, spliced
from sim_engine.kernel.layout import ORDER_BITS, RECHECK, Work
from sim_engine.kernel.limits import state_limits
from sim_engine.kernel.lsm.passes import lsm_is_due, save_liquidity
from sim_engine.kernel.policies import next_released, release_by_policy
from sim_engine.kernel.queue2 import join
from sim_engine.kernel.recording import clock, tick_end, write_settlements


@spliced
def run_day(w: Work) -> None:
    """Takes the system through all ticks of the day."""
    begin = clock(w)
    requeue_carried(w)
    for tick_of_day in range(w.rules[0].ticks):
        run_tick(w, tick_of_day)
    last_tick_over = clock(w)
    write_settlements(w)
    end = clock(w)
    w.phases[0].recording += end - last_tick_over
    w.phases[0].whole += end - begin


@spliced
def run_tick(w: Work, tick_of_day: int) -> None:
    """One tick. In a plain day all policies are `fifo`: what arrives in Queue 1 is released at once."""
    phases = w.phases[0]
    tick = w.rules[0].first_tick + tick_of_day
    begin = clock(w)
    if is_plain(w):
        if tick_of_day == 0:
            release_carried(w, tick)
        settle_on_entry(w, w.first_row_by_tick[tick_of_day], w.first_row_by_tick[tick_of_day + 1], tick)
    else:
        release_by_policy(w, tick_of_day)
        change_collateral(w, tick)
        submit_released(w, tick)
    entered = clock(w)
    phases.entry += entered - begin
    retry_queue(w)
    phases.retry += clock(w) - entered
    if lsm_is_due(w, tick_of_day):
        save_liquidity(w, tick)
    settled = clock(w)
    tick_end(w, tick_of_day)
    phases.recording += clock(w) - settled


@part
def submit_released(w: Work, tick: int) -> None:
    """Submits what was released in the tick by arrival, whoever released it."""
    counts = w.counts[0]
    taken = 0
    released = counts.at_once + counts.heap
    for _ in range(released):
        row = next_released(w, taken)
        taken += taken < counts.at_once and w.at_once[taken] == row
        w.behaviours[w.senders[row]].releasing = 0
        submit(w, row, tick)


@spliced
def requeue_carried(w: Work) -> None:
    """Puts what was carried over in Queue 2 where it stood. Every agent is touched at the start of a day (SPEC 4).

    Carried rows stand in Queue 2 order, and so within each class in the order of their submission.
    """
    rules = w.rules[0]
    for agent in range(w.agents.shape[0]):
        touch(w, agent)
        if not is_plain(w):
            note_for_retry(w, np.uint32(agent), RECHECK)  # net positions start anew: what a limit kept may settle now
    if not is_plain(w):
        state_limits(w)
    for order in range(rules.carried_queue2):
        row = w.carried[rules.carried_queue1 + order]
        join(w, row, (np.int64(w.priorities[row]) << ORDER_BITS) | order)


@spliced
def release_carried(w: Work, tick: int) -> None:
    """Submits what was carried over in Queue 1, by arrival_seq."""
    for c in range(w.rules[0].carried_queue1):
        settle_on_entry(w, w.carried[c], w.carried[c] + 1, tick)
