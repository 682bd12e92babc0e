"""The engine can be compiled before anyone waits for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.places import PROJECT_ROOT

A_DAY_OF_EVERYTHING = """
from sim_engine import SystemState, load_scenario, run_days
for path, days in (("tests/golden/golden_day.yaml", 2), ("scenarios/bilateral_limit_blocks_a_pair.yaml", 1)):
    scenario = load_scenario(path)
    print(len(list(run_days(scenario, SystemState.opening(scenario), days))))
"""


def run_python(*arguments: str, cache: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        check=True,
        capture_output=True,
        text=True,
        cwd=PROJECT_ROOT,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
    )
    assert done.stderr == ""
    return done.stdout


def compiled_code(cache: Path) -> dict[Path, int]:
    """Files of machine code with the time of their last change."""
    return {file: file.stat().st_mtime_ns for file in cache.rglob("*.nbc")}


@pytest.mark.slow
def test_nothing_is_left_to_compile_after_compilation(tmp_path):
    run_python("-m", "sim_engine.compilation", cache=tmp_path)
    compiled = compiled_code(tmp_path)
    assert len(compiled) == 4  # draw, merge, the plain day and the one in which banks behave
    assert run_python("-c", A_DAY_OF_EVERYTHING, cache=tmp_path) == "2\n1\n"
    assert compiled_code(tmp_path) == compiled
