"""The bookkeeping of one LSM run: its pass, its bounds and what it has settled."""

from dataclasses import dataclass, field

from sim_engine.vocabulary import BILATERAL, CYCLES_LIMIT, ENTRY_OFFSET, GRIDLOCK, NO_LIMIT, RING


@dataclass(slots=True)
class LsmRun:
    """One run of the LSM in a tick; values are minor units.

    max_cycles: bound on recorded cycles of all mechanisms. lsm_pass: number of the pass under way, from 1.
    """

    tick: int
    max_cycles: int
    queue_size_before: int
    queue_value_before: int
    lsm_pass: int = 0
    cycles: dict[int, int] = field(default_factory=lambda: dict.fromkeys((BILATERAL, RING, GRIDLOCK, ENTRY_OFFSET), 0))
    settled_transactions: int = 0
    total_value: int = 0
    settled_value: int = 0
    retry_settled: int = 0
    retry_value: int = 0
    hit_limit: int = NO_LIMIT

    def may_try_another_scope(self) -> bool:
        """Asked before each scope: whether the bound on cycles leaves room; notes it if it does not."""
        if sum(self.cycles.values()) < self.max_cycles:
            return True
        self.hit_limit = CYCLES_LIMIT
        return False
