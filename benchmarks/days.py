"""Days that the sections time: scenarios of workloads, and the engines that run them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.timing import Effort, timed
from benchmarks.workloads import WORKLOADS, queued_share, scenario_mapping
from sim_engine import DayRecord, Scenario, SystemState, parse_scenario, run_day

RunDay = Callable[[Scenario, SystemState], tuple[DayRecord, SystemState]]


@cache
def scenario_of(workload: str, seed: int) -> Scenario:
    """A workload's scenario, by the workload's name."""
    return parse_scenario(scenario_mapping(WORKLOADS[workload], seed), source=Path(workload))


def seconds_of_day(scenario: Scenario, run: RunDay = run_day) -> tuple[float, DayRecord]:
    """Seconds that the scenario's first day takes, and its record."""
    opening = SystemState.opening(scenario)
    seconds, (record, _) = timed(lambda: run(scenario, opening))
    return seconds, record


@dataclass(frozen=True)
class Facts:
    """What the sections tell of a day; its record is not kept, for the memory it takes changes what is measured."""

    payments: int
    cycles: int
    queued_share: float


def seconds_of_workload(workload: str, effort: Effort) -> tuple[list[float], list[Facts]]:
    """Seconds of every run of a workload's day, seed by seed within each round, and what there is to tell, by seed.

    Every seed is run once before: memory that the process has never had takes long to get, and is no cost of the day.
    """
    facts = []
    for seed in effort.seeds:
        _, record = seconds_of_day(scenario_of(workload, seed))
        facts.append(Facts(payments_in(record), len(record.lsm_cycles.ticks), queued_share(record)))
        del record
    seconds = [
        seconds_of_day(scenario_of(workload, seed))[0] for _ in range(effort.runs_per_seed) for seed in effort.seeds
    ]
    return seconds, facts


def payments_in(record: DayRecord) -> int:
    """How many payments a day had."""
    return len(record.transactions.amounts)
