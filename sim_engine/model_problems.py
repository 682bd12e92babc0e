"""Turns what pydantic says of a file into problems that a person can act on."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from sim_engine.errors import ABSENT, Problem, did_you_mean


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Every problem of a failed validation, with the path as a reader of the file would write it.

    model: the model that was validated; its keys are offered where an unknown one resembles them.
    """
    return [_problem(details, model) for details in error.errors(include_url=False)]


def _problem(details: Any, model: type[BaseModel]) -> Problem:
    location: tuple[str | int, ...] = details["loc"]
    kind: str = details["type"]
    context: dict[str, Any] = details.get("ctx", {})
    value: object = details["input"]
    key = key_path(location)
    if kind == "extra_forbidden":
        known = _keys_at(model, location[:-1])
        return Problem(key, ABSENT, f"unknown key; {did_you_mean(location[-1], known)}")
    if kind == "missing":
        return Problem(key, ABSENT, "missing; this key is needed")
    if kind == "literal_error":
        return Problem(key, value, f"must be one of {context['expected']}; {_hint(value)}".removesuffix("; "))
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return Problem(key, value, "must hold keys and values")
    if kind in ("tuple_type", "list_type"):
        return Problem(key, value, "must be a list")
    if kind == "too_short":
        return Problem(key, ABSENT, f"needs at least {context['min_length']}, has {context['actual_length']}")
    if kind in ("int_type", "int_from_float", "int_parsing", "int_parsing_size"):
        return Problem(key, value, f"must be a whole number{_money_hint(key)}; {_hint(value)}".removesuffix("; "))
    if kind == "string_type":
        return Problem(key, value, "must be a text: put it in quotes")
    if kind == "string_pattern_mismatch":
        return Problem(key, value, f"has a form that is not allowed; must match {context['pattern']}")
    bounds = {
        "greater_than": "above",
        "greater_than_equal": "at least",
        "less_than": "below",
        "less_than_equal": "at most",
    }
    if kind in bounds:
        limit = next(iter(context.values()))
        return Problem(key, value, f"must be {bounds[kind]} {limit}")
    return Problem(key, value, details["msg"])


def key_path(location: tuple[str | int, ...]) -> str:
    """A path such as ``agents[2].credit_limit``; steps that tell forms of one value apart ("|form") are no keys."""
    path = ""
    for step in location:
        if str(step).startswith("|"):
            continue
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def _money_hint(key: str) -> str:
    money = ("amount", "balance", "limit", "collateral", "median")
    return " of minor units (cents)" if key.rsplit(".", 1)[-1].endswith(money) else ""


def _hint(value: object) -> str:
    return "YAML reads unquoted yes, no, on and off as true and false" if isinstance(value, bool) else ""


def _keys_at(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Keys that a file may state at a location, following fields, list members and mapping values."""
    models = [model]
    for step in location:
        following: list[type[BaseModel]] = []
        for candidate in models:
            field = candidate.model_fields.get(str(step))
            following += [candidate] if field is None else list(_models_in(field.annotation))
        models = following
    return [key for candidate in models for key in candidate.model_fields]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
