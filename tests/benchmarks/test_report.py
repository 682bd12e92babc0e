"""The harness measures what it says and writes a page that names no machine."""

from pathlib import Path

import pytest

from benchmarks.behaviour import behaviour
from benchmarks.days import seconds_of_day
from benchmarks.engine_sections import throughput
from benchmarks.report import Section, page
from benchmarks.store_sections import PARTS, hundred_cycles, mutual_pairs, parts_timed, run_of, store_run
from benchmarks.timing import QUICK, Spread, environment_lines
from pipelines.contracts import CONTRACTS
from pipelines.places import PROJECT_ROOT
from pipelines.raw_store import RawStore
from sim_engine import run_day
from tests.oracle import day as oracle


def test_spread_is_the_median_between_the_extremes():
    assert Spread.of([5, 1, 9, 2]) == Spread(3.5, 1, 9)
    assert Spread.of([1234.5]).text() == "1,234 (1,234 to 1,234)"


def test_section_is_a_table_with_words_left_and_numbers_right():
    section = Section("Sizes", "What is what.", ("bank", "size"), [("A", "1,000"), ("BANK_B", "7")])
    assert section.text() == (
        "## Sizes\n\nWhat is what.\n\n| bank   |  size |\n| ------ | ----: |\n| A      | 1,000 |\n| BANK_B |     7 |\n"
    )


def test_page_names_what_it_ran_on_but_no_place_on_the_machine():
    text = page(environment_lines(), [Section("S", "Says.", ("a",), [("b",)])])
    assert "Python 3." in text
    assert "logical cores" in text
    assert str(PROJECT_ROOT) not in text
    assert str(Path.home()) not in text


@pytest.mark.parametrize("run", [run_day, oracle.run_day])
def test_every_mutual_pair_is_one_cycle(run):
    _, record = seconds_of_day(mutual_pairs(7), run)
    assert len(record.lsm_cycles.ticks) == 7
    assert len(record.settlements.ticks) == 14


def test_every_part_of_storing_a_day_is_timed(tmp_path):
    with parts_timed() as spent:
        store = store_run(run_of("pairs", [mutual_pairs(3)]), RawStore(tmp_path))
    assert {part: len(calls) for part, calls in spent.items()} == {
        "simulate": 1,
        "frames": len(CONTRACTS),
        "contracts": len(CONTRACTS),
        "Parquet": len(CONTRACTS),
        "states": 1,
        "commit": 1,
    }
    assert spent.keys() == PARTS.keys()
    assert store.days_stored("pairs") == [0]
    assert store.read_table("lsm_cycles", "pairs", 0).height == 3
    assert len(list((tmp_path / "raw").iterdir())) == len(CONTRACTS)


@pytest.mark.parametrize(("section", "rows"), [(throughput, 1), (behaviour, 1), (hundred_cycles, 1)])
def test_section_has_a_row_for_everything_it_measured(section, rows):
    measured = section(QUICK)
    assert len(measured.rows) == rows
    assert measured.text().startswith(f"## {measured.title}\n")
