"""The grid of a run file: paths to scenario values, the values that they take, the points that they span (SPEC 7)."""

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from sim_engine import Problem
from sim_engine.errors import ABSENT, did_you_mean

ARM_NAME_LENGTH_MAX = 64
"""As sim_engine.names.NAME has it."""

_VALUE_TEXT_LENGTH_MAX = 24
"""Longest that a value may be in a name; in place of a longer one stands its number."""

_STEP = re.compile(r"\.?([^.\[\]]+)|\[([^.\[\]][^\[\]]*)\]")

Location = tuple[str | int, ...]
"""Where a value stands in a scenario file: its keys and places in lists, from the top."""

Point = tuple[int, ...]
"""Of each line of a grid, the place of one of its values."""


@dataclass(frozen=True)
class _Step:
    """One step of a path: a key of a mapping, or what stands in brackets behind a list."""

    text: str
    in_brackets: bool


@dataclass(frozen=True)
class Axis:
    """One line of a grid.

    path: what the file says. values: what stands there, one after the other. texts: the same as names say it.
    """

    path: str
    steps: tuple[_Step, ...]
    values: tuple[object, ...]
    texts: tuple[str, ...]

    @property
    def key(self) -> str:
        """Where the axis stands in the run file."""
        return f"grid.{self.path}"

    @property
    def scenario_key(self) -> str:
        """The key of a scenario file that the path begins with."""
        return self.steps[0].text

    def label(self, before: int) -> str:
        """The path's last key, what stands behind it in brackets, and some steps before it, as names say them."""
        key = max(place for place, step in enumerate(self.steps) if not step.in_brackets)
        steps = self.steps[max(key - before, 0) :]
        return _word("_".join("all" if step.text == "*" else step.text for step in steps))

    def locations(self, raw: Mapping[str, Any]) -> list[Location]:
        """Where the path leads in a scenario as a file holds it; keys that it does not state, to where they would be.

        Raises WrongPath if it leads nowhere.
        """
        reached: list[tuple[Location, object]] = [((), raw)]
        for step in self.steps:
            reached = [
                ((*location, key), value)
                for location, holder in reached
                for key, value in _entries(step, location, holder)
            ]
            if not reached:
                raise WrongPath("leads to nothing: what '[*]' stands behind is empty")
        return [location for location, _ in reached]


class WrongPath(ValueError):
    """A path that leads nowhere: why, and the value that stands in the way."""

    def __init__(self, remedy: str, value: object = ABSENT) -> None:
        self.value = value
        super().__init__(remedy)


def axes_of(grid: Mapping[str, Sequence[object]], problems: list[Problem]) -> list[Axis]:
    """The lines of a grid in their order; what is wrong with them is added to the problems."""
    axes = []
    for path, values in grid.items():
        steps = _steps_of(path)
        if steps is None:
            remedy = "is no path; write keys with dots and list items in brackets, such as agents[BANK_A].credit_limit"
            problems.append(Problem(f"grid.{path}", ABSENT, remedy))
            continue
        axes.append(Axis(path, steps, tuple(values), _texts_of(values)))
        problems += _repeated(axes[-1])
    return axes


def points_of(axes: Sequence[Axis]) -> Iterator[Point]:
    """Every point, the last axis varying fastest; no axes span one point, ()."""
    return product(*(range(len(axis.values)) for axis in axes))


def by_steps(grid: Mapping[str, Sequence[object]]) -> dict[str, Any]:
    """A grid with a mapping for each step of its paths: the place in the file that the parts of a path lead to."""
    nested: dict[str, Any] = {}
    for path, values in grid.items():
        holder = nested
        *above, last = re.findall(r"[^.\[\]]+", path) or [path]
        for step in above:
            below = holder.setdefault(step, {})
            holder = below if isinstance(below, dict) else {}
        holder.setdefault(last, list(values))
    return nested


class PointNames:
    """What arms are called at the points of a grid."""

    def __init__(self, axes: Sequence[Axis]) -> None:
        self._axes = axes
        self._labels = _labels_of(axes)

    def name(self, arm: str, point: Point) -> str:
        """The arm's name at a point; it depends on the arm, on what the grid's paths are and on this point's values.

        Where it would be too long, the values' numbers stand for them.
        """
        if not point:
            return arm
        parts = [
            f"{label}_{axis.texts[place]}" for label, axis, place in zip(self._labels, self._axes, point, strict=True)
        ]
        name = "__".join([arm, *parts])
        if len(name) <= ARM_NAME_LENGTH_MAX:
            return name
        return f"{arm}__grid_{'_'.join(str(place + 1) for place in point)}"


def overlaid(raw: Mapping[str, Any], locations: Iterable[Location], value: object) -> dict[str, Any]:
    """A copy of a scenario with a value laid over what stands at some locations."""
    changed: dict[str, Any] = _overlaid(raw, locations, value)
    return changed


def laid_over(below: Any, value: Any, at: Location = ()) -> Any:
    """A value over what stands below it, at a location of a scenario.

    Mappings are laid over each other key by key, and over a list place by place; anything else goes whole, as does
    another policy, which has other parameters.
    """
    if isinstance(below, list) and isinstance(value, ByPlace):
        return [laid_over(item, value[n], (*at, n)) if n in value else item for n, item in enumerate(below)]
    if not (isinstance(below, Mapping) and isinstance(value, Mapping)):
        return value
    if at[:1] == ("agents",) and at[2:] == ("policy",) and below.keys() != value.keys():
        return value
    return {**below, **{key: laid_over(below.get(key), above, (*at, key)) for key, above in value.items()}}


class ByPlace(dict[int, Any]):
    """What is stated of a list's items, by their place."""


def by_place(base: Mapping[str, Any], changes: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """Changes of a scenario with a mapping that stands for items of a list, by their ids or `*` for all, by place.

    What is said of all of them comes first, what is said of one is laid over it. Ids that no item has are added to the
    problems.
    """
    return {
        key: _items_by_place(key, base[key], value, problems)
        if isinstance(value, Mapping) and isinstance(base.get(key), list)
        else value
        for key, value in changes.items()
    }


def _items_by_place(where: str, items: list[Any], stated: Mapping[str, Any], problems: list[Problem]) -> ByPlace:
    ids = _ids(items)
    found = ByPlace(dict.fromkeys(range(len(items)), stated["*"]) if "*" in stated else {})
    for name, value in stated.items():
        if name in ids:
            place = ids.index(name)
            found[place] = laid_over(found[place], value, (where, place)) if place in found else value
        elif name != "*":
            problems.append(Problem(f"{where}.{name}", ABSENT, _no_such_item(name, where, ids)))
    return found


def stated_below(stated: Any, location: Location, value: object) -> tuple[Location, object] | None:
    """Where a value laid at a location takes the place of something stated, and what that is; None if nowhere."""
    for step in location:
        inside = isinstance(stated, Mapping) and step in stated
        inside = inside or (isinstance(stated, list) and isinstance(step, int) and step < len(stated))
        if not inside:
            return None
        stated = stated[step]
    if not (isinstance(stated, Mapping) and isinstance(value, Mapping)):
        return location, stated
    found = (stated_below(stated, (key,), below) for key, below in value.items())
    return next(((location + where, what) for where, what in filter(None, found)), None)


def _steps_of(path: str) -> tuple[_Step, ...] | None:
    """The steps of a path; None if it is none."""
    steps, end = [], 0
    while end < len(path):
        match = _STEP.match(path, end)
        if match is None or (match.group(1) is not None and path[end : end + 1] != "." and end > 0):
            return None
        if end == 0 and (match.group(1) is None or path.startswith(".")):
            return None
        steps.append(_Step(match.group(1) or match.group(2), match.group(1) is None))
        end = match.end()
    return tuple(steps) or None


def _entries(step: _Step, location: Location, holder: object) -> list[tuple[str | int, object]]:
    """What a step leads to from a value that a scenario holds: key or place, and what stands there."""
    where = location_text(location)
    if holder is ABSENT and not step.in_brackets:
        return [(step.text, ABSENT)]
    if holder is ABSENT:
        raise WrongPath(f"the scenario does not state '{where}'; state it there, or leave the brackets out")
    if isinstance(holder, Mapping):
        if step.in_brackets and step.text == "*":
            return list(holder.items())
        return [(step.text, holder.get(step.text, ABSENT))]
    if not isinstance(holder, list):
        raise WrongPath(f"stands at '{where}' and has no keys; name a value of the scenario file", holder)
    if not step.in_brackets:
        raise WrongPath(f"'{where}' is a list; name its items as {where}[0], by their id, or all of them as {where}[*]")
    places = range(len(holder)) if step.text == "*" else [_place(step.text, where, holder)]
    return [(place, holder[place]) for place in places]


def _place(text: str, where: str, items: list[Any]) -> int:
    """The place of the item that brackets name: by its place, by its id, or by its id in quotes."""
    ids = _ids(items)
    name = text.strip("'\"")
    by_id = ids.index(name) if name in ids else None
    by_place = int(text) if text.isdecimal() else None
    if by_place is not None and by_id not in (None, by_place):
        raise WrongPath(f"'{text}' is one item's id and another's place; write {where}['{text}'] for the id")
    if by_id is not None:
        return by_id
    if by_place is not None and by_place < len(items):
        return by_place
    if by_place is not None:
        raise WrongPath(f"'{where}' has {len(items)} items, from [0] on")
    raise WrongPath(_no_such_item(name, where, ids))


def _ids(items: list[Any]) -> list[Any]:
    """The id of each item; None where it states none."""
    return [item.get("id") if isinstance(item, Mapping) else None for item in items]


def _no_such_item(name: str, where: str, ids: list[Any]) -> str:
    noun = "agent" if where == "agents" else f"item of '{where}'"
    known = [known for known in ids if isinstance(known, str)]
    hint = did_you_mean(name, known) if known else f"its items have no ids: name them as {where}[0]"
    return f"no such {noun}; {hint}"


def location_text(location: Location) -> str:
    """A location as messages say it, such as agents[2].credit_limit."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return text.removeprefix(".")


def _overlaid(holder: Any, locations: Iterable[Location], value: object, at: Location = ()) -> Any:
    rests: dict[str | int, list[Location]] = {}
    for location in locations:
        if not location:
            return laid_over(holder, value, at)
        rests.setdefault(location[0], []).append(location[1:])
    copy: Any = list(holder) if isinstance(holder, list) else dict(holder) if isinstance(holder, Mapping) else {}
    for step, rest in rests.items():
        below = copy.get(step) if isinstance(copy, dict) else copy[step]
        copy[step] = _overlaid(below, rest, value, (*at, step))
    return copy


def _repeated(axis: Axis) -> Iterator[Problem]:
    """Values that stand in a list twice."""
    first_places: dict[object, int] = {}
    for place, value in enumerate(axis.values):
        first = first_places.setdefault(_comparable(value), place)
        if first != place:
            yield Problem(f"{axis.key}[{place}]", value, f"stands at [{first}] already; each value is one grid point")


def _comparable(value: object) -> object:
    """A key that equal values of a file share: numbers by their size, and true is not 1."""
    if isinstance(value, Mapping):
        return frozenset((key, _comparable(item)) for key, item in value.items())
    if isinstance(value, list):
        return tuple(map(_comparable, value))
    return type(value) is bool, value if isinstance(value, Hashable) else repr(value)


def _labels_of(axes: Sequence[Axis]) -> list[str]:
    """What names call each path: its last key, and as many steps before it as tell it from the other paths."""
    labels = []
    for axis in axes:
        others = [other for other in axes if other is not axis]
        most = len(axis.steps)
        before = next((n for n in range(most) if axis.label(n) not in [other.label(n) for other in others]), most)
        labels.append(axis.label(before))
    return labels


def _texts_of(values: Sequence[object]) -> tuple[str, ...]:
    """What names call each value; one that comes later changes nothing about those before it."""
    texts: list[str] = []
    for number, value in enumerate(values, 1):
        text = _word(_spelled(value))
        if not 0 < len(text) <= _VALUE_TEXT_LENGTH_MAX:
            text = f"v{number}"
        alike = text
        count = 2
        while text in texts:
            text = f"{alike}_{count}"
            count += 1
        texts.append(text)
    return tuple(texts)


def _spelled(value: object) -> str:
    """A value in words of letters, digits and what becomes '_'."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "_".join(f"{key}_{_spelled(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "_".join(map(_spelled, value))
    text = str(value)
    return f"minus_{text[1:]}" if isinstance(value, (int, float)) and text.startswith("-") else text


def _word(text: str) -> str:
    """A text as a part of a name: what is neither letter nor digit becomes '_', and no two of these stand together.

    So '__' parts names, and nothing else.
    """
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
