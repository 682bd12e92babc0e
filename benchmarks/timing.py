"""How things are timed: medians of repeated runs, fresh processes, and what they ran on."""

import gc
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from pipelines.places import PROJECT_ROOT

Result = TypeVar("Result")


@dataclass(frozen=True)
class Effort:
    """How much to run.

    seeds, runs_per_seed: each day that is timed is run for every seed so many times. workloads: by name, smallest
    first. slice: payments given to PSSimPy. simulations: in the section of many simulations. workers: of Dask, how
    many at once, 1 first. swept, chunk_size: members of the runs that they are given, fewest first, and how these are
    cut. chunk_sizes: sizes that are compared.
    fresh_starts: processes started without compiled code.
    """

    seeds: tuple[int, ...] = (1, 2, 3)
    runs_per_seed: int = 3
    workloads: tuple[str, ...] = ("W1", "W2", "W3", "W4")
    against_oracle: tuple[str, ...] = ("W1", "W2")
    end_to_end: tuple[str, ...] = ("W2", "W3", "W4")
    growth: tuple[str, ...] = ("W1", "W2")
    slice: int = 10_000
    simulations: int = 256
    workers: tuple[int, ...] = (1, 2)
    swept: tuple[int, ...] = (64, 512)
    chunk_size: int = 16
    chunk_sizes: tuple[int, ...] = (1, 8, 64)
    fresh_starts: int = 3


QUICK = Effort(
    seeds=(1,),
    runs_per_seed=2,
    workloads=("W1",),
    against_oracle=("W1",),
    end_to_end=("W1",),
    growth=("W1",),
    slice=500,
    simulations=4,
    swept=(4, 8),
    chunk_size=2,
    chunk_sizes=(1, 4),
    fresh_starts=1,
)
"""Shows that everything runs; its numbers say little."""


@dataclass(frozen=True)
class Spread:
    """Median of some measurements with the smallest and the largest."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Of at least one value."""
        ordered = sorted(values)
        return cls(median(ordered), ordered[0], ordered[-1])

    def text(self, digits: int = 0) -> str:
        """Such as `1,200 (1,100 to 1,500)`."""
        return f"{self.middle:,.{digits}f} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"


def timed(call: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds that a call takes, and what it returns; garbage of earlier calls is collected first."""
    gc.collect()
    begin = time.perf_counter()
    result = call()
    return time.perf_counter() - begin, result


def in_fresh_process(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Any:
    """What a module of this project, run by itself in a new interpreter, prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT_ROOT,
        env={**os.environ, **(environment or {})},
    )
    return json.loads(done.stdout)


def environment_lines() -> list[str]:
    """What the numbers were measured on, without naming the machine."""
    return [
        f"CPU: {_cpu_model()}, {os.cpu_count()} logical cores",
        f"System: {platform.system()} {platform.machine()}",
        f"Python {platform.python_version()}, "
        + ", ".join(f"{package} {version(package)}" for package in ("numba", "numpy", "polars", "pyarrow")),
    ]


def _cpu_model() -> str:
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")
