"""Who simulates the chunks of a run: threads of this process, or workers of Dask."""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import Protocol

from pipelines.chunks import ChunkDay, MemberDone, Refused, Staged, stage
from pipelines.raw_store import RawStore
from sim_engine import InputError, Problem
from sim_engine.errors import ABSENT

DASK_VARIABLE = "PAYMENT_SIM_DASK"
"""Environment variable that says which Dask simulates: `local`, `local:N` or a scheduler's address; else threads."""


class Fanout(Protocol):
    """Whoever simulates the chunks of a day."""

    def check(self, store: RawStore) -> None:
        """Raises InputError if whoever simulates does not see the store."""

    def staged(self, chunks: Sequence[ChunkDay], on_member: MemberDone | None) -> Iterator[Staged | Refused]:
        """What became of each chunk, in their order. Chunks after one that fails need not be simulated.

        on_member: called after each simulated day of a member, by the thread that called this.
        Raises the InputError of the first chunk that has one.
        """


class Threads:
    """Threads of this process: chunk after chunk, the members of each several at a time.

    threads: how many, as many as there are cores if not given.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads or cores()

    def check(self, store: RawStore) -> None:
        """Nothing can be amiss: threads see what their process sees."""

    def staged(self, chunks: Sequence[ChunkDay], on_member: MemberDone | None) -> Iterator[Staged | Refused]:
        """What became of each chunk, in their order, each simulated when it is asked for."""
        for chunk in chunks:
            yield stage(chunk, self._threads, on_member)


def cores() -> int:
    """How many cores this process may use, where the system says so; else how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def stated_dask() -> str:
    """The Dask that the environment states; empty: threads."""
    return os.environ.get(DASK_VARIABLE, "")


def check_fanout(stated: str) -> None:
    """Raises InputError as fanout_of does, also if a scheduler that is named does not answer; starts nothing."""
    fanout = fanout_of(stated)
    if "://" in stated:
        with fanout:
            pass


def fanout_of(stated: str) -> AbstractContextManager[Fanout]:
    """Whoever is stated to simulate, ready while the context is open.

    stated: `local`, `local:N` or a scheduler's address; threads if it is empty.
    Raises InputError if it is none of these, if Dask is not installed, or, once opened, if no scheduler answers.
    """
    if not stated:
        return nullcontext(Threads())
    if find_spec("distributed") is None:
        remedy = "needs Dask, which is not installed; install the extra: pip install 'payment-sim[dask]'"
        raise InputError("configuration", [Problem(f"{DASK_VARIABLE}={stated}", ABSENT, remedy)])
    from pipelines.dask_workers import dask_of

    return dask_of(stated, f"{DASK_VARIABLE}={stated}")
