"""The bounds of an LSM run (docs/decisions/0002)."""

from sim_engine.kernel.jit import inlined
from sim_engine.kernel.layout import Work
from sim_engine.vocabulary import CYCLES_LIMIT


@inlined
def may_try_another_scope(w: Work) -> bool:
    """Asked before each scope: whether the bound on cycles leaves room; notes it if it does not."""
    run = w.runs[w.counts[0].runs]
    if run.bilateral_cycles + run.ring_cycles + run.gridlock_cycles < w.rules[0].max_cycles:
        return True
    run.hit_limit = CYCLES_LIMIT
    return False
