"""`payment-sim pipeline`: from a scenario file to printed figures of a mart, and what it says when a run fails."""

import os
import re
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import duckdb
import pytest
from click.testing import CliRunner, Result

from pipelines import chunks
from pipelines.cli import main
from pipelines.places import DBT_FOLDER, PROJECT_ROOT, warehouse_file

RING = PROJECT_ROOT / "scenarios" / "three_bank_ring.yaml"


def pipeline(file: Path, data_root: Path) -> Result:
    with patch.dict(os.environ):  # the command names its data folder to the processes that it starts
        return CliRunner().invoke(main, ["pipeline", str(file), "--data", str(data_root)])


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    data_root = tmp_path_factory.mktemp("data")
    return data_root, pipeline(RING, data_root)


@pytest.mark.slow
def test_the_pipeline_prints_what_the_lsm_did_and_where_the_warehouse_is(launched: tuple[Path, Result]) -> None:
    data_root, result = launched
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    shown = ["ring", "LSM cycles multilateral", "cycles 1", "transactions 3", "gross value 150,000", "net value 0"]
    first = lines.index("ring")
    assert [line for line in lines[first : first + 7] if "─" not in line] == shown
    assert f"Warehouse: {warehouse_file(data_root)}" in lines
    committed = "three_bank_ring: day 0 committed (1 of 1), 3 payments arrived, 3 settled, 1 LSM cycles"
    assert committed in lines


@pytest.mark.slow
def test_the_readmes_questions_are_answered_by_the_warehouse(launched: tuple[Path, Result]) -> None:
    data_root, _ = launched
    (block,) = re.findall(r"```sql\n(.*?)```", (PROJECT_ROOT / "README.md").read_text(), re.DOTALL)
    questions = [question for question in block.split(";") if question.strip()]
    assert len(questions) == 2
    with duckdb.connect(str(warehouse_file(data_root)), read_only=True) as connection:
        netted, day = (connection.sql(question).fetchall() for question in questions)
    assert netted == [
        (0, "ring", "BANK_A", "BANK_B", 50_000, 5, 0),
        (0, "ring", "BANK_B", "BANK_C", 50_000, 5, 0),
        (0, "ring", "BANK_C", "BANK_A", 50_000, 5, 0),
    ]
    assert day == [(0, 150_000, 0, 1.0, 0, None, 0.0)]


@pytest.mark.slow
def test_dbts_working_files_go_with_the_build_that_made_them(launched: tuple[Path, Result]) -> None:
    data_root, _ = launched
    with dg.DagsterInstance.from_config(str(data_root / "dagster")) as instance:
        (run,) = instance.get_runs()
    assert not list((DBT_FOLDER / "target").glob(f"marts-{run.run_id[:7]}-*"))


@pytest.mark.slow
def test_a_failed_run_says_why_and_where_the_rest_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = chunks.frame_of
    monkeypatch.setattr(
        chunks, "frame_of", lambda table, day: make(table, day)[1:, :-1] if table == "ticks" else make(table, day)
    )
    result = pipeline(RING, tmp_path / "data")
    assert result.exit_code == 1
    assert "run three_bank_ring, day 0 breaks its contracts and is not stored: ticks" in result.output
    log = tmp_path / "data" / "logs" / "three_bank_ring.log"
    assert f"Everything that was said: {log}" in result.output
    assert "DayRefused" in log.read_text()
    assert not warehouse_file(tmp_path / "data").exists()


def test_a_wrong_file_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("name: wrong\n")
    result = pipeline(file, tmp_path / "data")
    assert result.exit_code == 2
    assert "ticks_per_day: missing" in result.output
    assert not (tmp_path / "data").exists()
