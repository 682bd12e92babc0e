"""What one day hands to the next: a value that can be stored and started from."""

import json
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any

from sim_engine.errors import InputError, Problem
from sim_engine.scenario import Scenario, opening_money
from sim_engine.version import __version__


@dataclass(frozen=True, slots=True)
class QueuedTransaction:
    """A transaction carried into a day. Money in minor units, ticks through the whole simulation.

    queue: 1 or 2. deadline_tick: -1 for none. entry_tick, entry_seq, wait_reason: -1 in Queue 1.
    sender, receiver: agent indexes. priority, wait_reason: codes of sim_engine.vocabulary.
    """

    id: str
    sender: int
    receiver: int
    amount: int
    priority: int
    arrival_tick: int
    arrival_seq: int
    deadline_tick: int
    queue: int
    entry_tick: int
    entry_seq: int
    wait_reason: int


_attributes = attrgetter(*(attribute.name for attribute in fields(QueuedTransaction)))


@dataclass(frozen=True, slots=True)
class SystemState:
    """The system between two days.

    scenario_hash, engine_version: what it belongs to; a day is started only by the same.
    day: the day that opens with it, from 0.
    balances, posted_collateral: by agent index, minor units.
    queued: Queue 1 by agent and place in its queue, then Queue 2 in order.
    arrivals_count, entries_count: arrivals and submissions so far; the next arrival_seq and entry_seq.
    money_total: opening balances plus all amounts that have arrived, minor units.
    """

    scenario_hash: str
    day: int
    balances: tuple[int, ...]
    posted_collateral: tuple[int, ...]
    queued: tuple[QueuedTransaction, ...]
    arrivals_count: int
    entries_count: int
    money_total: int
    engine_version: str = field(default=__version__)

    @classmethod
    def opening(cls, scenario: Scenario) -> "SystemState":
        """The system before day 0."""
        agents = scenario.stated.agents
        return cls(
            scenario_hash=scenario.scenario_hash,
            day=0,
            balances=tuple(agent.opening_balance for agent in agents),
            posted_collateral=tuple(agent.posted_collateral for agent in agents),
            queued=(),
            arrivals_count=0,
            entries_count=0,
            money_total=opening_money(scenario.stated),
        )

    def to_json(self) -> str:
        """The state as one line of canonical JSON: equal states give equal text."""
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        content["queued"] = [_attributes(row) for row in self.queued]
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "SystemState":
        """The state that to_json wrote. Raises ValueError if the text is no such state."""
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"not a stored system state: {error}") from error
        return cls.from_content(content)

    @classmethod
    def from_content(cls, content: dict[str, Any]) -> "SystemState":
        """The state whose JSON has been read already. Raises ValueError if it is no such state."""
        try:
            sequences = {name: tuple(content[name]) for name in ("balances", "posted_collateral")}
            queued = tuple(QueuedTransaction(*row) for row in content["queued"])
            return cls(**(content | sequences | {"queued": queued}))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a stored system state: {error}") from error


def check_state_fits(state: SystemState, scenario: Scenario) -> None:
    """Raises InputError if a day of the scenario cannot start from the state."""
    problems = []
    if state.scenario_hash != scenario.scenario_hash:
        remedy = f"the scenario is {scenario.scenario_hash}; it has changed, so run it again from day 0"
        problems.append(Problem("scenario_hash", state.scenario_hash, remedy))
    if state.engine_version != __version__:
        remedy = f"this engine is {__version__}; a run keeps one version, so run it again from day 0"
        problems.append(Problem("engine_version", state.engine_version, remedy))
    if state.day >= scenario.stated.num_days:
        remedy = (
            f"the scenario's days are 0..{scenario.stated.num_days - 1}; raise num_days and run it again from day 0"
        )
        problems.append(Problem("day", state.day, remedy))
    if problems:
        raise InputError(f"stored state before day {state.day} of {scenario.stated.name}", problems)
