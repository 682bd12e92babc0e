"""Small experiments drawn at random, of which it is known which arm is whose twin and which can be compared."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipelines.raw_store import RawStore
from pipelines.run_days import run_and_store_days
from pipelines.runs import load_run

Row = dict[str, Any]

NO_LSM = {"bilateral": False, "ring": False, "gridlock": False}
DRAWN = ("A", "B", "C", "D")
LISTED = [
    # Netted at once with LSM; without, X waits for Z and then pays 500 of its own before Y pays it back.
    {"id": "x_y", "sender": "X", "receiver": "Y", "amount": 1000, "tick": 1},
    {"id": "y_x", "sender": "Y", "receiver": "X", "amount": 1000, "tick": 1},
    {"id": "z_x", "sender": "Z", "receiver": "X", "amount": 500, "tick": 5},
    # R receives and never sends.
    {"id": "a_r", "sender": "A", "receiver": "R", "amount": 700, "tick": 2, "priority": "urgent", "deadline": 4},
]


@dataclass(frozen=True)
class Experiment:
    """A run, and what is to be found out about its arms.

    arms: what each overrides. twins: its twin without LSM, by arm with LSM; None: it has none. equal: arms that do
    exactly what the baseline does. refused: arms that see other payments than the baseline.
    """

    run_id: str
    scenario: Row
    days: int
    seeds: list[int]
    baseline: str
    arms: dict[str, Row]
    twins: dict[str, str | None]
    equal: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()

    def simulation_id(self, arm: str, seed: int) -> str:
        return f"{self.run_id}.{arm}.s{seed}"

    @property
    def simulation_ids(self) -> list[str]:
        return [self.simulation_id(arm, seed) for arm in self.arms for seed in self.seeds]


def drawn_scenario(seed: int, **rules: Any) -> Row:
    """Four banks short of money by chance, one of which waits for it, beside three in a knot and one that receives."""
    draw = random.Random(seed)
    agents: list[Row] = [{"id": name, "opening_balance": draw.randrange(0, 60_000)} for name in DRAWN]
    agents[1] |= {"policy": {"receipt_reactive": {"allowance": 30_000}}, "posted_collateral": 5_000}
    scripted = [
        {"id": name, "opening_balance": balance} for name, balance in [("X", 500), ("Y", 0), ("Z", 500), ("R", 0)]
    ]
    return {
        "name": f"drawn_{seed}",
        "ticks_per_day": draw.randrange(12, 20),
        "agents": [*agents, *scripted],
        "arrivals": LISTED,
        "generate": {
            "default": {"payments_per_day": draw.randrange(8, 14), "amount": {"median": 15_000, "sigma": 1.0}},
            "agents": {agent["id"]: {"payments_per_day": 0} for agent in scripted},
        },
        "costs": {"overdraft_bp": 90, "delay_bp": 400, "overdue_bp": 700, "collateral_bp": 150, "unsettled_bp": 300},
        **rules,
    }


def enriched(scenario: Row) -> list[Row]:
    """Its agents, those whose payments are drawn with credit for all of them."""
    return [agent | ({"credit_limit": 10**9} if agent["id"] in DRAWN else {}) for agent in scenario["agents"]]


def experiments() -> list[Experiment]:
    scarce = drawn_scenario(7)
    rich = {"agents": enriched(scarce)}
    queued = drawn_scenario(2, end_of_day="cancel", queue2={"entry": "queue"})
    return [
        Experiment(
            "against_lsm_off",
            scarce,
            days=2,
            seeds=[1, 2, 3],
            baseline="off",
            arms={
                "on": {},
                "another_off": {"lsm": {**NO_LSM, "every_ticks": 3}},
                "off": {"lsm": NO_LSM},
                "rings": {"lsm": {"bilateral": False, "gridlock": False}},
                "rich_on": rich,
                "rich_off": {**rich, "lsm": NO_LSM},
                "busier": {"generate": {"default": {"payments_per_day": 20}}},
            },
            twins={"on": "off", "rings": "off", "rich_on": "rich_off", "busier": None},
            equal=frozenset({"another_off"}),
            refused=frozenset({"busier"}),
        ),
        Experiment(
            "against_lsm_on",
            queued,
            days=3,
            seeds=[11, 5, 8, 2],
            baseline="on",
            arms={
                "on": {},
                "again": {},
                "every_3": {"lsm": {"every_ticks": 3}},
                "off_b": {"lsm": NO_LSM},
                "off_a": {"lsm": {**NO_LSM, "max_passes": 2}},
            },
            twins={"on": "off_a", "again": "off_a", "every_3": "off_a"},
            equal=frozenset({"again"}),
        ),
        Experiment(
            "one_seed",
            drawn_scenario(3),
            days=1,
            seeds=[4],
            baseline="off",
            arms={"on": {}, "off": {"lsm": NO_LSM}},
            twins={"on": "off"},
        ),
    ]


EXPERIMENTS = experiments()


def store(folder: Path, experiment: Experiment) -> None:
    scenario, file = folder / f"{experiment.scenario['name']}.yaml", folder / f"{experiment.run_id}.yaml"
    scenario.write_text(yaml.safe_dump({**experiment.scenario, "num_days": experiment.days}))
    arms = {
        name: {"set": changes, "baseline": name == experiment.baseline} for name, changes in experiment.arms.items()
    }
    run = {"run_id": experiment.run_id, "scenario": scenario.name, "seeds": experiment.seeds, "arms": arms}
    file.write_text(yaml.safe_dump(run))
    loaded = load_run(file)
    assert len(list(run_and_store_days(loaded, RawStore(folder), 0, experiment.days - 1))) == experiment.days
