"""Where a day's time goes, phase by phase."""

from time import perf_counter_ns

from sim_engine import Scenario, SystemState
from sim_engine.day import outstanding_in_day
from sim_engine.kernel.compiled import run_day_in_place
from sim_engine.kernel.day import record_of_day, work_of_day
from sim_engine.laws import check_laws

KERNEL_PHASES = ("entry", "retry", "bilateral", "ring", "gridlock", "recording")
"""Those that the kernel tells apart itself."""

PHASES = ("generation", "set-up", *KERNEL_PHASES, "record", "laws")
"""In the order of a day."""


def phase_nanoseconds(scenario: Scenario) -> dict[str, float]:
    """Nanoseconds that each phase of the scenario's first day takes in all, by phase of PHASES."""
    opening = SystemState.opening(scenario)
    begin = perf_counter_ns()
    transactions = outstanding_in_day(scenario, opening)
    generated = perf_counter_ns()
    work = work_of_day(scenario, opening, transactions)
    work.rules["is_timed"] = 1
    ready = perf_counter_ns()
    run_day_in_place(work)
    settled = perf_counter_ns()
    record, closing = record_of_day(scenario, opening, transactions, work)
    recorded = perf_counter_ns()
    check_laws(scenario, opening, record, closing)
    checked = perf_counter_ns()

    # The kernel counts processor cycles: how long one takes is what its whole day took.
    nanoseconds_per_cycle = (settled - ready) / int(work.phases["whole"][0])
    in_kernel = {phase: int(work.phases[phase][0]) * nanoseconds_per_cycle for phase in KERNEL_PHASES}
    return {
        "generation": generated - begin,
        "set-up": ready - generated,
        **in_kernel,
        "record": recorded - settled,
        "laws": checked - recorded,
    }


def kernel_seconds(scenario: Scenario, *, keeps_cycles: bool = True) -> float:
    """Seconds that the kernel itself takes for the scenario's day 0; keeps_cycles: else it only counts what it nets."""
    opening = SystemState.opening(scenario)
    work = work_of_day(scenario, opening, outstanding_in_day(scenario, opening), keeps_cycles=keeps_cycles)
    begin = perf_counter_ns()
    run_day_in_place(work)
    return (perf_counter_ns() - begin) / 1e9
