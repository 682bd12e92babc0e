"""Run in a fresh process: seconds from before the import of the engine to the end of two smallest days, as JSON.

One is plain, in the other banks behave.
"""

import json
import time

_BEGIN = time.perf_counter()

if __name__ == "__main__":
    # Nothing of benchmarks is imported: it would bring along more than the engine.
    from sim_engine.compilation import compile_engine

    compile_engine()
    print(json.dumps(time.perf_counter() - _BEGIN))
