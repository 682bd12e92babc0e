"""A run of the LSM: passes of bilateral sweep, ring search and gridlock resolution (SPEC 4)."""

from sim_engine.vocabulary import NO_LIMIT, PASSES_LIMIT
from tests.oracle.entry import retry_queue
from tests.oracle.lsm.bilateral import sweep_bilaterally
from tests.oracle.lsm.gridlock import resolve_gridlock
from tests.oracle.lsm.ring import search_rings
from tests.oracle.lsm.run import LsmRun
from tests.oracle.system import System


def lsm_is_due(system: System, tick: int) -> bool:
    """Every so many ticks of a day, and on its last, if any mechanism is on and there is something to work on."""
    tick_of_day = tick % system.ticks_per_day
    is_time = (tick_of_day + 1) % system.rules.lsm.every_ticks == 0 or tick_of_day == system.ticks_per_day - 1
    return is_time and system.rules.lsm.is_on and system.queue2.size > 0


def save_liquidity(system: System, tick: int) -> None:
    """One run: passes until one settles nothing, each that settles something followed by a retry of the queue."""
    lsm = system.rules.lsm
    run = LsmRun(tick, lsm.max_cycles_per_tick, system.queue2.size, system.queue2.value)
    for lsm_pass in range(1, lsm.max_passes + 1):
        run.lsm_pass = lsm_pass
        if not _run_pass(system, run):
            break
        settled, value = retry_queue(system, tick)
        run.retry_settled += settled
        run.retry_value += value
    else:
        # A bound on cycles already says that the run was cut; which bound cut first is the more telling one.
        run.hit_limit = PASSES_LIMIT if run.hit_limit == NO_LIMIT else run.hit_limit
    system.recorder.lsm_run(run, system.queue2.size, system.queue2.value)


def _run_pass(system: System, run: LsmRun) -> bool:
    """Bilateral sweep, ring search, and gridlock if neither settled anything. Returns whether anything settled."""
    lsm = system.rules.lsm
    settled_pairs = lsm.bilateral and sweep_bilaterally(system, run)
    settled_rings = lsm.ring and search_rings(system, run)
    if settled_pairs or settled_rings:
        return True
    return lsm.gridlock and resolve_gridlock(system, run)
