"""What it takes to have the chunks of a run simulated by workers of Dask, and stored as objects."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import Section
from benchmarks.store_sections import run_of, store_run
from benchmarks.timing import Effort, Spread, in_fresh_process, timed
from pipelines.contracts import CONTRACTS
from pipelines.fanout import Fanout, Threads, cores, fanout_of
from pipelines.places import PROJECT_ROOT
from pipelines.raw_store import RawStore
from pipelines.runs import Run
from sim_engine import Scenario, load_scenario
from tests.helpers.object_store import ObjectStore, running_object_store


class Way(NamedTuple):
    """Where a run is stored, and by whom its chunks are simulated: so many threads, or so many workers of Dask."""

    store: str
    by: str
    hands: int

    @property
    def name(self) -> str:
        """Such as `2 workers`."""
        return f"{self.hands} {self.by}{'s' if self.hands > 1 else ''}"


ALONE = Way("folder", "thread", 1)
"""What the others are held against."""


@dataclass(frozen=True)
class Stored:
    """What storing a run took. requests: of the object store; 0 if the run is stored in a folder."""

    seconds: float
    size: int
    requests: int


@dataclass(frozen=True)
class Workers:
    """Workers of Dask that have simulated before.

    start: seconds until they were there. warming: how many more their first chunks took than the same chunks again.
    """

    fanout: Fanout
    start: float
    warming: float


class Stores:
    """A new store for each run, in a folder or in the bucket of a server."""

    def __init__(self, folder: Path, server: ObjectStore) -> None:
        self._folder, self._server, self._numbers = folder, server, count()

    def store(self, run: Run, way: Way, fanout: Fanout) -> Stored:
        """Simulates and stores a run."""
        name = f"store-{next(self._numbers)}"
        store = self._server.store(name) if way.store == "objects" else RawStore(self._folder / name)
        before = requests_in(self._server.log)
        seconds, _ = timed(partial(store_run, run, store, fanout))
        requests = requests_in(self._server.log) - before
        stored = Stored(seconds, store.size_of(run.run_id), requests)
        store.remove_run(run.run_id)
        return stored


def requests_in(log: Path) -> int:
    """How many requests a server has answered: a line each."""
    return sum(" HTTP/1.1" in line for line in log.read_text(encoding="utf-8").splitlines())


@cache
def research_day() -> Scenario:
    """The scenario of the members."""
    return load_scenario(PROJECT_ROOT / "scenarios" / "research_day.yaml")


def research_days(members: int, chunk_size: int) -> Run:
    """A run of research days, which differ in their seeds."""
    scenario = research_day()
    return run_of("research", [scenario.with_rules(rng_seed=seed) for seed in range(1, members + 1)], chunk_size)


@contextmanager
def workers_of_dask(number: int, stores: Stores) -> Iterator[Workers]:
    """Workers of this machine, ready while the context is open."""
    with ExitStack() as opening:
        start, fanout = timed(lambda: opening.enter_context(fanout_of(f"local:{number}")))
        small = research_days(2 * number, chunk_size=1)
        first, second = (stores.store(small, Way("folder", "worker", number), fanout).seconds for _ in range(2))
        stores.store(small, Way("objects", "worker", number), fanout)
        yield Workers(fanout, start, first - second)


def past_one_machine(effort: Effort) -> Section:
    """Threads and workers, on a folder and on objects."""
    measured: dict[int, dict[Way, list[Stored]]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stores = Stores(folder, stack.enter_context(running_object_store(folder)))
        workers = {number: stack.enter_context(workers_of_dask(number, stores)) for number in effort.workers}
        fanouts: dict[Way, Fanout] = {Way("folder", "thread", number): Threads(number) for number in {1, cores()}}
        fanouts |= {Way("folder", "worker", number): workers[number].fanout for number in effort.workers}
        on_objects = {way._replace(store="objects"): fanout for way, fanout in fanouts.items() if way.by == "worker"}
        stores.store(research_days(1, 1), ALONE, fanouts[ALONE])
        for members in effort.swept:
            ways = fanouts | on_objects if members == min(effort.swept) else fanouts
            run = research_days(members, effort.chunk_size)
            measured[members] = taken = defaultdict(list)
            for _ in range(_turns(effort, members)):
                for way, fanout in ways.items():
                    taken[way].append(stores.store(run, way, fanout))
        a_chunk = requests_per_chunk(stores, workers[1].fanout)
    return Section(
        "Past one machine",
        _says(effort, workers[max(effort.workers)], a_chunk),
        (
            "members",
            "stored in",
            "simulated by",
            "chunks",
            "seconds",
            "ms over, per member",
            "times as fast as 1 worker",
            "MB written",
            "requests",
        ),
        [
            row_of(members, -(-members // effort.chunk_size), way, taken)
            for members, taken in measured.items()
            for way in taken
        ],
    )


def _turns(effort: Effort, members: int) -> int:
    """How often each way stores a run of so many members: those that take long, half as often."""
    return effort.runs_per_seed if members == min(effort.swept) else -(-effort.runs_per_seed // 2)


def requests_per_chunk(stores: Stores, fanout: Fanout) -> int:
    """How many requests one more chunk of a first day takes, beyond the second: the first is put in its place apart."""
    two, three = (
        stores.store(research_days(members, 1), Way("objects", "worker", 1), fanout).requests for members in (2, 3)
    )
    return three - two


def row_of(members: int, chunks: int, way: Way, taken: dict[Way, list[Stored]]) -> tuple[str, ...]:
    """What is told of one way."""
    seconds = {other: Spread.of(stored.seconds for stored in runs) for other, runs in taken.items()}
    over = (way.hands * seconds[way].middle - seconds[ALONE].middle) / members
    one_worker = seconds[Way(way.store, "worker", 1)].middle
    last = taken[way][-1]
    return (
        f"{members}",
        "a folder" if way.store == "folder" else "objects",
        way.name,
        f"{chunks}",
        seconds[way].text(2),
        "" if way == ALONE else f"{1000 * over:.1f}",
        f"{one_worker / seconds[way].middle:.2f}",
        f"{last.size / 1e6:.1f}",
        f"{last.requests}" if way.store == "objects" else "",
    )


def _says(effort: Effort, workers: Workers, requests_a_chunk: int) -> str:
    turns = ", ".join(f"{_turns(effort, members)} of {members} members" for members in effort.swept)
    return (
        f"Seeds of scenarios/research_day.yaml as one run of one day, in chunks of {effort.chunk_size}: simulated, "
        f"every table checked, stored and committed; runs in turns, {turns}. Time over, per member: threads or "
        "workers times seconds, less the seconds that one thread of one process takes to simulate and store the "
        f"same chunks in a folder, by the number of members. The machine's {cores()} cores are shared by "
        "workers, scheduler, the process that asks, and the S3-compatible server on loopback that objects are "
        "stored in: two workers gain less here than a second machine would give, and "
        "polars uses all cores for one worker, or one thread, too. Tables "
        f"and states of a chunk are {len(CONTRACTS) + 1} files, which take {requests_a_chunk} requests on the first "
        "day; other requests are per day and launch. Once a launch, not counted in the table, it takes "
        f"{workers.start:.1f} s to start the scheduler and {max(effort.workers)} workers, and {workers.warming:.1f} s "
        "more than later ones for their first chunks (imports, compiled code)."
    )


def by_chunk_size(effort: Effort) -> Section:
    """What the size of chunks costs and saves."""
    rows = []
    for chunk_size in effort.chunk_sizes:
        done = [
            in_fresh_process("benchmarks.chunk_cost", str(effort.swept[0]), str(chunk_size))
            for _ in range(effort.runs_per_seed)
        ]
        seconds = Spread.of(one["seconds"] for one in done)
        payments, size = done[-1]["payments"], done[-1]["size"]
        rows.append(
            (
                f"{chunk_size}",
                seconds.text(2),
                f"{payments / seconds.middle:,.0f}",
                Spread.of(1000 * one["commit"] / one["chunks"] for one in done).text(1),
                f"{size / payments:.1f}",
                Spread.of(one["own"] / 2**20 for one in done).text(),
                Spread.of(one["chunk"] / 2**20 for one in done).text(),
            )
        )
    return Section(
        "By chunk size",
        f"{effort.swept[0]} seeds of scenarios/research_day.yaml, simulated and stored in a folder by one thread of a "
        "process of its own, as a worker does it: seconds until all chunks are staged; payments in such a second; "
        "milliseconds a chunk to put them in their places afterwards, which the process that asks does; bytes in the "
        "store per payment; and resident memory, before, and what its peak added.",
        (
            "simulations in a chunk",
            "seconds",
            "payments/s",
            "ms to commit a chunk",
            "bytes per payment",
            "MiB before",
            "MiB added",
        ),
        rows,
    )
