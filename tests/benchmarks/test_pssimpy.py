"""The comparison with PSSimPy gives both sides the same payments, and says what to install."""

import builtins
from pathlib import Path

import pytest

from benchmarks.pssimpy import MISSING, first_payments, run_pssimpy
from benchmarks.workloads import WORKLOADS, scenario_mapping
from sim_engine import SystemState, parse_scenario, run_day


@pytest.fixture
def w1():
    return parse_scenario(scenario_mapping(WORKLOADS["W1"], 1), source=Path("W1"))


def test_slice_holds_the_first_payments_of_the_day_and_all_else_as_it_was(w1, tmp_path):
    whole, _ = run_day(w1, SystemState.opening(w1))
    scenario = first_payments(w1, 50, tmp_path)
    record, _ = run_day(scenario, SystemState.opening(scenario))
    for column in ("senders", "receivers", "amounts", "arrival_ticks"):
        expected = getattr(whole.transactions, column)[:50].tolist()
        assert getattr(record.transactions, column).tolist() == expected
    assert scenario.stated.generate is None
    unchanged = ("agents", "ticks_per_day", "lsm", "queue2")
    assert [getattr(scenario.stated, key) for key in unchanged] == [getattr(w1.stated, key) for key in unchanged]


@pytest.mark.parametrize("window", [1, 15])
def test_pssimpy_settles_what_is_covered_and_writes_no_file(window, w1, tmp_path, monkeypatch):
    pytest.importorskip("PSSimPy")
    scenario = first_payments(w1, 50, tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    day = run_pssimpy(scenario, window)
    assert day.payments == 50
    assert day.settled == 50
    assert list(empty.iterdir()) == []


def test_without_pssimpy_the_remedy_is_named(w1, tmp_path, monkeypatch):
    real = builtins.__import__

    def without_pssimpy(name, *args, **kwargs):
        if name.startswith("PSSimPy"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    scenario = first_payments(w1, 5, tmp_path)
    monkeypatch.setattr(builtins, "__import__", without_pssimpy)
    with pytest.raises(SystemExit, match="pip install") as refused:
        run_pssimpy(scenario, 1)
    assert str(refused.value) == MISSING
