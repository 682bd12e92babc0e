"""Turns what pydantic says of a file into problems that a person can act on."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import AfterValidator, BaseModel, ValidationError

from sim_engine.errors import ABSENT, Problem, did_you_mean


def matching(pattern: str, form: str) -> AfterValidator:
    """Admits texts that match the pattern as a whole; the form says in words which they are."""
    compiled = re.compile(pattern)

    def admit(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(f"must be {form}")
        return text

    return AfterValidator(admit)


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Every problem of a failed validation, with the path as a reader of the file would write it.

    model: the model that was validated; its keys are offered where an unknown one resembles them.
    """
    return [_problem(details, model) for details in error.errors(include_url=False) if not _is_echo(details)]


def in_file_order(problems: Iterable[Problem], raw: Mapping[str, Any]) -> list[Problem]:
    """Problems in the order in which the file states their keys; what is missing comes after its neighbours."""
    return sorted(problems, key=lambda problem: _place(problem.key, raw))


def _place(key: str, raw: object) -> list[int]:
    """Where a path leads in a file: the place at each of its steps."""
    place: list[int] = []
    for step in re.findall(r"[^.\[\]]+", key):
        if isinstance(raw, Mapping):
            keys = list(raw)
            place.append(keys.index(step) if step in raw else len(keys))
            raw = raw.get(step)
        elif isinstance(raw, list) and step.isdecimal() and int(step) < len(raw):
            place.append(int(step))
            raw = raw[int(step)]
        else:
            break
    return place


def _is_echo(details: Any) -> bool:
    """Whether pydantic calls a list too short only because it left out members that have problems of their own."""
    return bool(details["type"] == "too_short" and len(details["input"]) >= details["ctx"]["min_length"])


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
        choice = "" if len(context["expected"].split("'")) == 3 else "one of "
        return Problem(key, value, f"must be {choice}{context['expected']}; {_hint(value)}".removesuffix("; "))
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return Problem(
            key, value, "must hold keys and values; {} for none" if value is None else "must hold keys and values"
        )
    if kind in ("tuple_type", "list_type"):
        return Problem(key, value, "must be a list")
    if kind == "too_short":
        return Problem(key, ABSENT, f"needs at least {context['min_length']}, has {len(details['input'])}")
    if kind in ("int_type", "int_from_float", "int_parsing", "int_parsing_size"):
        return Problem(key, value, f"must be a whole number{_money_hint(key)}; {_hint(value)}".removesuffix("; "))
    if kind == "string_type":
        return Problem(key, value, "must be a text: put it in quotes")
    if kind == "value_error":
        return Problem(key, value, str(context["error"]))
    if kind == "string_too_long":
        return Problem(key, value, f"must have at most {context['max_length']} characters")
    if kind == "string_too_short":
        return Problem(key, value, "must not be empty")
    if kind == "bool_type":
        return Problem(key, value, "must be true or false")
    if kind in ("float_type", "finite_number"):
        return Problem(key, value, f"must be a number; {_hint(value)}".removesuffix("; "))
    bounds = {
        "greater_than": "above",
        "greater_than_equal": "at least",
        "less_than": "below",
        "less_than_equal": "at most",
    }
    if kind in bounds:
        limit = next(iter(context.values()))
        return Problem(key, value, f"must be {bounds[kind]} {int(limit) if limit == int(limit) else limit}")
    return Problem(key, value, details["msg"])


def key_path(location: tuple[str | int, ...]) -> str:
    """A path such as ``agents[2].credit_limit``.

    Steps that tell forms of one value apart ("|form"), or a key from its value ("[key]"), are no keys.
    """
    path = ""
    for step in location:
        if str(step).startswith("|") or step == "[key]":
            continue
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def _money_hint(key: str) -> str:
    money = ("amount", "balance", "limit", "collateral", "median")
    return " of minor units (cents)" if key.rsplit(".", 1)[-1].endswith(money) else ""


def _hint(value: object) -> str:
    """What YAML, or a spreadsheet, may have made of a value that was meant otherwise."""
    if isinstance(value, bool):
        return "YAML reads unquoted yes, no, on and off as true and false"
    if isinstance(value, str) and re.fullmatch(r"-?\d[\d.,_' ]*", value):
        return "write it as digits, without quotes"
    return ""


def _keys_at(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Keys that a file may state at a location, following fields, list members and mapping values."""
    models = [model]
    for step in location:
        following: list[type[BaseModel]] = []
        for candidate in models:
            field = candidate.model_fields.get(str(step))
            following += [candidate] if field is None else list(_models_in(field.annotation))
        models = following
    return [field.alias or key for candidate in models for key, field in candidate.model_fields.items()]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
