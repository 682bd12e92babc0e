"""The engine without files: a simulation that is run day by day and asked what happened."""

from sim_engine.day import run_day
from sim_engine.records import DayRecord, LsmCycle, lsm_cycles_of
from sim_engine.scenario import Scenario
from sim_engine.state import SystemState

PLAIN_ARM = "base"
"""The arm of a scenario that is run by itself."""


def simulation_id(run_id: str, arm: str, seed: int) -> str:
    """The name of one simulation of a run (SPEC 7)."""
    return f"{run_id}.{arm}.s{seed}"


class Simulation:
    """A simulation of a scenario.

    records: what each day run so far left behind. state: the system between the last day run and the next.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.simulation_id = simulation_id(scenario.stated.name, PLAIN_ARM, scenario.stated.rng_seed)
        self.records: list[DayRecord] = []
        self.state = SystemState.opening(scenario)

    def run_day(self) -> DayRecord:
        """Runs the next day. Raises InputError if the scenario's days are over."""
        record, self.state = run_day(self.scenario, self.state)
        self.records.append(record)
        return record

    def run(self) -> list[DayRecord]:
        """Runs the days that remain. Returns the records of all days."""
        while self.state.day < self.scenario.stated.num_days:
            self.run_day()
        return self.records

    def get_lsm_cycles_for_day(self, day: int) -> list[LsmCycle]:
        """The cycles that settled on a day that has been run, in order. Raises IndexError for any other day."""
        if not 0 <= day < len(self.records):
            raise IndexError(f"day {day} has not been run; days run so far: {len(self.records)}")
        return list(lsm_cycles_of(self.records[day], self.simulation_id, self.scenario.agent_ids))

    @property
    def balances(self) -> dict[str, int]:
        """Money on every agent's account now, minor units."""
        return dict(zip(self.scenario.agent_ids, self.state.balances, strict=True))
