"""The tables of every run keep the laws of SPEC 5, checked from their rows alone."""

import dataclasses
import hashlib
import json
from collections import Counter, defaultdict

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.contracts import CONTRACTS, schema_of, validate
from pipelines.runs import Member
from sim_engine import Scenario
from sim_engine.records import AgentCosts
from tests.helpers.behaving import behaving_scenarios
from tests.helpers.drawing import crowded_scenarios, scenarios
from tests.helpers.settling import scenario_of
from tests.helpers.tables import Rows, frames_of, frames_of_day, member_of, rows_of, run_all_days

LSM = ("bilateral", "ring", "gridlock")
NETTING = (*LSM, "entry_offset")
CLASSES = ("urgent", "normal", "low")
MECHANISMS = ("immediate", "queue", *NETTING)


def grouped(rows: Rows, *keys: str) -> dict:
    """Rows by the values of one column, or of several as a tuple."""
    groups = defaultdict(list)
    for row in rows:
        groups[row[keys[0]] if len(keys) == 1 else tuple(row[key] for key in keys)].append(row)
    return groups


class Laws:
    """The laws of one simulation over its tables' rows."""

    def __init__(self, scenario: Scenario, rows: dict[str, Rows]) -> None:
        self.days = scenario.stated.num_days
        self.ticks_per_day = scenario.stated.ticks_per_day
        self.cancels = scenario.stated.end_of_day == "cancel"
        self.agents = [agent.id for agent in scenario.stated.agents]
        self.stated = scenario.stated.agents
        self.rows = rows
        self.arrived = {row["transaction"]: row for row in rows["arrivals"]}
        self.settled = {row["transaction"]: row for row in rows["settlements"]}
        submitted = [*rows["settlements"], *(row for row in rows["queue_snapshots"] if row["queue"] == 2)]
        self.entries = {row["transaction"]: row for row in submitted}

    def check(self) -> None:
        self.every_table_has_its_rows()
        self.policies_are_those_in_force()
        self.numbers_run_as_they_should()
        self.collateral_changes_by_events()
        self.every_transaction_ends_once()
        self.money_moves_by_settlements()
        self.steps_are_simultaneous()
        self.cycles_are_what_settled()
        self.runs_add_up()
        self.ticks_add_up()
        self.agent_days_add_up()

    def every_table_has_its_rows(self) -> None:
        per_agent_day = [(day, agent) for day in range(self.days) for agent in self.agents]
        for table in ("agents", "agent_days", "policy_snapshots"):
            assert [(row["day"], row["agent"]) for row in self.rows[table]] == per_agent_day
        assert [row["agent_index"] for row in self.rows["agents"]] == [*range(len(self.agents))] * self.days
        assert [row["day"] for row in self.rows["simulations"]] == [*range(self.days)]
        assert [row["tick"] for row in self.rows["ticks"]] == [*range(self.days * self.ticks_per_day)]
        ticks = {
            "arrivals": "arrival_tick",
            "settlements": "tick",
            "lsm_cycles": "tick",
            "lsm_runs": "tick",
            "ticks": "tick",
            "collateral_events": "tick",
        }
        for table, column in ticks.items():
            assert [row["day"] for row in self.rows[table]] == [
                row[column] // self.ticks_per_day for row in self.rows[table]
            ]

    def policies_are_those_in_force(self) -> None:
        in_force = [agent.policy_on(day) for day in range(self.days) for agent in self.stated]
        assert [row["policy"] for row in self.rows["agents"]] == [policy.name for policy in in_force]
        snapshots = self.rows["policy_snapshots"]
        assert [{row["policy"]: json.loads(row["parameters"])} for row in snapshots] == [
            policy.model_dump(mode="json") for policy in in_force
        ]
        alike = {(row["policy"], row["parameters"]) for row in snapshots}
        assert len({row["policy_hash"] for row in snapshots}) == len(alike)

    def numbers_run_as_they_should(self) -> None:
        arrivals = self.rows["arrivals"]
        assert [row["arrival_seq"] for row in arrivals] == [*range(len(arrivals))]
        assert [row["arrival_tick"] for row in arrivals] == sorted(row["arrival_tick"] for row in arrivals)
        entries = sorted(self.entries.values(), key=lambda row: row["entry_seq"])
        assert [row["entry_seq"] for row in entries] == [*range(len(entries))]
        # Those of one tick are submitted in order of arrival, whoever sends them.
        order = [(row["entry_tick"], self.arrived[row["transaction"]]["arrival_seq"]) for row in entries]
        assert order == sorted(order)
        for rows in grouped(self.rows["settlements"], "day").values():
            seqs = [row["settlement_seq"] for row in rows]
            assert seqs == sorted(seqs)
            assert set(seqs) == set(range(len(set(seqs))))
        for rows in grouped(self.rows["lsm_cycles"], "day").values():
            assert [row["cycle_seq"] for row in rows] == [*range(len(rows))]
        queued1 = [row for row in self.rows["queue_snapshots"] if row["queue"] == 1]
        for rows in grouped(queued1, "day", "agent").values():
            assert [row["position"] for row in rows] == [*range(len(rows))]
            seqs = [self.arrived[row["transaction"]]["arrival_seq"] for row in rows]
            assert seqs == sorted(seqs)
        queued2 = [row for row in self.rows["queue_snapshots"] if row["queue"] == 2]
        for rows in grouped(queued2, "day").values():
            assert [row["position"] for row in rows] == [*range(len(rows))]
            order = [(CLASSES.index(self.arrived[row["transaction"]]["priority"]), row["entry_seq"])
                     for row in rows]  # fmt: skip
            assert order == sorted(order)
        for rows in grouped(self.rows["collateral_events"], "day").values():
            assert [row["event_seq"] for row in rows] == [*range(len(rows))]
            ticks_and_agents = [(row["tick"], self.agents.index(row["agent"])) for row in rows]
            assert ticks_and_agents == sorted(set(ticks_and_agents))

    def collateral_changes_by_events(self) -> None:
        agents = grouped(self.rows["agents"], "day")
        posted = {row["agent"]: row["posted_collateral"] for row in agents[0]}
        assert posted == {agent.id: agent.posted_collateral for agent in self.stated}
        for day in range(self.days):
            assert {row["agent"]: row["posted_collateral"] for row in agents[day]} == posted
            for row in [row for row in self.rows["collateral_events"] if row["day"] == day]:
                assert row["posted_before"] == posted[row["agent"]]
                signed = {"posted": row["amount"], "withdrawn": -row["amount"]}[row["action"]]
                posted[row["agent"]] += signed
                assert row["posted_after"] == posted[row["agent"]]

    def every_transaction_ends_once(self) -> None:
        assert len(self.arrived) == len(self.rows["arrivals"])
        assert len(self.settled) == len(self.rows["settlements"])
        arrived, settled = grouped(self.rows["arrivals"], "day"), grouped(self.rows["settlements"], "day")
        queued = grouped(self.rows["queue_snapshots"], "day")
        carried: set[str] = set()
        for day in range(self.days):
            outstanding = carried | {row["transaction"] for row in arrived[day]}
            at_end = {row["transaction"] for row in queued[day]}
            assert len(at_end) == len(queued[day])
            assert outstanding == {row["transaction"] for row in settled[day]} | at_end
            assert {row["outcome"] for row in queued[day]} <= {"cancelled" if self.cancels else "carried"}
            carried = set() if self.cancels else at_end

    def money_moves_by_settlements(self) -> None:
        """Replays every step: balances, their extremes, and liquidity that is never negative."""
        opening = {row["agent"]: row for row in self.rows["agents"] if row["day"] == 0}
        balance = {agent: row["opening_balance"] for agent, row in opening.items()}
        posted = {agent: row["posted_collateral"] for agent, row in opening.items()}
        changes = list(self.rows["collateral_events"])

        def available(agent: str) -> int:
            row = opening[agent]
            return balance[agent] + row["credit_limit"] + posted[agent] * (10_000 - row["haircut_bp"]) // 10_000

        def post_until(tick: int) -> None:
            """Collateral changes before anything settles in its tick."""
            while changes and changes[0]["tick"] <= tick:
                change = changes.pop(0)
                posted[change["agent"]] = change["posted_after"]
                assert available(change["agent"]) >= 0

        total = sum(balance.values())
        agents, agent_days = grouped(self.rows["agents"], "day"), grouped(self.rows["agent_days"], "day")
        settled = grouped(self.rows["settlements"], "day")
        self.balance_at_tick_end = {}
        for day in range(self.days):
            assert {row["agent"]: row["opening_balance"] for row in agents[day]} == balance
            opened, lowest, highest = dict(balance), dict(balance), dict(balance)
            for rows in grouped(settled[day], "settlement_seq").values():
                post_until(rows[0]["tick"])
                for row in rows:
                    paid = self.arrived[row["transaction"]]
                    balance[paid["sender"]] -= paid["amount"]
                    balance[paid["receiver"]] += paid["amount"]
                for agent in self.agents:
                    assert available(agent) >= 0
                    lowest[agent] = min(lowest[agent], balance[agent])
                    highest[agent] = max(highest[agent], balance[agent])
                self.balance_at_tick_end[rows[0]["tick"]] = dict(balance)
            post_until((day + 1) * self.ticks_per_day - 1)
            assert sum(balance.values()) == total
            for row in agent_days[day]:
                agent = row["agent"]
                assert (row["opening_balance"], row["closing_balance"]) == (opened[agent], balance[agent])
                assert (row["min_balance"], row["max_balance"]) == (lowest[agent], highest[agent])
                assert row["peak_net_debit"] == opened[agent] - lowest[agent]

    def steps_are_simultaneous(self) -> None:
        for rows in grouped(self.rows["settlements"], "day", "settlement_seq").values():
            assert len({(row["tick"], row["mechanism"], row["lsm_pass"]) for row in rows}) == 1
            cycles = {row["cycle_seq"] for row in rows}
            mechanism = rows[0]["mechanism"]
            assert mechanism in NETTING or (len(rows) == 1 and cycles == {None})
            assert (mechanism == "entry_offset") == (rows[0]["lsm_pass"] == 0)
            assert mechanism in ("gridlock", "immediate", "queue") or len(cycles) == 1
        for row in self.rows["settlements"]:
            assert (row["mechanism"] == "immediate") == (row["wait_reason"] is None)
            assert self.arrived[row["transaction"]]["arrival_tick"] <= row["entry_tick"] <= row["tick"]
            assert row["mechanism"] != "immediate" or row["entry_tick"] == row["tick"]

    def cycles_are_what_settled(self) -> None:
        by_cycle = grouped([row for row in self.rows["settlements"] if row["mechanism"] in NETTING], "day", "cycle_seq")
        assert set(by_cycle) == {(row["day"], row["cycle_seq"]) for row in self.rows["lsm_cycles"]}
        for cycle in self.rows["lsm_cycles"]:
            settled = by_cycle[cycle["day"], cycle["cycle_seq"]]
            names = cycle["transactions"]
            assert [row["transaction"] for row in settled] == names
            for column in ("tick", "mechanism", "lsm_pass"):
                assert {row[column] for row in settled} == {cycle[column]}
            assert all(row["wait_reason"] is not None for row in settled)
            paid = [self.arrived[name] for name in names]
            assert [row["amount"] for row in paid] == cycle["amounts"]
            assert sum(cycle["amounts"]) == cycle["total_value"]
            assert min(cycle["amounts"]) == cycle["min_amount"]
            net = {
                agent: sum(row["amount"] for row in paid if row["receiver"] == agent)
                - sum(row["amount"] for row in paid if row["sender"] == agent)
                for agent in cycle["agents"]
            }
            assert list(net.values()) == cycle["net_positions"]
            assert sum(cycle["net_positions"]) == 0
            assert cycle["settled_value"] == sum(max(0, -position) for position in net.values()) <= cycle["total_value"]
            ends = {row["sender"] for row in paid} | {row["receiver"] for row in paid}
            assert len(cycle["agents"]) == cycle["cycle_length"] == len(ends)
            assert set(cycle["agents"]) == ends
            assert (cycle["cycle_type"] == "bilateral") == (cycle["cycle_length"] == 2)
            self.agents_and_transactions_stand_in_order(cycle, paid, settled)

    def agents_and_transactions_stand_in_order(self, cycle: dict, paid: Rows, settled: Rows) -> None:
        indexes = [self.agents.index(agent) for agent in cycle["agents"]]
        payers = [row["sender"] for row in paid]
        order = [(CLASSES.index(row["priority"]), one["entry_seq"])
                 for row, one in zip(paid, settled, strict=True)]  # fmt: skip
        by_index_and_queue = indexes == sorted(indexes) and order == sorted(order)
        along_the_ring = (
            indexes[0] == min(indexes)
            and payers == cycle["agents"]
            and [row["receiver"] for row in paid] == cycle["agents"][1:] + cycle["agents"][:1]
        )
        assert along_the_ring if cycle["mechanism"] == "ring" else by_index_and_queue
        assert cycle["cycle_length"] >= 3 or cycle["mechanism"] != "ring"
        is_of_two = cycle["cycle_length"] == 2 and len(set(payers)) == 2
        assert is_of_two or cycle["mechanism"] not in ("bilateral", "entry_offset")
        # On entry one transaction is offset: what it is offset against is of the other side.
        assert cycle["mechanism"] != "entry_offset" or min(Counter(payers).values()) == 1

    def runs_add_up(self) -> None:
        in_runs = [cycle for cycle in self.rows["lsm_cycles"] if cycle["mechanism"] != "entry_offset"]
        cycles, settled = grouped(in_runs, "tick"), grouped(self.rows["settlements"], "tick")
        assert set(cycles) <= {run["tick"] for run in self.rows["lsm_runs"]}
        for run in self.rows["lsm_runs"]:
            own = cycles[run["tick"]]
            assert [run[f"{mechanism}_cycles"] for mechanism in LSM] == [
                sum(cycle["mechanism"] == mechanism for cycle in own) for mechanism in LSM
            ]
            assert run["settled_transactions"] == sum(len(cycle["transactions"]) for cycle in own)
            assert run["total_value"] == sum(cycle["total_value"] for cycle in own)
            assert run["settled_value"] == sum(cycle["settled_value"] for cycle in own)
            last = max([cycle["lsm_pass"] for cycle in own], default=0)
            passes = {"none": (last + 1,), "passes": (last,), "cycles": (last, last + 1)}
            assert run["passes"] in passes[run["hit_limit"]]
            assert run["queue_size_before"] - run["queue_size_after"] == (
                run["settled_transactions"] + run["retry_settled"]
            )
            assert run["queue_value_before"] - run["queue_value_after"] == run["total_value"] + run["retry_value"]
            # Retries of the run stand after its first cycle; with no cycle there was no retry.
            steps = settled[run["tick"]]
            first_cycle = min([row["settlement_seq"] for row in steps if row["mechanism"] in LSM], default=None)
            retried = [
                self.arrived[row["transaction"]]["amount"]
                for row in steps
                if first_cycle is not None and row["mechanism"] == "queue" and row["settlement_seq"] > first_cycle
            ]
            assert (run["retry_settled"], run["retry_value"]) == (len(retried), sum(retried))
            assert run["value_bound"] is None

    def ticks_add_up(self) -> None:
        self.sizes_max: dict[tuple[int, int, str], int] = {}
        arrived, settled = grouped(self.rows["arrivals"], "arrival_tick"), grouped(self.rows["settlements"], "tick")
        queue1: Counter[str] = Counter()
        queue2: Counter[str] = Counter()
        entered = grouped(self.entries.values(), "entry_tick")
        balance = {row["agent"]: row["opening_balance"] for row in self.rows["agents"] if row["day"] == 0}
        for row in self.rows["ticks"]:
            tick = row["tick"]
            queue1 += Counter({one["transaction"]: one["amount"] for one in arrived[tick]})
            for one in entered[tick]:
                queue2[one["transaction"]] = queue1.pop(one["transaction"])
            for one in settled[tick]:
                del queue2[one["transaction"]]
            balance = self.balance_at_tick_end.get(tick, balance)
            assert (row["arrivals"], row["arrival_value"]) == (
                len(arrived[tick]), sum(one["amount"] for one in arrived[tick]),
            )  # fmt: skip
            for mechanism in MECHANISMS:
                amounts = [
                    self.arrived[one["transaction"]]["amount"] for one in settled[tick] if one["mechanism"] == mechanism
                ]
                assert (row[f"settled_{mechanism}"], row[f"settled_value_{mechanism}"]) == (len(amounts), sum(amounts))
            assert (row["queue1_size"], row["queue1_value"]) == (len(queue1), queue1.total())
            assert (row["queue2_size"], row["queue2_value"]) == (len(queue2), queue2.total())
            for number, queue in enumerate((queue1, queue2), start=1):
                sizes = Counter(self.arrived[name]["sender"] for name in queue)
                for agent in self.agents:
                    largest = self.sizes_max.setdefault((row["day"], number, agent), 0)
                    self.sizes_max[row["day"], number, agent] = max(largest, sizes[agent])
            assert row["intraday_credit_used"] == sum(max(0, -one) for one in balance.values())
            if self.cancels and tick % self.ticks_per_day == self.ticks_per_day - 1:
                queue1.clear()
                queue2.clear()

    def agent_days_add_up(self) -> None:
        for row in self.rows["agent_days"]:
            day, agent = row["day"], row["agent"]
            to_send = [one["amount"] for one in self.rows["arrivals"] if (one["day"], one["sender"]) == (day, agent)]
            settled = [one | self.arrived[one["transaction"]] for one in self.rows["settlements"] if one["day"] == day]
            sent = [one["amount"] for one in settled if one["sender"] == agent]
            received = [one["amount"] for one in settled if one["receiver"] == agent]
            assert (row["arrivals"], row["arrival_value"]) == (len(to_send), sum(to_send))
            assert (row["sent"], row["sent_value"]) == (len(sent), sum(sent))
            assert (row["received"], row["received_value"]) == (len(received), sum(received))
            assert row["lsm_releases"] == sum(one["sender"] == agent and one["mechanism"] in NETTING for one in settled)
            queued = [one for one in self.rows["queue_snapshots"] if (one["day"], one["agent"]) == (day, agent)]
            assert all(self.arrived[one["transaction"]]["sender"] == agent for one in queued)
            for number in (1, 2):
                assert row[f"queue{number}_size_end"] == sum(one["queue"] == number for one in queued)
                assert row[f"queue{number}_size_max"] == self.sizes_max[day, number, agent]


def check_laws(scenario: Scenario) -> None:
    records = [record for record, _ in run_all_days(scenario)]
    assert len(records) == scenario.stated.num_days
    Laws(scenario, rows_of(scenario, records)).check()


@settings(max_examples=60)
@given(scenarios())
def test_the_tables_of_every_run_keep_the_laws(scenario):
    check_laws(scenario)


@settings(max_examples=40)
@given(crowded_scenarios())
def test_the_tables_of_every_crowded_run_keep_the_laws(scenario):
    check_laws(scenario)


@settings(max_examples=60)
@given(behaving_scenarios())
def test_the_tables_of_every_run_of_agents_that_behave_keep_the_laws(scenario):
    check_laws(scenario)


@pytest.mark.slow
@settings(max_examples=250)
@given(st.one_of(scenarios(), crowded_scenarios(), crowded_scenarios(ring_only=True), behaving_scenarios()))
def test_the_tables_of_many_runs_keep_the_laws(scenario):
    check_laws(scenario)


@settings(max_examples=40)
@given(st.one_of(scenarios(), crowded_scenarios(), behaving_scenarios()))
def test_the_tables_of_every_run_keep_their_contracts(scenario):
    frames = frames_of(scenario, [record for record, _ in run_all_days(scenario)])
    assert set(frames) == set(CONTRACTS)
    for table, frame in frames.items():
        validate(table, frame)


LINES = """
    bank A 0 credit 3 collateral 10 haircut 5000   bank B 3   bank C 0
    pay A>B 30 urgent deadline 4   pay B>C 31 low   pay C>A 30   pay B>A 2   pay A>C 99 @1
"""


def test_a_day_as_rows():
    """B pays A 2; the ring then takes B's last 1; A's 99 wait over the night."""
    scenario = scenario_of(LINES, ticks_per_day=2, days=2)
    rows = rows_of(scenario, [record for record, _ in run_all_days(scenario)])
    stem = {"simulation_id": "told.base.s0", "day": 0}
    assert rows["agents"][0] == stem | {
        "agent": "A", "agent_index": 0, "opening_balance": 0, "credit_limit": 3, "posted_collateral": 10,
        "haircut_bp": 5000, "policy": "fifo",
    }  # fmt: skip
    assert rows["arrivals"][0] == stem | {
        "transaction": "T1", "sender": "A", "receiver": "B", "amount": 30, "priority": "urgent", "arrival_tick": 0,
        "arrival_seq": 0, "deadline_tick": 4, "parent": None,
    }  # fmt: skip
    alone = stem | {
        "transaction": "T4", "tick": 0, "settlement_seq": 0, "mechanism": "immediate", "entry_tick": 0, "entry_seq": 3,
        "lsm_pass": None, "cycle_seq": None, "wait_reason": None,
    }  # fmt: skip
    leg = stem | {
        "tick": 0, "settlement_seq": 1, "mechanism": "ring", "entry_tick": 0, "lsm_pass": 1, "cycle_seq": 0,
        "wait_reason": "liquidity",
    }  # fmt: skip
    legs = [leg | {"transaction": f"T{place + 1}", "entry_seq": place} for place in range(3)]
    assert rows["settlements"] == [alone, *legs]
    assert rows["lsm_cycles"] == [
        stem | {
            "cycle_seq": 0, "tick": 0, "lsm_pass": 1, "mechanism": "ring", "cycle_type": "multilateral",
            "cycle_length": 3, "agents": ["A", "B", "C"], "transactions": ["T1", "T2", "T3"],
            "amounts": [30, 31, 30], "net_positions": [0, -1, 1], "min_amount": 30, "settled_value": 1,
            "total_value": 91,
        }
    ]  # fmt: skip
    assert rows["lsm_runs"][0] == stem | {
        "tick": 0, "passes": 2, "bilateral_cycles": 0, "ring_cycles": 1, "gridlock_cycles": 0,
        "settled_transactions": 3, "total_value": 91, "settled_value": 1, "retry_settled": 0, "retry_value": 0,
        "queue_size_before": 3, "queue_size_after": 0, "queue_value_before": 91, "queue_value_after": 0,
        "value_bound": None, "hit_limit": "none",
    }  # fmt: skip
    nothing = {f"settled_{kind}{mechanism}": 0 for mechanism in MECHANISMS for kind in ("", "value_")}
    assert rows["ticks"][:2] == [
        stem | nothing | {
            "tick": 0, "arrivals": 4, "arrival_value": 93, "settled_immediate": 1, "settled_value_immediate": 2,
            "settled_ring": 3, "settled_value_ring": 91, "queue1_size": 0, "queue1_value": 0, "queue2_size": 0,
            "queue2_value": 0, "intraday_credit_used": 0,
        },
        stem | nothing | {
            "tick": 1, "arrivals": 1, "arrival_value": 99, "queue1_size": 0, "queue1_value": 0, "queue2_size": 1,
            "queue2_value": 99, "intraday_credit_used": 0,
        },
    ]  # fmt: skip
    assert rows["agent_days"][1] == stem | {
        "agent": "B", "opening_balance": 3, "closing_balance": 0, "min_balance": 0, "max_balance": 3,
        "peak_net_debit": 3, "arrivals": 2, "arrival_value": 33, "sent": 2, "sent_value": 33, "received": 1,
        "received_value": 30, "lsm_releases": 1, "queue1_size_max": 0, "queue2_size_max": 0, "queue1_size_end": 0,
        "queue2_size_end": 0, "cost_overdraft": 0, "cost_delay": 0, "cost_overdue": 0, "cost_collateral": 0,
        "cost_unsettled": 0,
    }  # fmt: skip
    waiting = {
        "agent": "A", "queue": 2, "position": 0, "transaction": "T5", "entry_tick": 1, "entry_seq": 4,
        "outcome": "carried", "wait_reason": "liquidity",
    }  # fmt: skip
    assert rows["queue_snapshots"] == [stem | waiting, stem | {"day": 1} | waiting]
    assert rows["collateral_events"] == []


BEHAVING_LINES = """
    bank A 0 collateral 10 haircut 5000   bank B 4
    pay A>B 9 deadline 4   pay A>B 8 urgent   pay B>A 7 @1
"""
BEHAVING = scenario_of(
    BEHAVING_LINES,
    lsm="entry_offset",
    ticks_per_day=3,
    days=2,
    behaviour={
        "A": {
            "policy": {"deadline": {"urgency_ticks": 1}},
            "policy_changes": [{"day": 1, "policy": {"receipt_reactive": {"allowance": 7}}}],
            "collateral": {"on_need": {"max": 12}},
        }
    },
)
"""A's 9 never leave its Queue 1: on day 0 they are due only from tick 3 on, on day 1 they exceed the allowance. For its
urgent 8 it posts 2 more, and has 6; in tick 1 they are offset against B's 7.
"""


def test_a_day_on_which_agents_behave_as_rows():
    rows = rows_of(BEHAVING, [record for record, _ in run_all_days(BEHAVING)])
    stem = {"simulation_id": "told.base.s0", "day": 0}
    assert rows["collateral_events"] == [
        stem | {
            "event_seq": 0, "agent": "A", "tick": 0, "action": "posted", "amount": 2, "posted_before": 10,
            "posted_after": 12, "reason": "on_need",
        }
    ]  # fmt: skip
    leg = stem | {
        "tick": 1, "settlement_seq": 0, "mechanism": "entry_offset", "lsm_pass": 0, "cycle_seq": 0,
        "wait_reason": "liquidity",
    }  # fmt: skip
    assert rows["settlements"] == [
        leg | {"transaction": "T2", "entry_tick": 0, "entry_seq": 0},
        leg | {"transaction": "T3", "entry_tick": 1, "entry_seq": 1},
    ]
    assert rows["lsm_cycles"] == [
        stem | {
            "cycle_seq": 0, "tick": 1, "lsm_pass": 0, "mechanism": "entry_offset", "cycle_type": "bilateral",
            "cycle_length": 2, "agents": ["A", "B"], "transactions": ["T2", "T3"], "amounts": [8, 7],
            "net_positions": [-1, 1], "min_amount": 7, "settled_value": 1, "total_value": 15,
        }
    ]  # fmt: skip
    assert rows["lsm_runs"] == []
    waiting = {
        "agent": "A", "queue": 1, "position": 0, "transaction": "T1", "entry_tick": None, "entry_seq": None,
        "outcome": "carried", "wait_reason": "policy",
    }  # fmt: skip
    assert rows["queue_snapshots"] == [stem | waiting, stem | {"day": 1} | waiting]
    columns = ("agent", "opening_balance", "posted_collateral", "policy")
    assert [tuple(row[column] for column in columns) for row in rows["agents"]] == [
        ("A", 0, 10, "deadline"), ("B", 4, 0, "fifo"), ("A", -1, 12, "receipt_reactive"), ("B", 5, 0, "fifo"),
    ]  # fmt: skip
    ends = [(row["queue1_size"], row["queue1_value"], row["queue2_size"], row["queue2_value"]) for row in rows["ticks"]]
    assert ends == [(1, 9, 1, 8), *[(1, 9, 0, 0)] * 5]
    assert [row["peak_net_debit"] for row in rows["agent_days"]] == [1, 0, 0, 0]


def test_a_policy_is_told_by_name_parameters_and_their_digest_on_each_day():
    snapshots = rows_of(BEHAVING, [record for record, _ in run_all_days(BEHAVING)])["policy_snapshots"]
    told = [
        ("A", "deadline", '{"urgency_ticks":1}'),
        ("B", "fifo", "{}"),
        ("A", "receipt_reactive", '{"allowance":7}'),
        ("B", "fifo", "{}"),
    ]
    assert [(row["agent"], row["policy"], row["parameters"]) for row in snapshots] == told
    digests = [hashlib.sha256(f"{name}\n{parameters}".encode()).hexdigest() for _, name, parameters in told]
    assert [row["policy_hash"] for row in snapshots] == digests


def test_costs_stand_with_their_agent_in_the_column_of_their_kind():
    ((record, _),) = run_all_days(scenario_of("bank A 0   bank B 5"))
    kinds = ["overdraft", "delay", "overdue", "collateral", "unsettled"]
    costs = AgentCosts(**{kind: np.array([10 + place, 20 + place]) for place, kind in enumerate(kinds)})
    day = [(member_of(scenario_of("bank A 0   bank B 5")), dataclasses.replace(record, agent_costs=costs))]
    agent_days = frames_of_day(day)["agent_days"]
    columns = [f"cost_{kind}" for kind in kinds]
    assert agent_days.columns[-5:] == columns
    assert agent_days.select(columns).rows() == [(10, 11, 12, 13, 14), (20, 21, 22, 23, 24)]


def test_frames_have_the_types_of_their_contracts_with_and_without_rows():
    scenario = scenario_of(LINES)
    ((record, _),) = run_all_days(scenario)
    empty = frames_of_day([])
    full = frames_of_day([(member_of(scenario), record)])
    assert list(empty) == list(full) == list(CONTRACTS)
    for table in CONTRACTS:
        assert full[table].schema == empty[table].schema == schema_of(table)
        assert empty[table].height == 0
        validate(table, empty[table])


def test_members_stand_one_after_the_other_in_the_order_given():
    one, other = scenario_of(LINES, rng_seed=5), scenario_of(LINES, rng_seed=3)
    day = [(member_of(scenario), run_all_days(scenario)[0][0]) for scenario in (one, other)]
    frames = frames_of_day(day)
    for table in ("simulations", "agents", "arrivals", "ticks"):
        seeds = frames[table]["simulation_id"].unique(maintain_order=True).to_list()
        assert seeds == ["told.base.s5", "told.base.s3"]
    assert frames["arrivals"].height == 10


def test_money_near_the_limit_stays_exact_in_the_tables():
    most = 2**63 - 1
    scenario = scenario_of(f"bank A {most // 2}  bank B 0  pay A>B {most // 2}  pay B>A 1")
    ((record, _),) = run_all_days(scenario)
    frames = frames_of_day([(member_of(scenario), record)])
    assert frames["ticks"]["arrival_value"].to_list() == [most // 2 + 1]
    assert frames["agent_days"]["sent_value"].to_list() == [most // 2, 1]
    assert frames["agent_days"]["closing_balance"].to_list() == [1, most // 2 - 1]
    assert frames["agent_days"]["peak_net_debit"].to_list() == [most // 2, 0]


def test_config_in_the_simulations_table_is_the_text_that_its_hash_names():
    scenario = scenario_of(LINES)
    ((record, _),) = run_all_days(scenario)
    row = frames_of_day([(member_of(scenario), record)])["simulations"].row(0, named=True)
    assert pl.Series([row["config"]]).to_list() == [scenario.config]
    assert (row["scenario_hash"], row["num_agents"], row["ticks_per_day"]) == (scenario.scenario_hash, 3, 2)


# Members of a run, whose arms may differ in anything but the days

ARMS = {
    "plain": scenario_of(LINES, ticks_per_day=2, days=3),
    "more_agents_fewer_ticks": scenario_of(
        "bank Z 9  bank A 0  bank B 5  bank C 0  pay Z>A 4  pay A>B 3  pay C>Z 8 @1 low  pay Z>C 80 @1", days=3,
        ticks_per_day=1,
    ),
    "nothing_to_pay": scenario_of("bank A 0  bank B 5", days=3, ticks_per_day=4),
    "no_lsm": scenario_of(LINES, lsm="", ticks_per_day=2, days=3, end_of_day="cancel"),
    "queued_first": scenario_of(LINES, ticks_per_day=2, days=3, entry="queue", discipline="fifo"),
    "behaving": scenario_of(
        LINES.replace("A", "P"), lsm="ring entry_offset", ticks_per_day=2, days=3,
        behaviour={"P": {"policy": {"receipt_reactive": {"allowance": 40}}, "collateral": {"on_need": {"max": 30}}}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "arms", [["plain", "no_lsm"], ["nothing_to_pay"], [*ARMS], [*reversed(ARMS)], ["nothing_to_pay", *ARMS, "plain"]]
)
def test_tables_of_several_members_are_theirs_end_to_end(arms):
    members = [Member("told", f"arm_{place}", "arm_0", ARMS[arm]) for place, arm in enumerate(arms)]
    records = [run_all_days(member.scenario) for member in members]
    for day in range(3):
        alone = [frames_of_day([(member, days[day][0])]) for member, days in zip(members, records, strict=True)]
        together = frames_of_day([(member, days[day][0]) for member, days in zip(members, records, strict=True)])
        assert list(together) == list(CONTRACTS)
        for table in CONTRACTS:
            assert together[table].equals(pl.concat([frames[table] for frames in alone]))
            assert together[table].n_chunks() == 1
            validate(table, together[table])
    assert together["ticks"].height == sum(member.scenario.stated.ticks_per_day for member in members)


def test_a_simulation_names_its_arm_and_the_one_it_is_compared_with():
    members = [Member("told", arm, "off", ARMS["no_lsm"]) for arm in ("on", "off")]
    records = [run_all_days(member.scenario)[0][0] for member in members]
    simulations = frames_of_day(zip(members, records, strict=True))["simulations"]
    assert simulations.select("arm", "baseline_arm").rows() == [("on", "off"), ("off", "off")]


def test_the_arms_above_differ_in_what_they_leave():
    """Transactions carried in, cycles, settlements, and days without any of them."""
    records = {arm: [record for record, _ in run_all_days(scenario)] for arm, scenario in ARMS.items()}
    carried = {arm: [record.transactions.carried for record in days] for arm, days in records.items()}
    cycles = {arm: sum(len(record.lsm_cycles.ticks) for record in days) for arm, days in records.items()}
    assert carried["plain"][1:] == [1, 1]
    assert carried["more_agents_fewer_ticks"][2] > 0
    assert carried["nothing_to_pay"] == carried["no_lsm"] == [0, 0, 0]
    assert [len(record.collateral_events.ticks) for record in records["behaving"]] == [1, 0, 0]
    assert [record.queued_at_end.queues.tolist() for record in records["behaving"]] == [[1], [1], [1]]
    assert cycles["plain"] > 0
    assert cycles["queued_first"] > 0
    assert cycles["no_lsm"] == cycles["nothing_to_pay"] == 0


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_the_width_of_whole_numbers_in_records_is_no_matter(dtype):
    """Counts and places may be narrower than money."""
    scenario = ARMS["plain"]
    ((record, _), *_) = run_all_days(scenario)
    money = {"amounts", "net_positions", "min_amounts", "intraday_credit_used"}

    def with_width(part):
        arrays = {
            field.name: getattr(part, field.name).astype(dtype)
            for field in dataclasses.fields(part)
            if isinstance(getattr(part, field.name), np.ndarray)
            and getattr(part, field.name).dtype in (np.int32, np.int64)
            and not (field.name in money or "value" in field.name or "balance" in field.name or "coll" in field.name)
            and not field.name.startswith("posted_")
        }
        assert arrays
        return dataclasses.replace(part, **arrays)

    parts = {field.name: getattr(record, field.name) for field in dataclasses.fields(record) if field.name != "day"}
    parts = {name: part if name == "tick_ends" else with_width(part) for name, part in parts.items()}
    frames = frames_of_day([(member_of(scenario), dataclasses.replace(record, **parts))])
    expected = frames_of_day([(member_of(scenario), record)])
    assert expected["lsm_cycles"].height > 0
    assert [table for table in CONTRACTS if not frames[table].equals(expected[table])] == []
