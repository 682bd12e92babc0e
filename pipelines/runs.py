"""Runs: which simulations a file asks for. A plain scenario is a run of one simulation."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from sim_engine import InputError, Problem, Scenario, parse_scenario
from sim_engine.bounds import DAYS_MAX, MONEY_MAX
from sim_engine.errors import ABSENT
from sim_engine.model_problems import problems_of
from sim_engine.simulation import PLAIN_ARM, simulation_id
from sim_engine.yaml_file import read_yaml_mapping

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]{0,63}$")]
Seed = Annotated[int, Field(ge=0, le=MONEY_MAX)]

SEEDS_MAX = 100_000


@dataclass(frozen=True)
class Member:
    """One simulation of a run."""

    run_id: str
    arm: str
    scenario: Scenario

    @property
    def simulation_id(self) -> str:
        """The name that every table knows the simulation by."""
        return simulation_id(self.run_id, self.arm, self.scenario.stated.rng_seed)


@dataclass(frozen=True)
class Run:
    """A run: simulations over the same days, in order of arm, then seed.

    source: the file that asks for it. baseline: the arm that others are compared with.
    """

    run_id: str
    source: Path
    days: int
    baseline: str
    members: tuple[Member, ...]

    @property
    def ticks_total(self) -> int:
        """Ticks of all its simulations together."""
        return sum(member.scenario.ticks_total for member in self.members)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SeedRange(_Model):
    """Consecutive seeds."""

    first: Seed = Field(alias="from", description="The first seed")
    count: int = Field(ge=1, le=SEEDS_MAX, description="How many seeds")


SeedList = Annotated[
    Annotated[tuple[Seed, ...], Field(min_length=1, strict=False), Tag("|listed")]
    | Annotated[SeedRange, Tag("|range")],
    Discriminator(lambda value: "|range" if isinstance(value, dict) else "|listed"),
]


class Arm(_Model):
    """A variant of the scenario."""

    baseline: bool = Field(False, description="Whether the other arms are compared with this one")
    set: dict[str, Any] = Field({}, description="Scenario values that differ, as the scenario file would state them")


class RunFile(_Model):
    """One run file, key by key."""

    run_id: Name = Field(description="Name of the run; letters, digits, '_'")
    scenario: str = Field(min_length=1, description="The scenario file, from the run file's folder")
    days: int | None = Field(None, ge=1, le=DAYS_MAX, description="Settlement days; the scenario's num_days if absent")
    seeds: SeedList | None = Field(
        None, description="Seeds, listed or as {from, count}; the scenario's rng_seed if absent"
    )
    arms: dict[Name, Arm] = Field({PLAIN_ARM: Arm(baseline=True)}, min_length=1, description="Variants by name")


def load_run(path: str | Path, *, days: int | None = None, seed: int | None = None) -> Run:
    """The run that a run file, or a plain scenario file, asks for.

    days, seed: take the place of what the file says.
    Raises InputError with every problem of the file.
    """
    path = Path(path)
    raw = read_yaml_mapping(path)
    if "run_id" in raw or "arms" in raw or "scenario" in raw:
        return _run_of_run_file(raw, path, days, seed)
    scenario = parse_scenario(_overridden(raw, days, seed), source=path)
    name = scenario.stated.name
    return Run(name, path, scenario.stated.num_days, PLAIN_ARM, (Member(name, PLAIN_ARM, scenario),))


def _run_of_run_file(raw: dict[str, Any], path: Path, days: int | None, seed: int | None) -> Run:
    try:
        stated = RunFile.model_validate(raw)
    except ValidationError as error:
        raise InputError(path, problems_of(error, RunFile)) from None
    baselines = [name for name, arm in stated.arms.items() if arm.baseline]
    if len(stated.arms) > 1 and len(baselines) != 1:
        found = baselines or ABSENT
        raise InputError(path, [Problem("arms", found, "exactly one arm must state 'baseline: true'")])
    scenario_path = path.parent / stated.scenario
    base = read_yaml_mapping(scenario_path)

    seeds: tuple[int | None, ...] = (None,)
    if seed is not None:
        seeds = (seed,)
    elif isinstance(stated.seeds, SeedRange):
        seeds = tuple(range(stated.seeds.first, stated.seeds.first + stated.seeds.count))
    elif stated.seeds:
        seeds = stated.seeds
    repeated = [one for one, times in Counter(seeds).items() if times > 1]
    if repeated:
        raise InputError(path, [Problem("seeds", repeated, "stand twice; each seed is one simulation of an arm")])

    members: list[Member] = []
    problems: list[Problem] = []
    for name, arm in stated.arms.items():
        merged = _merged(base, arm.set)
        first: Scenario | None = None
        for one in seeds:
            try:
                if first is None:
                    first = parse_scenario(_overridden(merged, days or stated.days, one), source=scenario_path)
                    scenario = first
                else:
                    scenario = first.with_stated(rng_seed=one)
            except InputError as error:
                problems += [Problem(f"arm {name}: {p.key}", p.value, p.remedy) for p in error.problems]
                break
            members.append(Member(stated.run_id, name, scenario))
    if problems:
        raise InputError(path, problems)
    baseline = baselines[0] if baselines else next(iter(stated.arms))
    return Run(stated.run_id, path, members[0].scenario.stated.num_days, baseline, tuple(members))


def _overridden(raw: Mapping[str, Any], days: int | None, seed: int | None) -> dict[str, Any]:
    changes = {"num_days": days, "rng_seed": seed}
    return {**raw, **{key: value for key, value in changes.items() if value is not None}}


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The base with changes laid over it: mappings key by key, anything else whole."""
    merged = dict(base)
    for key, value in changes.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
