"""A few lines that a banker can read, run through the engine, and what came of them in the same words.

    bank A 0   bank B 100 credit 50   bank C 10 collateral 80 haircut 2500
    pay A>B 500   pay B>C 800 @3   pay C>A 700 urgent

Payments are named T1, T2, ... as they stand; a tick after @ counts through the whole simulation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from sim_engine import DayRecord, LsmCycle, Scenario, SystemState, parse_scenario, run_days
from sim_engine.records import lsm_cycles_of
from sim_engine.vocabulary import (
    COLLATERAL_ACTIONS,
    COLLATERAL_REASONS,
    HIT_LIMITS,
    MECHANISMS,
    NONE,
    OUTCOMES,
    PRIORITIES,
    WAIT_REASONS,
)

_BANK_KEYS = {"credit": "credit_limit", "collateral": "posted_collateral", "haircut": "haircut_bp"}
_QUEUE2_KEYS = ("discipline", "entry")
_LSM_KEYS = ("max_", "every_", "bilateral_max_")


def scenario_of(
    text: str, *, lsm: str = "bilateral ring gridlock", behaviour: Mapping[str, Any] | None = None, **options: Any
) -> Scenario:
    """The scenario that the lines describe.

    lsm: the mechanisms that are on. behaviour: further keys of agents, by id. options: keys of the scenario file, and
    those of its `queue2` and `lsm`.
    """
    agents: list[dict[str, Any]] = []
    arrivals: list[dict[str, Any]] = []
    words = iter(text.split())
    statement: dict[str, Any] = {}
    for word in words:
        if word == "bank":
            statement = {"id": next(words), "opening_balance": int(next(words))}
            agents.append(statement)
        elif word == "pay":
            sender, receiver = next(words).split(">")
            statement = {"sender": sender, "receiver": receiver, "amount": int(next(words)), "tick": 0}
            statement["id"] = f"T{len(arrivals) + 1}"
            arrivals.append(statement)
        elif word.startswith("@"):
            statement["tick"] = int(word[1:])
        elif word in PRIORITIES:
            statement["priority"] = word
        elif word == "deadline":
            statement["deadline"] = int(next(words))
        else:
            statement[_BANK_KEYS[word]] = int(next(words))
    for agent in agents:
        agent |= (behaviour or {}).get(agent["id"], {})
    on = set(lsm.split())
    mechanisms: dict[str, Any] = {name: name in on for name in ("bilateral", "ring", "gridlock", "entry_offset")}
    assert on <= set(mechanisms), on
    limits = {key: options.pop(key) for key in tuple(options) if key.startswith(_LSM_KEYS)}
    queue2 = {key: options.pop(key) for key in tuple(options) if key in _QUEUE2_KEYS}
    days = options.pop("days", 1)
    last_tick = max([arrival["tick"] for arrival in arrivals], default=0)
    raw = {
        "name": "told",
        "ticks_per_day": options.pop("ticks_per_day", last_tick // days + 1),
        "num_days": days,
        "agents": agents,
        "arrivals": arrivals,
        "queue2": queue2,
        "lsm": mechanisms | limits,
    } | options
    return parse_scenario(raw, source=Path("told.yaml"))


@dataclass(frozen=True)
class Day:
    """What one day left behind, in words."""

    scenario: Scenario
    record: DayRecord
    closing: SystemState

    def pay(self, row: int) -> str:
        """A transaction as "A>B 500"."""
        transactions, names = self.record.transactions, self.scenario.agent_ids
        ends = f"{names[transactions.senders[row]]}>{names[transactions.receivers[row]]}"
        return f"{ends} {transactions.amounts[row]}"

    @property
    def settled(self) -> list[str]:
        """Settlements in order, as "A>B 500 immediate"."""
        settlements = self.record.settlements
        return [
            f"{self.pay(row)} {MECHANISMS[mechanism]}"
            for row, mechanism in zip(settlements.transactions, settlements.mechanisms, strict=True)
        ]

    @property
    def settled_ids(self) -> list[str]:
        return [self.record.transactions.ids[row] for row in self.record.settlements.transactions]

    @property
    def steps(self) -> list[int]:
        return self.record.settlements.seqs.tolist()

    @property
    def ticks_settled(self) -> list[int]:
        return self.record.settlements.ticks.tolist()

    @property
    def waits(self) -> dict[str, str | None]:
        """Why each transaction that was submitted joined Queue 2, by id; None if it did not."""
        settlements, queued = self.record.settlements, self.record.queued_at_end
        rows = [*settlements.transactions, *queued.transactions]
        reasons = [*settlements.wait_reasons, *queued.wait_reasons]
        ids = self.record.transactions.ids
        told = {ids[row]: reason for row, reason in zip(rows, reasons, strict=True)}
        return {name: None if told[name] == NONE else WAIT_REASONS[told[name]] for name in sorted(told)}

    @property
    def entered(self) -> dict[str, int]:
        """The tick in which each transaction that left Queue 1 did, by id."""
        settlements, queued = self.record.settlements, self.record.queued_at_end
        rows = [*settlements.transactions, *queued.transactions]
        ticks = [*settlements.entry_ticks.tolist(), *queued.entry_ticks.tolist()]
        ids = self.record.transactions.ids
        told = {ids[row]: tick for row, tick in zip(rows, ticks, strict=True)}
        return {name: told[name] for name in sorted(told) if told[name] != NONE}

    @property
    def collateral(self) -> list[str]:
        """Changes of collateral in order, as "A posted 40 to 50 @2 on_need"."""
        events, names = self.record.collateral_events, self.scenario.agent_ids
        return [
            f"{names[agent]} {COLLATERAL_ACTIONS[action]} {abs(after - before)} to {after} @{tick} "
            f"{COLLATERAL_REASONS[reason]}"
            for agent, tick, action, before, after, reason in zip(
                events.agents,
                events.ticks,
                events.actions,
                events.posted_before,
                events.posted_after,
                events.reasons,
                strict=True,
            )
        ]

    @property
    def cycle_records(self) -> list[LsmCycle]:
        return list(lsm_cycles_of(self.record, "told.base.s0", self.scenario.agent_ids))

    @property
    def cycles(self) -> list[str]:
        """Cycles in order, as "ring: A>B 5, B>C 5, C>A 5"."""
        cycles, offsets = self.record.lsm_cycles, self.record.lsm_cycles.transaction_offsets
        return [
            f"{MECHANISMS[mechanism]}: "
            + ", ".join(self.pay(row) for row in cycles.transactions[offsets[seq] : offsets[seq + 1]])
            for seq, mechanism in enumerate(cycles.mechanisms)
        ]

    @property
    def runs(self) -> list[dict[str, Any]]:
        """LSM runs in order, by attribute of records.LsmRuns."""
        columns = {
            field.name: getattr(self.record.lsm_runs, field.name).tolist() for field in fields(self.record.lsm_runs)
        }
        columns["hit_limits"] = [HIT_LIMITS[code] for code in columns["hit_limits"]]
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    @property
    def queue(self) -> list[str]:
        """Queue 2 at the end of the day, before any cancellation, in order."""
        return self._queued_in(2)

    @property
    def queue1(self) -> list[str]:
        """All Queues 1 at the end of the day, before any cancellation, by agent, each in order."""
        return self._queued_in(1)

    def _queued_in(self, queue: int) -> list[str]:
        queued = self.record.queued_at_end
        return [
            self.pay(row) for row, stands in zip(queued.transactions, queued.queues, strict=True) if stands == queue
        ]

    @property
    def outcomes(self) -> list[str]:
        return [OUTCOMES[code] for code in self.record.queued_at_end.outcomes]

    @property
    def balances(self) -> dict[str, int]:
        return dict(zip(self.scenario.agent_ids, self.closing.balances, strict=True))

    @property
    def posted(self) -> dict[str, int]:
        return dict(zip(self.scenario.agent_ids, self.closing.posted_collateral, strict=True))


@dataclass(frozen=True)
class Story:
    """All days of a told scenario; what is asked of the story as a whole is the days' one after the other."""

    days: list[Day]

    @property
    def settled(self) -> list[str]:
        return [line for day in self.days for line in day.settled]

    @property
    def settled_ids(self) -> list[str]:
        return [name for day in self.days for name in day.settled_ids]

    @property
    def ticks_settled(self) -> list[int]:
        return [tick for day in self.days for tick in day.ticks_settled]

    @property
    def entered(self) -> dict[str, int]:
        told = {name: tick for day in self.days for name, tick in day.entered.items()}
        return dict(sorted(told.items()))

    @property
    def collateral(self) -> list[str]:
        return [line for day in self.days for line in day.collateral]

    @property
    def cycles(self) -> list[str]:
        return [line for day in self.days for line in day.cycles]

    @property
    def cycle_records(self) -> list[LsmCycle]:
        return [cycle for day in self.days for cycle in day.cycle_records]

    @property
    def runs(self) -> list[dict[str, Any]]:
        return [run for day in self.days for run in day.runs]

    @property
    def steps(self) -> list[int]:
        return [step for day in self.days for step in day.steps]

    @property
    def queue(self) -> list[str]:
        return self.days[-1].queue

    @property
    def queue1(self) -> list[str]:
        return self.days[-1].queue1

    @property
    def balances(self) -> dict[str, int]:
        return self.days[-1].balances

    @property
    def posted(self) -> dict[str, int]:
        return self.days[-1].posted

    @property
    def waits(self) -> dict[str, str | None]:
        return {name: reason for day in self.days for name, reason in day.waits.items()}


def settle_story(text: str, **options: Any) -> Story:
    """Runs the lines (see scenario_of) through all their days."""
    scenario = scenario_of(text, **options)
    days = run_days(scenario, SystemState.opening(scenario), scenario.stated.num_days)
    return Story([Day(scenario, record, closing) for record, closing in days])
