"""What it takes to keep what the engine did: frames, contracts, Parquet, states, and the DuckDB file of `--persist`."""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.days import scenario_of, seconds_of_day
from benchmarks.report import Section
from benchmarks.timing import Effort, Spread, timed
from pipelines import chunks
from pipelines.chunks import ChunkDay, chunks_of
from pipelines.contracts import validate
from pipelines.fanout import Fanout
from pipelines.frames import MembersDay, frame_of
from pipelines.raw_store import NewDay, NewPart, RawStore
from pipelines.run_days import run_and_store_days
from pipelines.runs import CHUNK_SIZE, Member, Run
from sim_engine import DayRecord, Scenario, SystemState, parse_scenario
from sim_engine.records import LsmCycles
from sim_engine.simulation import PLAIN_ARM

PARTS = {
    "simulate": (chunks, "_simulate"),
    "frames": (chunks, "frame_of"),
    "contracts": (chunks, "validate"),
    "Parquet": (NewPart, "stage"),
    "states": (NewPart, "stage_closing"),
    "commit": (NewDay, "commit"),
}
"""Functions whose time is a part of storing a day. Several tables are framed, checked and written at once, so that
these parts can add up to more than the total."""

CYCLES = 100


def run_of(name: str, scenarios: list[Scenario], chunk_size: int = CHUNK_SIZE) -> Run:
    """A run of one arm and one day with these scenarios, which differ in their seeds."""
    members = tuple(Member(name, PLAIN_ARM, PLAIN_ARM, scenario) for scenario in scenarios)
    return Run(name, Path(f"{name}.yaml"), 1, members, chunk_size=chunk_size)


def store_run(run: Run, store: RawStore, fanout: Fanout | None = None) -> RawStore:
    """Simulates a run's days and stores all their tables, as the command line does. Returns the store."""
    for _ in run_and_store_days(run, store, 0, run.days - 1, fanout=fanout):
        pass
    return store


def simulate_run(run: Run, threads: int) -> None:
    """Simulates a run's first day, chunk after chunk, and stores nothing."""
    for number, members in enumerate(chunks_of(run)):
        opening = tuple(SystemState.opening(member.scenario) for member in members)
        chunk = ChunkDay(RawStore(Path(run.run_id)), run.run_id, 0, number, members, opening)
        chunks._simulate(chunk, threads, None)


@contextmanager
def parts_timed() -> Iterator[dict[str, list[float]]]:
    """While open, notes the seconds of every call of each of PARTS, of whatever thread."""
    spent: dict[str, list[float]] = {part: [] for part in PARTS}

    def clocked(part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run_clocked(*args: Any, **kwargs: Any) -> Any:
            begin = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                spent[part].append(time.perf_counter() - begin)

        return run_clocked

    with ExitStack() as stack:
        for part, (owner, name) in PARTS.items():
            stack.enter_context(patch.object(owner, name, clocked(part, getattr(owner, name))))
        yield spent


def end_to_end(effort: Effort) -> Section:
    """A day from scenario to committed tables, by part."""
    rows = []
    for name in effort.end_to_end:
        parts: dict[str, list[float]] = defaultdict(list)
        for _ in range(effort.runs_per_seed):
            for seed in effort.seeds:
                run = run_of(name, [scenario_of(name, seed)])
                with tempfile.TemporaryDirectory() as folder, parts_timed() as spent:
                    total, _ = timed(partial(store_run, run, RawStore(Path(folder))))
                for part, seconds in spent.items():
                    parts[part].append(sum(seconds))
                parts["total"].append(total)
        rows.append(
            (name, *(f"{Spread.of(parts[part]).middle:.2f}" for part in PARTS), Spread.of(parts["total"]).text(2))
        )
    return Section(
        "From scenario to committed tables",
        "Seconds for one day into the raw store: all tables framed, held against their contracts, written as "
        "Parquet and flushed to disk; the closing state; and all of it committed. Compiled code loaded before. Two "
        "tables are made at a time, so that frames, contracts and Parquet add up to more than passes.",
        ("workload", *PARTS, "total"),
        rows,
    )


def hundred_cycles(effort: Effort) -> Section:
    """What it takes to keep a hundred cycles: their table with them and without."""
    scenario = mutual_pairs(CYCLES)
    _, record = seconds_of_day(scenario)
    assert len(record.lsm_cycles.ticks) == CYCLES, "each pair settles as one cycle"
    without = replace(record, lsm_cycles=first_cycles(record.lsm_cycles, 0))
    member = Member("pairs", PLAIN_ARM, PLAIN_ARM, scenario)
    spent: dict[str, list[float]] = {f"with {CYCLES} cycles": [], "without": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(10 * len(effort.seeds) * effort.runs_per_seed):
            for kept, of_day in zip(spent, (record, without), strict=True):
                seconds, _ = timed(partial(keep_cycles, member, of_day, Path(folder)))
                spent[kept].append(1000 * seconds)
    full, empty = (Spread.of(milliseconds) for milliseconds in spent.values())
    return Section(
        f"Keeping {CYCLES} cycles",
        "Milliseconds to frame, check and write the table `lsm_cycles` of a day, flushed to disk, with the cycles and "
        "without any: the difference of the medians is what the cycles cost on top of the day.",
        (*spent, "difference"),
        [(full.text(2), empty.text(2), f"{full.middle - empty.middle:.2f}")],
    )


def keep_cycles(member: Member, record: DayRecord, root: Path) -> None:
    """Makes, checks and writes the table of a day's cycles, as storing the day does."""
    frame = frame_of("lsm_cycles", MembersDay([(member, record)]))
    validate("lsm_cycles", frame)
    NewPart(RawStore(root), member.run_id, record.day).stage("lsm_cycles", frame)


def first_cycles(cycles: LsmCycles, count: int) -> LsmCycles:
    """The first few of a day's cycles."""
    agents, transactions = cycles.agent_offsets[: count + 1], cycles.transaction_offsets[: count + 1]
    per_cycle = ("ticks", "lsm_passes", "mechanisms", "min_amounts", "settled_values", "total_values")
    return replace(
        cycles,
        **{name: getattr(cycles, name)[:count] for name in per_cycle},
        agent_offsets=agents,
        agents=cycles.agents[: agents[-1]],
        net_positions=cycles.net_positions[: agents[-1]],
        transaction_offsets=transactions,
        transactions=cycles.transactions[: transactions[-1]],
    )


def mutual_pairs(pairs: int) -> Scenario:
    """Banks without liquidity that pay each other two by two: as many bilateral cycles as pairs."""
    names = [f"BANK_{place:03d}" for place in range(2 * pairs)]
    both_ways = [(names[place + side], names[place + 1 - side]) for place in range(0, 2 * pairs, 2) for side in (0, 1)]
    return parse_scenario(
        {
            "name": "pairs",
            "ticks_per_day": 1,
            "agents": [{"id": name, "opening_balance": 0} for name in names],
            "arrivals": [{"sender": one, "receiver": other, "amount": 100, "tick": 0} for one, other in both_ways],
        },
        source=Path("pairs"),
    )


def many_simulations(effort: Effort) -> Section:
    """Many seeds of W1, all tables stored."""
    first = scenario_of("W1", 1)
    run = run_of("many", [first.with_rules(rng_seed=seed) for seed in range(1, effort.simulations + 1)])
    threads = {1: "1 thread", 2: "2 threads"}
    simulating: dict[int, list[float]] = {workers: [] for workers in threads}
    totals = []
    for _ in range(effort.runs_per_seed):
        for workers in threads:
            seconds, _ = timed(partial(simulate_run, run, workers))
            simulating[workers].append(seconds)
        with tempfile.TemporaryDirectory() as folder:
            totals.append(timed(partial(store_run, run, RawStore(Path(folder))))[0])
    total = Spread.of(totals)
    return Section(
        "Many simulations",
        f"{effort.simulations} seeds of W1 as one run in chunks of {CHUNK_SIZE}, seconds: simulated on one thread and "
        "on two; and all of it, on as many threads as there are cores, every table of every simulation checked and "
        "stored.",
        (
            "simulations",
            *(f"simulating, {name}" for name in threads.values()),
            "stored",
            "ms each",
        ),
        [
            (
                f"{effort.simulations}",
                *(Spread.of(simulating[workers]).text(2) for workers in threads),
                total.text(2),
                f"{1000 * total.middle / effort.simulations:.1f}",
            )
        ],
    )
