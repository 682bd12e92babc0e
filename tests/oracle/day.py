"""A day by the plain-Python engine: same values in, same values out as sim_engine.day."""

from collections.abc import Iterator

from sim_engine.day import outstanding_in_day
from sim_engine.records import DayRecord, Transactions
from sim_engine.scenario import Scenario
from sim_engine.state import SystemState
from tests.oracle.system import System
from tests.oracle.tick import run_tick


def run_day(scenario: Scenario, opening: SystemState) -> tuple[DayRecord, SystemState]:
    """Simulates the day that the state opens. Raises InputError if the state does not belong to the scenario."""
    return settle_day(scenario, opening, outstanding_in_day(scenario, opening))


def settle_day(scenario: Scenario, opening: SystemState, transactions: Transactions) -> tuple[DayRecord, SystemState]:
    """Settles the transactions outstanding in a day: its record, and the state that the next day opens with."""
    system = System(scenario, opening, transactions)
    for tick in range(system.first_tick, system.first_tick + system.ticks_per_day):
        run_tick(system, tick)
    return system.close()


def run_days(scenario: Scenario, opening: SystemState, days: int) -> Iterator[tuple[DayRecord, SystemState]]:
    """Simulates days one after the other from the state, each as run_day does."""
    state = opening
    for _ in range(days):
        record, state = run_day(scenario, state)
        yield record, state


def open_day(scenario: Scenario, opening: SystemState) -> System:
    """The system before the first tick of the day that the state opens."""
    return System(scenario, opening, outstanding_in_day(scenario, opening))
