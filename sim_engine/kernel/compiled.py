"""The kernel's one entry point, compiled on first use and cached beside this file."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numba import njit

from sim_engine.kernel.jit import behaved_work_at, plain_work_at, table_of
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


def _cached_days() -> tuple[Callable[[np.ndarray], int], Callable[[np.ndarray], int]]:
    sources = sources_digest()

    @njit(cache=True, nogil=True)
    def run_plain_day(table: np.ndarray) -> int:
        run_day(plain_work_at(table))
        return sources

    @njit(cache=True, nogil=True)
    def run_behaved_day(table: np.ndarray) -> int:
        run_day(behaved_work_at(table))
        return sources

    return run_plain_day, run_behaved_day


_run_plain_day, _run_behaved_day = _cached_days()


def run_day_in_place(work: Work) -> None:
    """Runs the day that a Work describes, leaving in it what came of it."""
    run_cached_day = _run_plain_day if work.rules["is_plain"][0] else _run_behaved_day
    compiled_from = run_cached_day(table_of(work))
    assert compiled_from == sources_digest(), "numba's cache gave code that was compiled from other sources"
