"""`payment-sim plan`: what would run, and what it would take, without anything being written."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.places import DATA_VARIABLE, PROJECT_ROOT
from pipelines.plan import (
    MARTS_SECONDS_FIXED,
    MARTS_SECONDS_PER_MILLION_PAYMENTS,
    Estimate,
    PlannedArm,
    PlannedPayments,
    Trial,
    arms_of,
    estimate_from,
    estimate_of,
    payments_of,
    seeds_of,
)
from pipelines.raw_store import RawStore
from pipelines.run_days import run_and_store_days
from pipelines.runs import Run, load_run
from pipelines.terminal_plan import print_plan
from sim_engine.bounds import MONEY_MAX

RING = PROJECT_ROOT / "scenarios" / "three_bank_ring.yaml"

SCENARIO = """
name: three_sources
ticks_per_day: 10
num_days: 3
agents: [{id: A, opening_balance: 0}, {id: B, opening_balance: 9}, {id: C, opening_balance: 9}]
arrivals:
  - {sender: A, receiver: B, amount: 5, tick: 9}
  - {sender: A, receiver: B, amount: 5, tick: 10}
  - {sender: B, receiver: A, amount: 5, tick: 29}
arrivals_file: payments.csv
generate:
  default: {payments_per_day: 2.5, amount: {median: 100}}
  agents: {B: {payments_per_day: 0}, C: {payments_per_day: 4}}
"""
"""A day has 2.5 + 0 + 4 = 6.5 generated payments on average."""

PAYMENTS = """transaction,sender,receiver,amount,tick
P1,A,C,3,20
P2,A,C,3,0
P3,A,C,3,19
P4,A,C,3,1
"""

RUN = """
run_id: study
scenario: three_sources.yaml
seeds: [4, 2]
arms: {one: {}, two: {baseline: true, set: {lsm: {ring: false}}}}
grid: {lsm.every_ticks: [1, 2, 5]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, which holds a scenario and a run."""
    (tmp_path / "three_sources.yaml").write_text(SCENARIO)
    (tmp_path / "payments.csv").write_text(PAYMENTS)
    (tmp_path / "study.yaml").write_text(RUN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


def payment_sim(*arguments: object) -> Result:
    """Runs the command line in this process; a bug's exception is raised here."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def shown(*arguments: object) -> list[str]:
    """What is planned, line by line."""
    result = payment_sim("plan", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return [line.rstrip() for line in result.stdout.splitlines() if line.strip()]


# What would run


def test_arms_are_planned_as_they_would_run(folder: Path) -> None:
    run = load_run("study.yaml")
    assert len(run.members) == 2 * 3 * 2
    assert arms_of(run) == [
        PlannedArm("one__every_ticks_1", "two__every_ticks_1", {"lsm.every_ticks": 1}),
        PlannedArm("one__every_ticks_2", "two__every_ticks_2", {"lsm.every_ticks": 2}),
        PlannedArm("one__every_ticks_5", "two__every_ticks_5", {"lsm.every_ticks": 5}),
        PlannedArm("two__every_ticks_1", "two__every_ticks_1", {"lsm.ring": False, "lsm.every_ticks": 1}),
        PlannedArm("two__every_ticks_2", "two__every_ticks_2", {"lsm.ring": False, "lsm.every_ticks": 2}),
        PlannedArm("two__every_ticks_5", "two__every_ticks_5", {"lsm.ring": False, "lsm.every_ticks": 5}),
    ]
    assert seeds_of(run) == [4, 2]


@pytest.mark.parametrize(
    ("days", "of_each"),
    [(1, (1, 2, 6.5)), (2, (2, 3, 13)), (3, (3, 4, 19.5)), (None, (3, 4, 19.5)), (4, (3, 4, 26))],
)
def test_payments_are_those_that_arrive_within_the_days(days: int | None, of_each: tuple, folder: Path) -> None:
    listed, from_file, generated = of_each
    assert payments_of(load_run("three_sources.yaml", days=days)) == PlannedPayments(*of_each)
    assert payments_of(load_run("study.yaml", days=days)) == PlannedPayments(
        12 * listed, 12 * from_file, 12 * generated
    )


def test_payments_of_arms_that_differ_in_them_add_up(folder: Path) -> None:
    (folder / "study.yaml").write_text(
        RUN.replace("lsm.every_ticks: [1, 2, 5]", "arrivals: [[]], generate.default.payments_per_day: [1, 1.5]")
    )
    planned = payments_of(load_run("study.yaml"))  # 2 arms x 2 seeds of each of (1 + 4) and (1.5 + 4) on 3 days
    assert planned == PlannedPayments(listed=0, from_file=32, generated=4 * 3 * 5 + 4 * 3 * 5.5)
    assert (planned.total, planned.is_exact) == (32 + 126, False)


def test_the_expected_number_of_payments_is_what_seeds_draw_on_average(folder: Path) -> None:
    (folder / "study.yaml").write_text(RUN.replace("[4, 2]", "{from: 1, count: 40}"))
    run = load_run("study.yaml", days=1)
    store = RawStore(folder / "data")
    (day,) = run_and_store_days(run, store, 0, 0)
    drawn = day.heights["arrivals"] - 240 * (1 + 2)
    expected = payments_of(run).generated
    assert expected == 240 * 6.5
    assert drawn == pytest.approx(expected, abs=6 * 4 * (40 * 6.5) ** 0.5)  # all 6 arms draw the same: 4 deviations


# What it would take


def planned(members: int, days: int) -> Run:
    """A run of so many simulations and days, with three payments each."""
    loaded = load_run(RING, days=days)
    return Run(loaded.run_id, loaded.source, days, loaded.members * members)


def test_costs_lie_on_a_straight_line_over_the_members() -> None:
    """From 1 to 5 members a day takes 2 s and 40 bytes more: 0.5 s and 10 bytes each."""
    estimate = estimate_from(planned(41, 1), Trial(1, 3, (1.0,), (100,)), Trial(5, 15, (3.0,), (140,)))
    assert estimate.seconds_simulating == pytest.approx(1.0 + 40 * 0.5)
    assert estimate.stored_bytes == pytest.approx(100 + 40 * 10)


@pytest.mark.parametrize("of_one", [0.5, 4.0])
def test_where_a_line_would_fall_or_start_below_0_costs_are_in_proportion(of_one: float) -> None:
    estimate = estimate_from(planned(40, 1), Trial(1, 3, (of_one,), (1,)), Trial(5, 15, (3.0,), (10,)))
    assert estimate.seconds_simulating == pytest.approx(40 * 3.0 / 5)
    assert estimate.stored_bytes == pytest.approx(40 * 10 / 5)


def test_further_days_grow_by_what_the_last_two_tried_differ_by_and_time_goes_with_the_bytes() -> None:
    trial = Trial(1, 9, (2.0, 3.0, 4.0), (100, 150, 160))
    estimate = estimate_from(planned(1, 5), trial, trial)
    assert estimate.stored_bytes == pytest.approx(100 + 150 + 160 + 170 + 180)
    assert estimate.seconds_simulating == pytest.approx(2 + 3 + 4 + 4 * 170 / 160 + 4 * 180 / 160)


@pytest.mark.parametrize(("stored_bytes", "sum_of_5"), [((100, 50, 40), 270), ((100, 150), 700), ((100,), 500)])
def test_further_days_are_as_the_last_one_tried_where_no_growth_shows(
    stored_bytes: tuple[int, ...], sum_of_5: int
) -> None:
    trial = Trial(1, 3, tuple(1.0 for _ in stored_bytes), stored_bytes)
    estimate = estimate_from(planned(1, 5), trial, trial)
    assert estimate.stored_bytes == pytest.approx(sum_of_5)
    assert estimate.seconds_simulating == pytest.approx(5)


def test_marts_take_a_fixed_time_and_some_for_each_payment() -> None:
    trial = Trial(1, 3, (1.0,), (1,))
    small, large = (estimate_from(planned(members, 1), trial, trial).seconds_marts for members in (1, 100_001))
    assert small == pytest.approx(MARTS_SECONDS_FIXED + 3e-6 * MARTS_SECONDS_PER_MILLION_PAYMENTS)
    assert large - small == pytest.approx(0.3 * MARTS_SECONDS_PER_MILLION_PAYMENTS)


def bytes_stored(run: Run, root: Path) -> int:
    """What a run takes when it is stored: raw tables and closing states."""
    store = RawStore(root)
    assert len(list(run_and_store_days(run, store, 0, run.days - 1))) == run.days
    files = [file for kind in ("raw", "state") for file in (root / kind).rglob(f"run_id={run.run_id}/**/*")]
    return sum(file.stat().st_size for file in files if file.is_file())


def test_a_run_that_is_tried_as_a_whole_is_estimated_by_its_own_bytes(folder: Path) -> None:
    run = load_run("study.yaml")
    estimate = estimate_of(run)
    assert (estimate.trial.days, estimate.trial.members) == (3, 12)
    assert estimate.stored_bytes == pytest.approx(bytes_stored(run, folder / "data"))


def test_members_tried_are_spread_over_the_arms(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trials: list[list[str]] = []

    def noted(run: Run, *arguments: object) -> Iterator[object]:
        trials.append([member.simulation_id for member in run.members])
        return run_and_store_days(run, *arguments)

    monkeypatch.setattr("pipelines.plan.run_and_store_days", noted)
    monkeypatch.setattr("pipelines.plan._TRIAL_MEMBERS_MAX", 4)
    monkeypatch.setattr("pipelines.plan._TRIAL_MEMBERS_PER_CORE", 0)
    estimate_of(load_run("study.yaml"))
    assert trials == [
        ["study.one__every_ticks_1.s4"],
        ["study.one__every_ticks_1.s4"],
        [
            "study.one__every_ticks_1.s4",
            "study.one__every_ticks_2.s2",
            "study.two__every_ticks_1.s4",
            "study.two__every_ticks_2.s2",
        ],
    ]


@pytest.mark.slow
def test_bytes_of_a_run_of_which_a_part_is_tried_lie_within_a_factor_of_2(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_text(
        (PROJECT_ROOT / "runs" / "nightly_research.yaml")
        .read_text()
        .replace("../scenarios", str(PROJECT_ROOT / "scenarios"))
        .replace("count: 3", "count: 10")
    )
    run = load_run(file, days=4)
    estimate = estimate_of(run)
    assert estimate.trial.members < len(run.members) == 20
    stored = bytes_stored(run, tmp_path / "data")
    assert stored / 2 < estimate.stored_bytes < stored * 2


# What is said


def test_a_plan_says_what_would_run_and_on_what_its_estimate_rests(folder: Path) -> None:
    lines = shown("study.yaml")
    assert len(lines) == 15
    assert lines[:11] == [
        "study: 12 simulations (6 arms x 2 seeds) of 3 days each",
        " Arm                  Compared with        States in place of the scenario",
        " ─────────────────────────────────────────────────────────────────────────────",
        " one__every_ticks_1   two__every_ticks_1   lsm.every_ticks: 1",
        " one__every_ticks_2   two__every_ticks_2   lsm.every_ticks: 2",
        " one__every_ticks_5   two__every_ticks_5   lsm.every_ticks: 5",
        " two__every_ticks_1   (a baseline)         lsm.ring: false, lsm.every_ticks: 1",
        " two__every_ticks_2   (a baseline)         lsm.ring: false, lsm.every_ticks: 2",
        " two__every_ticks_5   (a baseline)         lsm.ring: false, lsm.every_ticks: 5",
        "Seeds: 4, 2",
        "Payments: 318 (36 listed, 48 from a file, 234 generated) expected: "
        "how many are generated depends on the seeds",
    ]
    assert lines[11].startswith("Time: about ")
    assert lines[12].startswith("Size: about ")
    assert lines[13].startswith("Both rest on days 0 to 2 of 12 of the 12 simulations (")
    assert lines[14] == "Nothing was written."


def test_days_and_seed_take_the_place_of_the_files_own(folder: Path) -> None:
    lines = shown("study.yaml", "--days", 1, "--seed", 9)
    assert lines[0] == "study: 6 simulations (6 arms x 1 seed) of 1 day each"
    assert "Seeds: 9" in lines
    assert (
        "Payments: 57 (6 listed, 12 from a file, 39 generated) expected: how many are generated depends on the seeds"
        in lines
    )


def test_of_many_arms_the_first_and_the_last_are_shown_and_the_rest_counted(folder: Path) -> None:
    (folder / "study.yaml").write_text(RUN.replace("[1, 2, 5]", str([*range(1, 51)])).replace("[4, 2]", "[3, 4, 5]"))
    lines = shown("study.yaml", "--days", 1)
    arms = [line.split()[0] for line in lines[3:15]]
    assert lines[0] == "study: 300 simulations (100 arms x 3 seeds) of 1 day each"
    assert arms == [
        *(f"one__every_ticks_{ticks}" for ticks in range(1, 9)), "...", *(f"two__every_ticks_{n}" for n in (48, 49, 50))
    ]  # fmt: skip
    assert lines[11].strip() == "... 89 more ..."
    assert lines[15] == "Seeds: 3 to 5"


def test_a_trial_whose_payments_are_not_like_the_runs_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The ring's three payments arrive on day 0; over five days they are 0.6 a day."""
    trial = Trial(1, 3, (1.0, 1.0), (1, 1))
    print_plan(load_run(RING, days=5), Estimate(5.0, 12.0, 5.0, trial))
    assert "Mind: on the days tried, 2 payments arrived in a simulation and day, and in the whole run 1" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("seconds", "stored_bytes", "said"),
    [
        (0.0344, 999, ("0.034 s", "1 kB")),
        (99.6, 1_250_000, ("100 s", "1.2 MB")),
        (119.4, 99_400, ("2 min", "99 kB")),
        (1234, 3_100_000_000, ("21 min", "3.1 GB")),
        (72_000, 5e12, ("20 h", "5 TB")),
    ],
)
def test_estimates_are_rounded_to_two_digits(
    seconds: float, stored_bytes: float, said: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    print_plan(load_run(RING), Estimate(seconds, 12.0, stored_bytes, Trial(1, 3, (1.0,), (1,))))
    printed = capsys.readouterr().out
    assert f"Time: about {said[0]} to simulate" in printed
    assert f"Size: about {said[1]} of raw tables" in printed


def test_json_is_one_object_with_the_same_plan(folder: Path) -> None:
    result = payment_sim("plan", RING, "--json")
    plan = json.loads(result.stdout)
    estimate = plan.pop("estimate")
    assert plan == {
        "run_id": "three_bank_ring",
        "simulations": 1,
        "days": 1,
        "seeds": [42],
        "arms": [{"arm": "base", "baseline_arm": "base", "overrides": {}}],
        "payments": {"listed": 3, "from_file": 0, "generated_expected": 0.0, "total": 3, "is_exact": True},
    }
    assert list(estimate) == [
        "seconds_simulating", "seconds_marts", "stored_bytes", "trial_days", "trial_simulations", "trial_payments",
    ]  # fmt: skip
    assert (estimate["trial_days"], estimate["trial_simulations"], estimate["trial_payments"]) == (1, 1, 3)


def test_a_plan_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = folder / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv(DATA_VARIABLE, str(folder / "data"))
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file != temporary}
    assert shown("study.yaml")
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file != temporary} == before


# What is refused


@pytest.mark.parametrize("wrong", ["grid: {lsm.evry_ticks: [1]}", "seeds: []", "arms: {one: {set: {agents: []}}}"])
def test_a_bad_file_is_refused_as_a_run_would_refuse_it(wrong: str, folder: Path) -> None:
    (folder / "bad.yaml").write_text(f"run_id: bad\nscenario: three_sources.yaml\n{wrong}\n")
    plan, run = payment_sim("plan", "bad.yaml"), payment_sim("run", "--config", "bad.yaml")
    assert (plan.exit_code, plan.stdout) == (2, "")
    assert plan.stderr == run.stderr != ""


@pytest.mark.parametrize(("bearable", "day"), [(50, 0), (150, 1)])
def test_a_run_whose_first_days_exceed_int64_is_refused(bearable: int, day: int, folder: Path) -> None:
    """A sends about 100 payments a day: too many of them on day 0, or on both days together."""
    (folder / "large.yaml").write_text(f"""
name: large
ticks_per_day: 10
num_days: 2
agents: [{{id: A, opening_balance: 0}}, {{id: B, opening_balance: 0}}]
generate:
  default: {{payments_per_day: 0, amount: {{median: {MONEY_MAX // bearable}, sigma: 0}}}}
  agents: {{A: {{payments_per_day: 100, counterparties: {{B: 1}}}}}}
""")
    result = payment_sim("plan", "large.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"all money up to day {day} plus any credit capacity" in result.stderr
