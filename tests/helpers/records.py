"""What a day left behind, held against what it should have: every array by values and type, nothing taken as equal."""

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from sim_engine import DayRecord, Scenario, SystemState, run_day
from tests.oracle.day import run_day as run_day_by_oracle


def differences(one: Any, other: Any, name: str = "record") -> list[str]:
    """Where two values differ, one line each with what stands there; a record is looked through field by field."""
    if type(one) is not type(other):
        return [f"{name}: {type(one).__name__} against {type(other).__name__}"]
    if isinstance(one, np.ndarray):
        return [f"{name}: {line}" for line in _differences_of_arrays(one, other)]
    if is_dataclass(one):
        return [
            line
            for field in fields(one)
            for line in differences(getattr(one, field.name), getattr(other, field.name), f"{name}.{field.name}")
        ]
    return [] if one == other else [f"{name}: {one!r:.200} against {other!r:.200}"]


def _differences_of_arrays(one: np.ndarray, other: np.ndarray) -> list[str]:
    if one.dtype != other.dtype:
        return [f"{one.dtype} against {other.dtype}"]
    if one.shape != other.shape:
        return [f"shape {one.shape} against {other.shape}: {one[-5:]} against {other[-5:]}"]
    places = np.flatnonzero(one != other)
    if not len(places):
        return []
    first = places[0]
    return [f"{len(places)} of {len(one)} places, first [{first}]: {one[first]} against {other[first]}"]


def check_kernel_is_oracle(scenario: Scenario) -> list[tuple[DayRecord, SystemState]]:
    """Runs all days of a scenario by both; each day opens from the same state. Returns what the kernel gave."""
    opening = SystemState.opening(scenario)
    days = []
    for _ in range(scenario.stated.num_days):
        record, closing = check_kernel_day_is_oracle_day(scenario, opening)
        days.append((record, closing))
        opening = closing
    assert len(days) == scenario.stated.num_days >= 1
    return days


def check_kernel_day_is_oracle_day(scenario: Scenario, opening: SystemState) -> tuple[DayRecord, SystemState]:
    """Runs the day that a state opens by both: record and closing state must be the same, bit for bit."""
    expected_record, expected_closing = run_day_by_oracle(scenario, opening)
    record, closing = run_day(scenario, opening)
    assert differences(record, expected_record) == []
    assert differences(closing, expected_closing, "closing") == []
    assert closing.to_json() == expected_closing.to_json()
    return record, closing
