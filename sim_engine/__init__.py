"""Simulates settlement days of an RTGS system with liquidity-saving mechanisms: values in, values out."""

from sim_engine.day import run_day, run_days
from sim_engine.errors import InputError, Problem
from sim_engine.rebuild import RebuiltState, rebuild_state
from sim_engine.records import DayRecord, LsmCycle
from sim_engine.scenario import Scenario, load_scenario, parse_scenario
from sim_engine.simulation import Simulation
from sim_engine.state import SystemState
from sim_engine.version import __version__

__all__ = [
    "DayRecord",
    "InputError",
    "LsmCycle",
    "Problem",
    "RebuiltState",
    "Scenario",
    "Simulation",
    "SystemState",
    "__version__",
    "load_scenario",
    "parse_scenario",
    "rebuild_state",
    "run_day",
    "run_days",
]
