"""What a report's statements give, against sums over whole marts, row by row, that know nothing of SQL."""

import re
from collections import defaultdict
from pathlib import Path
from statistics import mean, quantiles
from typing import Any

import duckdb
import pytest

from pipelines.report import questions
from pipelines.report.marts import MARTS_READ
from pipelines.report.questions import Subject
from tests.helpers.built_reports import Reports

pytestmark = pytest.mark.slow

SUBJECTS = (
    Subject("carried", "lsm_on", "lsm_off", ticks_per_day=30, days=6),
    Subject("netted", "twice_a_day", "lsm_off", ticks_per_day=30, days=2),
)
Row = dict[str, Any]


@pytest.fixture(params=SUBJECTS, ids=lambda subject: subject.run_id)
def subject(request: pytest.FixtureRequest) -> Subject:
    return request.param


def rows_of(reports: Reports, mart: str, run_id: str, *arms: str) -> list[Row]:
    """A mart's rows of some arms of a run, with `arm`; of all its arms if none is named."""
    arm_of = {
        row["simulation_id"]: row["arm"]
        for row in reports.ask("select * exclude (config) from dim_simulations").iter_rows(named=True)
        if row["run_id"] == run_id
    }
    everything = reports.ask(f"select * from {mart}").iter_rows(named=True)
    rows = [{**row, "arm": arm_of[row["simulation_id"]]} for row in everything if row["run_id"] == run_id]
    found = [row for row in rows if not arms or row["arm"] in arms]
    assert found
    return found


def asked(reports: Reports, statement: str) -> list[Row]:
    found = list(reports.ask(statement).iter_rows(named=True))
    assert found
    return found


def by(rows: list[Row], *keys: str) -> dict[tuple[Any, ...], list[Row]]:
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row[key] for key in keys)].append(row)
    return dict(sorted(groups.items()))


def total(rows: list[Row], column: str) -> int:
    return sum(row[column] or 0 for row in rows)


def stretch(subject: Subject, tick: int) -> int:
    """Every tick of a day of 30 is a stretch of its own."""
    assert subject.bin_ticks == 1
    return tick % 30


def test_kinds_are_sums_over_the_arms_cycles(reports: Reports, subject: Subject) -> None:
    cycles = rows_of(reports, "fct_lsm_cycles", subject.run_id, subject.arm)
    settled = total(rows_of(reports, "fct_lsm_effectiveness_days", subject.run_id, subject.arm), "settled_value")
    assert asked(reports, questions.cycle_kinds(subject)) == [
        {"mechanism": mechanism, "cycle_type": kind, **netted(found),
         "settled_value_share": pytest.approx(total(found, "total_value") / settled)}
        for (mechanism, kind), found in by(cycles, "mechanism", "cycle_type").items()
    ]  # fmt: skip


def test_lengths_are_sums_over_the_arms_cycles(reports: Reports, subject: Subject) -> None:
    cycles = rows_of(reports, "fct_lsm_cycles", subject.run_id, subject.arm)
    assert asked(reports, questions.cycle_lengths(subject)) == [
        {"cycle_length": length, **netted(found)} for (length,), found in by(cycles, "cycle_length").items()
    ]


def netted(cycles: list[Row]) -> Row:
    gross, net = total(cycles, "total_value"), total(cycles, "settled_value")
    return {
        "cycles": len(cycles),
        "transactions": sum(len(cycle["transactions"]) for cycle in cycles),
        "gross_value": gross,
        "net_value": net,
        "liquidity_saved": gross - net,
        "netting_ratio": pytest.approx((gross - net) / gross),
    }


def test_cycles_over_the_day_are_those_of_a_mean_simulated_day(reports: Reports, subject: Subject) -> None:
    cycles = [
        {**cycle, "from_tick": stretch(subject, cycle["tick"])}
        for cycle in rows_of(reports, "fct_lsm_cycles", subject.run_id, subject.arm)
    ]
    assert asked(reports, questions.cycles_over_the_day(subject)) == [
        {"mechanism": mechanism, "cycle_type": kind, "from_tick": tick,
         "cycles_a_day": pytest.approx(len(found) / subject.days),
         "gross_value_a_day": pytest.approx(total(found, "total_value") / subject.days)}
        for (mechanism, kind, tick), found in by(cycles, "mechanism", "cycle_type", "from_tick").items()
    ]  # fmt: skip
    assert asked(reports, questions.lengths_over_the_day(subject)) == [
        {"length_from": length, "from_tick": tick, "cycles_a_day": pytest.approx(len(found) / subject.days)}
        for (length, tick), found in by(cycles, "cycle_length", "from_tick").items()
    ]  # no cycle of five banks is longer than 5


def test_queues_are_those_of_the_arm_and_its_twin(reports: Reports, subject: Subject) -> None:
    ticks = [
        {**row, "from_tick": stretch(subject, row["tick_of_day"])}
        for row in rows_of(reports, "fct_ticks", subject.run_id, subject.arm, subject.twin_arm or "")
    ]
    found = asked(reports, questions.queues_over_the_day(subject))
    groups = by(ticks, "arm", "from_tick")
    assert len(found) == len(groups) == 2 * 30
    for row, ((arm, tick), of_stretch) in zip(found, groups.items(), strict=True):
        queued = [each["queue1_value"] + each["queue2_value"] for each in of_stretch]
        assert len(queued) == subject.days
        deciles = quantiles(queued, n=10, method="inclusive")
        assert row == {
            "arm": arm,
            "from_tick": tick,
            "queue_value": pytest.approx(mean(queued)),
            "queue_value_decile_1": pytest.approx(deciles[0]),
            "queue_value_decile_9": pytest.approx(deciles[-1]),
            "queue2_value": pytest.approx(mean(each["queue2_value"] for each in of_stretch)),
        }


def test_what_banks_hold_back_is_queued_too(reports: Reports) -> None:
    subject = Subject("behaving", "base", None, ticks_per_day=3, days=3)
    ticks = rows_of(reports, "fct_ticks", "behaving")
    queued = {
        tick: mean(row["queue1_value"] + row["queue2_value"] for row in ticks if row["tick_of_day"] == tick)
        for tick in range(3)
    }
    assert any(row["queue1_value"] for row in ticks)
    found = asked(reports, questions.queues_over_the_day(subject))
    assert {row["from_tick"]: row["queue_value"] for row in found} == pytest.approx(queued)


def test_queues_of_a_stretch_are_the_mean_over_its_ticks(reports: Reports) -> None:
    """A day of 600 ticks has stretches of 15."""
    subject = Subject("thousand", "base", None, ticks_per_day=600, days=1)
    found = asked(reports, questions.queues_over_the_day(subject))
    ticks = rows_of(reports, "fct_ticks", "thousand")
    assert [row["from_tick"] for row in found] == list(range(0, 600, 15))
    for row in found:
        of_stretch = [tick for tick in ticks if row["from_tick"] <= tick["tick_of_day"] < row["from_tick"] + 15]
        assert len(of_stretch) == 15
        queued = mean(tick["queue1_value"] + tick["queue2_value"] for tick in of_stretch)
        assert row["queue_value"] == pytest.approx(queued)


def test_days_are_means_over_simulations_and_shares_of_their_sums(reports: Reports, subject: Subject) -> None:
    days = rows_of(reports, "fct_lsm_effectiveness_days", subject.run_id, subject.arm)
    assert asked(reports, questions.days(subject)) == [
        {"day": day, "simulations": len(found),
         **{name: pytest.approx(total(found, name) / len(found))
            for name in ("settled_count", "settled_value", "unsettled_value", "liquidity_used")},
         "lsm_value_share": pytest.approx(total(found, "lsm_settled_value") / total(found, "settled_value")),
         "turnover": pytest.approx(total(found, "settled_value") / total(found, "liquidity_used"))}
        for (day,), found in by(days, "day").items()
    ]  # fmt: skip


def test_pairs_are_sums_of_what_each_paid_the_other_in_cycles(reports: Reports, subject: Subject) -> None:
    legs = rows_of(reports, "fct_lsm_cycle_transactions", subject.run_id, subject.arm)
    pairs = defaultdict(list)
    for leg in legs:
        pairs[tuple(sorted((leg["sender"], leg["receiver"])))].append(leg)
    expected = [
        {"agent": one, "counterparty": other, "transactions": len(found), "gross_value": total(found, "amount"),
         "paid_by_agent": total([leg for leg in found if leg["sender"] == one], "amount") or None,
         "paid_by_counterparty": total([leg for leg in found if leg["sender"] == other], "amount") or None}
        for (one, other), found in pairs.items()
    ]  # fmt: skip
    expected.sort(key=lambda row: (-row["gross_value"], row["agent"], row["counterparty"]))
    assert asked(reports, questions.netting_pairs(subject, 60)) == expected
    assert asked(reports, questions.netting_pairs(subject, 2)) == expected[:2]
    agents = {agent for pair in pairs for agent in pair}
    assert asked(reports, questions.agents_in_cycles(subject)) == [{"agents": len(agents), "pairs": len(pairs)}]


def test_agents_give_and_get_what_their_cycles_say(reports: Reports, subject: Subject) -> None:
    given: dict[str, Row] = defaultdict(lambda: dict.fromkeys(("cycles", "paid", "gives", "receives", "saved"), 0))
    for cycle in rows_of(reports, "fct_lsm_cycles", subject.run_id, subject.arm):
        legs = [
            leg for leg in rows_of(reports, "fct_lsm_cycle_transactions", subject.run_id, subject.arm)
            if all(leg[key] == cycle[key] for key in ("simulation_id", "day", "cycle_seq"))
        ]  # fmt: skip
        for agent in cycle["agents"]:
            paid = total([leg for leg in legs if leg["sender"] == agent], "amount")
            received = total([leg for leg in legs if leg["receiver"] == agent], "amount")
            of_agent = given[agent]
            of_agent["cycles"] += 1
            of_agent["paid"] += paid
            of_agent["gives"] += max(0, paid - received)
            of_agent["receives"] += max(0, received - paid)
            of_agent["saved"] += min(paid, received)
    found = asked(reports, questions.agents(subject, 60))
    said = ("agent", "cycles", "cycle_paid_value", "liquidity_provided", "liquidity_received", "liquidity_saved")
    expected = sorted(given.items(), key=lambda item: (-item[1]["gives"] - item[1]["saved"], item[0]))
    assert [tuple(row[name] for name in said) for row in found] == [(agent, *of.values()) for agent, of in expected]


def test_costs_are_those_of_a_mean_simulated_day_of_each_arm(reports: Reports) -> None:
    costs = rows_of(reports, "fct_agent_cost_days", "carried")
    names = [f"cost_{kind}" for kind in ("total", "overdraft", "delay", "overdue", "collateral", "unsettled")]
    assert asked(reports, questions.costs("carried")) == [
        {"arm": arm, **{name: pytest.approx(total(found, name) / 6) for name in names}}
        for (arm,), found in by(costs, "arm").items()
    ]


def test_arms_and_differences_are_those_of_the_run(reports: Reports, subject: Subject) -> None:
    mart = [
        row for row in reports.ask("select * from fct_experiment_arms").iter_rows(named=True)
        if row["run_id"] == subject.run_id and row["metric"] in questions.METRICS
    ]  # fmt: skip
    mart.sort(key=lambda row: (questions.METRICS.index(row["metric"]), row["arm"]))
    for found, expected in (
        (asked(reports, questions.arms(subject.run_id)), mart),
        (
            asked(reports, questions.differences(subject.run_id)),
            [row for row in mart if row["arm"] != row["baseline_arm"] and row["pairs"]],
        ),
    ):
        assert found == [{name: row[name] for name in found[0]} for row in expected]
    saved = {row["metric"]: row["mean"] for row in asked(reports, questions.savings(subject))}
    of_mart = reports.ask("select * from fct_experiment_arms").iter_rows(named=True)
    assert saved == {
        row["metric"]: row["mean"] for row in of_mart
        if (row["run_id"], row["arm"]) == (subject.run_id, subject.arm) and row["metric"] in saved
    }  # fmt: skip
    assert len(saved) == len(asked(reports, questions.savings(subject))) == 4


def test_an_arm_has_the_twin_that_differs_in_the_lsm_alone(reports: Reports) -> None:
    assert reports.ask(questions.lsm_switches("carried")).rows() == [
        ("lsm_off", True, False, None),
        ("lsm_on", False, True, "lsm_off"),
    ]
    # Other arms enter Queue 2 in another way than the one without LSM.
    assert reports.ask(questions.lsm_switches("netted")).rows() == [
        ("each_tick", True, True, None),
        ("lsm_off", False, False, None),
        ("twice_a_day", False, True, None),
    ]


def test_tests_that_are_no_laws_are_counted_by_kind(reports: Reports) -> None:
    tests = [
        row for row in reports.ask("select * from fct_data_tests").iter_rows(named=True)
        if row["run_id"] == "carried" and row["kind"] != "law"
    ]  # fmt: skip
    assert asked(reports, questions.other_tests("carried")) == [
        {"kind": kind, "tests": len(found), "passed": sum(row["status"] == "pass" for row in found),
         "failures": total(found, "failures")}
        for (kind,), found in by(tests, "kind").items()
    ]  # fmt: skip


def test_the_configuration_is_that_of_the_arms_first_seed(reports: Reports) -> None:
    (configured,) = asked(reports, questions.config(SUBJECTS[0]))
    configs = reports.ask("select simulation_id, config from dim_simulations").rows()
    assert configured["config"] == dict(configs)["carried.lsm_on.s1"]


def test_the_marts_that_a_report_waits_for_are_those_that_it_asks() -> None:
    asked = re.findall(r"\b(?:from|join) ((?:dim|fct)_\w+)", Path(questions.__file__).read_text(encoding="utf-8"))
    assert sorted(set(asked)) == sorted(MARTS_READ)


def test_of_four_mechanisms_each_has_a_cycle_among_the_largest() -> None:
    """Six cycles are shown, two at most of each; the two smallest are the only ones of their mechanism."""
    connection = duckdb.connect()
    connection.execute(
        "create table dim_simulations as "
        "select 'r' as run_id, 'r.base.s1' as simulation_id, 'base' as arm, 1 as rng_seed"
    )
    saved = {"bilateral": (90, 80, 70), "gridlock": (60, 50), "ring": (40, 30), "entry_offset": (2, 1)}
    cycles = [(mechanism, value) for mechanism, values in saved.items() for value in values]
    listed = ", ".join(f"('{mechanism}', {value}, {seq})" for seq, (mechanism, value) in enumerate(cycles))
    connection.execute(
        f"""create table fct_lsm_cycles as select 'r' as run_id, 'r.base.s1' as simulation_id, 0 as day, cycle_seq,
        0 as tick, 1 as lsm_pass, mechanism, 'bilateral' as cycle_type, 2 as cycle_length, ['a', 'b'] as transactions,
        100 as total_value, 100 - saved as settled_value, saved as liquidity_saved, 0 as wait_ticks_max
        from (values {listed}) as cycles(mechanism, saved, cycle_seq)"""
    )
    found = connection.sql(questions.largest_cycles(Subject("r", "base", None, 1, 1), 2, 6)).pl()
    assert found.select("mechanism", "liquidity_saved").rows() == [
        ("bilateral", 90), ("bilateral", 80), ("gridlock", 60), ("gridlock", 50), ("ring", 40), ("entry_offset", 2),
    ]  # fmt: skip
