"""What pages state in passing is so: links lead somewhere, names name something, messages are given."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import cli
from pipelines.dbt import manifest
from pipelines.places import PROJECT_ROOT
from pipelines.reference.markdown import anchor
from tests.docs.reading import DOCS, pages

WRITTEN = [file for file in pages() if not file.name.endswith("_reference.md")]


def text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", [*pages(), PROJECT_ROOT / "CONTRIBUTING.md"], ids=lambda file: file.name)
def test_every_link_leads_to_a_file_and_a_heading(file: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(file)):
        name, _, heading = target.partition("#")
        there = (file.parent / name).resolve() if name else file
        if not there.exists() or (heading and heading not in _anchors(there)):
            broken.append(target)
    assert broken == []


def _anchors(file: Path) -> list[str]:
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text_of(file), flags=re.M | re.S), re.MULTILINE)
    return [anchor(heading.replace("`", "")) for heading in headings]


@pytest.mark.parametrize("file", sorted(DOCS.glob("*_reference.md")), ids=lambda file: file.name)
def test_headings_of_a_reference_page_have_addresses_of_their_own(file: Path) -> None:
    anchors = _anchors(file)
    assert len(anchors) >= 3
    assert len(set(anchors)) == len(anchors)


def test_the_contents_name_every_page_once() -> None:
    linked = re.findall(r"\]\(([\w.]+)\)", text_of(DOCS / "README.md"))
    assert len(linked) >= 12
    assert sorted(linked) == sorted(
        ["decisions", *(file.name for file in DOCS.glob("*.md") if file.name != "README.md")]
    )


def test_every_column_that_the_methods_name_is_a_column_of_its_mart() -> None:
    nodes = json.loads(text_of(manifest()))["nodes"].values()
    columns = {node["name"]: set(node["columns"]) for node in nodes if node["resource_type"] == "model"}
    named = []
    for line in text_of(DOCS / "methods.md").splitlines():
        mart = ""
        for found_mart, column in re.findall(r"`((?:fct|dim)_\w+)?(?:\.(\w+))?`", line):
            mart = found_mart or mart
            if mart and (found_mart or column):
                named.append((mart, column))
    assert len([column for _, column in named if column]) >= 25
    assert [mart for mart, _ in named if mart not in columns] == []
    assert [(mart, column) for mart, column in named if column and column not in columns[mart]] == []


def test_every_environment_variable_is_explained_and_no_other() -> None:
    sources = [file for folder in ("pipelines", "sim_engine") for file in (PROJECT_ROOT / folder).rglob("*.py")]
    sources += [PROJECT_ROOT / "dbt_project" / "profiles.yml", PROJECT_ROOT / "Makefile"]
    known = {name for file in sources for name in re.findall(r"\bPAYMENT_SIM_[A-Z_]+\b", text_of(file))}
    table = text_of(DOCS / "operating.md").partition("## Environment variables")[2].partition("\n## ")[0]
    assert set(re.findall(r"PAYMENT_SIM_[A-Z_]+", table)) == known


def test_every_exit_code_is_explained() -> None:
    table = text_of(DOCS / "operating.md").partition("## Exit codes")[2].partition("\n## ")[0]
    assert re.findall(r"^\| (\d) \|", table, re.MULTILINE) == ["0", "1", "2"]
    ends = re.findall(r"sys\.exit\((\w+)\)", text_of(PROJECT_ROOT / "pipelines" / "cli.py"))
    assert len(ends) >= 5
    assert {getattr(cli, name) for name in ends} == {1, 2}


def test_every_message_that_is_explained_is_one_that_is_given() -> None:
    given = [text for folder in ("pipelines", "sim_engine") for text in _texts_in(PROJECT_ROOT / folder)]
    table = text_of(DOCS / "operating.md").partition("## Messages")[2]
    messages = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    messages += re.findall(r"^> `([^`]+)`$", text_of(DOCS / "operating.md"), re.MULTILINE)
    assert len(messages) >= 15
    unknown = [message for message in messages if not any(_is_said_by(message, text) for text in given)]
    assert unknown == []


def _texts_in(folder: Path) -> Iterator[str]:
    """Every text of a program, with `…` for what is put into it."""
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(text_of(file))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
                yield "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def _is_said_by(message: str, text: str) -> bool:
    """Whether a text holds a message word for word; its `…` may stand for more than one thing that is put in."""
    pieces = [re.escape(piece) for piece in message.split("…") if piece]
    return re.search("…(?:.*…)?".join(pieces), text) is not None


def test_paths_of_the_data_folder_are_those_that_the_program_uses() -> None:
    rows = re.findall(
        r"^\| `([^`]+)`(?:, `[^`]+`)? \|", text_of(DOCS / "operating.md").partition("## What is committed")[0], re.M
    )
    assert len(rows) >= 9
    names = " ".join(_texts_in(PROJECT_ROOT / "pipelines"))
    assert [row for row in rows if row.split("/")[0] not in names] == []


def test_make_docs_writes_the_reference_pages() -> None:
    target = text_of(PROJECT_ROOT / "Makefile").partition("\ndocs: ")[2].partition("\n\n")[0]
    assert "-m pipelines.reference" in target
