"""Running days: scenario and opening state in, day record and closing state out."""

from collections.abc import Iterator

from sim_engine.laws import check_laws
from sim_engine.records import DayRecord
from sim_engine.scenario import Scenario
from sim_engine.settlement.system import System
from sim_engine.settlement.tick import run_tick
from sim_engine.state import SystemState


def run_day(scenario: Scenario, opening: SystemState) -> tuple[DayRecord, SystemState]:
    """Simulates the day that the state opens.

    Returns what the day leaves behind and the state that the next day opens with.
    Raises InputError if the state does not belong to the scenario.
    """
    system = System(scenario, opening)
    for tick in range(system.first_tick, system.first_tick + system.ticks_per_day):
        run_tick(system, tick)
    record, closing = system.close()
    check_laws(scenario, opening, record, closing)
    return record, closing


def run_days(scenario: Scenario, opening: SystemState, days: int) -> Iterator[tuple[DayRecord, SystemState]]:
    """Simulates days one after the other from the state, each as run_day does."""
    state = opening
    for _ in range(days):
        record, state = run_day(scenario, state)
        yield record, state
