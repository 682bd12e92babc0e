"""Run in a fresh process with members and chunk size: what a worker takes in time and memory for a day, as JSON."""

import json
import sys
import tempfile
from pathlib import Path

from benchmarks.peak_memory import forget_peak, peak_bytes
from benchmarks.scaling import research_days
from benchmarks.timing import timed
from pipelines.chunks import ChunkDay, Staged, chunks_of, stage
from pipelines.raw_store import NewDay, RawStore
from pipelines.runs import Run
from sim_engine import SystemState
from sim_engine.compilation import compile_engine


def stage_all(run: Run, store: RawStore) -> list[Staged]:
    """Stages every chunk of a run's first day, one after the other, in one thread; keeps no closing state."""
    staged = []
    for number, members in enumerate(chunks_of(run)):
        opening = tuple(SystemState.opening(member.scenario) for member in members)
        outcome = stage(ChunkDay(store, run.run_id, 0, number, members, opening), threads=1)
        assert isinstance(outcome, Staged), outcome
        staged.append(Staged(outcome.attempt, outcome.heights))
    return staged


def cost(members: int, chunk_size: int, folder: Path) -> dict[str, float]:
    """What storing a run's first day in a folder takes.

    seconds: until all of it is staged. commit: seconds from then on. own: bytes resident before; chunk: how many more
    at most until all is staged. size: bytes stored. chunks, payments: how many.
    """
    stage_all(research_days(1, 1), RawStore(folder / "before"))
    run, store = research_days(members, chunk_size), RawStore(folder / "store")
    forget_peak()
    own = peak_bytes()
    seconds, staged = timed(lambda: stage_all(run, store))
    peak = peak_bytes()
    day = NewDay(store, run.run_id, 0, [chunk.attempt for chunk in staged])
    commit, _ = timed(day.commit)
    return {
        "seconds": seconds,
        "commit": commit,
        "own": own,
        "chunk": peak - own,
        "size": store.size_of(run.run_id),
        "chunks": len(staged),
        "payments": sum(chunk.heights["arrivals"] for chunk in staged),
    }


def main() -> None:
    """Prints the cost."""
    members, chunk_size = map(int, sys.argv[1:])
    compile_engine()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(cost(members, chunk_size, Path(folder))))


if __name__ == "__main__":
    main()
