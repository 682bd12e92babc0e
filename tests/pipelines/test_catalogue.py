"""A run's name alone leads to its file."""

import shutil
from pathlib import Path

import pytest

from pipelines.catalogue import Catalogue
from pipelines.runs import load_run
from sim_engine import InputError

SCENARIO = """
name: {name}
ticks_per_day: 1
agents:
  - {{id: A, opening_balance: 0}}
  - {{id: B, opening_balance: 0}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "scenarios"
    folder.mkdir()
    (folder / "first.yaml").write_text(SCENARIO.format(name="quiet_day"))
    (folder / "broken.yaml").write_text("name: [")
    return folder


def test_a_run_is_found_in_the_folders_beside_files_that_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "data", (folder,))
    assert catalogue.find("quiet_day").source == folder / "first.yaml"
    assert catalogue.run_ids() == ["quiet_day"]


def test_a_run_from_elsewhere_is_found_again_once_remembered(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text(SCENARIO.format(name="from_elsewhere"))
    catalogue = Catalogue(tmp_path / "data", (folder,))
    catalogue.remember(load_run(elsewhere))
    assert catalogue.find("from_elsewhere").source == elsewhere
    assert catalogue.run_ids() == ["from_elsewhere", "quiet_day"]


def test_a_remembered_file_that_moved_into_a_folder_is_found_there(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text(SCENARIO.format(name="from_elsewhere"))
    catalogue = Catalogue(tmp_path / "data", (folder,))
    catalogue.remember(load_run(elsewhere))
    shutil.move(elsewhere, folder / "moved.yaml")
    assert catalogue.find("from_elsewhere").source == folder / "moved.yaml"


def test_an_unknown_run_is_refused_with_where_it_was_looked_for(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        Catalogue(tmp_path / "data", (folder,)).find("nobody_knows")
    message = str(refused.value)
    assert "run: found 'nobody_knows'" in message
    assert str(folder) in message
    assert "payment-sim pipeline FILE" in message


def test_a_remembered_file_that_now_asks_for_another_run_is_refused(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text(SCENARIO.format(name="from_elsewhere"))
    catalogue = Catalogue(tmp_path / "data", (folder,))
    catalogue.remember(load_run(elsewhere))
    elsewhere.write_text(SCENARIO.format(name="renamed"))
    with pytest.raises(InputError, match="the file is now of run 'renamed'"):
        catalogue.find("from_elsewhere")


def test_two_files_of_one_name_are_refused_and_both_named(folder: Path, tmp_path: Path) -> None:
    (folder / "second.yaml").write_text(SCENARIO.format(name="quiet_day"))
    with pytest.raises(InputError, match=r"first\.yaml and .*second\.yaml both have this name; rename one"):
        Catalogue(tmp_path / "data", (folder,)).find("quiet_day")
