"""A grid's values are laid over every arm, each combination an arm of its own beside the baseline at the same point."""

import math
import re
from pathlib import Path

import pytest
import yaml

from pipelines.grid import PointNames, axes_of, points_of
from pipelines.runs import Run, load_run
from sim_engine import InputError, Problem, load_scenario
from sim_engine.names import NAME

SCENARIO = """
name: base_day
ticks_per_day: 10
rng_seed: 7
agents:
  - {id: A, opening_balance: 10, credit_limit: 1}
  - {id: B.1, opening_balance: 20}
  - {id: C-2, opening_balance: 30, credit_limit: 3}
arrivals:
  - {id: T1, sender: A, receiver: B.1, amount: 5, tick: 4}
  - {id: T2, sender: B.1, receiver: A, amount: 6, tick: 9}
lsm: {max_cycle_length: 5, every_ticks: 2}
"""

GENERATED = """
name: drawn_day
ticks_per_day: 10
agents: [{id: A, opening_balance: 10}, {id: B.1, opening_balance: 20}]
generate:
  default: {payments_per_day: 3, amount: {median: 100, sigma: 0.5}}
  agents: {B.1: {payments_per_day: 5}, A: {}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base_day.yaml").write_text(SCENARIO)
    (tmp_path / "drawn_day.yaml").write_text(GENERATED)
    return tmp_path


def load(folder: Path, text: str, scenario: str = "base_day", **overrides: int) -> Run:
    file = folder / "run.yaml"
    file.write_text(f"run_id: study\nscenario: {scenario}.yaml\n{text}")
    return load_run(file, **overrides)


def refusal(folder: Path, text: str) -> list[str]:
    """The problems that are said of the run file, its folder left out."""
    with pytest.raises(InputError) as caught:
        load(folder, text)
    head, *lines = str(caught.value).replace(f"{folder}/", "").splitlines()
    assert head == f"run.yaml: {len(lines)} problem{'s' if len(lines) > 1 else ''}"
    return [line.removeprefix("  ") for line in lines]


def arms(run: Run) -> list[str]:
    """The arms of a run's members, in their order."""
    return [member.arm for member in run.members]


def values(run: Run, path: str) -> list[object]:
    """What stands at a path of every member's scenario: keys with dots, places in lists in brackets."""
    found = []
    for member in run.members:
        value = member.scenario.stated.model_dump()
        for step in re.findall(r"[^.\[\]]+", path):
            value = value[int(step) if step.isdecimal() else step]
        found.append(value)
    return found


# What is simulated


def test_each_value_of_a_grid_is_an_arm_that_differs_in_it_alone(folder: Path) -> None:
    run = load(folder, "grid: {lsm.every_ticks: [1, 2, 5]}")
    assert arms(run) == ["base__every_ticks_1", "base__every_ticks_2", "base__every_ticks_5"]
    assert values(run, "lsm.every_ticks") == [1, 2, 5]
    own = load_scenario(folder / "base_day.yaml").stated.model_dump()
    stated = [member.scenario.stated.model_dump() for member in run.members]
    assert [one | {"lsm": own["lsm"]} for one in stated] == [own] * 3
    assert [one["lsm"] | {"every_ticks": 2} for one in stated] == [own["lsm"]] * 3


def test_several_paths_span_their_product_and_the_last_varies_fastest(folder: Path) -> None:
    run = load(folder, "grid: {lsm.every_ticks: [5, 1], end_of_day: [cancel, carry_over], lsm.max_passes: [3]}")
    assert [*zip(values(run, "lsm.every_ticks"), values(run, "end_of_day"), strict=True)] == [
        (5, "cancel"),
        (5, "carry_over"),
        (1, "cancel"),
        (1, "carry_over"),
    ]
    assert values(run, "lsm.max_passes") == [3] * 4
    assert arms(run)[1] == "base__every_ticks_5__end_of_day_carry_over__max_passes_3"


def test_every_arm_is_crossed_with_every_point_and_every_seed_in_that_order(folder: Path) -> None:
    text = "seeds: [4, 2]\narms: {z_on: {}, a_off: {baseline: true}}\ngrid: {lsm.every_ticks: [5, 1]}"
    assert [member.simulation_id for member in load(folder, text).members] == [
        f"study.{arm}__every_ticks_{ticks}.s{seed}" for arm in ("z_on", "a_off") for ticks in (5, 1) for seed in (4, 2)
    ]
    assert [member.simulation_id for member in load(folder, text, seed=9).members] == [
        f"study.{arm}__every_ticks_{ticks}.s9" for arm in ("z_on", "a_off") for ticks in (5, 1)
    ]


def test_members_of_a_grid_point_differ_in_their_seed_alone(folder: Path) -> None:
    first, second = load(folder, "seeds: [1, 2]\ngrid: {'agents[*].credit_limit': [8]}").members
    assert (first.scenario.stated.rng_seed, second.scenario.stated.rng_seed) == (1, 2)
    assert first.scenario.with_rules(rng_seed=2).config == second.scenario.config


def test_the_grid_is_laid_over_what_an_arm_sets(folder: Path) -> None:
    run = load(
        folder,
        """
arms:
  stated: {baseline: true}
  changed: {set: {lsm: {ring: false}, agents: [{id: A, opening_balance: 1}, {id: B.1, opening_balance: 2}]}}
grid: {lsm.every_ticks: [1, 5], 'agents[B.1].credit_limit': [70]}
""",
    )
    assert values(run, "lsm.ring") == [True, True, False, False]
    assert values(run, "lsm.every_ticks") == [1, 5, 1, 5]
    assert [[agent.credit_limit for agent in member.scenario.stated.agents] for member in run.members] == [
        [1, 70, 3],
        [1, 70, 3],
        [0, 70],
        [0, 70],
    ]


@pytest.mark.parametrize(
    ("path", "limits"),
    [
        ("agents[0].credit_limit", [70, 0, 3]),
        ("agents[1].credit_limit", [1, 70, 3]),
        ("agents[A].credit_limit", [70, 0, 3]),
        ("agents[B.1].credit_limit", [1, 70, 3]),
        ("agents[C-2].credit_limit", [1, 0, 70]),
        ("agents[*].credit_limit", [70, 70, 70]),
    ],
)
def test_brackets_name_items_by_place_by_id_or_all_of_them(path: str, limits: list[int], folder: Path) -> None:
    (member,) = load(folder, yaml.safe_dump({"grid": {path: [70]}})).members
    stated = member.scenario.stated
    assert [agent.credit_limit for agent in stated.agents] == limits
    assert [agent.opening_balance for agent in stated.agents] == [10, 20, 30]


@pytest.mark.parametrize(
    ("path", "rates"),
    [
        ("generate.default.payments_per_day", {"A": 70, "B.1": 5}),
        ("generate.agents.A.payments_per_day", {"A": 70, "B.1": 5}),
        ("generate.agents[B.1].payments_per_day", {"A": 3, "B.1": 70}),
        ("generate.agents[*].payments_per_day", {"A": 70, "B.1": 70}),
    ],
)
def test_brackets_also_name_keys_that_have_dots_or_all_of_them(path: str, rates: dict, folder: Path) -> None:
    (member,) = load(folder, yaml.safe_dump({"grid": {path: [70]}}), "drawn_day").members
    generate = member.scenario.stated.generate
    assert generate is not None
    assert {agent: generate.flow(agent).payments_per_day for agent in ("A", "B.1")} == rates


def test_a_path_may_name_what_the_scenario_leaves_to_its_default(folder: Path) -> None:
    assert values(load(folder, "grid: {queue2.entry: [queue]}"), "queue2.entry") == ["queue"]


def test_the_grid_leaves_a_preset_what_it_does_not_set(folder: Path) -> None:
    (folder / "base_day.yaml").write_text(SCENARIO.replace("lsm:", "preset: chaps\nlsm:"))
    run = load(folder, "grid: {lsm.max_passes: [3, 4]}")
    alone = load_scenario(folder / "base_day.yaml").stated
    assert (alone.queue2.entry, alone.lsm.ring) == ("settle_urgent", False)
    for member, passes in zip(run.members, [3, 4], strict=True):
        stated = member.scenario.stated
        assert stated.queue2 == alone.queue2
        assert stated.lsm == alone.lsm.model_copy(update={"max_passes": passes})


def test_a_mapping_is_laid_over_key_by_key_and_a_list_replaces_a_whole_one(folder: Path) -> None:
    run = load(folder, "grid: {lsm: [{ring: false}], arrivals: [[], [{sender: A, receiver: C-2, amount: 1, tick: 0}]]}")
    assert values(run, "lsm.ring") == [False, False]
    assert values(run, "lsm.every_ticks") == [2, 2]
    assert [len(member.scenario.stated.arrivals) for member in run.members] == [0, 1]


def test_points_that_read_the_same_payments_hold_them_once(folder: Path) -> None:
    (folder / "payments.csv").write_text("transaction,sender,receiver,amount,tick\nP,A,C-2,3,1\n")
    (folder / "base_day.yaml").write_text(SCENARIO + "arrivals_file: payments.csv\n")
    run = load(folder, "seeds: [1, 2]\ngrid: {'agents[*].credit_limit': [1, 2], ticks_per_day: [10, 20]}")
    files = [member.scenario.payments_file for member in run.members]
    assert len(files) == 8
    assert all(file is files[0] for file in (files[0], files[1], files[4], files[5]))
    assert files[2] is not files[0]


def test_overrides_of_arm_and_grid_are_told_by_arm(folder: Path) -> None:
    text = "arms: {one: {set: {lsm: {ring: false}}}}\ngrid: {'agents[*].credit_limit': [7, 8]}"
    assert load(folder, text).overrides == {
        "one__credit_limit_7": {"lsm.ring": False, "agents[*].credit_limit": 7},
        "one__credit_limit_8": {"lsm.ring": False, "agents[*].credit_limit": 8},
    }


# What is compared with what


def baselines(run: Run) -> dict[str, str]:
    return {member.arm: member.baseline_arm for member in run.members}


def test_with_several_arms_a_point_is_compared_with_the_baseline_at_the_same_point(folder: Path) -> None:
    run = load(folder, "arms: {one: {}, two: {baseline: true}}\ngrid: {lsm.every_ticks: [5, 1]}")
    assert baselines(run) == {
        "one__every_ticks_5": "two__every_ticks_5",
        "one__every_ticks_1": "two__every_ticks_1",
        "two__every_ticks_5": "two__every_ticks_5",
        "two__every_ticks_1": "two__every_ticks_1",
    }


@pytest.mark.parametrize("text", ["", "arms: {base: {}}\n"])
def test_with_one_arm_all_points_are_compared_with_the_first(text: str, folder: Path) -> None:
    run = load(folder, f"{text}grid: {{lsm.every_ticks: [5, 1], lsm.max_passes: [3, 4]}}")
    assert len(run.members) == 4
    assert set(baselines(run).values()) == {"base__every_ticks_5__max_passes_3"}


# What arms are called


def names_of(grid: dict[str, list[object]], arm: str = "on") -> list[str]:
    problems: list[Problem] = []
    axes = axes_of(grid, problems)
    assert problems == []
    names = PointNames(axes)
    return [names.name(arm, point) for point in points_of(axes)]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([5, -5, 0], ["5", "minus_5", "0"]),
        ([0.05, 1.5e-7, 2.0], ["0_05", "1_5e_07", "2_0"]),
        ([True, False, None], ["true", "false", "null"]),
        (["carry_over", "07:30", "a__b "], ["carry_over", "07_30", "a_b"]),
        ([{"ring": False}, {"ring": True, "max_passes": 3}], ["ring_false", "ring_true_max_passes_3"]),
        ([[1, 2], []], ["1_2", "v2"]),
        (["x" * 24, "x" * 25], ["x" * 24, "v2"]),
        (["a b", "a-b", "a_b_2", "a.b"], ["a_b", "a_b_2", "a_b_2_2", "a_b_3"]),
    ],
)
def test_names_tell_values_in_letters_and_digits_and_never_twice(values: list[object], said: list[str]) -> None:
    assert names_of({"lsm.key": values}) == [f"on__key_{text}" for text in said]


def test_a_value_that_is_appended_renames_no_arm() -> None:
    values: list[object] = ["a b", "a-b", "a_b_2", "x" * 30, {"y": "z" * 30}, 1.5, "1_5"]
    for count in range(1, len(values)):
        assert names_of({"lsm.key": values[:count]}) == names_of({"lsm.key": values})[:count]


def test_paths_with_the_same_last_key_are_told_apart_by_the_keys_before_it() -> None:
    assert names_of({"agents[A].credit_limit": [1], "agents[B.1].credit_limit": [2], "lsm.max_passes": [3]}) == [
        "on__A_credit_limit_1__B_1_credit_limit_2__max_passes_3"
    ]
    assert names_of({"agents[*]": [{"haircut_bp": 1}], "generate.intraday_profile[3]": [2]}) == [
        "on__agents_all_haircut_bp_1__intraday_profile_3_2"
    ]


def test_a_name_that_would_be_too_long_gives_the_numbers_of_the_values() -> None:
    paths = {"lsm.max_cycles_per_tick": [1, 22], "lsm.max_cycle_length": [5], "lsm.every_ticks": [3]}
    first, second = names_of(paths, "a" * 6)
    assert first == "aaaaaa__max_cycles_per_tick_1__max_cycle_length_5__every_ticks_3"
    assert len(first) == 64
    assert second == "aaaaaa__grid_2_1_1"


def test_every_name_is_one_that_an_arm_may_bear(folder: Path) -> None:
    run = load(folder, "arms: {a__x_1: {baseline: true}, a: {}}\ngrid: {lsm: [{ring: true}, {}], name: [x, x_1, '1']}")
    assert len(run.members) == 12
    assert len(set(arms(run))) == 12
    assert all(re.fullmatch(NAME[0], arm) for arm in arms(run))


# What is refused

LONG = "a" * 60

PROBLEMS = {
    "no mapping": ("grid: [1]", ["grid: found [1]; must hold keys and values"]),
    "no values": ("grid: {lsm.every_ticks: []}", ["grid.lsm.every_ticks: needs at least 1, has 0"]),
    "values that are no list": ("grid: {lsm.every_ticks: 5}", ["grid.lsm.every_ticks: found 5; must be a list"]),
    "no path": (
        "grid: {'': [1], lsm..ring: [1], .queue2: [1], 'agents[]': [1], 'agents[A]x': [1], '[0]': [1]}",
        [
            f"grid.{path}: is no path; write keys with dots and list items in brackets, such as "
            "agents[BANK_A].credit_limit"
            for path in ("", "lsm..ring", ".queue2", "agents[]", "agents[A]x", "[0]")
        ],
    ),
    "a value twice": (
        "grid: {lsm.every_ticks: [1, 2, 1.0], queue2: [{entry: queue}, {entry: queue}, {}]}",
        [
            "grid.lsm.every_ticks[2]: found 1.0; stands at [0] already; each value is one grid point",
            "grid.lsm.every_ticks[2]: found 1.0; must be a whole number",
            "grid.queue2[1]: found {'entry': 'queue'}; stands at [0] already; each value is one grid point",
        ],
    ),
    "a value out of bounds": (
        "grid: {lsm.every_ticks: [1, 0, x]}",
        [
            "grid.lsm.every_ticks[1]: found 0; must be at least 1",
            "grid.lsm.every_ticks[2]: found 'x'; must be a whole number",
        ],
    ),
    "a value out of bounds below a mapping": (
        "grid: {lsm: [{ring: true}, {every_ticks: 0}]}",
        ["grid.lsm[1].every_ticks: found 0; must be at least 1"],
    ),
    "a value out of bounds for all items": (
        "grid: {'agents[*].credit_limit': [1, -1]}",
        ["grid.agents[*].credit_limit[1]: found -1; must be at least 0"],
    ),
    "an unknown key": (
        "grid: {lsm.evry_ticks: [1, 2]}",
        ["grid.lsm.evry_ticks: unknown key; did you mean 'every_ticks'?"],
    ),
    "an unknown key on the way": (
        "grid: {lms.every_ticks: [1, 2]}",
        ["grid.lms.every_ticks: lms: unknown key; did you mean 'lsm'?"],
    ),
    "an unknown key in an item": (
        "grid: {'agents[B.1].credit_limt': [1, 2]}",
        ["grid.agents[B.1].credit_limt: unknown key; did you mean 'credit_limit'?"],
    ),
    "no such agent": (
        "grid: {'agents[B1].credit_limit': [1], 'agents[3].credit_limit': [1]}",
        [
            "grid.agents[B1].credit_limit: no such agent; did you mean 'B.1'?",
            "grid.agents[3].credit_limit: 'agents' has 3 items, from [0] on",
        ],
    ),
    "no such payment": (
        "grid: {'arrivals[T3].amount': [1]}",
        ["grid.arrivals[T3].amount: no such item of 'arrivals'; known are: T1, T2"],
    ),
    "no such agent in an arm": (
        "arms: {one: {baseline: true}, two: {set: {agents: [{id: A, opening_balance: 0}, {id: B.1, opening_balance: 0}]"
        "}}}\ngrid: {'agents[C-2].credit_limit': [1]}",
        ["grid.agents[C-2].credit_limit: in arm 'two': no such agent; known are: A, B.1"],
    ),
    "a list without brackets": (
        "grid: {agents.credit_limit: [1]}",
        [
            "grid.agents.credit_limit: 'agents' is a list; name its items as agents[0], by their id, or all of them as "
            "agents[*]"
        ],
    ),
    "a key below a value": (
        "grid: {lsm.every_ticks.max: [1]}",
        [
            "grid.lsm.every_ticks.max: found 2; stands at 'lsm.every_ticks' and has no keys; name a value of the "
            "scenario file"
        ],
    ),
    "brackets behind what is not stated": (
        "grid: {'generate.agents[*].payments_per_day': [1]}",
        [
            "grid.generate.agents[*].payments_per_day: the scenario does not state 'generate.agents'; state it there, "
            "or leave the brackets out"
        ],
    ),
    "what is the same for all arms": (
        "grid: {num_days: [1, x], rng_seed: [3]}",
        [
            "grid.num_days: must be the same for all arms; state 'days' at the top of the run file instead",
            "grid.rng_seed: must be the same for all arms; state 'seeds' at the top of the run file instead",
        ],
    ),
    "what an arm sets too": (
        "arms: {one: {baseline: true}, two: {set: {lsm: {every_ticks: 3, ring: false}}}}\n"
        "grid: {lsm.every_ticks: [1], lsm.max_passes: [2]}",
        [
            "arms.two.set.lsm.every_ticks: found 3; the grid sets it too, at grid.lsm.every_ticks; "
            "state it in one of them"
        ],
    ),
    "what an arm sets too, in a mapping": (
        "arms: {one: {baseline: true, set: {lsm: {ring: false}}}, two: {}}\ngrid: {lsm: [{}, {ring: true}]}",
        ["arms.one.set.lsm.ring: found false; the grid sets it too, at grid.lsm; state it in one of them"],
    ),
    "what two paths set": (
        "grid: {'agents[*].credit_limit': [1], 'agents[A].credit_limit': [2], lsm.ring: [true], lsm: [{}]}",
        [
            "grid.agents[A].credit_limit: sets 'agents[0].credit_limit', which grid.agents[*].credit_limit sets too; "
            "leave one of them out",
            "grid.lsm: sets 'lsm.ring', which grid.lsm.ring sets too; leave one of them out",
        ],
    ),
    "what two paths set, the wider first": (
        "grid: {lsm: [{}], lsm.ring: [true]}",
        ["grid.lsm.ring: sets 'lsm.ring', which grid.lsm sets too; leave one of them out"],
    ),
    "numbers where truth is asked for, which are no repetition of it": (
        "grid: {lsm.ring: [true, 1, false, 0]}",
        [
            "grid.lsm.ring[1]: found 1; must be true or false",
            "grid.lsm.ring[3]: found 0; must be true or false",
        ],
    ),
    "a list that is too short": (
        "grid: {arrivals: [[]], agents: [[{id: A, opening_balance: 1}]]}",
        ["grid.agents[0]: needs at least 2, has 1"],
    ),
    "all items of nothing": (
        "arms: {one: {set: {arrivals: []}}}\ngrid: {'arrivals[*].amount': [1]}",
        ["grid.arrivals[*].amount: in arm 'one': leads to nothing: what '[*]' stands behind is empty"],
    ),
    "items without ids": (
        "arms: {one: {set: {arrivals: [{sender: A, receiver: C-2, amount: 1, tick: 0}]}}}\n"
        "grid: {'arrivals[T1].amount': [1]}",
        [
            "grid.arrivals[T1].amount: in arm 'one': no such item of 'arrivals'; its items have no ids: "
            "name them as arrivals[0]"
        ],
    ),
    "what breaks a value elsewhere": (
        "grid: {lsm.max_passes: [3, 4], ticks_per_day: [10, 5]}",
        [
            "grid.lsm.max_passes[0], grid.ticks_per_day[1]: base_day.yaml: arrivals[1].tick: found 9; outside the run, "
            "whose ticks are 0..4; move it or raise num_days"
        ],
    ),
    "more simulations than a run may have": (
        "arms: {one: {baseline: true}, two: {}}\nseeds: {from: 1, count: 100}\n"
        f"grid: {{lsm.every_ticks: {[*range(1, 1001)]}, lsm.max_passes: {[*range(1, 1001)]}}}",
        [
            "grid: arms x grid points x seeds: 2 x 1,000,000 x 100 = 200,000,000 simulations, and a run has at most "
            "100,000; take fewer of them, or split the run into several"
        ],
    ),
    "an arm whose name is too long": (
        f"arms: {{{LONG}: {{baseline: true}}}}\ngrid: {{lsm.every_ticks: [1]}}",  # and __grid_1
        [
            f"arms.{LONG}: found '{LONG}'; is too long a name for the arms that the grid makes of it; "
            "shorten it by 4"
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", PROBLEMS)
def test_a_grid_is_refused_for(wrong: str, folder: Path) -> None:
    text, said = PROBLEMS[wrong]
    assert refusal(folder, text) == said


def test_an_id_that_is_anothers_place_must_be_quoted(folder: Path) -> None:
    (folder / "base_day.yaml").write_text("""
name: numbered
ticks_per_day: 1
agents: [{id: '1', opening_balance: 10}, {id: '0', opening_balance: 20}, {id: '2', opening_balance: 30}]
""")
    assert refusal(folder, "grid: {'agents[1].opening_balance': [7]}") == [
        "grid.agents[1].opening_balance: '1' is one item's id and another's place; write agents['1'] for the id"
    ]
    (by_id,) = load(folder, """grid: {"agents['1'].opening_balance": [7]}""").members
    assert [agent.opening_balance for agent in by_id.scenario.stated.agents] == [7, 20, 30]
    (both,) = load(folder, "grid: {'agents[2].opening_balance': [7]}").members
    assert [agent.opening_balance for agent in both.scenario.stated.agents] == [10, 20, 7]
    assert (by_id.arm, both.arm) == ("base__opening_balance_7", "base__opening_balance_7")


def test_what_is_wrong_with_the_scenario_itself_is_told_of_its_file(folder: Path) -> None:
    (folder / "base_day.yaml").write_text("name: one_bank\nticks_per_day: 1\nagents: [{id: A, opening_balance: 10}]\n")
    assert refusal(folder, "grid: {'agents[A].opening_balance': [7, 8]}") == [
        "base_day.yaml: agents: needs at least 2, has 1"
    ]


def test_nothing_is_expanded_of_a_run_that_is_too_large(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.runs.ArmVariants", None)
    text, said = PROBLEMS["more simulations than a run may have"]
    assert refusal(folder, text) == said


def test_all_problems_of_a_run_file_are_told_at_once_in_the_order_of_the_file(folder: Path) -> None:
    (folder / "base_day.yaml").write_text(SCENARIO + "end_of_day: never\n")
    assert refusal(
        folder,
        """
seeds: [1, 1]
arms: {one: {}, two: {set: {queue2: {entry: now}}}}
grid:
  lsm.max_passes: [1, -1]
  'agents[A].credit_limit': [x, 1, 1]
  num_days: [1]
""",
    ) == [
        "seeds: found [1]; repeated; each seed is one simulation of an arm, so name it once",
        "arms: exactly one arm must state 'baseline: true'",
        "arms.two.set.queue2.entry: found 'now'; must be one of 'settle', 'settle_urgent' or 'queue'",
        "grid.lsm.max_passes[1]: found -1; must be at least 1",
        "grid.agents[A].credit_limit[0]: found 'x'; must be a whole number of minor units (cents)",
        "grid.agents[A].credit_limit[2]: found 1; stands at [1] already; each value is one grid point",
        "grid.num_days: must be the same for all arms; state 'days' at the top of the run file instead",
        "base_day.yaml: end_of_day: found 'never'; must be one of 'carry_over' or 'cancel'",
    ]


def test_as_many_simulations_as_a_run_may_have_are_expanded(folder: Path) -> None:
    grid = {"lsm.every_ticks": [*range(1, 101)], "lsm.max_passes": [*range(1, 11)]}
    run = load(folder, yaml.safe_dump({"seeds": {"from": 1, "count": 100}, "grid": grid}))
    assert len(run.members) == math.prod([100, 10, 100])
    assert len({member.simulation_id for member in run.members}) == 100_000
