"""What README shows is what a reader gets."""

import contextlib
import io
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.places import PROJECT_ROOT

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
    assert lines_of(printed.getvalue()) == block_that_begins("ring (")


def test_the_run_example_prints_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = block_that_begins(".venv/bin/payment-sim run")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PAYMENT_SIM_DATA", raising=False)
    (tmp_path / "scenarios").symlink_to(PROJECT_ROOT / "scenarios")
    result = CliRunner().invoke(main, command.split()[1:])
    assert result.exit_code == 0, result.output
    shown = block_that_begins("Persisted 1 LSM cycles")
    assert lines_of(result.stdout.replace(f"{tmp_path}/", "")) == shown


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
