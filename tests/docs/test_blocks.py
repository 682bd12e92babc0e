"""Every fenced block of README.md and docs/ is run, loaded or held by another test, and shows what it gives."""

import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from pipelines.cli import main
from pipelines.runs import load_run
from sim_engine import load_scenario
from tests import test_readme
from tests.docs.blocks import OUTPUT, RUN, Block
from tests.docs.reader import Reader, is_as_shown
from tests.docs.reading import DONE_IN_ORDER, HELD_BY_TEST_README, NOT_RUN, all_blocks, is_done, is_left_out

BLOCKS = all_blocks()
YAML = [block for block in BLOCKS if block.language == "yaml"]
_RUN_KEYS = {"run_id", "scenario", "arms", "grid", "seeds"}


@pytest.mark.slow
@pytest.mark.parametrize("page", DONE_IN_ORDER)
def test_a_page_shows_what_its_blocks_print(page: str, reader: Reader) -> None:
    reader.read_up_to(page)
    shown = [block for block in BLOCKS if block.page == f"docs/{page}" and block.prints]
    run = [block for block in BLOCKS if block.page == f"docs/{page}" and is_done(block) and block.language in RUN]
    assert len(run) >= 1
    assert [block.place for block in run if block.place not in reader.printed] == []
    differing = [
        (block.place, reader.printed[block.place])
        for block in shown
        if block.prints and not is_as_shown(block.prints.text, reader.printed[block.place])
    ]
    assert differing == []


@pytest.mark.slow
def test_readmes_queries_can_be_asked(reader: Reader) -> None:
    reader.read_up_to("first_experiment.md")
    queries = [block for block in BLOCKS if block.page == "README.md" and block.language == "sql"]
    assert len(queries) == 1
    reader.do(queries[0])
    assert reader.printed[queries[0].place].count("┌") == 2


def test_every_block_is_run_loaded_or_listed() -> None:
    assert len(BLOCKS) >= 60
    held = [
        block for block in BLOCKS if is_left_out(block) or block.is_output or block.language == "yaml" or is_done(block)
    ]
    assert [block.place for block in BLOCKS if block not in held] == []


def test_a_page_whose_blocks_are_run_is_among_those_that_are_read() -> None:
    run = {(block.page, block.language) for block in BLOCKS if is_done(block) and block.language in RUN}
    assert {page for page, _ in run if page != "README.md"} == {f"docs/{page}" for page in DONE_IN_ORDER}
    assert {language for page, language in run if page == "README.md"} == {"sql"}  # run by the test above


def test_the_lists_of_what_is_not_run_name_blocks_that_are_there() -> None:
    there = {(block.page, block.first_line) for block in BLOCKS}
    held = {("README.md", first_line) for first_line in HELD_BY_TEST_README}
    assert (NOT_RUN.keys() | held) - there == set()
    assert NOT_RUN.keys() & held == set()
    assert all(NOT_RUN.values())


def test_a_block_that_another_test_is_said_to_hold_has_that_test() -> None:
    assert len(HELD_BY_TEST_README) >= 5
    assert [name for name in HELD_BY_TEST_README.values() if not hasattr(test_readme, name)] == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all files that pages have their readers save, and none of what they make of them."""
    reader = Reader(tmp_path_factory.mktemp("loading"))
    reader.prepare()
    for block in BLOCKS:
        if block.saved_as:
            file = reader.folder / block.saved_as
            file.parent.mkdir(exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
    return reader.folder


@pytest.mark.parametrize("block", YAML, ids=lambda block: block.place)
def test_every_yaml_block_can_be_loaded(block: Block, folder: Path) -> None:
    stated = yaml.safe_load(block.text)
    if _RUN_KEYS & stated.keys():
        file = folder / "runs" / "of_a_page.yaml"
        whole = {"run_id": "of_a_page", "scenario": "../scenarios/research_day.yaml"} | stated
        file.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
        assert load_run(file).run_id == whole["run_id"]
    else:
        file = folder / "scenarios" / "of_a_page.yaml"
        base = yaml.safe_load((folder / "scenarios" / "three_bank_ring.yaml").read_text(encoding="utf-8"))
        whole = stated if "name" in stated else _with(base, stated)
        file.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
        assert load_scenario(file).stated.name == whole["name"]


def test_every_command_that_is_named_is_understood() -> None:
    lines = [
        line.strip().removeprefix(".venv/bin/")
        for block in BLOCKS
        if block.language in ("", "sh")
        for line in block.text.splitlines()
        if line.strip().startswith(".venv/bin/payment-sim")
    ]
    assert len(lines) >= 20
    for line in lines:
        name, *arguments = shlex.split(line, comments=True)[1:]
        command = main.get_command(click.Context(main), name)
        assert command is not None, line
        command.make_context(name, arguments)  # raises what click would say of it


def test_every_output_block_belongs_to_a_block_that_is_run() -> None:
    outputs = [block for block in BLOCKS if block.language in OUTPUT]
    assert len(outputs) >= 25
    assert [block.place for block in outputs if not block.is_output and not is_left_out(block)] == []


def _with(base: dict[str, Any], stated: dict[str, Any]) -> dict[str, Any]:
    """A scenario with a fragment laid over it: agents by their ids, anything else whole."""
    laid = base | stated
    if "agents" in stated:
        by_id = {agent["id"]: agent for agent in stated["agents"]}
        laid["agents"] = [agent | by_id.get(agent["id"], {}) for agent in base["agents"]]
    return laid
