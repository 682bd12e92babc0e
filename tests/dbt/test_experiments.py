"""The marts of an experiment against the same measures reckoned from the raw tables, on experiments drawn at random.

Daily measures of agents and of efficiency are reckoned in polars, those of test_formulas in plain Python.
"""

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from itertools import combinations
from typing import Any

import duckdb
import polars as pl
import pytest

from pipelines.launch import payers
from pipelines.raw_store import RawStore
from pipelines.runs import load_run
from sim_engine.scenario import Lsm
from tests.dbt import student_t
from tests.dbt.experiments import EXPERIMENTS, Experiment, store
from tests.dbt.test_formulas import Simulation, effectiveness
from tests.dbt.warehouse import Dbt, outcomes

pytestmark = pytest.mark.slow

Row = dict[str, Any]
Daily = dict[tuple[str, int], Row]

RUN_TABLES = ("simulations", "agents", "agent_days", "arrivals", "settlements", "queue_snapshots", "lsm_cycles")


@pytest.fixture(scope="module")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """The experiments, stored and built; every law holds on them."""
    folder = tmp_path_factory.mktemp("experiments")
    RawStore(folder).prepare()
    for experiment in EXPERIMENTS:
        store(folder, experiment)
    dbt = Dbt(folder)
    outcome = outcomes(dbt("build", "--exclude-resource-type", "unit_test"))
    assert len(outcome) > 100
    assert {node: status for node, status in outcome.items() if status not in ("success", "pass")} == {}
    return dbt


@pytest.fixture(scope="module")
def raw(dbt: Dbt) -> dict[str, pl.DataFrame]:
    """The raw tables of all experiments."""
    stored = RawStore(dbt.folder)
    return {
        table: pl.concat(
            stored.read_table(table, experiment.run_id, day)
            for experiment in EXPERIMENTS
            for day in range(experiment.days)
        )
        for table in RUN_TABLES
    }


# What the raw tables say of a day


@pytest.fixture(scope="module")
def settled(raw: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """What settled, with the tick of its day."""
    payments = raw["arrivals"].select("simulation_id", "transaction", "sender", "receiver", "amount")
    lengths = raw["simulations"].select("simulation_id", "ticks_per_day").unique()
    return (
        raw["settlements"]
        .join(payments, on=["simulation_id", "transaction"])
        .join(lengths, on="simulation_id")
        .with_columns(tick_of_day=pl.col("tick") - pl.col("day") * pl.col("ticks_per_day"))
    )


@pytest.fixture(scope="module")
def used(raw: dict[str, pl.DataFrame], settled: pl.DataFrame) -> pl.DataFrame:
    """Liquidity that each agent of each day used: its net debit after each settlement step, at its largest."""
    step = ["simulation_id", "day", "settlement_seq"]
    legs = pl.concat(
        [
            settled.select(*step, agent="sender", debit="amount"),
            settled.select(*step, agent="receiver", debit=-pl.col("amount")),
        ]
    )
    running = (
        legs.group_by(*step, "agent")
        .agg(pl.col("debit").sum())
        .sort("settlement_seq")
        .with_columns(net_debit=pl.col("debit").cum_sum().over("simulation_id", "day", "agent"))
    )
    peaks = running.group_by("simulation_id", "day", "agent").agg(used=pl.col("net_debit").max().clip(lower_bound=0))
    agents = raw["agents"].select("simulation_id", "day", "agent")
    return agents.join(peaks, on=["simulation_id", "day", "agent"], how="left").with_columns(
        pl.col("used").fill_null(0)
    )


@pytest.fixture(scope="module")
def efficiency(raw: dict[str, pl.DataFrame], settled: pl.DataFrame, used: pl.DataFrame) -> Daily:
    """The measures of fct_liquidity_efficiency_days."""
    days = raw["simulations"].select("simulation_id", "day").rows()
    return {key: _efficiency(_of_day(settled, key), _of_day(used, key)) for key in days}


def _efficiency(settled: pl.DataFrame, used: pl.DataFrame) -> Row:
    sent = settled.group_by(agent="sender").agg(value=pl.col("amount").sum(), payments=pl.len())
    agents = used.join(sent, on="agent", how="left").with_columns(pl.col("value", "payments").fill_null(0))
    total, liquidity = agents["value"].sum(), agents["used"].sum()
    by_tick = settled.group_by("tick_of_day").agg(pl.col("amount").sum()).sort("tick_of_day")
    reached = by_tick.with_columns(so_far=pl.col("amount").cum_sum())
    deciles = {
        f"settlement_decile_{decile}_tick": reached.filter(10 * pl.col("so_far") >= decile * total)["tick_of_day"].min()
        for decile in range(1, 10)
    }
    if not total:
        deciles = dict.fromkeys(deciles)
    shares = pl.col("used") / liquidity - pl.col("value") / total
    return {
        "system_wide_efficiency": total / liquidity if liquidity else None,
        "liquidity_cost_gini": _gini(agents) if liquidity else None,
        "provision_relative_to_usage": (
            agents.select(shares.clip(lower_bound=0).sum()).item() if total and liquidity else None
        ),
        "average_settlement_tick": (settled["amount"] * settled["tick_of_day"]).sum() / total if total else None,
        **deciles,
    }


def _gini(agents: pl.DataFrame) -> float:
    """Pair by pair, as its definition has it."""
    senders = [
        (used / value, payments) for used, value, payments in _columns(agents, "used", "value", "payments") if value
    ]
    number = sum(payments for _, payments in senders)
    mean = sum(cost * payments for cost, payments in senders) / number
    apart = sum(n * m * abs(cost - other) for (cost, n), (other, m) in combinations(senders, 2))
    return apart / (number**2 * mean)


@pytest.fixture(scope="module")
def agent_measures(raw: dict[str, pl.DataFrame], settled: pl.DataFrame, used: pl.DataFrame) -> pl.DataFrame:
    """The measures of fct_agent_lsm_days, by its columns."""
    key = ["simulation_id", "day", "agent"]
    by_lsm = settled.filter(pl.col("cycle_seq").is_not_null())
    positions = (
        raw["lsm_cycles"]
        .select("simulation_id", "day", pl.col("agents").alias("agent"), "net_positions")
        .explode("agent", "net_positions")
        .group_by(key)
        .agg(
            cycles=pl.len(),
            liquidity_received=pl.col("net_positions").clip(lower_bound=0).sum(),
            liquidity_provided=(-pl.col("net_positions")).clip(lower_bound=0).sum(),
        )
    )
    measures = [
        raw["agents"].select(key),
        used.rename({"used": "liquidity_used"}),
        positions,
        _sums(by_lsm, "sender", "cycle_paid").join(_counterparties(by_lsm, "sender", "receiver", "out"), on=key),
        _sums(by_lsm, "receiver", "cycle_received").join(_counterparties(by_lsm, "receiver", "sender", "in"), on=key),
        _sums(settled, "sender", "sent"),
        _sums(by_lsm, "sender", "lsm_sent"),
        _waits(raw, settled),
    ]
    joined = measures[0]
    for measure in measures[1:]:
        joined = joined.join(measure, on=key, how="left")
    whole = pl.col(pl.Int64, pl.UInt32).fill_null(0).cast(pl.Int64)
    of_day = ["simulation_id", "day"]
    share = pl.col("liquidity_used") / pl.col("liquidity_used").sum().over(of_day)
    return joined.with_columns(whole).with_columns(
        liquidity_saved=pl.col("cycle_paid_value") - pl.col("liquidity_provided"),
        cycle_gross_share=_ratio("cycle_paid_value", pl.col("cycle_paid_value").sum().over(of_day)),
        lsm_count_share=_ratio("lsm_sent_count", pl.col("sent_count")),
        lsm_value_share=_ratio("lsm_sent_value", pl.col("sent_value")),
        liquidity_cost=_ratio("liquidity_used", pl.col("sent_value")),
        provision_relative_to_usage=pl.when(pl.col("liquidity_used").sum().over(of_day) > 0).then(
            share - pl.col("sent_value") / pl.col("sent_value").sum().over(of_day)
        ),
    )


def _sums(payments: pl.DataFrame, who: str, what: str) -> pl.DataFrame:
    by_agent = payments.group_by("simulation_id", "day", agent=who)
    return by_agent.agg(pl.len().alias(f"{what}_count"), pl.col("amount").sum().alias(f"{what}_value"))


def _counterparties(payments: pl.DataFrame, who: str, other: str, way: str) -> pl.DataFrame:
    by_agent = payments.group_by("simulation_id", "day", agent=who)
    return by_agent.agg(pl.col(other).n_unique().alias(f"counterparties_{way}"))


def _waits(raw: dict[str, pl.DataFrame], settled: pl.DataFrame) -> pl.DataFrame:
    """What each agent had to send on each day, and how long value of it waited within the day."""
    carried = raw["queue_snapshots"].filter(pl.col("outcome") == "carried").with_columns(pl.col("day") + 1)
    due = pl.concat([frame.select("simulation_id", "day", "transaction") for frame in (raw["arrivals"], carried)])
    payments = raw["arrivals"].select(
        "simulation_id", "transaction", agent="sender", amount="amount", since="arrival_tick"
    )
    ends = settled.select("simulation_id", "day", "transaction", "tick")
    opening = pl.col("day") * pl.col("ticks_per_day")
    return (
        due.join(raw["simulations"].select("simulation_id", "day", "ticks_per_day"), on=["simulation_id", "day"])
        .join(payments, on=["simulation_id", "transaction"])
        .join(ends, on=["simulation_id", "day", "transaction"], how="left")
        .with_columns(
            wait=pl.min_horizontal(pl.col("tick").fill_null(2**40), opening + pl.col("ticks_per_day"))
            - pl.max_horizontal("since", opening)
        )
        .group_by("simulation_id", "day", "agent")
        .agg(
            outstanding_count=pl.len(),
            outstanding_value=pl.col("amount").sum(),
            value_weighted_delay_ticks=(pl.col("amount") * pl.col("wait")).sum() / pl.col("amount").sum(),
        )
    )


@pytest.fixture(scope="module")
def daily(raw: dict[str, pl.DataFrame], efficiency: Daily) -> Daily:
    """Every measure of every day but the savings."""
    tables: dict[str, list[Row]] = defaultdict(list)
    tables |= {name: frame.to_dicts() for name, frame in raw.items()}
    measures: Daily = {}
    for experiment in EXPERIMENTS:
        for simulation_id in experiment.simulation_ids:
            simulation = Simulation(tables, simulation_id)
            for day in range(experiment.days):
                measures[simulation_id, day] = effectiveness(simulation, day) | efficiency[simulation_id, day]
    return measures


@pytest.fixture(scope="module")
def agent_costs(raw: dict[str, pl.DataFrame], used: pl.DataFrame) -> dict[tuple[str, int], dict[tuple[str, str], Any]]:
    """The measures of fct_agent_cost_days, by agent and measure."""
    liquidity = {(simulation, day, agent): value for simulation, day, agent, value in used.rows()}
    tables: dict[str, list[Row]] = defaultdict(list)
    tables |= {name: frame.to_dicts() for name, frame in raw.items()}
    found = {}
    for experiment in EXPERIMENTS:
        for simulation_id in experiment.simulation_ids:
            simulation = Simulation(tables, simulation_id)
            for day in range(experiment.days):
                found[simulation_id, day] = {
                    (agent, measure): value
                    for agent, row in cost_rows(simulation, day).items()
                    for measure, value in (row | {"liquidity_used": liquidity[simulation_id, day, agent]}).items()
                }
    return found


COSTS = ("cost_overdraft", "cost_delay", "cost_overdue", "cost_collateral", "cost_unsettled")


def cost_rows(simulation: Simulation, day: int) -> dict[str, Row]:
    """What each agent's day cost and what explains it, tick by tick."""
    first_tick = day * simulation.ticks_per_day
    carried = [row["transaction"] for row in simulation.on("queue_snapshots", day - 1) if row["outcome"] == "carried"]
    arrived = [row["transaction"] for row in simulation.on("arrivals", day)]
    settled = {row["transaction"]: row for row in simulation.on("settlements", day)}
    queued = {row["transaction"]: row for row in simulation.on("queue_snapshots", day)}
    policies = {row["agent"]: row["policy"] for row in simulation.on("agents", day)}
    rows = {}
    for stated in simulation.on("agent_days", day):
        sent = [simulation.payments[name] for name in carried + arrived]
        sent = [payment for payment in sent if payment["sender"] == stated["agent"]]
        waited, overdue = {1: 0, 2: 0}, set()
        for tick in range(first_tick, first_tick + simulation.ticks_per_day):
            for payment in sent:
                name = payment["transaction"]
                entry = (settled | queued)[name]["entry_tick"]
                if payment["arrival_tick"] <= tick and not (name in settled and settled[name]["tick"] <= tick):
                    waited[1 if entry is None or entry > tick else 2] += payment["amount"]
                    if payment["deadline_tick"] is not None and payment["deadline_tick"] <= tick:
                        overdue.add(name)
        value = sum(payment["amount"] for payment in sent)
        rows[stated["agent"]] = {
            "policy": policies[stated["agent"]],
            **{kind: stated[kind] for kind in COSTS},
            "cost_total": sum(stated[kind] for kind in COSTS),
            "outstanding_value": value,
            "value_weighted_delay_ticks": (waited[1] + waited[2]) / value if value else None,
            "queue1_value_weighted_delay_ticks": waited[1] / value if value else None,
            "queue2_value_weighted_delay_ticks": waited[2] / value if value else None,
            "unsettled_value": sum(payment["amount"] for payment in sent if payment["transaction"] in queued),
            "overdue_value": sum(simulation.payments[name]["amount"] for name in overdue),
        }
    return rows


SAVINGS = {
    # by what the twin without LSM has more of
    "delay_saved": "value_weighted_delay_ticks",
    "queue1_delay_saved": "queue1_value_weighted_delay_ticks",
    "queue2_delay_saved": "queue2_value_weighted_delay_ticks",
    "delay_indicator_saved": "delay_indicator",
    "liquidity_saved": "liquidity_used",
    "queue_value_peak_saved": "queue_value_peak",
}
GAINS = {"extra_settled_count": "settled_count", "extra_settled_value": "settled_value"}


def savings(on: Row, off: Row) -> Row:
    saved = {name: _less(off[measure], on[measure]) for name, measure in SAVINGS.items()}
    if on["unsettled_count"] or off["unsettled_count"]:
        saved["liquidity_saved"] = None
    return saved | {name: on[measure] - off[measure] for name, measure in GAINS.items()}


@pytest.fixture(scope="module")
def measured(daily: Daily) -> Daily:
    """Every measure of every day, savings included: without LSM nothing is saved."""
    found: Daily = {}
    for experiment in EXPERIMENTS:
        for arm in experiment.arms:
            twin = experiment.twins.get(arm)
            for seed in experiment.seeds:
                for day in range(experiment.days):
                    key = experiment.simulation_id(arm, seed), day
                    saved: Row = dict.fromkeys([*SAVINGS, *GAINS], None if arm in experiment.twins else 0)
                    if twin:
                        saved = savings(daily[key], daily[experiment.simulation_id(twin, seed), day])
                    found[key] = daily[key] | saved
    return found


# The marts


def test_simulations_are_compared_with_their_twins_and_baselines(dbt: Dbt) -> None:
    expected = set()
    for experiment in EXPERIMENTS:
        for arm in experiment.arms:
            for seed in experiment.seeds:
                one = experiment.simulation_id(arm, seed)
                if arm in experiment.twins:
                    twin = experiment.twins[arm]
                    partner = experiment.simulation_id(twin, seed) if twin else None
                    expected.add((one, "lsm_off", twin, partner, "paired" if twin else "no_partner"))
                if arm != experiment.baseline:
                    verdict = "arrivals_differ" if arm in experiment.refused else "paired"
                    partner = experiment.simulation_id(experiment.baseline, seed)
                    expected.add((one, "baseline", experiment.baseline, partner, verdict))
    rows = dbt.query(
        "select simulation_id, comparison, partner_arm, partner_simulation_id, pairing from int_arms_paired"
    ).rows()
    assert len(rows) == len(expected) == 7 * 3 - 3 + 4 * 3 + 3 * 4 + 4 * 4 + 2
    assert set(rows) == expected


def test_what_the_lsm_saved_is_what_its_twin_has_more_of(dbt: Dbt, raw: dict[str, pl.DataFrame], daily: Daily) -> None:
    found = {(row["simulation_id"], row["day"]): row for row in dbt.query("from fct_lsm_counterfactual").to_dicts()}
    twins = {
        experiment.simulation_id(arm, seed): experiment.simulation_id(twin, seed)
        for experiment in EXPERIMENTS
        for arm, twin in experiment.twins.items()
        for seed in experiment.seeds
        if twin
    }
    assert set(found) == {key for key in daily if key[0] in twins}
    assert len(found) == 3 * 3 * 2 + 3 * 4 * 3 + 1
    for key, row in found.items():
        on, off = daily[key], daily[twins[key[0]], key[1]]
        opening = _of_day(raw["agents"], key)
        expected = savings(on, off) | {
            "twin_simulation_id": twins[key[0]],
            "opening_liquidity": sum(opening.select(LIQUIDITY).sum().row(0)),
            "is_all_settled_on": not on["unsettled_count"],
            "is_all_settled_off": not off["unsettled_count"],
            "outstanding_value_on": on["carried_in_value"] + on["arrived_value"],
            "outstanding_value_off": off["carried_in_value"] + off["arrived_value"],
        }
        for measure in BOTH_SIDES:
            expected |= {f"{measure}_on": on[measure], f"{measure}_off": off[measure]}
        assert set(row) == set(expected) | {"run_id", "simulation_id", "arm", "twin_arm", "rng_seed", "day"}
        for column, value in expected.items():
            assert row[column] == _close(value), (key, column)


LIQUIDITY = ("opening_balance", "credit_limit", "posted_collateral")
"""What an agent without a haircut can pay with."""

BOTH_SIDES = (
    "value_weighted_delay_ticks",
    "delay_indicator",
    "settled_count",
    "settled_value",
    "liquidity_used",
    "queue_value_peak",
)


def test_experiments_show_what_the_formulas_speak_of(dbt: Dbt) -> None:
    counts = dbt.query("""
        select
            (select count(*) from fct_lsm_counterfactual where liquidity_saved > 0) as liquidity_saved,
            (select count(*) from fct_lsm_counterfactual where liquidity_saved is null) as liquidity_not_compared,
            (select count(*) from fct_lsm_counterfactual where delay_saved > 0) as delay_saved,
            (select count(*) from fct_lsm_counterfactual where extra_settled_value < 0) as settled_less,
            (select count(*) from fct_agent_lsm_days where agent = 'R' and sent_count = 0) as only_receives,
            (select count(*) from fct_agent_lsm_days where cycles > 1 and liquidity_provided > 0) as provides,
            (select count(*) from fct_agent_lsm_days where counterparties_out > 1) as pays_several,
            (select count(*) from fct_liquidity_efficiency_days where liquidity_cost_gini > 0) as unequal,
            (select count(*) from fct_liquidity_efficiency_days where average_settlement_tick is null) as unsettled,
            (select count(*) from fct_agent_cost_days where queue1_value_weighted_delay_ticks > 0) as held_back,
            (select count(*) from fct_agent_cost_days where queue2_value_weighted_delay_ticks > 0) as queued,
            (select count(*) from fct_agent_cost_days where overdue_value > 0) as overdue,
            (select count(*) from fct_agent_cost_days where cost_overdraft > 0) as overdrawn,
            (select count(*) from fct_agent_cost_days where cost_unsettled > 0) as left_over,
            (select count(*) from fct_experiment_agents where metric = 'cost_total' and paired_difference > 0) as pays,
            (select count(*) from fct_experiment_agents where metric = 'cost_total' and paired_difference < 0) as saves,
            (select count(*) from fct_experiment_arms where seeds = 0) as never,
            (select count(*) from fct_experiment_arms where paired_difference_sd > 0) as spread
    """).row(0, named=True)
    assert {what for what, count in counts.items() if not count} == set()


def test_liquidity_is_as_efficient_as_its_definitions_have_it(dbt: Dbt, efficiency: Daily) -> None:
    rows = dbt.query("from fct_liquidity_efficiency_days").to_dicts()
    assert len(rows) == len(efficiency) == 7 * 3 * 2 + 5 * 4 * 3 + 2
    for row in rows:
        expected = efficiency[row["simulation_id"], row["day"]]
        assert set(row) == set(expected) | {"run_id", "simulation_id", "day"}
        for measure, value in expected.items():
            assert row[measure] == _close(value), (row["simulation_id"], row["day"], measure)


def test_agents_give_and_get_what_their_transactions_and_cycles_say(dbt: Dbt, agent_measures: pl.DataFrame) -> None:
    key = ["simulation_id", "day", "agent"]
    found = dbt.query("from fct_agent_lsm_days").drop("run_id").sort(key)
    expected = agent_measures.sort(key)
    assert found.height == expected.height == 8 * (7 * 3 * 2 + 5 * 4 * 3 + 2)
    assert set(found.columns) == set(expected.columns)
    for column in found.columns:
        wrong = [
            (*place, is_, should_be)
            for place, is_, should_be in zip(found.select(key).rows(), found[column], expected[column], strict=True)
            if is_ != _close(should_be)
        ]
        assert wrong == [], column


def test_arms_are_compared_over_the_days_of_each_seed(dbt: Dbt, measured: Daily) -> None:
    rows = dbt.query("from fct_experiment_arms").to_dicts()
    found = {(row["run_id"], row["arm"], row["metric"]): row for row in rows}
    metrics = sorted(next(iter(measured.values())))
    assert len(rows) == len(found) == (7 + 5 + 2) * len(metrics)
    assert len(metrics) > 50
    for experiment in EXPERIMENTS:
        for arm in experiment.arms:
            for metric in metrics:
                row = found[experiment.run_id, arm, metric]
                for column, value in expected_row(experiment, measured, arm, metric).items():
                    assert row[column] == value, (experiment.run_id, arm, metric, column)


def test_an_agents_costs_stand_beside_what_a_walk_through_the_day_finds(dbt: Dbt, agent_costs: Daily) -> None:
    rows = dbt.query("from fct_agent_cost_days").to_dicts()
    assert len(rows) == 8 * len(agent_costs) == 8 * (7 * 3 * 2 + 5 * 4 * 3 + 2)
    for row in rows:
        of_day = agent_costs[row["simulation_id"], row["day"]]
        expected = {measure: value for (agent, measure), value in of_day.items() if agent == row["agent"]}
        assert set(row) == set(expected) | {"run_id", "simulation_id", "day", "agent"}
        for measure, value in expected.items():
            assert row[measure] == _close(value), (row["simulation_id"], row["day"], row["agent"], measure)


def test_agents_of_arms_are_compared_over_the_days_of_each_seed(dbt: Dbt, agent_costs: Daily) -> None:
    rows = dbt.query("from fct_experiment_agents").to_dicts()
    found = {(row["run_id"], row["arm"], row["agent"], row["metric"]): row for row in rows}
    measures = sorted(key for key in next(iter(agent_costs.values())) if key[1] != "policy")
    assert len(rows) == len(found) == (7 + 5 + 2) * len(measures)
    assert len(measures) == 8 * 13
    for experiment in EXPERIMENTS:
        for arm in experiment.arms:
            for measure in measures:
                row = found[experiment.run_id, arm, *measure]
                for column, value in expected_row(experiment, agent_costs, arm, measure).items():
                    assert row[column] == value, (experiment.run_id, arm, measure, column)


def test_who_pays_is_told_of_every_arm_by_the_size_of_the_difference(dbt: Dbt, agent_costs: Daily) -> None:
    experiment = EXPERIMENTS[0]
    found = payers(load_run(dbt.folder / f"{experiment.run_id}.yaml"), dbt.folder / "warehouse.duckdb")
    agents = sorted({agent for agent, _ in next(iter(agent_costs.values()))})
    compared = [arm for arm in experiment.arms if arm != experiment.baseline and arm not in experiment.refused]
    expected = {
        (arm, agent): expected_row(experiment, agent_costs, arm, (agent, "cost_total"))
        for arm in compared
        for agent in agents
    }
    some = [key for key, row in expected.items() if row["mean"] != 0 or row["paired_difference"] != 0]
    assert 3 * len(compared) < len(some) < len(expected) == 5 * 8  # R has nothing to pay
    assert found.height == len(some)
    assert {*found.select("arm", "agent").rows()} == {*some}
    for row in found.to_dicts():
        for column in ("baseline_arm", "mean", "paired_difference", "paired_difference_ci95_low"):
            assert row[column] == expected[row["arm"], row["agent"]][column], row
        assert row["policy"] == ("receipt_reactive" if row["agent"] == "B" else "fifo")
    order = [(row["arm"], -abs(row["paired_difference"]), row["agent"]) for row in found.to_dicts()]
    assert order == sorted(order)


def expected_row(experiment: Experiment, measured: Daily, arm: str, metric: Any) -> Row:
    """What is to be found of an arm and a metric; floats compare as nearly equal."""
    refused = arm == experiment.baseline or arm in experiment.refused

    def of_seed(arm: str, seed: int) -> float | None:
        days = [measured[experiment.simulation_id(arm, seed), day][metric] for day in range(experiment.days)]
        return None if None in days else statistics.fmean(days)

    own = {seed: of_seed(arm, seed) for seed in experiment.seeds}
    baseline = {seed: of_seed(experiment.baseline, seed) for seed in experiment.seeds}
    values = [value for value in own.values() if value is not None]
    differences = [
        _less(own[seed], baseline[seed])
        for seed in experiment.seeds
        if not refused and own[seed] is not None and baseline[seed] is not None
    ]
    # A difference is as exact as what it is taken from.
    scale = max(map(abs, [*values, *filter(None, baseline.values())]), default=1)
    mean, sd, low, high = _interval(values, scale)
    difference, difference_sd, difference_low, difference_high = _interval(differences, scale)
    verdict = "arrivals_differ" if arm in experiment.refused else "paired"
    return {
        "baseline_arm": experiment.baseline,
        "pairing": "baseline" if arm == experiment.baseline else verdict,
        "seeds": len(values),
        "mean": mean,
        "sd": sd,
        "ci95_low": low,
        "ci95_high": high,
        "pairs": len(differences),
        "paired_difference": difference,
        "paired_difference_sd": difference_sd,
        "paired_difference_ci95_low": difference_low,
        "paired_difference_ci95_high": difference_high,
    }


def _interval(values: list[Any], scale: float) -> list[Any]:
    """Mean, standard deviation, and the bounds of the 95 % confidence interval of the mean."""
    mean = statistics.fmean(values) if values else None
    if len(values) < 2:
        return [_close(mean, scale), None, None, None]
    sd = statistics.stdev(values)
    half_width = QUANTILES[len(values) - 1] * sd / len(values) ** 0.5
    return [_close(value, scale) for value in (mean, sd, mean - half_width, mean + half_width)]


PROBABILITY = Decimal("0.975")
QUANTILES = {1: 12.70620473617, 2: 4.30265272975, 3: 3.18244630528}
"""Student's t at 0.975 by degrees of freedom, as printed tables have it."""


def test_an_arm_equal_to_its_baseline_differs_by_exactly_nothing(dbt: Dbt) -> None:
    columns = ("paired_difference", "paired_difference_sd", "paired_difference_ci95_low", "paired_difference_ci95_high")
    for experiment in EXPERIMENTS[:2]:
        [arm] = experiment.equal
        ours, theirs = (
            dbt.query(
                f"from fct_experiment_arms where run_id = '{experiment.run_id}' and arm = '{name}' order by metric"
            )
            for name in (arm, experiment.baseline)
        )
        assert ours.height > 50
        assert ours.select("mean", "sd", "ci95_low", "ci95_high").equals(
            theirs.select("mean", "sd", "ci95_low", "ci95_high")
        )
        assert ours["pairs"].equals(theirs["seeds"], check_names=False)
        compared = ours.filter(pl.col("pairs") > 0)
        assert compared.height > 40
        for column in columns:
            assert compared[column].to_list() == [0.0] * compared.height, column


def test_the_paired_saving_against_no_lsm_is_the_saving_itself(dbt: Dbt) -> None:
    rows = dbt.query("""
        from fct_experiment_arms
        where run_id = 'against_lsm_off' and arm = 'on' and metric in ('delay_saved', 'extra_settled_value')
    """).to_dicts()
    assert [row["pairs"] for row in rows] == [3, 3]
    for row in rows:
        assert row["paired_difference"] == row["mean"] != 0
        assert row["paired_difference_sd"] == row["sd"]
        assert row["paired_difference_ci95_low"] == row["ci95_low"]


def test_intervals_widen_by_the_seeds_and_pairs_that_they_rest_on(dbt: Dbt) -> None:
    """Of 250 seeds 230 have their pair, and of 4 seeds 3: more than are tabulated, and few."""
    compiled = dbt.folder / "target" / "compiled" / "payment_sim" / "models" / "marts" / "fct_experiment_arms.sql"
    samples = {"many": [(k * k % 17, k * k % 13 if k < 230 else None) for k in range(250)]}
    samples["few"] = samples["many"][2:5] + samples["many"][-1:]
    rows = [(metric, seed, *both) for metric, of_seeds in samples.items() for seed, both in enumerate(of_seeds)]
    with duckdb.connect(str(dbt.folder / "warehouse.duckdb")) as connection:
        connection.begin()
        connection.executemany(
            "insert into int_experiment_days_compared by name select 'one_seed' as run_id, 'on' as arm, 0 as day, "
            "'ticks' as unit, $1 as metric, $2 as rng_seed, $3 as value, $4 as difference",
            rows,
        )
        found = connection.sql(f"from ({compiled.read_text()}) where metric in ('many', 'few') order by metric").pl()
        connection.rollback()
    assert found.select("metric", "seeds", "pairs").rows() == [("few", 4, 3), ("many", 250, 230)]
    for row in found.to_dicts():
        values, differences = zip(*samples[row["metric"]], strict=True)
        pairs = [difference for difference in differences if difference is not None]
        assert row["ci95_high"] == pytest.approx(_upper_bound(values), rel=1e-9)
        assert row["paired_difference_ci95_high"] == pytest.approx(_upper_bound(pairs), rel=1e-9)


def _upper_bound(sample: Sequence[int]) -> float:
    quantile = float(student_t.quantile(PROBABILITY, len(sample) - 1))
    return statistics.fmean(sample) + quantile * statistics.stdev(sample) / len(sample) ** 0.5


def test_metrics_are_all_measures_of_their_marts_with_their_units(dbt: Dbt) -> None:
    found = dbt.query("select distinct metric, unit from fct_experiment_arms").rows()
    manifest = dbt("parse").result
    models = {node.name: node for node in manifest.nodes.values() if node.resource_type == "model"}

    def measures(mart: str) -> dict[str, tuple[str, str]]:
        return {
            column.name: (column.config.meta["unit"], column.data_type)
            for column in models[mart].columns.values()
            if column.data_type in ("bigint", "double") and column.name not in ("day", "rng_seed")
        }

    saved = {
        name: said
        for name, said in measures("fct_lsm_counterfactual").items()
        if name.endswith("_saved") or name.startswith("extra_")
    }
    assert len(saved) == len(SAVINGS) + len(GAINS)
    stated = measures("fct_lsm_effectiveness_days") | measures("fct_liquidity_efficiency_days") | saved
    assert len(found) == len(stated)
    assert dict(found) == {name: unit for name, (unit, _) in stated.items()}
    listed = shown(
        dbt,
        """
        select * from (values
            {% for metric in experiment_metrics() %}
            ('{{ metric.name }}', {{ metric.is_whole }}){{ ',' if not loop.last }}
            {% endfor %}
        )
    """,
    )
    assert dict(listed) == {name: data_type == "bigint" for name, (_, data_type) in stated.items()}


def test_metrics_of_agents_are_all_measures_of_their_mart_with_their_units(dbt: Dbt) -> None:
    manifest = dbt("parse").result
    [mart] = [node for node in manifest.nodes.values() if node.name == "fct_agent_cost_days"]
    stated = {
        column.name: (column.config.meta["unit"], column.data_type)
        for column in mart.columns.values()
        if column.data_type in ("bigint", "double") and column.name != "day"
    }
    assert len(stated) == 13
    assert dict(dbt.query("select distinct metric, unit from fct_experiment_agents").rows()) == {
        name: unit for name, (unit, _) in stated.items()
    }
    listed = shown(
        dbt,
        """
        select * from (values
            {% for metric in agent_metrics() %}
            ('{{ metric.name }}', {{ metric.is_whole }}){{ ',' if not loop.last }}
            {% endfor %}
        )
    """,
    )
    assert dict(listed) == {name: data_type == "bigint" for name, (_, data_type) in stated.items()}


def test_every_switch_of_the_lsm_tells_twins_apart(dbt: Dbt) -> None:
    [(switches,)] = shown(dbt, "select '{{ lsm_switches() | join(' ') }}'")
    assert switches.split() == [name for name, field in Lsm.model_fields.items() if field.annotation is bool]


# Student's t


def test_tabulated_quantiles_are_those_that_decimal_arithmetic_gives() -> None:
    assert student_t.SEED.read_text() == student_t.csv()
    assert len(student_t.csv().splitlines()) == 1 + student_t.TABULATED_UP_TO


def test_quantiles_leave_a_fortieth_of_the_distribution_above_them(dbt: Dbt) -> None:
    degrees_of_freedom = [*range(1, 202), 500, 1000, 99_999]
    listed = ", ".join(f"({number})" for number in degrees_of_freedom)
    found = shown(
        dbt,
        f"""
        select asked.n, {{{{ t_quantile('asked.n', 't.quantile_0_975') }}}}
        from (values {listed}) as asked(n)
        left join {{{{ ref('t_quantiles') }}}} as t on asked.n = t.degrees_of_freedom
        order by asked.n
    """,
    )
    assert [number for number, _ in found] == degrees_of_freedom
    for number, quantile in found:
        assert integrated_density(quantile, number) == pytest.approx(0.475, abs=1e-9), number
    expanded = [quantile for number, quantile in found if student_t.TABULATED_UP_TO < number <= 1000]
    exact = [float(student_t.quantile(PROBABILITY, number)) for number in (201, 500, 1000)]
    assert expanded == pytest.approx(exact, abs=1e-11)


def integrated_density(t: float, degrees_of_freedom: int, steps: int = 4000) -> float:
    """Student's density from 0 to t, by Simpson's rule."""
    n = degrees_of_freedom
    logarithm = math.lgamma((n + 1) / 2) - math.lgamma(n / 2) - math.log(n * math.pi) / 2

    def density(x: float) -> float:
        return math.exp(logarithm - (n + 1) / 2 * math.log1p(x * x / n))

    inner = (density(t * step / steps) * (4 if step % 2 else 2) for step in range(1, steps))
    return (density(0) + math.fsum(inner) + density(t)) * t / steps / 3


def shown(dbt: Dbt, sql: str) -> list[tuple[Any, ...]]:
    """What a query gives that dbt compiles, macros and all."""
    result = dbt("show", "--inline", sql, "--limit", "-1")
    assert result.success, result.exception
    table = result.result.results[0].agate_table
    return [tuple(float(cell) if isinstance(cell, Decimal) else cell for cell in row) for row in table.rows]


def _of_day(frame: pl.DataFrame, key: tuple[str, int]) -> pl.DataFrame:
    return frame.filter((pl.col("simulation_id") == key[0]) & (pl.col("day") == key[1]))


def _columns(frame: pl.DataFrame, *names: str) -> list[tuple[Any, ...]]:
    return frame.select(names).rows()


def _ratio(part: str, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then(pl.col(part) / whole)


def _less(value: Any, other: Any) -> Any:
    return None if value is None or other is None else value - other


def _close(value: Any, scale: float = 0) -> Any:
    return pytest.approx(value, rel=1e-9, abs=max(1e-12, 1e-9 * scale)) if isinstance(value, float) else value
