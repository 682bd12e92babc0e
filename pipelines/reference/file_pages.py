"""The pages on the two kinds of files that a person writes."""

from typing import Any

from pydantic import BaseModel

from pipelines.grid import axes_of, location_text
from pipelines.reference.keys import Section, section_text, sections_of
from pipelines.reference.markdown import code, link, page, table
from pipelines.runs import RunFile
from sim_engine import Problem
from sim_engine.presets import PRESETS
from sim_engine.scenario import ScenarioFile

GENERATED = (
    "Generated from {source} by `make docs`; do not edit. A key that is required has no default. *none*: the key may "
    "be left out, or be `null`. A list of points above a table says what must hold among its keys."
)

PATH_FORMS = {
    "lsm.every_ticks": "keys with dots",
    "agents[0].credit_limit": "an item of a list by its place, from 0",
    "agents[BANK_B].credit_limit": "an item of a list by its id",
    "agents['1'].credit_limit": "the same in quotes, where the id is another item's place too",
    "generate.agents[BANK.C].payments_per_day": "a key that holds dots",
    "agents[*].credit_limit": "all items of a list, or keys of a mapping",
}
"""Forms that a path of a grid may have, and what each is for."""

PATH_SCENARIO: dict[str, Any] = {
    "agents": [{"id": "1"}, {"id": "BANK_B"}, {"id": "BANK.C"}],
    "generate": {"agents": {"BANK.C": {}}},
}
"""What the paths above are resolved in."""


def scenario_page() -> str:
    """What a scenario file may say."""
    return page(
        "Scenario reference",
        _opening("a scenario file", "the models of `sim_engine/scenario.py` and `sim_engine/behaviour.py`")
        + " What a rule does stands in [specification.md](specification.md), sections 3, 4 and 8.",
        *_sections(ScenarioFile),
        _presets(),
    )


def run_page() -> str:
    """What a run file may say."""
    return page(
        "Run reference",
        _opening("a run file", "the models of `pipelines/runs.py` and `pipelines/grid.py`")
        + " How arms are named and compared stands in [specification.md](specification.md), section 7.",
        *_sections(RunFile),
        _paths(),
    )


def _opening(file: str, source: str) -> str:
    return f"What {file} may say, key by key. {GENERATED.format(source=source)}"


def _sections(model: type[BaseModel]) -> list[str]:
    sections = sections_of(model)
    return [_contents(sections), *(section_text(section, sections) for section in sections)]


def _contents(sections: list[Section]) -> str:
    return "\n".join(f"- {link(section.title)}: {_purpose(section)}" for section in sections)


def _purpose(section: Section) -> str:
    return section.about.partition("\n\n")[0].replace("\n", " ")


def _presets() -> str:
    switches = [(key, switch) for key, held in PRESETS["plain_rtgs"].items() for switch in held]
    rows = [
        (code(f"{key}.{switch}"), *(_word(preset[key][switch]) for preset in PRESETS.values()))
        for key, switch in switches
    ]
    text = (
        "A `preset` stands for these switches. What the file states itself goes before it, switch by switch. "
        "[presets.md](presets.md) says which public rules each one follows, and what is left out."
    )
    return f"## Presets\n\n{text}\n\n{table(('switch', *map(code, PRESETS)), rows)}"


def _word(value: object) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _paths() -> str:
    problems: list[Problem] = []
    axes = axes_of({path: [0] for path in PATH_FORMS}, problems)
    assert not problems, problems
    rows = [
        (
            code(axis.path),
            meaning,
            ", ".join(code(location_text(location)) for location in axis.locations(PATH_SCENARIO)),
        )
        for axis, meaning in zip(axes, PATH_FORMS.values(), strict=True)
    ]
    ids = ", ".join(code(str(agent["id"])) for agent in PATH_SCENARIO["agents"])
    text = (
        "A path may name what the scenario leaves to its default, but a list only where the scenario states it. The "
        f"third column says where the path leads in a scenario whose agents are {ids}, in this order."
    )
    return f"## Paths of a grid\n\n{text}\n\n{table(('path', 'form', 'leads to'), rows)}"
