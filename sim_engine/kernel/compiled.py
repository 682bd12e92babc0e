"""The kernel's one entry point, compiled on first use and cached beside this file."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numba import njit

from sim_engine.kernel.jit import table_of, work_at
from sim_engine.kernel.layout import Work
from sim_engine.kernel.tick import run_day


@cache
def sources_digest() -> int:
    """Number that changes with every source that the kernel is compiled from.

    numba's cache looks at the file of the entry point alone. What it also looks at is what the entry point closes over,
    and so it closes over this: code that was compiled from other sources is not found.
    """
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for source in sorted([*folder.rglob("*.py"), folder.parent / "vocabulary.py"]):
        digest.update(source.read_bytes())
    return int.from_bytes(digest.digest()[:7], "little")


def _cached_day() -> Callable[[np.ndarray], int]:
    sources = sources_digest()

    @njit(cache=True, nogil=True)
    def run_cached_day(table: np.ndarray) -> int:
        run_day(work_at(table))
        return sources

    entry: Callable[[np.ndarray], int] = run_cached_day
    return entry


_run_cached_day = _cached_day()


def run_day_in_place(work: Work) -> None:
    """Runs the day that a Work describes, leaving in it what came of it."""
    compiled_from = _run_cached_day(table_of(work))
    assert compiled_from == sources_digest(), "numba's cache gave code that was compiled from other sources"
