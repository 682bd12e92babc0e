"""Runs: which simulations a file asks for. A plain scenario is a run of one simulation."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from pipelines.grid import ARM_NAME_LENGTH_MAX, Axis, PointNames, axes_of, by_steps, points_of
from pipelines.variants import ArmVariants, VariantParser
from sim_engine import InputError, Problem, Scenario
from sim_engine.bounds import DAYS_MAX, SEED_MAX
from sim_engine.errors import ABSENT
from sim_engine.model import Unit
from sim_engine.model_problems import in_file_order, problems_of
from sim_engine.scenario import Name
from sim_engine.simulation import PLAIN_ARM, simulation_id
from sim_engine.yaml_file import read_yaml_mapping

Seed = Annotated[int, Field(ge=0, le=SEED_MAX)]

SIMULATIONS_MAX = 100_000
"""Most that one run may have: more than a person means to ask for, and still held in memory."""

CHUNK_SIZE = 64
"""Simulations in a chunk unless a run says otherwise: enough for the cores of a machine, and little for its memory."""


@dataclass(frozen=True)
class Member:
    """One simulation of a run.

    baseline_arm: the arm that its own is compared with; its own name if that is a baseline.
    """

    run_id: str
    arm: str
    baseline_arm: str
    scenario: Scenario

    @property
    def simulation_id(self) -> str:
        """The name that every table knows the simulation by."""
        return simulation_id(self.run_id, self.arm, self.scenario.stated.rng_seed)


@dataclass(frozen=True)
class Run:
    """A run: simulations over the same days, in order of arm, then seed.

    source: the file that asks for it. overrides: by arm, the values that it states in place of the scenario's, by path.
    chunk_size: how many members are simulated and stored together; the last may be fewer.
    """

    run_id: str
    source: Path
    days: int
    members: tuple[Member, ...]
    overrides: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    chunk_size: int = CHUNK_SIZE


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SeedRange(_Model):
    """Consecutive seeds."""

    first: Seed = Field(alias="from", description="The first seed", examples=[1])
    count: Annotated[int, Unit("count")] = Field(ge=1, le=SIMULATIONS_MAX, description="How many seeds", examples=[20])


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
    """A variant of the scenario: what it sets is laid over the scenario file, and over its preset.

    Mappings are laid over each other key by key, anything else goes whole; so does another policy, which has other
    parameters. Of a list whose items have ids, a mapping changes items by their id, or all of them by `"*"`.

    - Of several arms exactly one states `baseline: true`.
    - `num_days` and `rng_seed` are not set: all arms share the run's `days` and `seeds`.
    - Each arm, at each point of the grid, is a scenario that would be right as a file.
    """

    baseline: bool = Field(False, description="Whether the other arms are compared with this one", examples=[True])
    set: dict[str, Any] = Field(
        {},
        description="Scenario values that differ, as the scenario file would state them",
        examples=[{"lsm": {"ring": False}}, {"agents": {"*": {"credit_limit": 0}}}],
    )


GridValues = Annotated[tuple[Any, ...], Field(min_length=1, strict=False)]


class RunFile(_Model):
    """One run file, key by key. It is expanded to simulations: arms x grid points x seeds.

    A file with any of the keys `run_id`, `scenario` and `arms` is taken as a run file, any other as a scenario.

    - `scenario` names a scenario file, not another run file.
    - Each seed is stated once.
    - There are at most 100,000 simulations.
    - A path of the grid leads to a value of the scenario, and the values of one path differ.
    - No value is set by an arm and by the grid, or by two paths of it.
    - `num_days` and `rng_seed` stand in no path of the grid.
    - An arm's name leaves room, in 64 characters, for what the grid appends to it.
    """

    run_id: Name = Field(description="Name of the run: letters, digits and '_', at most 64", examples=["lsm_on_off"])
    scenario: str = Field(
        min_length=1,
        description="The scenario file, from the run file's folder",
        examples=["../scenarios/research_day.yaml"],
    )
    days: Annotated[int, Unit("days")] | None = Field(
        None, ge=1, le=DAYS_MAX, description="How many days are simulated; none: the scenario's num_days", examples=[5]
    )
    seeds: SeedList | None = Field(
        None,
        description="Seeds of the generated arrivals, listed or as {from, count}; none: the scenario's rng_seed",
        examples=[{"from": 1, "count": 20}, [1, 2, 3]],
    )
    arms: dict[Name, Arm] = Field(
        {PLAIN_ARM: Arm(baseline=True)},
        min_length=1,
        description="Variants by name: letters, digits and '_', at most 64",
        examples=[{"lsm_on": {}, "lsm_off": {"baseline": True, "set": {"lsm": {"ring": False}}}}],
    )
    grid: dict[str, GridValues] = Field(
        {},
        description="Values by their path in the scenario; every arm is simulated with every combination of them",
        examples=[{"lsm.every_ticks": [1, 5, 20]}],
    )
    chunk_size: Annotated[int, Unit("simulations")] = Field(
        CHUNK_SIZE,
        ge=1,
        le=SIMULATIONS_MAX,
        description="How many simulations are simulated, held in memory and stored together; what one worker is given",
        examples=[8],
    )

    @property
    def seeds_listed(self) -> tuple[int | None, ...]:
        """The seeds one by one; None stands for the scenario's own."""
        if isinstance(self.seeds, SeedRange):
            return tuple(range(self.seeds.first, self.seeds.first + self.seeds.count))
        return self.seeds or (None,)

    @property
    def baseline(self) -> str:
        """The stated arm that others are compared with: the one that says so, or the only one."""
        return next((name for name, arm in self.arms.items() if arm.baseline), next(iter(self.arms)))


_SAME_FOR_ALL_ARMS = {"num_days": "days", "rng_seed": "seeds"}
"""Keys of a scenario that neither arm nor grid may set, with the run file's own."""

_RUN_FILE_KEYS = frozenset({"run_id", "scenario", "arms"})
"""A file with any of these keys is meant as a run file."""


def load_run(path: str | Path, *, days: int | None = None, seed: int | None = None) -> Run:
    """The run that a run file, or a plain scenario file, asks for.

    days, seed: take the place of what the file says.
    Raises InputError with every problem of the file.
    """
    path = Path(path)
    raw = read_yaml_mapping(path)
    if not _RUN_FILE_KEYS.isdisjoint(raw):
        return _run_of_run_file(raw, path, days, seed)
    scenario = VariantParser(path, days, seed).parsed(raw)
    name = scenario.stated.name
    return Run(name, path, scenario.stated.num_days, (Member(name, PLAIN_ARM, PLAIN_ARM, scenario),))


def _run_of_run_file(raw: dict[str, Any], path: Path, days: int | None, seed: int | None) -> Run:
    try:
        stated = RunFile.model_validate(raw)
    except ValidationError as error:
        raise InputError(path, in_file_order(problems_of(error, RunFile), raw)) from None
    seeds = stated.seeds_listed if seed is None else (seed,)
    problems = list(_cross_problems(stated))
    axes = [axis for axis in axes_of(stated.grid, problems) if axis.scenario_key not in _SAME_FOR_ALL_ARMS]
    scenario_path = path.parent / stated.scenario
    base = _scenario_file(scenario_path, stated, problems)
    too_many = list(_bound_problems(stated, axes, len(seeds)))
    problems += too_many
    if base is not None and not too_many:
        parser = VariantParser(scenario_path, days or stated.days, seeds[0])
        arms = _expanded(stated, base, axes, parser, problems)
    if problems:
        by_text = {str(problem): problem for problem in problems}
        raise InputError(path, in_file_order(by_text.values(), raw | {"grid": by_steps(stated.grid)}))
    members = tuple(member for arm in arms for member in arm.members(stated.run_id, seeds))
    overrides = {arm.name: arm.overrides for arm in arms}
    assert len(overrides) == len(arms)
    days = members[0].scenario.stated.num_days
    return Run(stated.run_id, path, days, members, overrides, stated.chunk_size)


@dataclass(frozen=True, slots=True)
class _ExpandedArm:
    """An arm at a grid point; its scenario bears the first seed."""

    name: str
    baseline_arm: str
    overrides: dict[str, object]
    scenario: Scenario

    def members(self, run_id: str, seeds: Sequence[int | None]) -> Iterator[Member]:
        yield Member(run_id, self.name, self.baseline_arm, self.scenario)
        for seed in seeds[1:]:
            yield Member(run_id, self.name, self.baseline_arm, self.scenario.with_rules(rng_seed=seed))


def _expanded(
    stated: RunFile, base: Mapping[str, Any], axes: Sequence[Axis], parser: VariantParser, problems: list[Problem]
) -> list[_ExpandedArm]:
    """Every arm at every point of the grid, in the order of the file; what is wrong is added to the problems."""
    names, arms = PointNames(axes), []
    for arm_name, arm in stated.arms.items():
        variants = ArmVariants(arm_name, arm.set, base, axes, parser)
        problems += variants.path_problems
        for point in points_of(axes):
            name = names.name(arm_name, point)
            baseline_point = point if len(stated.arms) > 1 else (0,) * len(axes)
            if len(name) > ARM_NAME_LENGTH_MAX:
                too_long = len(name) - ARM_NAME_LENGTH_MAX
                remedy = f"is too long a name for the arms that the grid makes of it; shorten it by {too_long}"
                problems.append(Problem(f"arms.{arm_name}", arm_name, remedy))
                break
            try:
                scenario = variants.scenario(point)
            except InputError as error:
                problems += error.problems
                continue
            baseline_arm = names.name(stated.baseline, baseline_point)
            arms.append(_ExpandedArm(name, baseline_arm, variants.overrides(point), scenario))
    return arms


def _scenario_file(path: Path, stated: RunFile, problems: list[Problem]) -> dict[str, Any] | None:
    """What the scenario file of a run file holds; why it is none is added to the problems."""
    if not path.is_file():
        remedy = f"no such file; name a scenario file, from the folder {path.parent}"
        problems.append(Problem("scenario", stated.scenario, remedy))
        return None
    base = read_yaml_mapping(path)
    if not _RUN_FILE_KEYS.isdisjoint(base):
        problems.append(Problem("scenario", stated.scenario, "is a run file; name a scenario file"))
        return None
    return base


def _cross_problems(stated: RunFile) -> Iterator[Problem]:
    """What no single value of a run file shows."""
    baselines = [name for name, arm in stated.arms.items() if arm.baseline]
    if len(stated.arms) > 1 and len(baselines) != 1:
        yield Problem("arms", baselines or ABSENT, "exactly one arm must state 'baseline: true'")
    repeated = [seed for seed, times in Counter(stated.seeds_listed).items() if times > 1]
    if repeated:
        yield Problem("seeds", repeated, "repeated; each seed is one simulation of an arm, so name it once")
    for key, instead in _SAME_FOR_ALL_ARMS.items():
        remedy = f"must be the same for all arms; state '{instead}' at the top of the run file instead"
        for name, arm in stated.arms.items():
            if key in arm.set:
                yield Problem(f"arms.{name}.set.{key}", arm.set[key], remedy)
        if key in stated.grid:
            yield Problem(f"grid.{key}", ABSENT, remedy)


def _bound_problems(stated: RunFile, axes: Sequence[Axis], seeds: int) -> Iterator[Problem]:
    """More simulations than a run may have."""
    points = prod(len(axis.values) for axis in axes)
    simulations = len(stated.arms) * points * seeds
    if simulations > SIMULATIONS_MAX:
        factors = f"arms x grid points x seeds: {len(stated.arms):,} x {points:,} x {seeds:,}"
        remedy = (
            f"{factors} = {simulations:,} simulations, and a run has at most {SIMULATIONS_MAX:,}; "
            "take fewer of them, or split the run into several"
        )
        yield Problem("grid" if axes else "seeds", ABSENT, remedy)
