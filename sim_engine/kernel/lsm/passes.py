"""A run of the LSM: passes of bilateral sweep, ring search and gridlock resolution (SPEC 4)."""

from sim_engine.kernel.entry import retry_queue
from sim_engine.kernel.jit import inlined, spliced
from sim_engine.kernel.layout import Work
from sim_engine.kernel.lsm.bilateral import sweep_bilaterally
from sim_engine.kernel.lsm.gridlock import resolve_gridlock
from sim_engine.kernel.lsm.ring import search_rings
from sim_engine.kernel.recording import clock
from sim_engine.vocabulary import NO_LIMIT, PASSES_LIMIT


@inlined
def lsm_is_due(w: Work, tick_of_day: int) -> bool:
    """Every so many ticks of a day, and on its last, if any mechanism is on and there is something to work on."""
    rules = w.rules[0]
    is_time = (tick_of_day + 1) % rules.every_ticks == 0 or tick_of_day == rules.ticks - 1
    return is_time and (rules.bilateral or rules.ring or rules.gridlock) and w.counts[0].queue_size > 0


@spliced
def save_liquidity(w: Work, tick: int) -> None:
    """One run: passes until one settles nothing, each that settles something followed by a retry of the queue."""
    rules, counts, phases = w.rules[0], w.counts[0], w.phases[0]
    run = w.runs[counts.runs]
    run.tick = tick
    run.queue_size_before = counts.queue_size
    run.queue_value_before = counts.queue_value
    run.hit_limit = NO_LIMIT
    settled = True
    while settled and run.passes < rules.max_passes:
        run.passes += 1
        settled = _run_pass(w)
        if settled:
            begin = clock(w)
            retried, value = retry_queue(w)
            run.retry_settled += retried
            run.retry_value += value
            phases.retry += clock(w) - begin
    if settled and run.hit_limit == NO_LIMIT:
        # A bound on cycles already says that the run was cut; which bound cut first is the more telling one.
        run.hit_limit = PASSES_LIMIT
    run.queue_size_after = counts.queue_size
    run.queue_value_after = counts.queue_value
    counts.runs += 1


@spliced
def _run_pass(w: Work) -> bool:
    """Bilateral sweep, ring search, and gridlock if neither settled anything. Returns whether anything settled."""
    rules, phases = w.rules[0], w.phases[0]
    settled = False
    begin = clock(w)
    if rules.bilateral:
        settled |= sweep_bilaterally(w)
    swept = clock(w)
    phases.bilateral += swept - begin
    if rules.ring:
        settled |= search_rings(w)
    searched = clock(w)
    phases.ring += searched - swept
    if rules.gridlock and not settled:
        settled = resolve_gridlock(w)
        phases.gridlock += clock(w) - searched
    return settled
