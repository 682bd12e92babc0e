"""What is stored of runs, read day by day, from wherever it is stored: here, the raw tables of a data folder."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipelines.contracts import schema_of
from pipelines.raw_store import RawStore
from pipelines.run_listing import unknown_run
from sim_engine import InputError, Problem
from sim_engine.errors import ABSENT, did_you_mean

_STATED = ["simulation_id", "run_id", "scenario", "ticks_per_day", "num_days", "engine_version"]
_KEY = ["simulation_id", "transaction"]


@dataclass(frozen=True)
class StoredSimulation:
    """A simulation of which at least one day is stored; attributes as the columns of `simulations`.

    days: those that are stored, ascending.
    """

    simulation_id: str
    run_id: str
    scenario: str
    ticks_per_day: int
    num_days: int
    engine_version: str
    days: tuple[int, ...]

    def as_dict(self) -> dict[str, object]:
        """What it is, in plain values; not which days are stored of it."""
        return {name: getattr(self, name) for name in _STATED}


class StoredDays(ABC):
    """Raw tables of runs, whatever holds them.

    place: the folder or file, as messages name it.
    """

    def __init__(self, place: Path) -> None:
        self.place = place

    @abstractmethod
    def run_ids(self) -> list[str]:
        """Every run of which there is anything, ascending."""

    @abstractmethod
    def simulations(self, run_id: str) -> list[StoredSimulation]:
        """The simulations of a run in the order of its tables; none if no day of the run is stored.

        Raises InputError if they cannot be read.
        """

    @abstractmethod
    def read(
        self, table: str, run_id: str, day: int, simulation_ids: Sequence[str], columns: Sequence[str]
    ) -> pl.DataFrame:
        """Columns, with their contract's types, of the rows of some of a run's simulations on a day; in no order.

        Raises InputError if the table cannot be read or is one of a version whose columns are others.
        """


class RawStoreDays(StoredDays):
    """The raw tables of a store; of a run, the days that are committed."""

    def __init__(self, store: RawStore) -> None:
        super().__init__(store.root)
        self._store = store

    def run_ids(self) -> list[str]:  # noqa: D102
        return self._store.run_ids()

    def simulations(self, run_id: str) -> list[StoredSimulation]:  # noqa: D102
        days = tuple(self._store.days_stored(run_id))
        if not days:
            return []
        rows = self._collected("simulations", run_id, days[-1], _STATED, None)
        return [StoredSimulation(**row, days=days) for row in rows.iter_rows(named=True)]

    def read(  # noqa: D102
        self, table: str, run_id: str, day: int, simulation_ids: Sequence[str], columns: Sequence[str]
    ) -> pl.DataFrame:
        return self._collected(table, run_id, day, columns, simulation_ids)

    def _collected(
        self, table: str, run_id: str, day: int, columns: Sequence[str], simulation_ids: Sequence[str] | None
    ) -> pl.DataFrame:
        part = self._store.part(table, run_id, day)
        try:
            if not self._store.has_table(table, run_id):  # the version that stored the run did not have the table
                raise InputError(part, [other_version("is not there", run_id)])
            rows = self._store.scan(table, run_id, day)
            found = rows.collect_schema()
            if odd := [column for column in columns if found.get(column) != schema_of(table)[column]]:
                raise InputError(part, [other_version(f"has no such column {', '.join(odd)}", run_id)])
            if simulation_ids is not None:
                rows = rows.filter(pl.col("simulation_id").is_in(list(simulation_ids)))
            return rows.select(columns).collect()
        except (OSError, pl.exceptions.PolarsError) as error:
            remedy = f"cannot be read ({error}); store run {run_id} again from day 0"
            raise InputError(part, [Problem("", ABSENT, remedy)]) from error


def other_version(what: str, run_id: str) -> Problem:
    """That a table is not one of this version's. what: in which way."""
    remedy = f"{what}: another version of payment-sim stored it; run {run_id} again with this one, or read it with that"
    return Problem("", ABSENT, remedy)


def stored_simulations(stored: StoredDays, run_id: str) -> list[StoredSimulation]:
    """The simulations of the run that an option ``--run`` names, at least one. Raises InputError if there are none."""
    known = stored.run_ids()
    if run_id not in known:
        raise _refused(unknown_run("--run", run_id, known, stored.place))
    simulations = stored.simulations(run_id)
    if not simulations:
        raise _refused(Problem("--run", run_id, _NO_DAY))
    return simulations


def stored_simulation(stored: StoredDays, simulation_id: str) -> StoredSimulation:
    """The simulation that an option ``--simulation`` names. Raises InputError if there is none of that name."""
    known_runs = stored.run_ids()
    run_id = simulation_id.partition(".")[0]  # run, arm and seed, of which no run has a dot in its name
    simulations = stored.simulations(run_id) if run_id in known_runs else []
    for simulation in simulations:
        if simulation.simulation_id == simulation_id:
            return simulation
    if run_id in known_runs and not simulations:
        raise _refused(Problem("--simulation", simulation_id, _NO_DAY))
    known = [simulation.simulation_id for simulation in simulations] or _readable_simulations(stored, known_runs)
    raise _refused(_unknown_simulation(simulation_id, known, stored.place))


def chosen_of(
    simulations: Sequence[StoredSimulation], simulation_id: str | None, place: Path
) -> list[StoredSimulation]:
    """The one of a run's simulations that is named, or all of them. Raises InputError if none has the name."""
    chosen = [one for one in simulations if simulation_id in (None, one.simulation_id)]
    if not chosen:
        known = [simulation.simulation_id for simulation in simulations]
        where = f"run {simulations[0].run_id} in {place}"
        raise _refused(_unknown_simulation(simulation_id, known, where))
    return chosen


def days_text(days: Sequence[int]) -> str:
    """Days in words, ascending: what a message says there is."""
    if list(days) == [*range(days[0], days[-1] + 1)]:
        return f"day {days[0]}" if len(days) == 1 else f"days {days[0]} to {days[-1]}"
    return f"days {', '.join(map(str, days))}"


def arrivals_outstanding_on(
    stored: StoredDays, run_id: str, day: int, wanted: pl.DataFrame, columns: Sequence[str]
) -> pl.DataFrame:
    """Rows of `arrivals` of transactions that were outstanding on a day, whichever day they arrived on.

    wanted: their simulation_id and transaction. columns: these two among them.
    Of earlier days, the queues that were carried are read back to where the oldest of them arrived, and the arrivals
    of days on which one arrived. A transaction that is not found has no row.
    """
    found = [pl.DataFrame(schema={column: schema_of("arrivals")[column] for column in columns})]
    while not wanted.is_empty():
        simulation_ids = wanted["simulation_id"].unique(maintain_order=True).to_list()
        carried = carried_into(stored, run_id, day, simulation_ids)
        arrived = wanted.join(carried, on=_KEY, how="anti")
        if not arrived.is_empty():
            rows = stored.read("arrivals", run_id, day, simulation_ids, columns)
            found.append(rows.join(arrived, on=_KEY, how="semi"))
        wanted = wanted.join(carried, on=_KEY, how="semi")
        day -= 1
    return pl.concat(found)


def carried_into(stored: StoredDays, run_id: str, day: int, simulation_ids: Sequence[str]) -> pl.DataFrame:
    """simulation_id and transaction of what the night before a day left over."""
    if day == 0:
        return pl.DataFrame(schema={column: schema_of("queue_snapshots")[column] for column in _KEY})
    queued = stored.read("queue_snapshots", run_id, day - 1, simulation_ids, [*_KEY, "outcome"])
    return queued.filter(pl.col("outcome") == "carried").select(_KEY)


_NO_DAY = "no day of this run is committed; run it again"


def _unknown_simulation(simulation_id: str | None, known: Sequence[str], place: object) -> Problem:
    if not known:
        return unknown_run("--simulation", str(simulation_id), [], place)
    return Problem(
        "--simulation", simulation_id, f"no such simulation in {place}; {did_you_mean(simulation_id, known)}"
    )


def _readable_simulations(stored: StoredDays, run_ids: Sequence[str]) -> list[str]:
    """Names to offer where another was not found; a run that cannot be read has none to offer."""
    names = []
    for run_id in run_ids:
        try:
            names += [simulation.simulation_id for simulation in stored.simulations(run_id)]
        except InputError:
            continue
    return names


def _refused(problem: Problem) -> InputError:
    return InputError("command line", [problem])
