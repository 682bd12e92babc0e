"""The page of a run: what it says, put into one HTML file that needs nothing else."""

import re
from pathlib import Path

import jinja2

from pipelines.report import questions
from pipelines.report.content import arm_in_detail, arms_of, content_of
from pipelines.report.marts import Marts
from pipelines.report.theme import DARK, FONT, LIGHT, variables
from pipelines.warehouse import Warehouse
from sim_engine import InputError, Problem
from sim_engine.errors import did_you_mean

_HEAD_CHARACTERS = 2_000
_TEMPLATES = Path(__file__).parent / "templates"


def page_of(
    warehouse: Warehouse, run_id: str, arm: str | None = None, warning: str | None = None, source: str | None = None
) -> str:
    """A run's page, as text.

    arm: the one to look at in detail, else one with LSM. warning: what a reader must know before anything else.
    source: what it is made from, in a word that made_from finds again.
    Raises InputError if the warehouse has no such run or arm, or not the marts that a report needs; else as
    Warehouse.reading.
    """
    with warehouse.reading() as connection:
        marts = Marts(connection)
        missing = marts.missing()
        if missing:
            remedy = "is not there: another version built these marts; build them again: payment-sim pipeline FILE"
            raise InputError(warehouse.file, [Problem("marts", missing[0], remedy)])
        arms = arms_of(marts, run_id)
        if not arms:
            remedy = "has no marts here; build them: payment-sim pipeline FILE"
            runs = marts.ask(questions.runs())["run_id"].to_list()
            hint = f"; {did_you_mean(run_id, runs)}" if runs else ""
            raise InputError(warehouse.file, [Problem("run", run_id, f"{remedy}{hint}")])
        named = {each.name: each for each in arms}
        if arm is not None and arm not in named:
            remedy = f"no such arm in {run_id}; {did_you_mean(arm, named)}"
            raise InputError("command line", [Problem("--arm", arm, remedy)])
        content = content_of(marts, run_id, named[arm] if arm else arm_in_detail(arms), arms)
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            content=content,
            warning=warning,
            made_from=source,
            light=variables(LIGHT),
            dark=variables(DARK),
            font=FONT,
        )
    )


def made_from(file: Path) -> str | None:
    """What a page says that it was made from."""
    with file.open(encoding="utf-8") as page:
        head = page.read(_HEAD_CHARACTERS)  # pages are large, and many may be looked at
    found = re.search(r'<meta name="made-from" content="(\w+)">', head)
    return found.group(1) if found else None


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
