"""Variants of a scenario: an arm's values laid over it, then a grid's, and where what is wrong with them is mended."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

from pipelines.grid import (
    Axis,
    ByPlace,
    Location,
    Point,
    WrongPath,
    by_place,
    laid_over,
    location_text,
    overlaid,
    stated_below,
)
from sim_engine import InputError, Problem, Scenario, parse_scenario
from sim_engine.errors import ABSENT
from sim_engine.payments_file import PaymentsFile
from sim_engine.presets import with_preset

_ITEM = re.compile(r"([^.\[\]]+)\[(\d+)\](.*)")
"""A key of a scenario's problem that lies in an item of a list: the list, the item's place, and what follows."""

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
    path_problems: ids that the base does not have, and paths of the grid that lead nowhere in this arm, or to what
    something else sets too.
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
        self._base = base
        self._stated = changes
        unknown: list[Problem] = []
        self._changes = by_place(base, changes, unknown)
        self._raw = laid_over(base, self._changes)
        self._axes = axes
        self._parser = parser
        self.path_problems = [Problem(f"{self._key}.{one.key}", one.value, one.remedy) for one in unknown]
        self._locations = [self._located(axis) for axis in axes]
        self.path_problems += [*self._set_by_two_paths(), *self._set_by_arm_and_grid()]
        self._places: dict[tuple[str, str], Problem] = {}

    @property
    def _key(self) -> str:
        """Where the run file says what the arm sets."""
        return f"arms.{self._name}.set"

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
        return dict(_leaves(self._stated)) | of_grid

    def _parsed(self, point: Point) -> Scenario:
        raw = self._raw
        for axis, locations, place in zip(self._axes, self._locations, point, strict=True):
            raw = overlaid(raw, locations, axis.values[place])
        changed = sorted({axis.scenario_key for axis in self._axes})
        if changed and _RULES.issuperset(changed) and self._without_grid is not None:
            try:
                rules = with_preset(raw)
                return self._without_grid.with_rules(**{key: rules[key] for key in changed})
            except InputError as error:
                raise InputError(self._parser.source, error.problems) from None
        return self._parser.parsed(raw)

    @cached_property
    def _without_grid(self) -> Scenario | None:
        """The arm's scenario before the grid is laid over it; None if that is none."""
        try:
            return self._parser.parsed(self._raw)
        except InputError as error:
            self._own_problems = {(error.source, str(problem)) for problem in error.problems}
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
                key = location_text(where)
                yield Problem(f"{self._key}.{self._as_stated(key) or key}", value, remedy)

    def _placed(self, problem: Problem, source: str, point: Point) -> Problem:
        """A scenario's problem at the place where it can be mended: in the grid, in the arm, or in its own file."""
        in_grid = self._in_grid(problem, point)
        if in_grid is not None:
            return in_grid
        said = (source, str(problem))
        if said not in self._places:
            stated = self._as_stated(problem.key)
            place = f"{source}: {problem.key}" if problem.key else source
            if stated is not None:
                place = f"{self._key}.{stated}"
            if point and (self._without_grid is not None or said not in self._own_problems):
                values = ", ".join(f"{axis.key}[{at}]" for axis, at in zip(self._axes, point, strict=True))
                place = f"{values}: {place}"
            self._places[said] = Problem(place, problem.value, problem.remedy)
        return self._places[said]

    def _as_stated(self, key: str) -> str | None:
        """The key of a scenario's value as the arm states it, or states a whole that it is in; None if it does not."""
        in_item = _ITEM.fullmatch(key)
        if in_item is None or not isinstance(self._changes.get(in_item[1]), ByPlace):
            return key if _states(self._stated, _keys(key)) else None
        name, place, rest = in_item.groups()
        item = self._base[name][int(place)]
        of_one = [item["id"]] if isinstance(item, Mapping) and "id" in item else []
        ways = [of for of in (*of_one, "*") if _states(self._stated[name], [of, *_keys(rest)[1:]])]
        return f"{name}.{ways[0]}{rest}" if ways else None

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


def _keys(key: str) -> list[str]:
    """The keys on a problem's path, without places in lists."""
    return [step.partition("[")[0] for step in key.split(".")]


def _states(changes: object, steps: Sequence[str]) -> bool:
    """Whether an arm states the value that some steps lead to, or a whole that it is in."""
    for step in steps:
        if isinstance(changes, Mapping):
            if step not in changes:
                return False
            changes = changes[step]
    return True
