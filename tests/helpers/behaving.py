"""Behaviour drawn over a scenario: policies, collateral, limits, reservations and rules of entry, each in some only."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import strategies as st

from sim_engine import Scenario, parse_scenario
from tests.helpers.drawing import busy_scenario, crowded_scenarios, scenarios

RULES = (
    "policies", "changes", "collateral", "bilateral_limits", "multilateral_limits", "reservations", "settle_urgent",
    "entry_offset", "few_counter_payments", "costs",
)  # fmt: skip
"""What may be drawn over a scenario."""


def behaving(scenario: Scenario, seed: int, rules: Sequence[str] = ()) -> Scenario:
    """The scenario with these of the rules, or some that are drawn, each agent with its own."""
    random = Random(seed)
    raw: dict[str, Any] = scenario.stated.model_dump(mode="json")
    usual = (
        sorted(arrival["amount"] for arrival in raw["arrivals"])[len(raw["arrivals"]) // 2] if raw["arrivals"] else 5
    )
    chosen = set(rules or random.sample(RULES, random.choice([1, 2, 3, len(RULES)])))
    names = [agent["id"] for agent in raw["agents"]]
    for agent in raw["agents"]:
        others = [name for name in names if name != agent["id"]]
        if "policies" in chosen and random.random() < 0.7:
            agent["policy"] = _policy(random, usual, raw["ticks_per_day"])
        if "changes" in chosen and random.random() < 0.5:
            agent["policy_changes"] = [{"day": 1, "policy": _policy(random, usual, raw["ticks_per_day"])}]
        if "collateral" in chosen and random.random() < 0.6:
            agent["collateral"] = _collateral(random, agent["posted_collateral"], usual)
        limits: dict[str, Any] = {}
        if "bilateral_limits" in chosen and random.random() < 0.6:
            limited = random.sample(others, random.randint(1, min(len(others), 4)))
            limits["bilateral"] = {name: random.randint(0, 3 * usual) for name in limited}
        if "multilateral_limits" in chosen and random.random() < 0.6:
            limits["multilateral"] = random.randint(0, 3 * usual)
        agent["limits"] = limits
        if "reservations" in chosen and random.random() < 0.6:
            agent["reserved_for_urgent"] = random.randint(0, 2 * usual)
    if "settle_urgent" in chosen:
        raw["queue2"]["entry"] = "settle_urgent"
    if "entry_offset" in chosen and raw["queue2"]["entry"] != "queue":
        raw["lsm"]["entry_offset"] = True
    if "few_counter_payments" in chosen:
        raw["lsm"]["bilateral_max_payments"] = random.randint(1, 3)
    if "costs" in chosen:
        rates = ("overdraft_bp", "delay_bp", "overdue_bp", "collateral_bp", "unsettled_bp")
        raw["costs"] = {rate: random.choice([0, 1, 30, 5_000]) for rate in rates}
    for arrival in raw["arrivals"]:
        if arrival["deadline"] is None and random.random() < 0.3:
            arrival["deadline"] = arrival["tick"] + random.randint(0, 2 * raw["ticks_per_day"])
    return parse_scenario(raw, source=Path("behaving.yaml"))


def behaving_busy_scenario(seed: int) -> Scenario:
    """A busy scenario, behaving."""
    return behaving(busy_scenario(seed), seed)


@st.composite
def behaving_scenarios(draw: st.DrawFn) -> Scenario:
    """A small scenario, behaving."""
    return behaving(draw(st.one_of(scenarios(), crowded_scenarios())), draw(st.integers(0, 2**32)))


def _policy(random: Random, usual: int, ticks_per_day: int) -> dict[str, Any]:
    urgency = random.randint(0, ticks_per_day)
    ticks = sorted(random.sample(range(ticks_per_day), random.randint(1, min(ticks_per_day, 3))))
    shares = sorted(random.choice([0, 1, 2_500, 3_333, 7_000, 10_000]) for _ in ticks)
    return random.choice(
        [
            {"fifo": {}},
            {"deadline": {"urgency_ticks": urgency}},
            {"liquidity_aware": {"target_buffer": random.randint(0, 2 * usual), "urgency_ticks": urgency}},
            {"receipt_reactive": {"allowance": random.randint(0, 2 * usual)}},
            {
                "scheduled": {
                    "profile": [
                        {"tick": tick, "share_bp": share} for tick, share in zip(ticks, shares, strict=True)
                    ]
                }
            },
        ]
    )  # fmt: skip


def _collateral(random: Random, posted: int, usual: int) -> dict[str, Any]:
    rules: dict[str, Any] = {}
    if random.random() < 0.8:
        rules["on_need"] = {"max": posted + random.randint(0, 4 * usual)}
    if random.random() < 0.6:
        rules["return_when_idle"] = {"ticks": random.randint(1, 3)}
    return rules
