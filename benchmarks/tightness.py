"""How much of a workload's value waits, seed by seed; and which kappas make it so.

python -m benchmarks.tightness W2              # with the kappas in benchmarks/workloads.py
python -m benchmarks.tightness W2 --find       # searches each seed's kappa for the middle of the bounds
"""

import argparse
from dataclasses import dataclass
from math import exp
from pathlib import Path
from statistics import mean

import numpy as np

from benchmarks.days import seconds_of_day
from benchmarks.workloads import QUEUED_SHARE_MAX, QUEUED_SHARE_MIN, WORKLOADS, Workload, queued_share, scenario_mapping
from sim_engine import parse_scenario
from sim_engine.vocabulary import BILATERAL, GRIDLOCK, LSM_MECHANISMS, MECHANISMS, RING

STEPS_MAX = 8
SLOPE = 0.35
CLOSE_ENOUGH = 0.006
DAMPING = 0.9


@dataclass(frozen=True)
class Tightness:
    """A day of a workload. Shares are of the value submitted; cycles by bilateral, ring, gridlock."""

    queued: float
    by_lsm: float
    unsettled: float
    cycles: tuple[int, int, int]
    queue_size_max: int
    seconds: float


def tightness(workload: Workload, seed: int, kappa: float) -> Tightness:
    """Simulates one day of the workload."""
    scenario = parse_scenario(scenario_mapping(workload, seed, kappa=kappa), source=Path(workload.name))
    seconds, record = seconds_of_day(scenario)
    amounts, settled = record.transactions.amounts, record.settlements
    netted = np.isin(settled.mechanisms, [MECHANISMS.index(name) for name in LSM_MECHANISMS])
    cycles = np.bincount(record.lsm_cycles.mechanisms, minlength=len(MECHANISMS))
    return Tightness(
        queued=queued_share(record),
        by_lsm=float(amounts[settled.transactions[netted]].sum() / amounts.sum()),
        unsettled=float(amounts[record.queued_at_end.transactions].sum() / amounts.sum()),
        cycles=(int(cycles[BILATERAL]), int(cycles[RING]), int(cycles[GRIDLOCK])),
        queue_size_max=int(record.tick_ends.queue2_sizes.max()),
        seconds=seconds,
    )


def kappa_for(workload: Workload, seed: int, kappa: float) -> float:
    """The kappa at which the share queued is near the middle of the bounds, from a first guess.

    The share falls by about SLOPE where the logarithm of kappa rises by 1, which gives the steps.
    """
    target = (QUEUED_SHARE_MIN + QUEUED_SHARE_MAX) / 2
    best, best_off = kappa, float("inf")
    for step in range(STEPS_MAX):
        off = tightness(workload, seed, kappa).queued - target
        if abs(off) < abs(best_off):
            best, best_off = kappa, off
        if abs(best_off) < CLOSE_ENOUGH:
            break
        kappa = round(best * exp(best_off / SLOPE * DAMPING**step), 4)
    return best


def main() -> None:
    """Prints one line per seed, then the mean and the kappas."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tightness", description=main.__doc__)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--kappa", type=float, help="in place of the workload's own")
    parser.add_argument("--find", action="store_true", help="search each seed's kappa first")
    args = parser.parse_args()
    workload = WORKLOADS[args.workload]
    shares, kappas = [], []
    for seed in args.seeds:
        kappa = args.kappa or workload.kappa(seed)
        kappa = kappa_for(workload, seed, kappa) if args.find else kappa
        day = tightness(workload, seed, kappa)
        shares.append(day.queued)
        kappas.append(kappa)
        print(
            f"{workload.name} seed {seed}, kappa {kappa:.4f}: queued {day.queued:.4f}, by LSM {day.by_lsm:.4f}, "
            f"unsettled {day.unsettled:.4f}, cycles {'/'.join(map(str, day.cycles))}, longest queue "
            f"{day.queue_size_max}, {day.seconds:.2f} s",
            flush=True,
        )
    print(f"{workload.name}: mean {mean(shares):.4f}, from {min(shares):.4f} to {max(shares):.4f}; kappas {kappas}")


if __name__ == "__main__":
    main()
