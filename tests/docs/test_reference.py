"""The reference pages repeat what defines them, and what defines them says everything that a page needs."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, create_model

from pipelines.contracts import CONTRACTS, columns_of
from pipelines.dbt import manifest
from pipelines.places import PROJECT_ROOT
from pipelines.reference.keys import Section, is_numeric, keys_of, sections_of, unit_of
from pipelines.reference.pages import pages
from pipelines.runs import RunFile, load_run
from sim_engine import InputError, parse_scenario
from sim_engine.scenario import ScenarioFile

SECTIONS = [("scenario", section) for section in sections_of(ScenarioFile)]
SECTIONS += [("run", section) for section in sections_of(RunFile)]
MODELS = [section.model for _, section in SECTIONS]


@pytest.fixture(scope="module")
def generated() -> dict[str, str]:
    return pages(json.loads(manifest().read_text(encoding="utf-8")))


def test_the_pages_are_those_that_are_generated(generated: dict[str, str]) -> None:
    assert sorted(generated) == [
        "mart_reference.md", "run_reference.md", "scenario_reference.md", "table_reference.md",
    ]  # fmt: skip
    stale = [
        name for name, text in generated.items() if (PROJECT_ROOT / "docs" / name).read_text(encoding="utf-8") != text
    ]
    assert stale == [], "write them anew: make docs"


def test_every_model_of_a_file_has_a_section() -> None:
    assert len(MODELS) == len(set(MODELS)) >= 20
    assert set(MODELS) == {*_models_below(ScenarioFile), *_models_below(RunFile)} - _without_keys()


def test_every_key_says_what_it_means_with_an_example() -> None:
    keys = [(model, key, field) for model in MODELS for key, field in keys_of(model)]
    assert len(keys) >= 80
    assert [(model.__name__, key) for model, key, field in keys if not field.description] == []
    assert [(model.__name__, key) for model, key, field in keys if not field.examples] == []
    assert [model.__name__ for model in MODELS if not inspect.getdoc(model)] == []


def test_every_number_says_its_unit() -> None:
    seeds = {"rng_seed", "seeds", "from"}  # a seed counts nothing
    numbers = [(key, field) for model in MODELS for key, field in keys_of(model) if is_numeric(field)]
    assert len(numbers) >= 40
    assert [key for key, field in numbers if not unit_of(field) and key not in seeds] == []
    assert [key for key, field in numbers if key.endswith("_bp") and unit_of(field) != "basis points"] == []


@pytest.mark.parametrize(
    ("model", "key"), [(model, key) for model in MODELS for key, _ in keys_of(model)], ids=lambda part: str(part)[-40:]
)
def test_every_example_is_allowed_where_it_stands(model: type[BaseModel], key: str) -> None:
    field = dict(keys_of(model))[key]
    alone = create_model(
        "Alone", __config__=ConfigDict(strict=True, extra="forbid"), key=(field.annotation, _unnamed(field))
    )
    for example in field.examples or ():
        assert alone.model_validate({"key": _as_file(example)})


def _unnamed(field: Any) -> Any:
    """A key's definition without its alias, so that it can stand under another name."""
    copied = field._copy()
    copied.alias = copied.validation_alias = copied.serialization_alias = None
    return copied


def _as_file(example: object) -> object:
    """An example as it comes out of a file that states it."""
    return yaml.safe_load(yaml.safe_dump(example))


def test_a_page_has_a_row_for_every_key_and_every_column(generated: dict[str, str]) -> None:
    for name, kind in (("scenario_reference.md", "scenario"), ("run_reference.md", "run")):
        rows = re.findall(r"^\| `(\w+)` \|", generated[name].partition("\n## Presets")[0], re.MULTILINE)
        assert rows == [key for of, section in SECTIONS if of == kind for key, _ in keys_of(section.model)]
    rows = re.findall(r"^\| `(\w+)` \|", generated["table_reference.md"], re.MULTILINE)
    assert rows == [column.name for table in CONTRACTS for column in columns_of(table)]


# What must hold among keys. Every point of a model's docstring is broken here, by a file that is right but for that.

BASE = """
name: told
ticks_per_day: 10
agents:
  - {id: BANK_A, opening_balance: 100}
  - {id: BANK_B, opening_balance: 0}
arrivals:
  - {id: T1, sender: BANK_A, receiver: BANK_B, amount: 5, tick: 3}
"""

HUGE = 2**63 - 1

BROKEN: dict[str, list[tuple[str, Any]]] = {
    "Opening balances and all amounts together": [
        ("agents[0].opening_balance", HUGE),
        ("agents[0].credit_limit", HUGE),
    ],
    "Each agent has an id of its own": [("agents[1].id", "BANK_A")],
    "Exactly one is named": [
        ("agents[0].policy", {"fifo": {}, "deadline": {"urgency_ticks": 1}}),
        ("agents[0].policy", "deadline"),
    ],
    "Ticks ascend, each stated once": [
        ("agents[0].policy", {"scheduled": {"profile": [{"tick": 2, "share_bp": 1}, {"tick": 2, "share_bp": 5}]}}),
        ("agents[0].policy", {"scheduled": {"profile": [{"tick": 2, "share_bp": 5}, {"tick": 3, "share_bp": 1}]}}),
    ],
    "A step's tick is a tick of the day": [
        ("agents[0].policy", {"scheduled": {"profile": [{"tick": 10, "share_bp": 1}]}})
    ],
    "Changes stand in the order of their days": [
        ("agents[0].policy_changes", [{"day": 2, "policy": "fifo"}, {"day": 2, "policy": "fifo"}])
    ],
    "`on_need.max` is at least": [("agents[0]", {"posted_collateral": 9, "collateral": {"on_need": {"max": 8}}})],
    "Bilateral limits are towards other agents": [
        ("agents[0].limits", {"bilateral": {"BANK_C": 5}}),
        ("agents[0].limits", {"bilateral": {"BANK_A": 5}}),
    ],
    "Sender and receiver are agents": [("arrivals[0].receiver", "BANK_C"), ("arrivals[0].receiver", "BANK_A")],
    "Each id is stated once": [
        ("arrivals[0].id", "gen:1"),
        ("arrivals[0].id", "listed:1"),
        ("arrivals", [{"id": "T", "sender": "BANK_A", "receiver": "BANK_B", "amount": 1, "tick": 0}] * 2),
    ],
    "A payment arrives in the simulation": [("arrivals[0].tick", 10)],
    "A deadline does not lie before": [("arrivals[0].deadline", 2)],
    "`agents` names agents of the scenario": [
        ("generate", {"default": {"payments_per_day": 0}, "agents": {"BANK_C": {}}})
    ],
    "At least one part of `intraday_profile`": [
        ("generate", {"default": {"payments_per_day": 0}, "intraday_profile": [0, 0]})
    ],
    "Every agent has `payments_per_day`": [
        ("generate", {"agents": {"BANK_A": {"payments_per_day": 0}}}),
        ("generate", {"default": {"payments_per_day": 1}}),
    ],
    "Receivers are other agents": [
        ("generate", {"default": {"payments_per_day": 0, "counterparties": {"BANK_C": 1}}}),
        ("generate", {"default": {"payments_per_day": 0}, "agents": {"BANK_A": {"counterparties": {"BANK_A": 1}}}}),
        (
            "generate",
            {"default": {"payments_per_day": 1, "amount": {"median": 1}, "counterparties": {"BANK_A": 0, "BANK_B": 0}}},
        ),
    ],
    "`entry_offset` does not go with": [(".", {"lsm": {"entry_offset": True}, "queue2": {"entry": "queue"}})],
    "What an agent's day may cost": [(".", {"arrivals[0].amount": 2**62, "costs": {"unsettled_bp": 1_000_000}})],
}
"""By the beginning of each point about a scenario, changes of the base that break it: where, and what stands there."""

_HEAD = "transaction,sender,receiver,amount"

FILES = {
    "A file with timestamps needs both": f"{_HEAD},timestamp\nX,BANK_A,BANK_B,1,2026-01-05 07:01\n",
    "Every row keeps what holds of a listed payment": f"{_HEAD},tick\nT1,BANK_A,BANK_B,1,0\n",
    "A timestamp lies within": f"{_HEAD},timestamp\nX,BANK_A,BANK_B,1,2026-01-05 06:59\n",
}
"""By the beginning of each point about a payments file, a file that breaks it."""

RUNS = {
    "`scenario` names a scenario file": "scenario: told_run.yaml",
    "Each seed is stated once": "scenario: told.yaml\nseeds: [1, 1]",
    "There are at most 100,000": (
        "scenario: told.yaml\nseeds: {from: 1, count: 50001}\narms: {a: {baseline: true}, b: {}}"
    ),
    "A path of the grid leads": "scenario: told.yaml\ngrid: {'agents[BANK_C].credit_limit': [1]}",
    "No value is set by an arm and": (
        "scenario: told.yaml\narms: {a: {set: {lsm: {ring: false}}}}\ngrid: {lsm.ring: [true]}"
    ),
    "`num_days` and `rng_seed` stand in no path": "scenario: told.yaml\ngrid: {num_days: [1, 2]}",
    "An arm's name leaves room": f"scenario: told.yaml\narms: {{{'a' * 62}: {{}}}}\ngrid: {{lsm.ring: [true]}}",
    "Of several arms exactly one": "scenario: told.yaml\narms: {a: {}, b: {}}",
    "`num_days` and `rng_seed` are not set": "scenario: told.yaml\narms: {a: {set: {rng_seed: 1}}}",
    "Each arm, at each point of the grid": "scenario: told.yaml\narms: {a: {set: {ticks_per_day: 2}}}",
}
"""By the beginning of each point about a run, a run file that breaks it."""


SAID = {
    "Opening balances and all amounts together": "opening balances plus all amounts|credit capacity and all money",
    "Each agent has an id of its own": "duplicate agent",
    "Exactly one is named": "must be one of|urgency_ticks: missing",
    "Ticks ascend, each stated once": "ticks and shares must ascend",
    "A step's tick is a tick of the day": "is no tick of the day",
    "Changes stand in the order of their days": "must come after day 2",
    "`on_need.max` is at least": "is below the agent's posted_collateral 9",
    "Bilateral limits are towards other agents": "no such agent|an agent pays others only",
    "Sender and receiver are agents": "no such agent|an agent cannot pay itself",
    "Each id is stated once": "is reserved for derived ids|duplicate transaction",
    "A payment arrives in the simulation": "outside the run, whose ticks are 0..9",
    "A deadline does not lie before": "lies before the payment's tick 3",
    "`agents` names agents of the scenario": "no such agent",
    "At least one part of `intraday_profile`": "at least one part of the day needs a share above 0",
    "Every agent has `payments_per_day`": "(payments_per_day|amount): missing",
    "Receivers are other agents": "no such agent|an agent cannot pay itself|nobody to pay",
    "`entry_offset` does not go with": "lets entry only queue",
    "What an agent's day may cost": "may cost an agent more than",
    "A file with timestamps needs both": "needs 'opens_at' and 'tick_seconds'",
    "Every row keeps what holds of a listed payment": "duplicate: the scenario lists it already",
    "A timestamp lies within": "outside the day",
    "`scenario` names a scenario file": "is a run file; name a scenario file",
    "Each seed is stated once": "repeated; each seed is one simulation",
    "There are at most 100,000": "2 x 1 x 50,001 = 100,002 simulations",
    "A path of the grid leads": "no such agent",
    "No value is set by an arm and": "the grid sets it too",
    "`num_days` and `rng_seed` stand in no path": "must be the same for all arms; state 'days'",
    "An arm's name leaves room": "is too long a name for the arms that the grid makes of it",
    "Of several arms exactly one": "exactly one arm must state 'baseline: true'",
    "`num_days` and `rng_seed` are not set": "must be the same for all arms; state 'seeds'",
    "Each arm, at each point of the grid": "outside the run, whose ticks are 0..1",
}
"""What is said to whoever breaks a point, as a pattern."""


def test_every_point_about_a_file_is_broken_once() -> None:
    points = {point for _, section in SECTIONS for point in _points(section)}
    begun = [beginning for cases in (BROKEN, FILES, RUNS) for beginning in cases]
    assert len(points) == len(begun) >= 30
    assert list(SAID) == begun
    assert [point for point in points if sum(point.startswith(beginning) for beginning in begun) != 1] == []


def _points(section: Section) -> list[str]:
    return re.findall(r"^- (.*)$", section.about, re.MULTILINE)


def test_the_file_that_the_points_are_broken_in_is_right() -> None:
    assert parse_scenario(yaml.safe_load(BASE), source=Path("told.yaml")).stated.name == "told"


@pytest.mark.parametrize(
    ("point", "where", "value"),
    [pytest.param(point, *case, id=f"{point}-{n}") for point, cases in BROKEN.items() for n, case in enumerate(cases)],
)
def test_a_scenario_that_breaks_a_point_is_refused(point: str, where: str, value: Any) -> None:
    raw = yaml.safe_load(BASE)
    changes = value.items() if where == "." else [(where, value)]
    for path, changed in changes:
        _put(raw, path, changed)
    with pytest.raises(InputError, match=SAID[point]):
        parse_scenario(raw, source=Path("told.yaml"))


def _put(raw: dict[str, Any], path: str, value: Any) -> None:
    *above, last = [int(step) if step.isdecimal() else step for step in re.findall(r"\w+", path)]
    holder: Any = raw
    for step in above:
        holder = holder[step]
    holder[last] = holder[last] | value if isinstance(last, int) else value


@pytest.mark.parametrize("point", FILES)
def test_a_payments_file_that_breaks_a_point_is_refused(point: str, tmp_path: Path) -> None:
    (tmp_path / "day.csv").write_text(FILES[point])
    clock = {"opens_at": "07:00", "tick_seconds": 60} if point.startswith("A timestamp") else {}
    raw = yaml.safe_load(BASE) | {"arrivals_file": {"path": "day.csv"} | clock}
    with pytest.raises(InputError, match=SAID[point]):
        parse_scenario(raw, source=tmp_path / "told.yaml")


@pytest.mark.parametrize("point", RUNS)
def test_a_run_file_that_breaks_a_point_is_refused(point: str, tmp_path: Path) -> None:
    (tmp_path / "told.yaml").write_text(BASE)
    (tmp_path / "told_run.yaml").write_text("run_id: other\nscenario: told.yaml\n")
    file = tmp_path / "run.yaml"
    file.write_text("run_id: told\nscenario: told.yaml\n")
    assert load_run(file).run_id == "told"
    file.write_text(f"run_id: told\n{RUNS[point]}\n")
    with pytest.raises(InputError, match=SAID[point]):
        load_run(file)


def _models_below(model: type[BaseModel]) -> set[type[BaseModel]]:
    """A model with all that its schema refers to."""
    found = {model}
    known = {known.__name__: known for known in _subclasses(model.__mro__[1])}
    for name in model.model_json_schema(by_alias=True).get("$defs", {}):
        found.add(known[name])
    return found


def _subclasses(base: type) -> set[type[BaseModel]]:
    return {below for direct in base.__subclasses__() for below in ({direct} | _subclasses(direct))}


def _without_keys() -> set[type[BaseModel]]:
    return {model for model in _models_below(ScenarioFile) if not model.model_fields}
