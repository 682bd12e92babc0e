"""Bad input ends with exit code 2 and a message on standard error; nothing is simulated and nothing written."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.places import DATA_VARIABLE, PROJECT_ROOT
from tests.sim_engine.test_malformed_input import MALFORMED, message

RING = PROJECT_ROOT / "scenarios" / "three_bank_ring.yaml"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder; relative paths of a test start here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    return tmp_path


def refusal(*arguments: object) -> str:
    """What is said of a command line that is refused."""
    before = sorted(Path.cwd().rglob("*"))
    result = CliRunner().invoke(main, ["run", *map(str, arguments)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert sorted(Path.cwd().rglob("*")) == before, "nothing is written"
    return result.stderr


@pytest.mark.parametrize("wrong", MALFORMED)
def test_a_malformed_scenario_writes_neither_data_nor_file(wrong: str, folder: Path) -> None:
    text, problems = MALFORMED[wrong]
    Path("bad.yaml").write_text(text)
    named = Path("payments.xlsx" if "payments file" in wrong else "bad.yaml")
    assert refusal("--config", "bad.yaml", "--persist", "--db-path", "bad.duckdb") == message(named, problems) + "\n"


def test_a_missing_file_is_refused(folder: Path) -> None:
    assert refusal("--config", "none.yaml") == (
        "none.yaml: 1 problem\n  cannot be read: No such file or directory; name a readable YAML file\n"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--persist", "--persist: needs a file to write to; add --db-path FILE.duckdb"),
        ("--db-path x.duckdb", "--db-path x.duckdb: is written only with --persist; add --persist, or leave it out"),
        ("--replace", "--replace: goes with --persist; raw tables are always replaced, so leave it out"),
        (
            "--persist --db-path data/warehouse.duckdb",
            "--db-path data/warehouse.duckdb: is the warehouse, which dbt alone writes; name another file",
        ),
        (
            "--persist --db-path none/x.duckdb",
            "--db-path none/x.duckdb: there is no folder {folder}/none; make it, or name a file in another",
        ),
        (
            "--persist --db-path text.txt",
            '--db-path text.txt: cannot be opened as a DuckDB file (IO Error: The file "{folder}/text.txt" exists, but '
            "it is not a valid DuckDB database file!); name another, or close the program that has it open",
        ),
        ("--data text.txt", "--data text.txt: {folder}/text.txt is a file; name a folder"),
        ("--data text.txt/below", "--data text.txt/below: {folder}/text.txt is a file; name a folder"),
    ],
)
def test_options_that_cannot_be_honoured_are_refused_by_name_value_and_remedy(
    options: str, said: str, folder: Path
) -> None:
    Path("text.txt").write_text("no database\n" * 1000)
    told = refusal("--config", RING, *options.split())
    assert told == f"command line: 1 problem\n  {said.format(folder=folder)}\n"


def test_all_options_that_cannot_be_honoured_are_refused_at_once(folder: Path) -> None:
    Path("text.txt").write_text("a file")
    assert refusal("--config", RING, "--data", "text.txt", "--db-path", "x.duckdb", "--replace") == (
        "command line: 3 problems\n"
        f"  --data text.txt: {folder}/text.txt is a file; name a folder\n"
        "  --db-path x.duckdb: is written only with --persist; add --persist, or leave it out\n"
        "  --replace: goes with --persist; raw tables are always replaced, so leave it out\n"
    )


def test_a_data_folder_of_the_environment_is_named_as_such(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("text.txt").write_text("a file")
    monkeypatch.setenv(DATA_VARIABLE, "text.txt")
    assert refusal("--config", RING) == (
        f"command line: 1 problem\n  {DATA_VARIABLE}={folder}/text.txt: {folder}/text.txt is a file; name a folder\n"
    )


def test_a_data_folder_that_may_not_be_written_to_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert refusal("--config", RING, "--data", "locked/data") == (
        f"command line: 1 problem\n  --data locked/data: the folder {folder} may not be written to; name another\n"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--days 0", "Invalid value for '--days': 0 is not in the range 1<=x<=365."),
        ("--days 1.5", "Invalid value for '--days': '1.5' is not a valid integer range."),
        ("--seed -1", "Invalid value for '--seed': -1 is not in the range 0<=x<=9223372036854775807."),
        ("--replase", "No such option '--replase'. Did you mean '--replace'?"),
    ],
)
def test_values_that_no_option_takes_are_refused(options: str, said: str, folder: Path) -> None:
    assert refusal("--config", RING, *options.split()).splitlines()[-1] == f"Error: {said}"


def test_a_file_must_be_named(folder: Path) -> None:
    assert refusal().splitlines()[-1] == "Error: Missing option '--config'."
