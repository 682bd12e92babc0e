"""Variants of a scenario: an arm's values laid over it, then a grid's, and where what is wrong with them is mended."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

from pipelines.grid import Axis, Location, Point, WrongPath, laid_over, location_text, overlaid, stated_below
from sim_engine import InputError, Problem, Scenario, parse_scenario
from sim_engine.errors import ABSENT
from sim_engine.payments_file import PaymentsFile

_RULES = {"queue2", "lsm", "end_of_day"}
"""Keys of a scenario that can be changed once it has been parsed, which is quick however large it is."""


class VariantParser:
    """Parses variants of one scenario file, with a run's days and seed in place of the file's own.

    source: that file. days, seed: None stands for the file's. Payments of days that are cut off stay allowed. Variants
    that read the same payments alike hold them in common.
    """

    def __init__(self, source: Path, days: int | None, seed: int | None) -> None:
        self.source = source
        self._days = days
        self._seed = seed
        self._payments_files: dict[object, PaymentsFile] = {}

    def parsed(self, raw: Mapping[str, Any]) -> Scenario:
        """The scenario that a mapping describes. Raises InputError with all its problems."""
        raw = dict(raw) if self._seed is None else {**raw, "rng_seed": self._seed}
        if self._days is None:
            return self._sharing_payments(parse_scenario(raw, source=self.source))
        own = raw.get("num_days", 1)
        longest = max(self._days, own) if type(own) is int else self._days
        scenario = parse_scenario({**raw, "num_days": longest}, source=self.source)
        return self._sharing_payments(scenario.with_rules(num_days=self._days))

    def _sharing_payments(self, scenario: Scenario) -> Scenario:
        file, stated = scenario.payments_file, scenario.stated
        if file is None:
            return scenario
        read_alike = (file.sha256, scenario.agent_ids, stated.ticks_per_day, stated.arrivals_file)
        return replace(scenario, payments_file=self._payments_files.setdefault(read_alike, file))


class ArmVariants:
    """The scenarios of an arm, one for each point of a grid.

    name, changes: the arm, and what it states in place of the base's values. base: the scenario as its file holds it.
    path_problems: paths of the grid that lead nowhere in this arm, or to what something else sets too.
    """

    def __init__(
        self,
        name: str,
        changes: Mapping[str, Any],
        base: Mapping[str, Any],
        axes: Sequence[Axis],
        parser: VariantParser,
    ) -> None:
        self._name = name
        self._changes = changes
        self._raw = laid_over(base, changes)
        self._axes = axes
        self._parser = parser
        self.path_problems: list[Problem] = []
        self._locations = [self._located(axis) for axis in axes]
        self.path_problems += [*self._set_by_two_paths(), *self._set_by_arm_and_grid()]
        self._places: dict[tuple[str, Problem], Problem] = {}

    def scenario(self, point: Point) -> Scenario:
        """The arm's scenario at a point. Raises InputError, each problem at the place where it can be mended."""
        try:
            return self._parsed(point)
        except InputError as error:
            placed = [self._placed(problem, error.source, point) for problem in error.problems]
            raise InputError(self._parser.source, placed) from None

    def overrides(self, point: Point) -> dict[str, object]:
        """What is stated in place of the base's values at a point, by path."""
        of_grid = {axis.path: axis.values[place] for axis, place in zip(self._axes, point, strict=True)}
        return dict(_leaves(self._changes)) | of_grid

    def _parsed(self, point: Point) -> Scenario:
        raw = self._raw
        for axis, locations, place in zip(self._axes, self._locations, point, strict=True):
            raw = overlaid(raw, locations, axis.values[place])
        changed = sorted({axis.scenario_key for axis in self._axes})
        if changed and _RULES.issuperset(changed) and self._without_grid is not None:
            try:
                return self._without_grid.with_rules(**{key: raw[key] for key in changed})
            except InputError as error:
                raise InputError(self._parser.source, error.problems) from None
        return self._parser.parsed(raw)

    @cached_property
    def _without_grid(self) -> Scenario | None:
        """The arm's scenario before the grid is laid over it; None if that is none."""
        try:
            return self._parser.parsed(self._raw)
        except InputError as error:
            self._own_problems = {(error.source, problem) for problem in error.problems}
            return None

    def _located(self, axis: Axis) -> list[Location]:
        try:
            return axis.locations(self._raw)
        except WrongPath as wrong:
            where = f"in arm '{self._name}': " if axis.scenario_key in self._changes else ""
            self.path_problems.append(Problem(axis.key, wrong.value, f"{where}{wrong}"))
            return []

    def _set_by_two_paths(self) -> Iterator[Problem]:
        for (one, ones), (other, others) in combinations(zip(self._axes, self._locations, strict=True), 2):
            below = next(iter([*_at_or_below(others, ones), *_at_or_below(ones, others)]), None)
            if below is not None:
                remedy = f"sets '{location_text(below)}', which {one.key} sets too; leave one of them out"
                yield Problem(other.key, ABSENT, remedy)

    def _set_by_arm_and_grid(self) -> Iterator[Problem]:
        for axis, locations in zip(self._axes, self._locations, strict=True):
            stated = (
                found
                for location in locations
                for value in axis.values
                if (found := stated_below(self._changes, location, value)) is not None
            )
            for where, value in list(stated)[:1]:
                remedy = f"the grid sets it too, at {axis.key}; state it in one of them"
                yield Problem(f"arms.{self._name}.set.{location_text(where)}", value, remedy)

    def _placed(self, problem: Problem, source: str, point: Point) -> Problem:
        """A scenario's problem at the place where it can be mended: in the grid, in the arm, or in its own file."""
        in_grid = self._in_grid(problem, point)
        if in_grid is not None:
            return in_grid
        if (source, problem) not in self._places:
            place = f"arms.{self._name}.set.{problem.key}"
            if not _states(self._changes, problem.key):
                place = f"{source}: {problem.key}" if problem.key else source
            if point and (self._without_grid is not None or (source, problem) not in self._own_problems):
                values = ", ".join(f"{axis.key}[{at}]" for axis, at in zip(self._axes, point, strict=True))
                place = f"{values}: {place}"
            self._places[source, problem] = Problem(place, problem.value, problem.remedy)
        return self._places[source, problem]

    def _in_grid(self, problem: Problem, point: Point) -> Problem | None:
        """A problem of a value that the grid sets, or of a key that only a path of the grid names."""
        steps = [match.end() for match in re.finditer(r"[^.\[]+\]?", problem.key)]
        for axis, locations, texts, place in zip(self._axes, self._locations, self._texts, point, strict=True):
            for end in steps:
                if problem.key[:end] in texts:
                    of_path = end == len(problem.key) and problem.value is ABSENT
                    at = "" if of_path and not isinstance(axis.values[place], (dict, list)) else f"[{place}]"
                    return Problem(f"{axis.key}{at}{problem.key[end:]}", problem.value, problem.remedy)
            above = [location[:steps] for location in locations for steps in range(1, len(location))]
            for location in above:
                if location_text(location) == problem.key and stated_below(self._raw, location, None) is None:
                    return Problem(axis.key, ABSENT, str(problem))
        return None

    @cached_property
    def _texts(self) -> list[set[str]]:
        """The locations of each axis as messages say them."""
        return [set(map(location_text, locations)) for locations in self._locations]


def _leaves(changes: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, object]]:
    """What an arm states, by path."""
    for key, value in changes.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _at_or_below(locations: Sequence[Location], others: Sequence[Location]) -> Iterator[Location]:
    """Locations that are among the others, or lie below one of them."""
    tops = frozenset(others)
    return (at for at in locations if any(at[:steps] in tops for steps in range(1, len(at) + 1)))


def _states(changes: object, key: str) -> bool:
    """Whether an arm states the value of a key, or a whole that the key is in."""
    for step in key.split("."):
        name = step.partition("[")[0]
        if isinstance(changes, Mapping):
            if name not in changes:
                return False
            changes = changes[name]
    return True
