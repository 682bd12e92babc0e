"""What a run would be: its arms, its payments, and an estimate of what simulating and storing it takes here.

The estimate rests on trials: the first days of a few members, simulated and stored in a folder that is removed
afterwards.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import floor, fsum
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pipelines.raw_store import RawStore
from pipelines.run_days import RunStopped, run_and_store_days
from pipelines.runs import Member, Run
from sim_engine.compilation import compile_engine
from sim_engine.scenario import Generate

MARTS_SECONDS_FIXED = 20.0
MARTS_SECONDS_PER_MILLION_PAYMENTS = 8.0
"""Time that dbt takes of `payment-sim pipeline`, on two cores: with hardly a payment, and what 2,000,000 add to it."""

_TRIAL_DAYS_MAX = 3
"""Day 0 opens with empty queues; what the next two differ by is taken to be what each further day adds."""

_TRIAL_MEMBERS_MAX = 16
_TRIAL_MEMBERS_PER_CORE = 2
"""How many members are tried at once: these, or where there are many cores enough to keep all of them busy."""

_TRIAL_SECONDS_MAX = 15.0
"""About how long a trial may take; of large systems fewer days and members are tried."""


@dataclass(frozen=True, slots=True)
class PlannedArm:
    """An arm of a run, with what it states in place of the scenario's values, by path."""

    name: str
    baseline_arm: str
    overrides: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class PlannedPayments:
    """Payments that arrive, over simulations and days.

    listed, from_file: exact numbers. generated: the expected number; how many are drawn depends on the seeds.
    """

    listed: int = 0
    from_file: int = 0
    generated: float = 0.0

    def __add__(self, other: "PlannedPayments") -> "PlannedPayments":
        return PlannedPayments(
            self.listed + other.listed, self.from_file + other.from_file, self.generated + other.generated
        )

    def times(self, number: int) -> "PlannedPayments":
        """The payments of so many simulations that have these each."""
        return PlannedPayments(self.listed * number, self.from_file * number, self.generated * number)

    @property
    def total(self) -> int:
        """All payments; the expected number, rounded, where some are generated."""
        return self.listed + self.from_file + round(self.generated)

    @property
    def is_exact(self) -> bool:
        """Whether nothing is left to chance."""
        return self.generated == 0


@dataclass(frozen=True, slots=True)
class Trial:
    """What the first days of some members took.

    payments: how many arrived. seconds, stored_bytes: by day, what simulating and storing it took, and what was stored.
    """

    members: int
    payments: int
    seconds: tuple[float, ...]
    stored_bytes: tuple[int, ...]

    @property
    def days(self) -> int:
        """How many days were tried."""
        return len(self.seconds)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run takes on this machine.

    seconds_simulating: simulating and storing. seconds_marts: building the marts. stored_bytes: raw tables and closing
    states. trial: what it rests on.
    """

    seconds_simulating: float
    seconds_marts: float
    stored_bytes: float
    trial: Trial


def arms_of(run: Run) -> list[PlannedArm]:
    """The arms of a run, in its order."""
    firsts = (next(members) for _, members in groupby(run.members, key=lambda member: member.arm))
    return [PlannedArm(first.arm, first.baseline_arm, run.overrides.get(first.arm, {})) for first in firsts]


def seeds_of(run: Run) -> list[int]:
    """The seeds of a run, in its order; every arm has them all."""
    first_arm = run.members[0].arm
    return [member.scenario.stated.rng_seed for member in run.members if member.arm == first_arm]


def payments_of(run: Run, days: int | None = None) -> PlannedPayments:
    """How many payments arrive in all simulations of a run, over its first days, or over all of them."""
    sizes = [(arm, len(list(members))) for arm, members in groupby(run.members, key=lambda member: member.arm)]
    first, planned = 0, PlannedPayments()
    for _, size in sizes:  # members of an arm differ in their seed alone
        planned += _payments_of_member(run.members[first], days or run.days).times(size)
        first += size
    return planned


def estimate_of(run: Run) -> Estimate:
    """What a run takes, from trials of one member and of several.

    Raises InputError if a day that is tried cannot be simulated.
    """
    compile_engine()
    with TemporaryDirectory(prefix="payment-sim-plan-") as folder:
        root = Path(folder)
        first = _trial_of(run, run.members[:1], 1, root / "first")  # loads whatever the first day of a process loads
        days = min(_TRIAL_DAYS_MAX, run.days, max(1, floor(_TRIAL_SECONDS_MAX / sum(first.seconds))))
        one = several = _trial_of(run, run.members[:1], days, root / "one")
        most = max(_TRIAL_MEMBERS_MAX, _TRIAL_MEMBERS_PER_CORE * (os.cpu_count() or 1))
        members = _spread(run.members, min(most, floor(_TRIAL_SECONDS_MAX / sum(one.seconds))))
        if len(members) > 1:
            several = _trial_of(run, members, days, root / "several")
    return estimate_from(run, one, several)


def estimate_from(run: Run, one: Trial, several: Trial) -> Estimate:
    """What a run takes if as many days of one of its members, and of several, took what the trials say.

    A day's costs are taken to lie on a straight line over the members, bytes of further days on one over the days, and
    time to go with the bytes.
    """
    number = (several.members, len(run.members))
    seconds = [_on_line(*costs, *number) for costs in zip(one.seconds, several.seconds, strict=True)]
    stored = [_on_line(*costs, *number) for costs in zip(one.stored_bytes, several.stored_bytes, strict=True)]
    growth = max(0.0, stored[-1] - stored[-2]) if len(stored) == _TRIAL_DAYS_MAX else 0.0
    further = [stored[-1] + growth * day for day in range(1, run.days - len(stored) + 1)]
    payments = payments_of(run).total
    return Estimate(
        seconds_simulating=sum(seconds) + seconds[-1] * sum(further) / stored[-1],
        seconds_marts=MARTS_SECONDS_FIXED + MARTS_SECONDS_PER_MILLION_PAYMENTS * payments / 1e6,
        stored_bytes=sum(stored) + sum(further),
        trial=several,
    )


def _payments_of_member(member: Member, days: int) -> PlannedPayments:
    scenario, stated = member.scenario, member.scenario.stated
    ticks = days * stated.ticks_per_day
    file = scenario.payments_file
    rates = [] if stated.generate is None else [_rate(stated.generate, agent) for agent in scenario.agent_ids]
    return PlannedPayments(
        listed=sum(arrival.tick < ticks for arrival in stated.arrivals),
        from_file=0 if file is None else int(np.count_nonzero(file.ticks < ticks)),
        generated=days * fsum(rates),
    )


def _rate(generate: Generate, agent: str) -> float:
    """Expected number of payments that an agent sends in a day: the mean of a Poisson distribution."""
    flow = generate.agents.get(agent)
    own = None if flow is None else flow.payments_per_day
    return (generate.default.payments_per_day if own is None else own) or 0.0


def _trial_of(run: Run, members: Sequence[Member], days: int, root: Path) -> Trial:
    """Simulates and stores the first days of some members of a run below a folder."""
    store = RawStore(root)
    tried = replace(run, members=tuple(members))
    payments = 0
    seconds: list[float] = []
    stored_bytes: list[int] = []
    started = time.perf_counter()
    try:
        for day in run_and_store_days(tried, store, 0, days - 1):
            seconds.append(time.perf_counter() - started)
            payments += day.heights["arrivals"]
            stored_bytes.append(store.size_of(run.run_id) - sum(stored_bytes))
            started = time.perf_counter()
    except RunStopped as stopped:
        raise stopped.reason from stopped
    return Trial(len(members), payments, tuple(seconds), tuple(stored_bytes))


def _spread(members: Sequence[Member], number: int) -> list[Member]:
    """So many members, or all if there are fewer: the first, and others evenly spread over the arms."""
    number = max(1, min(number, len(members)))
    return [members[place * len(members) // number] for place in range(number)]


def _on_line(of_one: float, of_several: float, several: int, members: int) -> float:
    """What a day of so many members takes, on the straight line through what one and what several take.

    Where that line would start below 0, or fall, cost is taken to be in proportion to the members.
    """
    if several == 1:
        return of_one * members
    per_member = (of_several - of_one) / (several - 1)
    fixed = of_one - per_member
    if fixed < 0 or per_member < 0:
        return of_several / several * members
    return fixed + per_member * members
