"""What it takes the kernel that banks behave: days with every rule switched on, against the same days with none."""

from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.days import scenario_of
from benchmarks.phases import kernel_seconds
from benchmarks.report import Section
from benchmarks.timing import Effort, Spread
from benchmarks.workloads import WORKLOADS, queued_share, scenario_mapping
from sim_engine import Scenario, SystemState, parse_scenario, run_day

_BEYOND_REACH = 10**15
"""Minor units; no bank of a workload moves as much in a day."""


@cache
def behaving_scenario_of(workload: str, seed: int, *, binds: bool) -> Scenario:
    """A workload whose banks follow the five policies in turn, with every other rule switched on.

    binds: else every parameter is such that the rule never holds anything back.
    """
    raw = scenario_mapping(WORKLOADS[workload], seed)
    agents, ticks = raw["agents"], raw["ticks_per_day"]
    for place, agent in enumerate(agents):
        liquidity = agent["opening_balance"]
        others = [agents[(place + step) % len(agents)]["id"] for step in (1, 2, 3)]
        agent["policy"] = _policy(place % 5, liquidity, ticks, binds)
        agent["limits"] = {
            "bilateral": dict.fromkeys(others, liquidity if binds else _BEYOND_REACH),
            "multilateral": 2 * liquidity if binds else _BEYOND_REACH,
        }
        agent["reserved_for_urgent"] = liquidity // 20 if binds else 0
        agent["collateral"] = {
            "on_need": {"max": liquidity // 10 if binds else 1},
            "return_when_idle": {"ticks": 5},
        }
    raw["lsm"] = {**raw["lsm"], "entry_offset": True, "bilateral_max_payments": 10 if binds else 1_000_000}
    raw["costs"] = dict.fromkeys(("overdraft_bp", "delay_bp", "overdue_bp", "collateral_bp", "unsettled_bp"), 1)
    return parse_scenario(raw, source=Path(workload))


def _policy(kind: int, liquidity: int, ticks: int, binds: bool) -> dict[str, Any]:
    late = {"tick": ticks // 2, "share_bp": 10_000}
    return (
        {"fifo": {}},
        {"deadline": {"urgency_ticks": ticks // 2 if binds else ticks}},
        {
            "liquidity_aware": {
                "target_buffer": liquidity // 10 if binds else 0,
                "urgency_ticks": ticks // 10 if binds else ticks,
            }
        },
        {"receipt_reactive": {"allowance": liquidity if binds else _BEYOND_REACH}},
        {
            "scheduled": {
                "profile": [{"tick": 0, "share_bp": 2_500}, late] if binds else [{"tick": 0, "share_bp": 10_000}]
            }
        },
    )[kind]


def behaviour(effort: Effort) -> Section:
    """Every rule of behaviour switched on, against none: how many times as long the kernel takes."""
    rows = []
    for name in effort.workloads:
        times: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(2 * effort.runs_per_seed):
            for seed in effort.seeds:
                plain = kernel_seconds(scenario_of(name, seed))
                for binds, ratios in times.items():
                    ratios.append(kernel_seconds(behaving_scenario_of(name, seed, binds=binds)) / plain)
        shares = {
            binds: Spread.of(
                100 * _share_that_waits(behaving_scenario_of(name, seed, binds=binds)) for seed in effort.seeds
            )
            for binds in times
        }
        rows.append(
            (
                name,
                Spread.of(times[False]).text(2),
                shares[False].text(1),
                Spread.of(times[True]).text(2),
                shares[True].text(1),
            )
        )
    return Section(
        "When banks behave",
        "Times as long as the same day without any of it takes the kernel: the five policies in turn, bilateral and "
        "multilateral limits, reservations, collateral on need and returned when idle, offset on entry, counted "
        "counter-payments. First so that no rule ever holds anything back, which is what the rules themselves take; "
        "then so that all of them do, which makes it another day: more waits for longer, and is looked at again in "
        f"every tick. Beside each, % of the value that does not settle on entry. {2 * effort.runs_per_seed} runs over "
        f"{len(effort.seeds)} seeds.",
        ("workload", "nothing binds, times", "% waits", "all binds, times", "% waits "),
        rows,
    )


def _share_that_waits(scenario: Scenario) -> float:
    record, _ = run_day(scenario, SystemState.opening(scenario))
    return queued_share(record)
