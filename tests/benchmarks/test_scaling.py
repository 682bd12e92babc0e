"""What is said of workers and objects is measured as it says."""

import os
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from benchmarks.chunk_cost import cost
from benchmarks.scaling import ALONE, Stored, Way, past_one_machine, requests_in, research_days, row_of
from benchmarks.store_sections import mutual_pairs, run_of, simulate_run
from benchmarks.timing import QUICK
from pipelines import chunks
from pipelines.chunks import chunks_of
from pipelines.contracts import CONTRACTS
from pipelines.fanout import cores
from pipelines.raw_store import RawStore


def seconds(*measured: float) -> list[Stored]:
    return [Stored(taken, 3_000_000, 7) for taken in measured]


def test_time_over_is_all_hands_time_beyond_that_of_one_thread_by_member():
    taken = {
        ALONE: seconds(2.0, 9.0, 1.0),
        Way("folder", "worker", 1): seconds(2.4),
        Way("folder", "worker", 2): seconds(1.5),
        Way("objects", "worker", 1): seconds(3.6),
        Way("objects", "worker", 2): seconds(2.0),
    }
    rows = {way: row_of(10, 4, way, taken) for way in taken}
    # 2 x 1.5 - 2.0 = 1.0 s for 10 members; as fast as 1 worker: 2.4 / 1.5.
    assert rows[Way("folder", "worker", 2)] == (
        "10", "a folder", "2 workers", "4", "1.50 (1.50 to 1.50)", "100.0", "1.60", "3.0", "",
    )  # fmt: skip
    # On objects too, beyond one thread on a folder: 2 x 2.0 - 2.0; as fast as 1 worker on objects: 3.6 / 2.0.
    assert rows[Way("objects", "worker", 2)][5:] == ("200.0", "1.80", "3.0", "7")
    assert rows[Way("objects", "worker", 1)][2:] == (
        "1 worker", "4", "3.60 (3.60 to 3.60)", "160.0", "1.00", "3.0", "7",
    )  # fmt: skip
    assert rows[ALONE][2:] == ("1 thread", "4", "2.00 (1.00 to 9.00)", "", "1.20", "3.0", "")


def test_every_answered_request_is_counted_and_nothing_else(tmp_path):
    log = tmp_path / "log"
    log.write_text(
        " * Running on http://127.0.0.1:5000\n"
        '127.0.0.1 - - [01/Jan/2026 09:00:00] "PUT /payments/raw HTTP/1.1" 200 -\n'
        '127.0.0.1 - - [01/Jan/2026 09:00:01] "HEAD /payments/raw HTTP/1.1" 404 -\n'
        "Press CTRL+C to quit\n"
    )
    assert requests_in(log) == 2


def test_members_are_research_days_of_as_many_seeds_in_chunks_of_the_size():
    run = research_days(5, chunk_size=2)
    assert [member.scenario.stated.rng_seed for member in run.members] == [1, 2, 3, 4, 5]
    assert {member.scenario.stated.name for member in run.members} == {"research_day"}
    assert [len(members) for members in chunks_of(run)] == [2, 2, 1]


def test_simulating_alone_runs_every_member_once_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scenario = mutual_pairs(1)
    run = run_of("pairs", [scenario.with_rules(rng_seed=seed) for seed in range(5)], chunk_size=2)
    with patch.object(chunks, "run_day", wraps=chunks.run_day) as simulated:
        simulate_run(run, threads=2)
    assert sorted(call.args[0].stated.rng_seed for call in simulated.call_args_list) == [0, 1, 2, 3, 4]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("chunk_size", "count"), [(1, 2), (2, 1)])
def test_cost_is_of_all_that_the_store_holds(tmp_path, chunk_size, count):
    found = cost(2, chunk_size, tmp_path)
    stored = RawStore(tmp_path / "store")
    assert found["chunks"] == count
    assert stored.chunks("research", 0) == count
    files = [Path(folder) / name for folder, _, names in os.walk(tmp_path / "store") for name in names]
    assert len(files) == count * (len(CONTRACTS) + 1)
    assert found["size"] == sum(file.stat().st_size for file in files)
    assert found["payments"] == stored.read_table("arrivals", "research", 0).height
    assert min(found["seconds"], found["commit"], found["own"]) > 0


@pytest.mark.slow
def test_every_way_stores_as_much_and_each_has_its_row():
    section = past_one_machine(replace(QUICK, workers=(1,), swept=(2, 3), chunk_size=1, runs_per_seed=1))
    threads = ["1 thread", f"{cores()} threads"][: min(2, cores())]
    assert [row[:4] for row in section.rows] == [
        *(("2", "a folder", name, "2") for name in [*threads, "1 worker"]),
        ("2", "objects", "1 worker", "2"),
        *(("3", "a folder", name, "3") for name in [*threads, "1 worker"]),
    ]
    sizes = {(row[0], row[-2]) for row in section.rows}
    assert len(sizes) == 2
    # A chunk's files are written, looked at and copied; whatever is listed and deleted is so for all of them at once.
    assert f"are {len(CONTRACTS) + 1} files, which take {3 * (len(CONTRACTS) + 1)} requests" in section.says
    of_objects = [int(row[-1]) for row in section.rows if row[1] == "objects"]
    assert len(of_objects) == 1
    assert of_objects[0] > 2 * 3 * (len(CONTRACTS) + 1)
