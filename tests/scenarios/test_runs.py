"""The run files that ship with the scenarios."""

import re
import statistics
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pipelines.runs import Run, load_run
from sim_engine import Scenario, SystemState, run_day
from sim_engine.arrivals import Payments, payments_of_day
from sim_engine.behaviour import Fifo, Policy

FOLDER = Path(__file__).parents[2] / "runs"


def members_by_seed(run: Run) -> dict[int, dict[str, Scenario]]:
    seeds: dict[int, dict[str, Scenario]] = {}
    for member in run.members:
        seeds.setdefault(member.scenario.stated.rng_seed, {})[member.arm] = member.scenario
    return seeds


def same(one: Payments, other: Payments) -> bool:
    return all(np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(Payments))


LSM_RUNS = ("lsm_on_off", "nightly_research")
"""Those that compare the LSM with none."""

ARMS = dict.fromkeys(LSM_RUNS, ("lsm_on", "lsm_off")) | {"policies_compared": ("some_wait", "all_at_once")}
"""By run, the arm that is asked about and the baseline."""


def test_the_library_holds_the_promised_runs():
    assert {path.stem for path in FOLDER.iterdir()} == set(ARMS)


@pytest.mark.parametrize(
    ("name", "days", "seeds"),
    [("lsm_on_off", 5, range(1, 21)), ("nightly_research", 2, range(1, 4)), ("policies_compared", 1, range(1, 21))],
)
def test_a_run_is_arms_times_seeds(name, days, seeds):
    run = load_run(FOLDER / f"{name}.yaml")
    assert (run.run_id, run.days) == (name, days)
    assert {member.baseline_arm for member in run.members} == {ARMS[name][1]}
    assert sorted((member.arm, member.scenario.stated.rng_seed) for member in run.members) == sorted(
        (arm, seed) for arm in ARMS[name] for seed in seeds
    )


@pytest.mark.parametrize(
    ("name", "payments_min"), [(name, 9_000) for name in LSM_RUNS] + [("policies_compared", 2_500)]
)
def test_arms_with_the_same_seed_see_the_same_arrivals(name, payments_min):
    run = load_run(FOLDER / f"{name}.yaml")
    asked, baseline = ARMS[name]
    pairs = [
        (payments_of_day(arms[asked], day, 0), payments_of_day(arms[baseline], day, 0))
        for arms in members_by_seed(run).values()
        for day in range(run.days)
    ]
    assert len(pairs) == len(run.members) // 2 * run.days
    assert all(len(one.ids) > payments_min for one, _ in pairs)
    assert all(same(one, other) for one, other in pairs)
    assert not any(same(one, other) for (one, _), (other, _) in pairwise(pairs))


@pytest.mark.parametrize("name", LSM_RUNS)
def test_arms_differ_in_nothing_but_the_lsm(name):
    seeds = members_by_seed(load_run(FOLDER / f"{name}.yaml"))
    for arms in seeds.values():
        on, off = arms["lsm_on"].stated, arms["lsm_off"].stated
        assert on.lsm.is_on
        assert not off.lsm.is_on
        assert on.model_copy(update={"lsm": off.lsm}) == off


def test_policies_compared_differ_in_nothing_but_the_policies_of_three_banks():
    for arms in members_by_seed(load_run(FOLDER / "policies_compared.yaml")).values():
        wait, at_once = arms["some_wait"].stated, arms["all_at_once"].stated
        assert wait.lsm.is_on
        assert {agent.policy.name for agent in at_once.agents} == {"fifo"}
        waiting = {agent.id for agent in wait.agents if agent.policy.name == "receipt_reactive"}
        assert waiting == {"LARGE_3", "MIDDLE_3", "SMALL_3"}
        as_before = [agent.model_copy(update={"policy": Policy(fifo=Fifo())}) for agent in wait.agents]
        assert wait.model_copy(update={"agents": tuple(as_before)}) == at_once


QUANTILE = 2.093024054408263
"""Student's t at 0.975 for 19 degrees of freedom, as printed tables have it."""


def test_policies_compared_finds_who_pays_as_its_head_says():
    path = FOLDER / "policies_compared.yaml"
    line = re.compile(r"#   (\w+) +(-?\d+) +(-?\d+) to (-?\d+)( +waits)?")
    said = {found[1]: found for found in map(line.fullmatch, path.read_text().splitlines()) if found}
    costs: dict[tuple[str, str], list[int]] = {}
    members = load_run(path).members
    for member in sorted(members, key=lambda member: member.scenario.stated.rng_seed):
        record, _ = run_day(member.scenario, SystemState.opening(member.scenario))
        in_all = sum(getattr(record.agent_costs, kind.name) for kind in fields(record.agent_costs))
        for agent, cost in zip(member.scenario.agent_ids, in_all.tolist(), strict=True):
            costs.setdefault((agent, member.arm), []).append(cost)
    assert len(members) == 40
    assert len(said) == len(costs) // 2 == 10
    means = {}
    for agent, found in said.items():
        pairs = zip(costs[agent, "some_wait"], costs[agent, "all_at_once"], strict=True)
        differences = [wait - at_once for wait, at_once in pairs]
        means[agent] = statistics.fmean(differences)
        half_width = QUANTILE * statistics.stdev(differences) / 20**0.5
        expected = [means[agent], means[agent] - half_width, means[agent] + half_width]
        assert [int(number) for number in found.groups()[1:4]] == [round(number) for number in expected], agent
        assert (expected[1] > 0, expected[2] < 0) == (not found[5], bool(found[5])), agent
    saved = -sum(mean for mean in means.values() if mean < 0)
    paid = sum(mean for mean in means.values() if mean > 0)
    assert f"The three save {saved:.0f} a\n# day, the others pay {paid:.0f} more." in path.read_text()
