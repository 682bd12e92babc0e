"""Compiling the engine before anyone waits for it."""

from pathlib import Path

from sim_engine.day import run_day
from sim_engine.scenario import parse_scenario
from sim_engine.state import SystemState

_SMALLEST_DAY = {
    "name": "smallest_day",
    "ticks_per_day": 1,
    "agents": [{"id": "A", "opening_balance": 0}, {"id": "B", "opening_balance": 0}],
    "generate": {"default": {"payments_per_day": 2, "amount": {"median": 1}}},
}


def compile_engine() -> None:
    """Compiles what is compiled when it is first called; with it in the cache already, only loads it.

    All of it: whatever a day needs is compiled as one, so any day that generates payments will do, one that is plain
    and one that is not (Scenario.is_plain).
    """
    for queue2 in ({"entry": "settle"}, {"entry": "settle_urgent"}):
        scenario = parse_scenario(_SMALLEST_DAY | {"queue2": queue2}, source=Path("smallest_day"))
        run_day(scenario, SystemState.opening(scenario))


if __name__ == "__main__":
    compile_engine()
