"""Runs: which simulations a file asks for. A plain scenario is a run of one simulation."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from sim_engine import InputError, Problem, Scenario, parse_scenario
from sim_engine.bounds import DAYS_MAX, SEED_MAX
from sim_engine.errors import ABSENT
from sim_engine.model_problems import in_file_order, problems_of
from sim_engine.scenario import Name
from sim_engine.simulation import PLAIN_ARM, simulation_id
from sim_engine.yaml_file import read_yaml_mapping

Seed = Annotated[int, Field(ge=0, le=SEED_MAX)]

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


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SeedRange(_Model):
    """Consecutive seeds."""

    first: Seed = Field(alias="from", description="The first seed")
    count: int = Field(ge=1, le=SEEDS_MAX, description="How many seeds")


SeedList = Annotated[
    Annotated[tuple[Seed, ...], Field(min_length=1, strict=False), Tag("|listed")]
    | Annotated[SeedRange, Tag("|range")],
    Discriminator(
        lambda value: "|range" if isinstance(value, dict) else "|listed" if isinstance(value, list) else None,
        custom_error_type="seeds",
        custom_error_message="must be a list of seeds, or {from: FIRST, count: HOW_MANY}",
    ),
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

    @property
    def seeds_listed(self) -> tuple[int | None, ...]:
        """The seeds one by one; None stands for the scenario's own."""
        if isinstance(self.seeds, SeedRange):
            return tuple(range(self.seeds.first, self.seeds.first + self.seeds.count))
        return self.seeds or (None,)

    @property
    def baseline(self) -> str:
        """The arm that others are compared with: the one that says so, or the only one."""
        return next((name for name, arm in self.arms.items() if arm.baseline), next(iter(self.arms)))


_SAME_FOR_ALL_ARMS = {"num_days": "days", "rng_seed": "seeds"}
"""Keys of a scenario that no arm may set, with the run file's own."""


def load_run(path: str | Path, *, days: int | None = None, seed: int | None = None) -> Run:
    """The run that a run file, or a plain scenario file, asks for.

    days, seed: take the place of what the file says.
    Raises InputError with every problem of the file.
    """
    path = Path(path)
    raw = read_yaml_mapping(path)
    if "run_id" in raw or "arms" in raw or "scenario" in raw:
        return _run_of_run_file(raw, path, days, seed)
    scenario = _parsed(raw, path, days, seed)
    name = scenario.stated.name
    return Run(name, path, scenario.stated.num_days, PLAIN_ARM, (Member(name, PLAIN_ARM, scenario),))


def _run_of_run_file(raw: dict[str, Any], path: Path, days: int | None, seed: int | None) -> Run:
    try:
        stated = RunFile.model_validate(raw)
    except ValidationError as error:
        raise InputError(path, in_file_order(problems_of(error, RunFile), raw)) from None
    problems = list(_cross_problems(stated))
    scenario_path = path.parent / stated.scenario
    if not scenario_path.is_file():
        remedy = f"no such file; name a scenario file, from the folder {path.parent}"
        raise InputError(path, in_file_order([*problems, Problem("scenario", stated.scenario, remedy)], raw))
    base = read_yaml_mapping(scenario_path)
    if "run_id" in base:
        raise InputError(path, [Problem("scenario", stated.scenario, "is a run file; name a scenario file")])

    members: list[Member] = []
    for name, arm in stated.arms.items():
        first: Scenario | None = None
        for one in (seed,) if seed is not None else stated.seeds_listed:
            try:
                if first is None:
                    first = scenario = _parsed(_merged(base, arm.set), scenario_path, days or stated.days, one)
                else:
                    scenario = first.with_rules(rng_seed=one)
            except InputError as error:
                problems += [_of_arm(problem, name, arm, error.source) for problem in error.problems]
                break
            members.append(Member(stated.run_id, name, scenario))
    if problems:
        raise InputError(path, in_file_order({str(problem): problem for problem in problems}.values(), raw))
    return Run(stated.run_id, path, members[0].scenario.stated.num_days, stated.baseline, tuple(members))


def _cross_problems(stated: RunFile) -> Iterator[Problem]:
    """What no single value of a run file shows."""
    baselines = [name for name, arm in stated.arms.items() if arm.baseline]
    if len(stated.arms) > 1 and len(baselines) != 1:
        yield Problem("arms", baselines or ABSENT, "exactly one arm must state 'baseline: true'")
    repeated = [seed for seed, times in Counter(stated.seeds_listed).items() if times > 1]
    if repeated:
        yield Problem("seeds", repeated, "repeated; each seed is one simulation of an arm, so name it once")
    for name, arm in stated.arms.items():
        for key, instead in _SAME_FOR_ALL_ARMS.items():
            if key in arm.set:
                remedy = f"must be the same for all arms; state '{instead}' at the top of the run file instead"
                yield Problem(f"arms.{name}.set.{key}", arm.set[key], remedy)


def _of_arm(problem: Problem, name: str, arm: Arm, source: str) -> Problem:
    """A scenario's problem where it can be mended: in the arm if that states the key, else in the scenario's file."""
    stated: object = arm.set
    for step in problem.key.split("."):
        key = step.partition("[")[0]
        if isinstance(stated, dict) and key not in stated:
            place = f"{source}: {problem.key}" if problem.key else source
            return Problem(place, problem.value, problem.remedy)
        stated = stated[key] if isinstance(stated, dict) else stated
    return Problem(f"arms.{name}.set.{problem.key}", problem.value, problem.remedy)


def _parsed(raw: Mapping[str, Any], source: Path, days: int | None, seed: int | None) -> Scenario:
    """A scenario with the run's days and seed in place of its own; payments of days that are cut off stay allowed."""
    changes = {} if seed is None else {"rng_seed": seed}
    if days is None:
        return parse_scenario({**raw, **changes}, source=source)
    own = raw.get("num_days", 1)
    longest = max(days, own) if type(own) is int else days
    return parse_scenario({**raw, **changes, "num_days": longest}, source=source).with_rules(num_days=days)


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The base with changes laid over it: mappings key by key, anything else whole."""
    merged = dict(base)
    for key, value in changes.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
