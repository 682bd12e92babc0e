"""The run files that ship with the scenarios."""

from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pipelines.runs import Run, load_run
from sim_engine import Scenario
from sim_engine.arrivals import Payments, payments_of_day

FOLDER = Path(__file__).parents[2] / "runs"


def members_by_seed(run: Run) -> dict[int, dict[str, Scenario]]:
    seeds: dict[int, dict[str, Scenario]] = {}
    for member in run.members:
        seeds.setdefault(member.scenario.stated.rng_seed, {})[member.arm] = member.scenario
    return seeds


def same(one: Payments, other: Payments) -> bool:
    return all(np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(Payments))


@pytest.mark.parametrize(
    ("name", "days", "seeds"), [("lsm_on_off", 5, range(1, 21)), ("nightly_research", 2, range(1, 4))]
)
def test_a_run_is_arms_times_seeds(name, days, seeds):
    run = load_run(FOLDER / f"{name}.yaml")
    assert (run.run_id, run.days) == (name, days)
    assert {member.baseline_arm for member in run.members} == {"lsm_off"}
    assert [(member.arm, member.scenario.stated.rng_seed) for member in run.members] == [
        (arm, seed) for arm in ("lsm_on", "lsm_off") for seed in seeds
    ]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_arms_with_the_same_seed_see_the_same_arrivals(path):
    run = load_run(path)
    pairs = [
        (payments_of_day(arms["lsm_on"], day, 0), payments_of_day(arms["lsm_off"], day, 0))
        for arms in members_by_seed(run).values()
        for day in range(run.days)
    ]
    assert len(pairs) == len(run.members) // 2 * run.days
    assert all(len(on.ids) > 9_000 for on, _ in pairs)
    assert all(same(on, off) for on, off in pairs)
    assert not any(same(one, other) for (one, _), (other, _) in pairwise(pairs))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_arms_differ_in_nothing_but_the_lsm(path):
    seeds = members_by_seed(load_run(path))
    for arms in seeds.values():
        on, off = arms["lsm_on"].stated, arms["lsm_off"].stated
        assert on.lsm.is_on
        assert not off.lsm.is_on
        assert on.model_copy(update={"lsm": off.lsm}) == off
