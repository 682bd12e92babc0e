"""The workloads are what their census says: sizes, balance, shape of the network, tightness."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.workloads import (
    ACTIVITY_EXPONENT,
    QUEUED_SHARE_MAX,
    QUEUED_SHARE_MIN,
    WORKLOADS,
    Workload,
    network,
    queued_share,
    scenario_mapping,
    scenario_text,
)
from pipelines.places import PROJECT_ROOT
from sim_engine import SystemState, load_scenario, parse_scenario, run_day
from sim_engine.yaml_file import read_yaml_mapping

CENSUS = {
    "W1": (20, 10_000, 100),
    "W2": (40, 200_000, 600),
    "W3": (1_000, 400_000, 600),
    "W4": (5_000, 1_000_000, 1_000),
    "W1x10": (20, 100_000, 100),
    "W2x10": (40, 2_000_000, 600),
}
"""Agents, payments expected in a day, ticks."""

SIZES = sorted({agents for agents, _, _ in CENSUS.values()})


def rows_of(mapping):
    """Expected payments by (sender, receiver)."""
    return {
        (sender, receiver): expected
        for sender, flow in mapping["generate"]["agents"].items()
        for receiver, expected in flow["counterparties"].items()
    }


@pytest.mark.parametrize("name", CENSUS)
def test_workload_has_the_agents_payments_and_ticks_of_its_census(name):
    agents, payments, ticks = CENSUS[name]
    mapping = scenario_mapping(WORKLOADS[name], 1)
    expected = rows_of(mapping)
    assert len(mapping["agents"]) == len(mapping["generate"]["agents"]) == agents
    assert mapping["ticks_per_day"] == ticks
    assert sum(expected.values()) == pytest.approx(payments, abs=len(expected) / 1000)


def test_every_workload_has_a_census():
    assert WORKLOADS.keys() == CENSUS.keys()


@pytest.mark.parametrize("name", CENSUS)
def test_expected_flows_are_the_same_in_both_directions_of_every_pair(name):
    expected = rows_of(scenario_mapping(WORKLOADS[name], 2))
    assert len(expected) >= 2 * (CENSUS[name][0] - 1)
    assert {pair: expected[pair[::-1]] for pair in expected} == expected
    assert min(expected.values()) > 0
    assert all(sender != receiver for sender, receiver in expected)


@pytest.mark.parametrize("name", CENSUS)
def test_agent_sends_a_day_what_its_counterparties_add_up_to(name):
    flows = scenario_mapping(WORKLOADS[name], 3)["generate"]["agents"].values()
    sent = [flow["payments_per_day"] for flow in flows]
    assert sent == pytest.approx([sum(flow["counterparties"].values()) for flow in flows])


def test_amounts_are_alike_for_all_agents_and_heavy_tailed():
    scenario = parse_scenario(scenario_mapping(WORKLOADS["W1"], 1), source=Path("W1"))
    amounts = [scenario.stated.generate.flow(agent).amount for agent in scenario.agent_ids]
    assert {amount.sigma for amount in amounts} == {1.0}
    assert {amount.median for amount in amounts} == {1_000_000}


def test_day_opens_with_a_burst_and_closes_with_a_peak():
    profile = scenario_mapping(WORKLOADS["W1"], 1)["generate"]["intraday_profile"]
    noon = profile[len(profile) // 2]
    assert profile[0] == max(profile) > 3 * noon
    assert max(profile[-3:]) > 2 * noon


def test_all_mechanisms_run_every_tick_in_a_bypass_queue():
    stated = parse_scenario(scenario_mapping(WORKLOADS["W2"], 1), source=Path("W2")).stated
    assert (stated.lsm.bilateral, stated.lsm.ring, stated.lsm.gridlock) == (True, True, True)
    assert (stated.lsm.max_cycle_length, stated.lsm.every_ticks, stated.queue2.discipline) == (4, 1, "bypass")


def test_half_of_every_banks_liquidity_is_credit():
    agents = scenario_mapping(WORKLOADS["W3"], 1)["agents"]
    assert len(agents) == 1_000
    assert all(agent["opening_balance"] == agent["credit_limit"] > 0 for agent in agents)


@pytest.mark.parametrize("agents", SIZES)
def test_network_is_connected_and_its_core_complete(agents):
    net = network(agents, 1)
    neighbours = [set() for _ in range(agents)]
    for one, other in zip(net.lower.tolist(), net.higher.tolist(), strict=True):
        neighbours[one].add(other)
        neighbours[other].add(one)
    reached, border = {0}, {0}
    while border:
        border = set().union(*(neighbours[agent] for agent in border)) - reached
        reached |= border
    assert len(reached) == agents

    busiest = strengths_of(net, agents).argsort()[::-1]
    core = set(
        busiest[: round(1.2 * agents**0.5) // 2].tolist()
    )  # the busier half of the core: no periphery bank there
    assert len(core) >= 2
    assert all(core - {agent} <= neighbours[agent] for agent in core)


@pytest.mark.parametrize("agents", [1_000, 5_000])
def test_activity_falls_with_rank_by_a_power_law(agents):
    strengths = np.sort(strengths_of(network(agents, 1), agents))[::-1]
    ranks = np.arange(agents)
    tail = slice(agents // 20, agents // 2)  # beyond the core, before the many banks that others hardly ever draw
    slope, _ = np.polyfit(np.log(ranks[tail]), np.log(strengths[tail]), 1)
    assert slope == pytest.approx(-ACTIVITY_EXPONENT, abs=0.1)


def strengths_of(net, agents):
    return np.bincount(net.lower, net.weights, agents) + np.bincount(net.higher, net.weights, agents)


def test_agents_do_not_stand_in_order_of_size():
    strengths = strengths_of(network(1_000, 1), 1_000)
    assert abs(np.corrcoef(np.arange(1_000), strengths.argsort().argsort())[0, 1]) < 0.1


def test_seed_decides_network_and_draws():
    workload = WORKLOADS["W1"]
    assert scenario_mapping(workload, 7) == scenario_mapping(workload, 7)
    one, other = scenario_mapping(workload, 7), scenario_mapping(workload, 8)
    assert (one["rng_seed"], other["rng_seed"]) == (7, 8)
    assert rows_of(one) != rows_of(other)


def test_seed_without_a_kappa_of_its_own_takes_their_geometric_mean():
    workload = Workload("two", agents=20, payments=100, ticks=10, kappas=(0.1, 0.4))
    assert [workload.kappa(seed) for seed in (0, 1, 2, 3)] == pytest.approx([0.2, 0.1, 0.4, 0.2])


def test_ten_times_the_payments_leave_the_network_and_the_ticks_as_they_are():
    one, ten = scenario_mapping(WORKLOADS["W2"], 1), scenario_mapping(WORKLOADS["W2x10"], 1)
    assert one["ticks_per_day"] == ten["ticks_per_day"]
    assert [agent["id"] for agent in one["agents"]] == [agent["id"] for agent in ten["agents"]]
    expected = rows_of(one)
    assert rows_of(ten) == {pair: pytest.approx(10 * count, abs=0.01) for pair, count in expected.items()}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_third_of_the_value_of_w1_waits(seed):
    scenario = parse_scenario(scenario_mapping(WORKLOADS["W1"], seed), source=Path("W1"))
    record, _ = run_day(scenario, SystemState.opening(scenario))
    assert QUEUED_SHARE_MIN <= queued_share(record) <= QUEUED_SHARE_MAX


def test_queued_share_counts_value_that_settled_late_or_not_at_all():
    scenario = parse_scenario(
        {
            "name": "three_fates",
            "ticks_per_day": 2,
            "agents": [{"id": "A", "opening_balance": 100}, {"id": "B", "opening_balance": 0}],
            "arrivals": [
                {"sender": "B", "receiver": "A", "amount": 60, "tick": 0},  # waits for the next, is retried
                {"sender": "A", "receiver": "B", "amount": 100, "tick": 0},  # settles on entry
                {"sender": "B", "receiver": "A", "amount": 240, "tick": 1},  # never
            ],
        },
        source=Path("three_fates"),
    )
    record, _ = run_day(scenario, SystemState.opening(scenario))
    assert queued_share(record) == pytest.approx(300 / 400)


def test_file_that_the_command_writes_is_the_mapping(tmp_path):
    file = tmp_path / "w1.yaml"
    command = [sys.executable, "-m", "benchmarks.workloads", "W1", "--seed", "3", "--out", str(file)]
    subprocess.run(command, check=True, cwd=PROJECT_ROOT)
    mapping = scenario_mapping(WORKLOADS["W1"], 3)
    assert read_yaml_mapping(file) == mapping
    assert load_scenario(file).scenario_hash == parse_scenario(mapping, source=file).scenario_hash
    assert file.read_text(encoding="utf-8") == scenario_text(WORKLOADS["W1"], 3)
    head = [line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    assert [line.split(":")[0] for line in head[:3]] == ["# Census", "# Question", "# Expect"]
    assert "20 agents" in head[0]
    assert "about 10000 payments" in head[0]
