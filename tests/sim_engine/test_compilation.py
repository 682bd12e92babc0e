"""The engine can be compiled before anyone waits for it."""

import subprocess
import sys

import pytest

from pipelines.places import PROJECT_ROOT

A_DAY_OF_EVERYTHING = """
from sim_engine import SystemState, load_scenario, run_days
for path, days in (("tests/golden/golden_day.yaml", 2), ("scenarios/bilateral_limit_blocks_a_pair.yaml", 1)):
    scenario = load_scenario(path)
    print(len(list(run_days(scenario, SystemState.opening(scenario), days))))
"""

COMPILED = """
import gc
from numba.core.caching import NullCache
from numba.core.dispatcher import Dispatcher

def compiled():
    "What is kept in numba's cache: by name, for which types there is machine code here, and how often it was compiled."
    kept = [one for one in gc.get_objects() if isinstance(one, Dispatcher) and not isinstance(one._cache, NullCache)]
    return {
        one.__name__: (one.signatures, sum(one.stats.cache_hits.values()), sum(one.stats.cache_misses.values()))
        for one in sorted(kept, key=lambda one: one.__name__) if one.signatures
    }
"""

CALLED = ["draw", "merge", "run_behaved_day", "run_plain_day"]


def run_python(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=PROJECT_ROOT)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.slow
def test_nothing_is_left_to_compile_after_compilation() -> None:
    before, *days, after, names = run_python(f"""
{COMPILED}
from sim_engine.compilation import compile_engine
compile_engine()
print(compiled())
{A_DAY_OF_EVERYTHING}
print(compiled())
print(list(compiled()))
""")
    assert days == ["2", "1"]
    assert names == str(CALLED)
    assert after == before


@pytest.mark.slow
def test_what_is_compiled_is_found_by_the_next_process() -> None:
    run_python("from sim_engine.compilation import compile_engine; compile_engine()")
    *days, found = run_python(f"""
{A_DAY_OF_EVERYTHING}
{COMPILED}
print([(name, len(types), hits, misses) for name, (types, hits, misses) in compiled().items()])
""")
    assert days == ["2", "1"]
    assert found == str([(name, 1, 1, 0) for name in CALLED])
