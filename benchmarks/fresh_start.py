"""Run in a fresh process: seconds from before the import of the engine to the end of a tiny first day, as JSON."""

import json
import time

_BEGIN = time.perf_counter()

if __name__ == "__main__":
    # Nothing of benchmarks is imported: it would bring along more than the engine.
    from pathlib import Path

    from sim_engine import SystemState, parse_scenario, run_day

    _TINY = {
        "name": "tiny",
        "ticks_per_day": 4,
        "agents": [{"id": name, "opening_balance": 0} for name in ("A", "B", "C")],
        "generate": {"default": {"payments_per_day": 5, "amount": {"median": 100, "sigma": 1.0}}},
    }
    _scenario = parse_scenario(_TINY, source=Path("tiny"))
    run_day(_scenario, SystemState.opening(_scenario))
    print(json.dumps(time.perf_counter() - _BEGIN))
