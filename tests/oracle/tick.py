"""One tick, in the order that SPEC 3 gives."""

from tests.oracle.collateral import change_collateral
from tests.oracle.entry import retry_queue, settle_on_entry
from tests.oracle.lsm.passes import lsm_is_due, save_liquidity
from tests.oracle.policies import release_by_policy
from tests.oracle.system import System


def run_tick(system: System, tick: int) -> None:
    """Takes the system through a tick; on a day's last tick its end follows (System.close)."""
    system.admit_arrivals(tick)  # into Queue 1
    released = release_by_policy(system, tick)  # out of Queue 1
    change_collateral(system, tick, released)
    settle_on_entry(system, tick, released)  # at once, or into Queue 2
    retry_queue(system, tick)
    if lsm_is_due(system, tick):
        save_liquidity(system, tick)  # bilateral, ring, gridlock, until nothing settles
    # Costs accrue here; they move no money, and tests.oracle.costs works them out from the day's record.
    system.recorder.tick_end(system.queue1, system.queue2, system.ledger)
