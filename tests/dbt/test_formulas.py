"""The marts' formulas against the same measures reckoned in plain Python from the raw tables.

Where the marts clip intervals and sum products, this goes tick by tick and transaction by transaction.
"""

import statistics
from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby
from typing import Any

import polars as pl
import pytest

from pipelines.raw_store import RawStore
from tests.dbt.warehouse import RUNS, Dbt

pytestmark = pytest.mark.slow

Row = dict[str, Any]
ALONE = ("immediate", "queue")


class Simulation:
    """The raw rows of one simulation."""

    def __init__(self, tables: dict[str, list[Row]], simulation_id: str) -> None:
        self.simulation_id = simulation_id
        self.rows = {
            name: [row for row in rows if row["simulation_id"] == simulation_id] for name, rows in tables.items()
        }
        self.ticks_per_day: int = self.rows["simulations"][0]["ticks_per_day"]
        self.payments = {row["transaction"]: row for row in self.rows["arrivals"]}

    def on(self, table: str, day: int) -> list[Row]:
        return [row for row in self.rows[table] if row["day"] == day]


@pytest.fixture(scope="module")
def simulations(built: tuple[Dbt, dict[str, str]]) -> list[Simulation]:
    store = RawStore(built[0].folder)
    tables: dict[str, list[Row]] = defaultdict(list)
    for run_id in [*RUNS, "worked", "behaving", "three_bank_ring"]:
        for day in store.days_stored(run_id):
            for table in ("simulations", "arrivals", "settlements", "queue_snapshots", "lsm_cycles"):
                tables[table] += store.read_table(table, run_id, day).to_dicts()
    ids = {row["simulation_id"] for row in tables["simulations"]}
    return [Simulation(tables, simulation_id) for simulation_id in sorted(ids)]


def test_effectiveness_is_what_a_walk_through_the_day_finds(
    built: tuple[Dbt, dict[str, str]], simulations: list[Simulation]
) -> None:
    mart = _by_key(built[0].query("from fct_lsm_effectiveness_days"), "simulation_id", "day")
    days = [(simulation, row["day"]) for simulation in simulations for row in simulation.rows["simulations"]]
    assert len(days) == len(mart) == 3 * 4 + 2 + 2 * 3 + 3 + 3 + 1
    for simulation, day in days:
        found = mart[simulation.simulation_id, day]
        expected = effectiveness(simulation, day)
        assert set(expected) | {"run_id", "simulation_id", "day"} == set(found)
        for measure, value in expected.items():
            assert found[measure] == (value if value is None else pytest.approx(value)), (simulation, day, measure)


def effectiveness(simulation: Simulation, day: int) -> Row:
    first_tick = day * simulation.ticks_per_day
    ticks = range(first_tick, first_tick + simulation.ticks_per_day)
    carried = [row["transaction"] for row in simulation.on("queue_snapshots", day - 1) if row["outcome"] == "carried"]
    arrived = [row["transaction"] for row in simulation.on("arrivals", day)]
    settled = {row["transaction"]: row for row in simulation.on("settlements", day)}
    queued = {row["transaction"]: row for row in simulation.on("queue_snapshots", day)}
    outstanding = carried + arrived
    assert sorted(outstanding) == sorted([*settled, *queued])

    entries = {name: row["entry_tick"] for name, row in (settled | queued).items()}
    amount = {name: simulation.payments[name]["amount"] for name in outstanding}
    queue1_values, queue2_values, ceiling = [], [], 0
    for tick in ticks:
        here = [name for name in outstanding if simulation.payments[name]["arrival_tick"] <= tick]
        ceiling += sum(amount[name] for name in here)
        waiting = [name for name in here if name not in settled or settled[name]["tick"] > tick]
        in_queue1 = [name for name in waiting if entries[name] is None or entries[name] > tick]
        queue1_values.append(sum(amount[name] for name in in_queue1))
        queue2_values.append(sum(amount[name] for name in waiting) - queue1_values[-1])
    queue_values = [one + two for one, two in zip(queue1_values, queue2_values, strict=True)]

    by_lsm = [name for name, row in settled.items() if row["mechanism"] not in ALONE]
    steps = [
        [row["transaction"] for row in together]
        for _, together in groupby(
            sorted(settled.values(), key=lambda row: row["settlement_seq"]), key=lambda row: row["settlement_seq"]
        )
    ]
    in_arrival_order = sorted(outstanding, key=lambda name: simulation.payments[name]["arrival_seq"])
    used, _ = net_debits(simulation, steps)
    upper, final = net_debits(simulation, [[name] for name in in_arrival_order])
    groups = {
        "carried_in": carried,
        "arrived": arrived,
        "submitted": [name for name, tick in entries.items() if tick is not None and tick >= first_tick],
        "settled": list(settled),
        "unsettled": list(queued),
        "cancelled": [name for name, row in queued.items() if row["outcome"] == "cancelled"],
        "lsm_settled": by_lsm,
    }
    count = {f"{group}_count": len(names) for group, names in groups.items()}
    value = {f"{group}_value": sum(amount[name] for name in names) for group, names in groups.items()}
    worth = sum(amount.values())
    return {
        **count,
        **value,
        "lsm_count_share": _ratio(count["lsm_settled_count"], count["settled_count"]),
        "lsm_value_share": _ratio(value["lsm_settled_value"], value["settled_value"]),
        "liquidity_used": used,
        "liquidity_upper_bound": upper,
        "liquidity_lower_bound": final,
        "turnover": _ratio(value["settled_value"], used),
        "delay_indicator": _ratio(sum(queue_values), ceiling),
        "queue1_delay_indicator": _ratio(sum(queue1_values), ceiling),
        "queue2_delay_indicator": _ratio(sum(queue2_values), ceiling),
        "value_weighted_delay_ticks": _ratio(sum(queue_values), worth),
        "queue1_value_weighted_delay_ticks": _ratio(sum(queue1_values), worth),
        "queue2_value_weighted_delay_ticks": _ratio(sum(queue2_values), worth),
        "queue1_value_peak": max(queue1_values),
        "queue2_value_peak": max(queue2_values),
        "queue_value_peak": max(queue_values),
        "queue1_value_integral": sum(queue1_values),
        "queue2_value_integral": sum(queue2_values),
        "queue_value_integral": sum(queue_values),
    }


def net_debits(simulation: Simulation, steps: Iterable[list[str]]) -> tuple[int, int]:
    """Sum over agents of max(0, largest net debit after any step) and of max(0, the final one)."""
    debit: dict[str, int] = defaultdict(int)
    peak: dict[str, int] = defaultdict(int)
    for step in steps:
        for name in step:
            payment = simulation.payments[name]
            debit[payment["sender"]] += payment["amount"]
            debit[payment["receiver"]] -= payment["amount"]
        for agent, now in debit.items():
            peak[agent] = max(peak[agent], now)
    return sum(peak.values()), sum(max(0, last) for last in debit.values())


@pytest.mark.parametrize(
    ("mart", "keys"),
    [("fct_cycle_type_days", ("mechanism", "cycle_type")), ("fct_cycle_length_days", ("cycle_length",))],
)
def test_a_day_of_cycles_is_what_its_cycles_add_up_to(
    built: tuple[Dbt, dict[str, str]], simulations: list[Simulation], mart: str, keys: tuple[str, ...]
) -> None:
    found = _by_key(built[0].query(f"from {mart}"), "simulation_id", "day", *keys)
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for simulation in simulations:
        for cycle in simulation.rows["lsm_cycles"]:
            groups[simulation.simulation_id, cycle["day"], *(cycle[key] for key in keys)].append(cycle)
    assert set(found) == set(groups)
    assert len(groups) >= 20
    of = {simulation.simulation_id: simulation for simulation in simulations}
    for key, cycles in groups.items():
        settled = of[key[0]].on("settlements", key[1])
        expected = cycle_measures(cycles)
        payments = of[key[0]].payments
        settled_value = sum(payments[row["transaction"]]["amount"] for row in settled)
        expected["settled_value_share"] = expected["gross_value"] / settled_value
        expected["settled_count_share"] = expected["transactions"] / len(settled)
        assert expected.keys() - found[key].keys() == LEFT_OUT[mart]
        for measure in expected.keys() & found[key].keys():
            assert found[key][measure] == pytest.approx(expected[measure]), (key, measure)
        left = found[key].keys() - expected.keys()
        assert left == {"run_id", "simulation_id", "day", *keys} | ({"length_class"} & found[key].keys())


LEFT_OUT = {
    "fct_cycle_type_days": set(),
    "fct_cycle_length_days": {"cycle_length_mean", "cycle_length_median", "cycle_length_max"},
}
"""Measures that a mart does not have: where the length is a key, it needs no mean."""


def cycle_measures(cycles: list[Row]) -> Row:
    gross = [sum(cycle["amounts"]) for cycle in cycles]
    net = [sum(position for position in cycle["net_positions"] if position > 0) for cycle in cycles]
    lengths = [len(cycle["agents"]) for cycle in cycles]
    return {
        "cycles": len(cycles),
        "transactions": sum(len(cycle["transactions"]) for cycle in cycles),
        "gross_value": sum(gross),
        "net_value": sum(net),
        "liquidity_saved": sum(gross) - sum(net),
        "netting_ratio": 1 - sum(net) / sum(gross),
        "cycle_length_mean": statistics.mean(lengths),
        "cycle_length_median": statistics.median(lengths),
        "cycle_length_max": max(lengths),
        "gross_value_mean": statistics.mean(gross),
        "gross_value_median": statistics.median(gross),
        "gross_value_max": max(gross),
    }


def test_a_transactions_waits_and_fate_follow_from_its_raw_rows(
    built: tuple[Dbt, dict[str, str]], simulations: list[Simulation]
) -> None:
    mart = _by_key(built[0].query("from fct_transactions"), "simulation_id", "transaction")
    assert len(mart) == sum(len(simulation.payments) for simulation in simulations) > 500
    for simulation in simulations:
        settled = {row["transaction"]: row for row in simulation.rows["settlements"]}
        nights: dict[str, int] = defaultdict(int)
        for row in simulation.rows["queue_snapshots"]:
            nights[row["transaction"]] += row["outcome"] == "carried"
        stored_until = len(simulation.rows["simulations"]) * simulation.ticks_per_day
        last_seen = {row["transaction"]: row for row in simulation.rows["queue_snapshots"]}
        for name, payment in simulation.payments.items():
            found = mart[simulation.simulation_id, name]
            row = settled.get(name)
            assert found["settlement_tick"] == (row and row["tick"])
            assert found["wait_ticks"] == (row and row["tick"] - payment["arrival_tick"])
            assert found["queue1_wait_ticks"] == (row and row["entry_tick"] - payment["arrival_tick"])
            assert found["queue2_wait_ticks"] == (row and row["tick"] - row["entry_tick"])
            last = row or last_seen[name]
            assert found["wait_reason"] == (None if last.get("queue") == 1 else last["wait_reason"])
            is_held = last["entry_tick"] is None or last["entry_tick"] > payment["arrival_tick"]
            assert found["queue1_wait_reason"] == ("policy" if is_held else None)
            fate = "settled" if row else {"carried": "queued", "cancelled": "cancelled"}[last_seen[name]["outcome"]]
            assert found["status"] == fate
            # Carried over the end of the last stored day is a night that has not been.
            unended = fate == "queued"
            assert found["nights"] == nights[name] - unended
            deadline = payment["deadline_tick"]
            end = {"settled": found["settlement_tick"], "queued": stored_until}.get(
                fate, (payment["day"] + found["nights"] + 1) * simulation.ticks_per_day
            )
            assert found["is_overdue"] == (deadline is not None and end > deadline)


def _by_key(frame: pl.DataFrame, *keys: str) -> dict[tuple[Any, ...], Row]:
    rows = {tuple(row[key] for key in keys): row for row in frame.to_dicts()}
    assert len(rows) == frame.height
    return rows


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
