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


POLICIES = """
agents:
- {id: A, opening_balance: 5, policy: {deadline: {urgency_ticks: 3}}, limits: {bilateral: {B: 70}}}
- {id: B.1, opening_balance: 6, credit_limit: 9}
- {id: C, opening_balance: 7, policy: {receipt_reactive: {allowance: 4}}}
"""


@pytest.fixture
def three_banks(folder: Path) -> Path:
    scenario = SCENARIO[: SCENARIO.index("agents:")] + POLICIES.replace("B: 70", "C: 70")
    (folder / "base_day.yaml").write_text(scenario + "lsm: {ring: false}\n")
    return folder


def agents_of(folder: Path, changes: str) -> list[dict[str, object]]:
    """The agents of the arm `changed`, what they leave to its default left out."""
    run = load(folder, f"arms: {{as_stated: {{baseline: true}}, changed: {{set: {{agents: {changes}}}}}}}")
    as_stated, changed = (member.scenario.stated for member in run.members)
    assert changed.model_copy(update={"agents": as_stated.agents}) == as_stated
    assert len(changed.agents) == len(as_stated.agents) == 3
    return [agent.model_dump(mode="json", exclude_unset=True) for agent in changed.agents]


A, B, C = (
    {
        "id": "A",
        "opening_balance": 5,
        "policy": {"deadline": {"urgency_ticks": 3}},
        "limits": {"bilateral": {"C": 70}},
    },
    {"id": "B.1", "opening_balance": 6, "credit_limit": 9},
    {"id": "C", "opening_balance": 7, "policy": {"receipt_reactive": {"allowance": 4}}},
)


def test_an_arm_changes_agents_by_their_ids(three_banks: Path) -> None:
    changes = "{C: {opening_balance: 1}, A: {limits: {multilateral: 8}, reserved_for_urgent: 2}}"
    assert agents_of(three_banks, changes) == [
        A | {"limits": {"bilateral": {"C": 70}, "multilateral": 8}, "reserved_for_urgent": 2},
        B,
        C | {"opening_balance": 1},
    ]


def test_a_star_stands_for_all_agents_and_what_is_said_of_one_is_laid_over_it(three_banks: Path) -> None:
    changes = '{B.1: {opening_balance: 2}, "*": {opening_balance: 1, credit_limit: 3}}'
    assert agents_of(three_banks, changes) == [
        A | {"opening_balance": 1, "credit_limit": 3},
        B | {"opening_balance": 2, "credit_limit": 3},
        C | {"opening_balance": 1, "credit_limit": 3},
    ]
    policies = '{"*": {policy: {deadline: {urgency_ticks: 2}}}, C: {policy: fifo}}'
    assert [agent["policy"] for agent in agents_of(three_banks, policies)] == [
        {"deadline": {"urgency_ticks": 2}},
        {"deadline": {"urgency_ticks": 2}},
        {"fifo": {}},
    ]


def test_another_policy_takes_the_place_of_a_scenarios_with_its_parameters(three_banks: Path) -> None:
    aware = "{policy: {liquidity_aware: {target_buffer: 1, urgency_ticks: 2}}}"
    expected = {"liquidity_aware": {"target_buffer": 1, "urgency_ticks": 2}}
    assert [agent.get("policy") for agent in agents_of(three_banks, f"{{A: {aware}, B.1: {aware}}}")] == [
        expected,
        expected,
        C["policy"],
    ]
    run = load(three_banks, f"grid: {{'agents[A]': [{aware}]}}")
    assert run.members[0].scenario.stated.agents[0].policy.model_dump() == expected
    run = load(three_banks, "grid: {'agents[*].policy': [fifo, {scheduled: {profile: [{tick: 0, share_bp: 1}]}}]}")
    assert [[agent.policy.name for agent in member.scenario.stated.agents] for member in run.members] == [
        ["fifo"] * 3,
        ["scheduled"] * 3,
    ]


def test_a_grid_lies_over_agents_that_an_arm_sets_by_id(three_banks: Path) -> None:
    arms = "arms: {one: {set: {agents: {A: {opening_balance: 1}}}}}"
    run = load(three_banks, f"{arms}\ngrid: {{'agents[A].credit_limit': [2, 3], 'agents[C].opening_balance': [4]}}")
    assert [
        [(agent.opening_balance, agent.credit_limit) for agent in member.scenario.stated.agents]
        for member in run.members
    ] == [[(1, 2), (6, 9), (4, 0)], [(1, 3), (6, 9), (4, 0)]]


def test_what_an_arm_overrides_of_agents_is_told_by_their_ids(three_banks: Path) -> None:
    run = load(three_banks, 'arms: {one: {set: {agents: {A: {policy: fifo}, "*": {credit_limit: 4}}}}}')
    assert run.overrides == {"one": {"agents.A.policy": "fifo", "agents.*.credit_limit": 4}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{AA: {credit_limit: 1}}", ".AA: no such agent; did you mean 'A'?"),
        ("{BANK: {credit_limit: 1}}", ".BANK: no such agent; known are: A, B.1, C"),
        ("{C: {credit_limit: -1}}", ".C.credit_limit: found -1; must be at least 0"),
        ('{"*": {credit_limit: -1}, B.1: {credit_limit: 1}}', ".*.credit_limit: found -1; must be at least 0"),
        ('{"*": {credit_limit: 1}, B.1: {credit_limit: -1}}', ".B.1.credit_limit: found -1; must be at least 0"),
        ("{B.1: 5}", ".B.1: found 5; must hold keys and values"),
        (
            "{C: {policy: [fifo]}}",
            ".C.policy: found ['fifo']; must be one of fifo, deadline, liquidity_aware, receipt_reactive, scheduled, "
            "with its parameters below it",
        ),
        ("{C: {policy: fifoo}}", ".C.policy: found 'fifoo'; no such policy; did you mean 'fifo'?"),
        ("{A: {limits: {bilateral: {D: 1}}}}", ".A.limits.bilateral.D: no such agent; known are: A, B.1, C"),
        (
            "{C: {policy_changes: [{day: 2, policy: fifo}, {day: 1, policy: fifo}]}}",
            ".C.policy_changes[1].day: found 1; must come after day 2, on which the change before it is; "
            "put them in order",
        ),
        ("[]", ": needs at least 2, has 0"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_agents_by_id_is_told_where_the_arm_states_it(
    text: str, said: str, three_banks: Path
) -> None:
    head, *lines = refusal(three_banks, f"arms: {{one: {{set: {{agents: {text}}}}}}}").splitlines()
    assert head == f"run.yaml: {len(lines)} problem{'s' if len(lines) > 1 else ''}"
    assert f"  arms.one.set.agents{said}" in lines
    assert len([line for line in lines if "arms.one.set" not in line]) == 0


def test_what_is_wrong_with_agents_that_an_arm_leaves_as_they_are_is_told_of_the_scenario(three_banks: Path) -> None:
    stated = (three_banks / "base_day.yaml").read_text()
    (three_banks / "base_day.yaml").write_text(stated.replace("opening_balance: 7", "opening_balance: -7"))
    said = refusal(three_banks, "arms: {one: {set: {agents: {A: {opening_balance: 1}, C: {credit_limit: 1}}}}}")
    assert said.splitlines()[1:] == ["  base_day.yaml: agents[2].opening_balance: found -7; must be at least 0"]


def test_an_agents_value_that_both_arm_and_grid_set_is_refused(three_banks: Path) -> None:
    grid = "grid: {'agents[*].credit_limit': [2]}"
    of_one, of_all = "{C: {credit_limit: 1}}", '{"*": {credit_limit: 1}}'
    for agents, key in [(of_one, "C"), (of_all, "*")]:
        said = refusal(three_banks, f"arms: {{one: {{set: {{agents: {agents}}}}}}}\n{grid}")
        assert said.splitlines()[1:] == [
            f"  arms.one.set.agents.{key}.credit_limit: found 1; the grid sets it too, at grid.agents[*].credit_limit; "
            "state it in one of them"
        ]


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
