"""`payment-sim run`: what it stores, what it says, and what it does when something goes wrong."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import polars as pl
import pytest
from click.testing import CliRunner, Result

from pipelines import chunks, cli
from pipelines.cli import main
from pipelines.places import DATA_VARIABLE, PROJECT_ROOT
from pipelines.raw_store import NewDay, NewPart, RawStore
from sim_engine import InputError, Problem, __version__
from sim_engine.bounds import DAYS_MAX, SEED_MAX

RING = PROJECT_ROOT / "scenarios" / "three_bank_ring.yaml"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder, named by the environment."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path / "data"


def payment_sim(*arguments: object) -> Result:
    """Runs the command line in this process; a bug's exception is raised here."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def ring_study(folder: Path) -> Path:
    """A run file: the ring with and without the LSM, two seeds each."""
    file = folder / "ring_study.yaml"
    file.write_text(f"""
run_id: ring_study
scenario: {os.path.relpath(RING, folder)}
seeds: [1, 2]
arms:
  lsm_on: {{}}
  lsm_off: {{baseline: true, set: {{lsm: {{bilateral: false, ring: false, gridlock: false}}}}}}
""")
    return file


def test_a_run_ends_with_a_table_of_what_settled_and_what_was_netted(data: Path) -> None:
    result = payment_sim("run", "--config", RING)
    assert (result.exit_code, result.stderr) == (0, "")
    assert [line.rstrip() for line in result.stdout.splitlines() if line.strip()] == [
        "Persisted 1 LSM cycles for day 0",
        "three_bank_ring.base.s42: 1 simulation of 1 day",
        " Settled by    Payments     Value",
        " ────────────────────────────────",
        " ring                 3   150,000",
        " all                  3   150,000",
        " not settled          0         0",
        " LSM cycles    bilateral   multilateral       all",
        " ────────────────────────────────────────────────",
        " cycles                0              1         1",
        " payments              0              3         3",
        " gross value           0        150,000   150,000",
        " net value             0              0         0",
        " saved                 0        150,000   150,000",
        "Money in minor units (cents).",
        f"Raw tables: {data / 'raw'} (run_id=three_bank_ring)",
    ]


def test_json_is_one_object_with_the_same_figures_and_nothing_else(data: Path) -> None:
    result = payment_sim("run", "--config", RING, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    nothing = {"transactions": 0, "value": 0}
    three = {"transactions": 3, "value": 150_000}
    no_cycle = {"cycles": 0, "transactions": 0, "gross": 0, "net": 0, "saved": 0}
    one_cycle = {"cycles": 1, "transactions": 3, "gross": 150_000, "net": 0, "saved": 150_000}
    assert json.loads(result.stdout) == {
        "run_id": "three_bank_ring",
        "simulations": 1,
        "days": 1,
        "engine_version": __version__,
        "money_unit": "minor units",
        "arrived": three,
        "settled": three,
        "unsettled": nothing,
        "settled_by_mechanism": {
            "immediate": nothing,
            "queue": nothing,
            "bilateral": nothing,
            "ring": three,
            "gridlock": nothing,
            "entry_offset": nothing,
        },
        "lsm": one_cycle,
        "lsm_by_cycle_type": {"bilateral": no_cycle, "multilateral": one_cycle},
        "lsm_cycles_by_day": [1],
    }


def test_figures_of_a_run_are_totals_over_its_simulations_and_say_so(data: Path, tmp_path: Path) -> None:
    file = ring_study(tmp_path)
    said = payment_sim("run", "--config", file, "--days", 2)
    assert said.exit_code == 0
    assert said.stdout.splitlines()[:4] == [
        "Persisted 2 LSM cycles for day 0",
        "Persisted 0 LSM cycles for day 1",
        "",
        "ring_study: totals over 4 simulations (2 arms x 2 seeds) of 2 days each",
    ]
    figures = json.loads(payment_sim("run", "--config", file, "--days", 2, "--json").stdout)
    assert figures["simulations"] == 4
    assert figures["arrived"] == {"transactions": 12, "value": 600_000}
    assert figures["settled"] == {"transactions": 6, "value": 300_000}
    assert figures["unsettled"] == {"transactions": 6, "value": 300_000}
    assert figures["lsm"] == {"cycles": 2, "transactions": 6, "gross": 300_000, "net": 0, "saved": 300_000}
    assert figures["lsm_cycles_by_day"] == [2, 0]


def test_quiet_says_nothing_and_stores_all_the_same(data: Path) -> None:
    result = payment_sim("run", "--config", RING, "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    assert RawStore(data).days_stored("three_bank_ring") == [0]


def test_the_raw_tables_are_in_the_folder_that_data_names(data: Path, tmp_path: Path) -> None:
    payment_sim("run", "--config", RING, "--data", tmp_path / "elsewhere", "--quiet")
    cycles = RawStore(tmp_path / "elsewhere").read_table("lsm_cycles", "three_bank_ring", 0)
    assert cycles["transactions"].to_list() == [["T1", "T2", "T3"]]
    assert not data.exists()


def test_days_and_seed_replace_what_the_file_says(data: Path) -> None:
    payment_sim("run", "--config", RING, "--days", 2, "--seed", 5, "--quiet")
    store = RawStore(data)
    assert store.days_stored("three_bank_ring") == [0, 1]
    simulations = store.read_table("simulations", "three_bank_ring", 1)
    assert simulations.select("simulation_id", "num_days", "rng_seed").rows() == [("three_bank_ring.base.s5", 2, 5)]


def test_a_shorter_run_leaves_no_day_of_a_longer_one_behind(data: Path) -> None:
    payment_sim("run", "--config", RING, "--days", 3, "--quiet")
    assert RawStore(data).days_stored("three_bank_ring") == [0, 1, 2]
    payment_sim("run", "--config", RING, "--quiet")
    assert RawStore(data).days_stored("three_bank_ring") == [0]
    assert list(data.glob("raw/*/run_id=three_bank_ring/day=0001")) == []


def die_on_day_1(monkeypatch: pytest.MonkeyPatch) -> None:
    simulate = chunks.run_day

    def die(scenario: Any, state: Any) -> Any:
        if state.day == 1:
            raise KeyboardInterrupt
        return simulate(scenario, state)

    monkeypatch.setattr(chunks, "run_day", die)


def test_a_crash_while_a_run_is_repeated_loses_no_day(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    payment_sim("run", "--config", RING, "--days", 3, "--quiet")
    die_on_day_1(monkeypatch)
    assert payment_sim("run", "--config", RING, "--days", 3).exit_code == 1
    assert RawStore(data).days_stored("three_bank_ring") == [0, 1, 2]


def test_a_crash_while_a_run_is_replaced_by_another_leaves_days_of_one_run_alone(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment_sim("run", "--config", RING, "--days", 3, "--quiet")
    die_on_day_1(monkeypatch)
    assert payment_sim("run", "--config", RING, "--days", 3, "--seed", 7).exit_code == 1
    store = RawStore(data)
    assert store.days_stored("three_bank_ring") == [0]
    assert store.read_table("simulations", "three_bank_ring", 0)["rng_seed"].to_list() == [7]


def test_persist_leaves_one_file_that_a_person_can_open(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "ring.duckdb"
    result = payment_sim("run", "--config", RING, "--persist", "--db-path", file)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1] == f"DuckDB file: {file}"
    with duckdb.connect(str(file), read_only=True) as connection:
        cycles = connection.sql(
            "select cycle_type, cycle_length, total_value, settled_value from lsm_cycles"
        ).fetchall()
    assert cycles == [("multilateral", 3, 150_000, 0)]
    assert sorted(os.listdir(tmp_path)) == ["data", "ring.duckdb"]


def test_a_simulation_that_the_file_holds_is_refused_before_anything_is_simulated(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ring.duckdb"
    persist = ("run", "--config", RING, "--quiet", "--persist", "--db-path", file)
    assert payment_sim(*persist).exit_code == 0
    before = file.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(chunks, "run_day", None)
        result = payment_sim(*persist)
    assert result.exit_code == 2
    assert result.stderr == (
        "command line: 1 problem\n"
        f"  --db-path {file}: holds simulation three_bank_ring.base.s42 already; "
        "add --replace to replace it, or name another file\n"
    )
    assert file.read_bytes() == before

    assert payment_sim(*persist, "--days", 2, "--replace").exit_code == 0
    with duckdb.connect(str(file), read_only=True) as connection:
        assert connection.sql("select day, num_days from simulations order by day").fetchall() == [(0, 2), (1, 2)]


def test_a_broken_contract_ends_with_1_and_shows_the_failing_rows(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame_of = chunks.frame_of

    def miscount(table: str, day: Any) -> pl.DataFrame:
        frame = frame_of(table, day)
        return frame.with_columns(settled_value=pl.lit(-7, pl.Int64)) if table == "lsm_cycles" else frame

    monkeypatch.setattr(chunks, "frame_of", miscount)
    result = payment_sim("run", "--config", RING)
    assert (result.exit_code, result.stdout) == (1, "")
    lines = result.stderr.splitlines()
    key = "simulation_id three_bank_ring.base.s42, day 0, cycle_seq 0"
    assert len(lines) == 5
    assert lines[:3] == [
        "Run three_bank_ring, day 0: nothing of this day is stored.",
        "lsm_cycles: 2 failing",
        f"  {key}: settled_value is -7, fails greater_than_or_equal_to(0)",
    ]
    assert lines[3].startswith(f"  {key}: fails 'net_positions sum to 0 and settled_value is what they move': {{")
    assert '"transactions": ["T1", "T2", "T3"]' in lines[3]
    assert RawStore(data).days_stored("three_bank_ring") == []


@pytest.mark.parametrize("step", [(NewPart, "stage"), (NewPart, "stage_closing"), (NewDay, "commit")])
def test_a_full_disk_ends_with_1_and_a_message(
    data: Path, monkeypatch: pytest.MonkeyPatch, step: tuple[type, str]
) -> None:
    def fill(*_: Any) -> None:
        raise OSError(28, "No space left on device", "data/raw")

    monkeypatch.setattr(*step, fill)
    result = payment_sim("run", "--config", RING)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Stopped: [Errno 28] No space left on device: 'data/raw'\n"


def test_money_that_outgrows_int64_on_a_later_day_stops_the_run_and_says_what_is_stored(
    data: Path, tmp_path: Path
) -> None:
    file = tmp_path / "outgrowing.yaml"
    file.write_text("""
name: outgrowing
ticks_per_day: 1
num_days: 2
agents: [{id: A, opening_balance: 0}, {id: B, opening_balance: 0}]
generate: {default: {payments_per_day: 8, amount: {median: 400000000000000000, sigma: 0}}}
""")
    result = payment_sim("run", "--config", file)
    assert result.exit_code == 1
    assert result.stdout == "Persisted 1 LSM cycles for day 0\n"
    assert result.stderr.startswith(f"{file}: 1 problem\n  generate: found ")
    assert result.stderr.endswith("lower the amounts\n  1 day of this run came before and is stored\n")


def test_the_bar_goes_to_a_terminal_on_standard_error_and_leaves_standard_output_alone(data: Path) -> None:
    reader, writer = pty.openpty()
    process = subprocess.run(
        [sys.executable, "-c", "from pipelines.cli import main; main()", "run", "--config", RING],
        stdout=subprocess.PIPE,
        stderr=writer,
        env=os.environ | {"TERM": "xterm"},
        cwd=PROJECT_ROOT,
        text=True,
        check=True,
    )
    os.close(writer)
    assert "simulating" in os.read(reader, 100_000).decode()
    os.close(reader)
    assert process.stdout.startswith("Persisted 1 LSM cycles for day 0\n\nthree_bank_ring.base.s42: ")
    assert "\x1b" not in process.stdout


HEAVY = ("dagster", "dbt", "duckdb")


@pytest.mark.parametrize(
    ("arguments", "loaded"),
    [
        ("--help", []),
        ("run --config {ring} --quiet", []),
        ("run --config {ring} --quiet --persist --db-path {folder}/ring.duckdb", ["duckdb"]),
    ],
    ids=["help", "run", "persist"],
)
def test_a_command_loads_only_what_it_needs(arguments: str, loaded: list[str], data: Path, tmp_path: Path) -> None:
    words = [word.format(ring=RING, folder=tmp_path) for word in arguments.split()]
    program = (
        "import sys; from pipelines.cli import main; main(sys.argv[1:], standalone_mode=False); "
        f"print(*(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)"
    )
    process = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, cwd=PROJECT_ROOT, text=True, check=True
    )
    assert process.stderr.split() == loaded


def test_the_version_is_the_engines() -> None:
    assert payment_sim("--version").stdout == f"payment-sim {__version__}\n"


@pytest.mark.parametrize(("succeeded", "code"), [(True, 0), (False, 1)])
def test_pipeline_materialises_everything_and_its_exit_code_says_whether_it_did(
    succeeded: bool, code: int, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    launch = SimpleNamespace(materialise_everything=lambda *arguments: asked.append(arguments) or succeeded)
    monkeypatch.setitem(sys.modules, "pipelines.launch", launch)
    assert payment_sim("pipeline", RING).exit_code == code
    assert asked == [(RING, data)]


def test_pipeline_refuses_bad_input_with_2(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, _: Path) -> bool:
        raise InputError(path, [Problem("name", 5, "must be a text")])

    monkeypatch.setitem(sys.modules, "pipelines.launch", SimpleNamespace(materialise_everything=refuse))
    result = payment_sim("pipeline", "bad.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "bad.yaml: 1 problem\n  name: found 5; must be a text\n"


def test_a_run_goes_on_when_nobody_reads_its_lines_any_more(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "many_days.yaml"
    file.write_text("""
name: many_days
ticks_per_day: 1
num_days: 30
agents: [{id: A, opening_balance: 0}, {id: B, opening_balance: 0}]
""")
    command = [sys.executable, "-c", "from pipelines.cli import main; main()", "run", "--config", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT_ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == b"Persisted 0 LSM cycles for day 0\n"
    process.stdout.close()
    assert process.wait(120) == 0
    assert RawStore(data).days_stored("many_days") == list(range(30))


def test_options_have_the_bounds_of_the_engine() -> None:
    assert (cli._DAYS.max, cli._SEED.max) == (DAYS_MAX, SEED_MAX)
