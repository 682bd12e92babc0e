"""A run file expands to arms x seeds of one scenario; a plain scenario is a run of one simulation."""

import json
from pathlib import Path

import pytest

from pipelines.runs import Run, load_run
from sim_engine import InputError, Simulation

SCENARIO = """
name: base_day
ticks_per_day: 10
num_days: 3
rng_seed: 7
agents: [{id: A, opening_balance: 0}, {id: B, opening_balance: 0}]
arrivals: [{id: T1, sender: A, receiver: B, amount: 5, tick: 4}]
lsm: {max_cycle_length: 5, every_ticks: 2}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base_day.yaml").write_text(SCENARIO)
    return tmp_path


def load(folder: Path, text: str, **overrides: int) -> Run:
    file = folder / "run.yaml"
    file.write_text(f"run_id: study\nscenario: base_day.yaml\n{text}")
    return load_run(file, **overrides)


def refusal(folder: Path, text: str, **overrides: int) -> str:
    """What is said of the run file, its folder left out."""
    with pytest.raises(InputError) as caught:
        load(folder, text, **overrides)
    return str(caught.value).replace(f"{folder}/", "").replace(str(folder), "FOLDER")


def names(run: Run) -> list[str]:
    return [member.simulation_id for member in run.members]


def baselines(run: Run) -> dict[str, str]:
    """The arm that each arm is compared with, by arm."""
    return {member.arm: member.baseline_arm for member in run.members}


def test_a_plain_scenario_is_a_run_of_one_simulation(folder: Path) -> None:
    run = load_run(folder / "base_day.yaml")
    assert (run.run_id, run.days, baselines(run)) == ("base_day", 3, {"base": "base"})
    assert names(run) == ["base_day.base.s7"]


def test_days_and_seed_take_the_place_of_a_scenarios_own(folder: Path) -> None:
    run = load_run(folder / "base_day.yaml", days=2, seed=9)
    assert (run.days, names(run)) == (2, ["base_day.base.s9"])
    assert json.loads(run.members[0].scenario.config)["num_days"] == 2


def test_a_run_is_its_arms_by_its_seeds_in_the_order_of_the_file(folder: Path) -> None:
    run = load(folder, "days: 2\nseeds: {from: 3, count: 2}\narms: {z_on: {}, a_off: {baseline: true}}")
    assert (run.run_id, run.days) == ("study", 2)
    assert names(run) == ["study.z_on.s3", "study.z_on.s4", "study.a_off.s3", "study.a_off.s4"]


def test_every_arm_is_compared_with_the_one_that_states_baseline(folder: Path) -> None:
    run = load(folder, "seeds: [1, 2]\narms: {one: {}, two: {baseline: true}, three: {}}")
    assert len(run.members) == 6
    assert baselines(run) == {"one": "two", "two": "two", "three": "two"}


def test_listed_seeds_are_taken_as_listed(folder: Path) -> None:
    assert names(load(folder, "seeds: [5, 1]")) == ["study.base.s5", "study.base.s1"]


def test_what_a_run_file_leaves_out_is_the_scenarios(folder: Path) -> None:
    run = load(folder, "")
    assert (run.days, baselines(run), names(run)) == (3, {"base": "base"}, ["study.base.s7"])


def test_the_only_arm_is_its_own_baseline(folder: Path) -> None:
    assert baselines(load(folder, "arms: {single: {}}")) == {"single": "single"}


def test_what_an_arm_overrides_is_told_by_path(folder: Path) -> None:
    run = load(folder, "arms: {one: {baseline: true}, two: {set: {lsm: {ring: false, max_passes: 3}, queue2: {}}}}")
    assert run.overrides == {"one": {}, "two": {"lsm.ring": False, "lsm.max_passes": 3, "queue2": {}}}


def test_days_and_seed_take_the_place_of_a_run_files_own(folder: Path) -> None:
    run = load(folder, "days: 2\nseeds: [1, 2]\narms: {one: {baseline: true}, two: {}}", days=1, seed=0)
    assert (run.days, names(run)) == (1, ["study.one.s0", "study.two.s0"])


def test_an_arm_changes_what_it_states_and_nothing_beside_it(folder: Path) -> None:
    run = load(
        folder,
        """
arms:
  as_stated: {baseline: true}
  changed: {set: {lsm: {ring: false}, arrivals: [{id: T9, sender: B, receiver: A, amount: 1, tick: 0}]}}
""",
    )
    as_stated, changed = (member.scenario.stated for member in run.members)
    assert as_stated.model_dump() == load_run(folder / "base_day.yaml").members[0].scenario.stated.model_dump()
    assert changed.lsm.model_dump() == as_stated.lsm.model_dump() | {"ring": False}
    assert [arrival.id for arrival in changed.arrivals] == ["T9"]
    assert changed.agents == as_stated.agents


def test_members_of_one_arm_differ_in_their_seed_alone(folder: Path) -> None:
    first, second = load(folder, "seeds: [1, 2]").members
    configs = [json.loads(member.scenario.config) for member in (first, second)]
    assert [config.pop("rng_seed") for config in configs] == [1, 2]
    assert configs[0] == configs[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dayz: 3", "  dayz: unknown key; did you mean 'days'?"),
        ("days: 0", "  days: found 0; must be at least 1"),
        ("seeds: 5", "  seeds: found 5; must be a list of seeds, or {from: FIRST, count: HOW_MANY}"),
        ("seeds: []", "  seeds: needs at least 1, has 0"),
        ("seeds: [1, x]", "  seeds[1]: found 'x'; must be a whole number"),
        ("seeds: [1, 2, 1]", "  seeds: found [1]; repeated; each seed is one simulation of an arm, so name it once"),
        (
            "seeds: {from: 1, to: 5}",
            "  seeds.to: unknown key; known are: from, count\n  seeds.count: missing; this key is needed",
        ),
        ("seeds: [1]\nseeds: {from: 1, count: 2}", "  line 4, column 1: key 'seeds' stands twice: keep one of them"),
        (
            "seeds: {from: 1, count: 2, listed: [3]}",
            "  seeds.listed: unknown key; known are: from, count",
        ),
        (
            "seeds: {from: 1, count: 50001}\narms: {one: {baseline: true}, two: {}}",
            "  seeds: arms x grid points x seeds: 2 x 1 x 50,001 = 100,002 simulations, and a run has at most 100,000; "
            "take fewer of them, or split the run into several",
        ),
        ("arms: {}", "  arms: needs at least 1, has 0"),
        (
            "arms: {a b: {}}",
            "  arms.a b: found 'a b'; must be letters, digits and '_', at most 64",
        ),
        ("arms: {off: {}}", "  line 3, column 8: YAML reads the key off as false: put it in quotes"),
        ("arms: {one:}", "  arms.one: found null; must hold keys and values; {} for none"),
        ("arms: {one: {}, two: {}}", "  arms: exactly one arm must state 'baseline: true'"),
        (
            "arms: {one: {baseline: true}, two: {baseline: true}}",
            "  arms: found ['one', 'two']; exactly one arm must state 'baseline: true'",
        ),
        (
            "arms: {one: {set: {num_days: 1}}}",
            "  arms.one.set.num_days: found 1; must be the same for all arms; "
            "state 'days' at the top of the run file instead",
        ),
        (
            "arms: {one: {set: {rng_seed: 1}}}",
            "  arms.one.set.rng_seed: found 1; must be the same for all arms; "
            "state 'seeds' at the top of the run file instead",
        ),
        ("arms: {one: {set: {lsm: {rings: 1}}}}", "  arms.one.set.lsm.rings: unknown key; did you mean 'ring'?"),
    ],
)
def test_a_malformed_run_file_is_refused_by_file_key_value_and_remedy(text: str, said: str, folder: Path) -> None:
    count = len(said.splitlines())
    assert refusal(folder, text) == f"run.yaml: {count} problem{'s' if count > 1 else ''}\n{said}"


def test_problems_of_arms_and_of_the_run_are_reported_together_in_the_order_of_the_file(folder: Path) -> None:
    said = refusal(
        folder,
        """
seeds: [4, 4]
arms:
  one: {set: {queue2: {discipline: lifo}}}
  two: {set: {agents: [{id: A, opening_balance: -1}]}}
""",
    )
    assert said == (
        "run.yaml: 6 problems\n"
        "  seeds: found [4]; repeated; each seed is one simulation of an arm, so name it once\n"
        "  arms: exactly one arm must state 'baseline: true'\n"
        "  arms.one.set.queue2.discipline: found 'lifo'; must be one of 'bypass' or 'fifo'\n"
        "  arms.two.set.agents: needs at least 2, has 1\n"
        "  arms.two.set.agents[0].opening_balance: found -1; must be at least 0\n"
        "  base_day.yaml: arrivals[0].receiver: found 'B'; no such agent; known are: A"
    )


def test_a_problem_of_the_scenario_is_reported_once_however_many_arms_meet_it(folder: Path) -> None:
    (folder / "base_day.yaml").write_text(SCENARIO + "end_of_day: never\n")
    assert refusal(folder, "seeds: [1, 2]\narms: {one: {baseline: true}, two: {}}") == (
        "run.yaml: 1 problem\n  base_day.yaml: end_of_day: found 'never'; must be one of 'carry_over' or 'cancel'"
    )


def test_days_that_end_before_a_listed_payment_leave_it_out(folder: Path) -> None:
    (folder / "base_day.yaml").write_text(SCENARIO.replace("tick: 4", "tick: 14"))
    run = load_run(folder / "base_day.yaml", days=1)
    assert run.days == 1
    simulation = Simulation(run.members[0].scenario)
    assert [record.transactions.ids for record in simulation.run()] == [()]


def test_a_listed_payment_after_the_scenarios_own_days_is_refused_whatever_days_are_asked_for(folder: Path) -> None:
    (folder / "base_day.yaml").write_text(SCENARIO.replace("tick: 4", "tick: 34"))
    with pytest.raises(InputError, match=r"arrivals\[0\]\.tick: found 34; outside the run, whose ticks are 0\.\.29"):
        load_run(folder / "base_day.yaml", days=1)


def test_a_scenario_that_is_not_there_is_named_by_its_key(folder: Path) -> None:
    (folder / "base_day.yaml").unlink()
    assert refusal(folder, "") == (
        "run.yaml: 1 problem\n"
        "  scenario: found 'base_day.yaml'; no such file; name a scenario file, from the folder FOLDER"
    )


def test_a_run_of_a_run_is_refused(folder: Path) -> None:
    (folder / "base_day.yaml").write_text("run_id: other\nscenario: base_day.yaml\n")
    assert refusal(folder, "") == (
        "run.yaml: 1 problem\n  scenario: found 'base_day.yaml'; is a run file; name a scenario file"
    )
