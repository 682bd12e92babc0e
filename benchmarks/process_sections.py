"""What only a fresh process shows: memory, and the start with and without compiled code at hand."""

import tempfile

from benchmarks.report import Section
from benchmarks.timing import Effort, Spread, in_fresh_process


def memory(effort: Effort) -> Section:
    """Peak memory per payment."""
    rows = []
    for name in effort.workloads:
        days = [in_fresh_process("benchmarks.peak_memory", name, str(seed)) for seed in effort.seeds]
        rows.append(
            (
                name,
                Spread.of(day["own"] / 2**20 for day in days).text(),
                Spread.of(day["day"] / 2**20 for day in days).text(),
                Spread.of(day["day"] / day["payments"] for day in days).text(),
            )
        )
    return Section(
        "Memory",
        "Peak resident memory in a process of its own, one a seed: with everything imported and compiled, and what "
        "loading the scenario and running its day added.",
        ("workload", "MiB before", "MiB the day added", "bytes per payment"),
        rows,
    )


def start(effort: Effort) -> Section:
    """From before the import to the end of a first tiny day."""
    cold: list[float] = []
    cached: list[float] = []
    for _ in range(effort.fresh_starts):
        with tempfile.TemporaryDirectory() as folder:
            cache = {"NUMBA_CACHE_DIR": folder}
            cold.append(in_fresh_process("benchmarks.fresh_start", environment=cache))
            cached += [in_fresh_process("benchmarks.fresh_start", environment=cache) for _ in range(2)]
    return Section(
        "Start",
        "Seconds in a fresh process from before the import of the engine to the end of two smallest days: a plain one, "
        "and one in which banks behave.",
        ("compiled code", "seconds"),
        [("compiled afresh", Spread.of(cold).text(2)), ("from the cache", Spread.of(cached).text(2))],
    )
