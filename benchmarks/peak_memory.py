"""Run in a fresh process with a workload and a seed: what its day takes in memory over the interpreter's own, as JSON.

Read from Linux's /proc rather than ru_maxrss: in a process just started, that includes the size of its parent.
"""

import gc
import json
import sys
from pathlib import Path

from benchmarks.days import payments_in, scenario_of
from sim_engine import SystemState, run_day
from sim_engine.compilation import compile_engine


def forget_peak() -> None:
    """Lets the peak start anew from what is resident now: that of importing and compiling is over."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_bytes() -> int:
    """The largest resident size of this process since the peak was forgotten."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024


def main() -> None:
    """Prints {"payments": ..., "own": bytes before, "day": bytes that the scenario and its day added}."""
    workload, seed = sys.argv[1], int(sys.argv[2])
    compile_engine()
    forget_peak()
    own = peak_bytes()
    scenario = scenario_of(workload, seed)
    record, _ = run_day(scenario, SystemState.opening(scenario))
    print(json.dumps({"payments": payments_in(record), "own": own, "day": peak_bytes() - own}))


if __name__ == "__main__":
    main()
