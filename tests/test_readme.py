"""What README shows is what a reader gets."""

import contextlib
import io
import os
import re
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.places import PROJECT_ROOT
from sim_engine import Simulation, load_scenario

README = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")

FIVE_MISTAKES = """
name: my_day
ticks_per_day: 10
agents:
  - {id: BANK_A, opening_balance: 1000.50}
  - {id: BANK_B, opening_balance: 0, credit_limt: 5}
arrivals:
  - {sender: BANK_A, receiver: BANKB, amount: -3, tick: 12}
"""


def lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines() if line.strip()]


def block_that_begins(start: str) -> list[str]:
    blocks = re.findall(r"^```\w*\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    (block,) = [block for block in blocks if block.startswith(start)]
    return lines_of(block)


def test_the_python_example_prints_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT_ROOT)
    code = "\n".join(block_that_begins("from sim_engine import"))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})
    assert lines_of(printed.getvalue()) == block_that_begins("ring [")


def test_the_run_example_prints_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = block_that_begins(".venv/bin/payment-sim run --config")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PAYMENT_SIM_DATA", raising=False)
    (tmp_path / "scenarios").symlink_to(PROJECT_ROOT / "scenarios")
    result = CliRunner().invoke(main, command.split()[1:])
    assert result.exit_code == 0, result.output
    shown = block_that_begins("Persisted 1 LSM cycles")
    assert lines_of(result.stdout) == shown
    (command,) = block_that_begins(".venv/bin/payment-sim cycles")
    result = CliRunner().invoke(main, command.split()[1:])
    assert lines_of(result.stdout) == block_that_begins("three_bank_ring.base.s42, day 0")


@pytest.mark.slow
def test_the_research_day_does_what_is_shown() -> None:
    simulation = Simulation(load_scenario(PROJECT_ROOT / "scenarios" / "research_day.yaml"))
    days = [
        f"  research_day: day {record.day} committed ({record.day + 1} of 3), {arrived:,} payments arrived, "
        f"{len(record.settlements.ticks):,} settled, {len(record.lsm_cycles.ticks):,} LSM cycles"
        for record in simulation.run()
        if (arrived := len(record.transactions.ids) - record.transactions.carried)
    ]
    cycles = [cycle for day in range(3) for cycle in simulation.get_lsm_cycles_for_day(day)]
    of = {name: [cycle for cycle in cycles if cycle.mechanism == name] for name in ("bilateral", "gridlock", "ring")}
    figures = {
        "cycles": [len(found) for found in of.values()],
        "transactions": [sum(len(cycle.transactions) for cycle in found) for found in of.values()],
        "gross value": [sum(cycle.total_value for cycle in found) for found in of.values()],
        "net value": [sum(cycle.settled_value for cycle in found) for found in of.values()],
    }
    shown = block_that_begins("research_day.base.s1: 1 simulation of 3 days, from")
    assert len(days) == 3
    assert shown[1:4] == days
    rows = [" ".join(line.split()) for line in shown]
    for name, numbers in figures.items():
        assert f"{name} {' '.join(f'{number:,}' for number in numbers)}" in rows


def test_mistakes_are_refused_as_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my_day.yaml").write_text(FIVE_MISTAKES)
    result = CliRunner().invoke(main, ["run", "--config", "my_day.yaml"])
    assert result.exit_code == 2
    assert lines_of(result.stderr) == block_that_begins("my_day.yaml: 5 problems")


def test_links_and_files_that_are_named_exist() -> None:
    named = re.findall(r"\]\(([^)#]+)\)", README) + re.findall(r"(?:scenarios|runs)/\w+\.yaml", README)
    assert len(named) >= 4
    assert [name for name in named if not (PROJECT_ROOT / name).exists()] == []


def test_places_that_are_named_for_additions_exist() -> None:
    page = (PROJECT_ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    files = re.findall(r"`((?:\w+/)+[\w.]+\.\w+|\w+/(?:\w+/)*)`", page)
    assert len(files) >= 20
    assert [file for file in files if not (PROJECT_ROOT / file).exists()] == []
    named = [
        (file, name.strip("`"))
        for file, names in re.findall(r"`([\w/.]+\.\w+)` \(((?:`\w+`(?:, )?)+)\)", page)
        for name in names.split(", ")
    ]
    assert len(named) >= 20
    said = [(file, name) for file, name in named if name not in (PROJECT_ROOT / file).read_text(encoding="utf-8")]
    assert said == []


def test_every_section_of_the_specification_that_is_cited_exists() -> None:
    specification = (PROJECT_ROOT / "docs" / "specification.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^## (\d+)\.", specification, re.MULTILINE))
    places = [*PROJECT_ROOT.glob("*.md"), *PROJECT_ROOT.glob("docs/decisions/*.md")]
    places += [
        file for folder in ("sim_engine", "pipelines", "tests") for file in (PROJECT_ROOT / folder).rglob("*.py")
    ]
    cited = {section for file in places for section in re.findall(r"SPEC (\d+)", file.read_text(encoding="utf-8"))}
    assert {"3", "4", "5"} <= cited
    assert cited <= sections


def test_careful_banks_do_what_is_said_of_them(tmp_path: Path) -> None:
    file = tmp_path / "careful_banks.yaml"
    file.write_text("\n".join(block_that_begins("name: careful_banks")), encoding="utf-8")
    simulation = Simulation(load_scenario(file))
    (record,) = simulation.run()
    ids, settled, events, costs = (
        record.transactions.ids, record.settlements, record.collateral_events, record.agent_costs,
    )  # fmt: skip
    assert [(ids[row], tick) for row, tick in zip(settled.transactions, settled.ticks, strict=True)] == [
        ("T2", 1),
        ("T1", 2),
    ]
    assert list(zip(events.agents, events.ticks, events.posted_after, strict=True)) == [
        (1, 1, 44_444_445),
        (1, 31, 11_111_112),
    ]
    assert (costs.delay.tolist(), costs.collateral.tolist()) == ([50, 0], [0, 1276])
    for figure in ("44,444,445", "11,111,112", "1,276", "BANK_A 50, the"):
        assert " ".join(README.split()).count(figure) == 1


def test_the_run_file_is_the_one_that_is_shown() -> None:
    file = (PROJECT_ROOT / "runs" / "nightly_research.yaml").read_text(encoding="utf-8")
    stated = [line for line in lines_of(file) if not line.startswith("#")]
    assert stated == block_that_begins("run_id: nightly_research")


@pytest.mark.slow
def test_the_experiment_ends_with_what_is_shown(tmp_path: Path) -> None:
    with patch.dict(os.environ):
        command = ["pipeline", str(PROJECT_ROOT / "runs" / "nightly_research.yaml"), "--data", str(tmp_path / "data")]
        result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    shown = block_that_begins("lsm_on, compared with lsm_off")
    printed = lines_of(result.output)
    first = printed.index(shown[0])
    assert [line for line in printed[first:] if line.strip()][: len(shown)] == shown


def test_house_keeping_commands_are_run_in_the_first_experiment() -> None:
    shown = [line.split("#")[0].split() for line in block_that_begins(".venv/bin/payment-sim report my_run")]
    page = (PROJECT_ROOT / "docs" / "first_experiment.md").read_text(encoding="utf-8")
    run = {
        tuple(line.split()[:2])
        for block in re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
    }
    assert len(shown) >= 4
    assert [line for line in shown if tuple(line[:2]) not in run] == []
