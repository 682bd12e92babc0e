"""The cycles of a stored day, each with who paid whom in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipelines.contracts import schema_of
from pipelines.run_figures import Netting
from pipelines.stored_days import (
    StoredDays,
    StoredSimulation,
    arrivals_outstanding_on,
    chosen_of,
    days_text,
    stored_simulations,
)
from sim_engine import InputError, Problem
from sim_engine.vocabulary import CYCLE_TYPES

_KEY = ["simulation_id", "transaction"]


@dataclass(frozen=True)
class DayCycles:
    """The cycles of a simulation's day.

    netting_by: all of them, by cycle type. cycles: the first of them, or all, by cycle_seq: every column of
    `lsm_cycles`, then senders and receivers, aligned with transactions.
    """

    simulation: StoredSimulation
    day: int
    netting_by: dict[str, Netting]
    cycles: tuple[dict[str, Any], ...]

    @property
    def netting(self) -> Netting:
        """All cycles of the day together."""
        return sum(self.netting_by.values(), Netting())


def day_cycles(
    stored: StoredDays, run_id: str, day: int, simulation_id: str | None = None, limit: int | None = None
) -> list[DayCycles]:
    """The cycles of a stored day, for each simulation of a run, or for one, in the order of the tables.

    limit: how many cycles of each simulation are described; None: all.
    Raises InputError if there is no such run, day or simulation, or if what is stored cannot be read.
    """
    run = stored_simulations(stored, run_id)
    chosen = chosen_of(run, simulation_id, stored.place)
    with_day = [simulation for simulation in chosen if day in simulation.days]
    if not with_day:
        raise InputError("command line", [Problem("--day", day, _days_stored(chosen))])
    names = [simulation.simulation_id for simulation in with_day]
    cycles = stored.read("lsm_cycles", run_id, day, names, schema_of("lsm_cycles").names()).sort("cycle_seq")
    shown = cycles if limit is None else cycles.group_by("simulation_id", maintain_order=True).head(limit)
    described = _with_ends(stored, run_id, day, shown.select(cycles.columns))
    return [
        DayCycles(
            simulation,
            day,
            _netting_by(cycles.filter(pl.col("simulation_id") == simulation.simulation_id)),
            tuple(described.get(simulation.simulation_id, ())),
        )
        for simulation in with_day
    ]


def _days_stored(simulations: list[StoredSimulation]) -> str:
    longest = max(simulations, key=lambda simulation: len(simulation.days))
    of = longest.simulation_id if len(simulations) == 1 else f"run {longest.run_id}"
    return f"no such day of {of} is stored, but {days_text(longest.days)}; days are numbered from 0"


def _netting_by(cycles: pl.DataFrame) -> dict[str, Netting]:
    columns = ("cycle_type", "transactions", "total_value", "settled_value")
    found = dict.fromkeys(CYCLE_TYPES, Netting())
    for kind, transactions, gross, net in zip(*(cycles[column].to_list() for column in columns), strict=True):
        found[kind] += Netting(1, len(transactions), gross, net)
    return found


def _with_ends(stored: StoredDays, run_id: str, day: int, cycles: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Cycles by simulation, with senders and receivers of their transactions."""
    wanted = cycles.select("simulation_id", pl.col("transactions").alias("transaction")).explode("transaction")
    arrivals = arrivals_outstanding_on(stored, run_id, day, wanted, [*_KEY, "sender", "receiver"])
    ends = {(simulation_id, name): pair for simulation_id, name, *pair in arrivals.iter_rows()}
    described: dict[str, list[dict[str, Any]]] = {}
    for cycle in cycles.iter_rows(named=True):
        keys = [(cycle["simulation_id"], name) for name in cycle["transactions"]]
        for simulation_id, name in keys:
            if (simulation_id, name) not in ends:
                remedy = f"is in a cycle of {simulation_id}, and nothing says that it arrived; run {run_id} again"
                raise InputError(stored.place, [Problem("transaction", name, remedy)])
        senders, receivers = ([ends[key][side] for key in keys] for side in (0, 1))
        described.setdefault(cycle["simulation_id"], []).append(cycle | {"senders": senders, "receivers": receivers})
    return described


def as_dicts(days: list[DayCycles]) -> Iterator[dict[str, Any]]:
    """The described cycles of all simulations, in order."""
    for one in days:
        yield from one.cycles
