"""The keys of a file as the models behind it define them: what each takes, its default, its unit, what it means."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipelines.reference.markdown import code, link, table
from sim_engine.model import Unit

_POWERS = {2**63 - 1: "2^63 - 1", 2**31 - 1: "2^31 - 1"}
_NAMES = {int: "whole number", float: "number", str: "text", bool: "true or false"}


@dataclass(frozen=True)
class Section:
    """The keys below one place of a file: where that is, `` for its top, and the model that stands there."""

    where: str
    model: type[BaseModel]

    @property
    def title(self) -> str:
        """The section's heading."""
        return code(self.where) if self.where else "Top of the file"

    @property
    def about(self) -> str:
        """What the model says of itself: its purpose, then what holds among its keys."""
        return inspect.cleandoc(self.model.__doc__ or "")


def sections_of(model: type[BaseModel]) -> list[Section]:
    """The sections of a file, each model at the first place where it stands, a section before those within it."""
    found: dict[type[BaseModel], Section] = {}
    _collect(Section("", model), found)
    return list(found.values())


def _collect(section: Section, found: dict[type[BaseModel], Section]) -> None:
    if section.model in found:
        return
    found[section.model] = section
    for key, field in keys_of(section.model):
        below = f"{section.where}.{key}" if section.where else key
        for suffix, model in _models_in(field.annotation):
            if model.model_fields:
                _collect(Section(below + suffix, model), found)


def keys_of(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """The keys of a model as a file spells them, in their order."""
    for name, field in model.model_fields.items():
        yield field.alias or name, field


def section_text(section: Section, sections: list[Section]) -> str:
    """A section of a page: its heading, what the model says, and a table of its keys."""
    where = {other.model: other.title for other in sections}
    rows = [
        (
            code(key),
            _taken(field, where),
            _default(field, where),
            unit_of(field),
            field.description or "",
            "; ".join(code(_yaml(example)) for example in field.examples or ()),
        )
        for key, field in keys_of(section.model)
    ]
    head = ("key", "takes", "default", "unit", "meaning", "example")
    return f"## {section.title}\n\n{section.about}\n\n{table(head, rows)}"


def unit_of(field: FieldInfo) -> str:
    """What the number of a key counts; the outermost unit where one stands within another."""
    own = [part.name for part in field.metadata if isinstance(part, Unit)]
    return own[-1] if own else next(_units_in(field.annotation), "")


def _units_in(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Annotated:
        yield from (part.name for part in reversed(annotation.__metadata__) if isinstance(part, Unit))
    for part in get_args(annotation):
        yield from _units_in(part)


def is_numeric(field: FieldInfo) -> bool:
    """Whether a key takes a number, or several."""
    return any(kind in (int, float) for kind in _kinds_in(field.annotation))


def _kinds_in(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _kinds_in(part)


def _models_in(annotation: Any) -> Iterator[tuple[str, type[BaseModel]]]:
    """The models that a value may hold, each with what stands behind the key to reach it."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield "", annotation
        return
    suffix = {tuple: "[]", dict: ".<name>"}.get(get_origin(annotation), "")
    for part in get_args(annotation):
        for below, model in _models_in(part):
            yield suffix + below, model


def _taken(field: FieldInfo, where: dict[type[BaseModel], str]) -> str:
    bounds = list(_bounds(field.metadata))
    return _said(field.annotation, bounds, where)


def _said(annotation: Any, bounds: list[tuple[str, Any]], where: dict[type[BaseModel], str]) -> str:
    """What values of a type are, in words; bounds: those stated beside the type."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _said(parts[0], [*_bounds(annotation.__metadata__), *bounds], where)
    if origin in (Union, UnionType):
        return " or ".join(_said(part, bounds, where) for part in parts if part is not NoneType)
    if origin is Literal:
        return ", ".join(code(str(word)) for word in parts)
    if origin is tuple:
        at_least = dict(bounds).get("min_length")
        return f"list: {_said(parts[0], [], where)}{f'; at least {at_least} of them' if at_least else ''}"
    if origin is dict:
        return f"by name: {_said(parts[1], [], where)}"
    if annotation is Any:
        return "any value"
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return link(where[annotation]) if annotation in where else code("{}")
    return _NAMES[annotation] + _range(dict(bounds), whole=annotation is int)


def _bounds(metadata: Any) -> Iterator[tuple[str, Any]]:
    """Bounds by name, of what pydantic and annotated-types write down of a Field."""
    for part in metadata:
        if isinstance(part, FieldInfo):
            yield from _bounds(part.metadata)
        for name in ("ge", "gt", "le", "lt", "min_length"):
            if getattr(part, name, None) is not None:
                yield name, getattr(part, name)


def _range(bounds: dict[str, Any], *, whole: bool) -> str:
    """Bounds in words; every number of a file has both, of which the upper one belongs to the range."""
    if not bounds.keys() & {"ge", "gt", "le"}:
        return ""
    assert whole or "gt" not in bounds, bounds
    return f", {_number(bounds['ge'] if 'ge' in bounds else bounds['gt'] + 1)} to {_number(bounds['le'])}"


def _number(bound: float) -> str:
    return _POWERS.get(int(bound), f"{bound:,.0f}")


def _default(field: FieldInfo, where: dict[type[BaseModel], str]) -> str:
    if field.is_required():
        return "required"
    default = field.default
    if default is None:
        return "none"
    if isinstance(default, BaseModel):
        stated = default.model_dump(mode="json", exclude_defaults=True)
        return code(_yaml(stated)) if stated else "its defaults"
    if isinstance(default, dict) and any(isinstance(value, BaseModel) for value in default.values()):
        stated = {key: value.model_dump(mode="json", exclude_defaults=True) for key, value in default.items()}
        return code(_yaml(stated))
    return code(_yaml(list(default) if isinstance(default, tuple) else default))


def _yaml(value: object) -> str:
    """A value as a file would state it, on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...").strip()
