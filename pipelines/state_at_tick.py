"""What a simulation was like at the end of a tick, rebuilt from what is stored of its days (SPEC 5).

A day may have had hundreds of thousands of transactions; at its end of tick a few of them are queued. Those that had
settled by then are put into the opening balances, and those that arrived later left out, before
`sim_engine.rebuild` makes the state from the rows that remain.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from pipelines.stored_days import (
    StoredDays,
    StoredSimulation,
    arrivals_outstanding_on,
    carried_into,
    days_text,
    stored_simulation,
)
from sim_engine import InputError, Problem
from sim_engine.errors import did_you_mean
from sim_engine.rebuild import RebuiltState, RebuiltTransaction, rebuild_state
from sim_engine.scenario import credit_capacity
from sim_engine.vocabulary import POLICY, WAIT_REASONS

_KEY = ["simulation_id", "transaction"]
_AGENT = ["simulation_id", "day", "agent", "agent_index", "opening_balance", "posted_collateral"]
_TERMS = ["credit_limit", "haircut_bp"]
_ARRIVAL = [
    "simulation_id", "day", "transaction", "sender", "receiver", "amount", "priority", "arrival_tick", "arrival_seq",
    "deadline_tick",
]  # fmt: skip
_ENTRY = ["simulation_id", "day", "transaction", "entry_tick", "entry_seq", "wait_reason"]
_EVENT = ["simulation_id", "day", "event_seq", "agent", "tick", "posted_before", "posted_after"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queued transaction; the other attributes are columns of `arrivals`, `settlements` and `queue_snapshots`.

    queue, position: where it stands, as in `queue_snapshots`. entry_tick, entry_seq: None in Queue 1.
    waited_ticks: ticks since it arrived. is_overdue: whether its deadline has passed, so that it can settle only late.
    """

    queue: int
    position: int
    transaction: str
    sender: str
    receiver: str
    amount: int
    priority: str
    arrival_tick: int
    arrival_seq: int
    deadline_tick: int | None
    entry_tick: int | None
    entry_seq: int | None
    wait_reason: str
    waited_ticks: int
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class AgentAtTick:
    """An agent, or all agents together; money in minor units.

    queue1_size, queue1_value, queue2_size, queue2_value: its own transactions that are queued.
    queue2_receipts_value: what others' transactions in Queue 2 would bring it.
    """

    balance: int
    credit_capacity: int
    available_liquidity: int
    credit_used: int
    posted_collateral: int
    queue1_size: int
    queue1_value: int
    queue2_size: int
    queue2_value: int
    queue2_receipts_value: int


@dataclass(frozen=True)
class StateAtTick:
    """A simulation at the end of a tick: after its last settlement, before an end of day cancels anything.

    tick: of the whole simulation. agents: by name, in the scenario's order. queue1: all Queues 1, by agent and place
    in its queue. queue2: in order.
    """

    simulation: StoredSimulation
    tick: int
    agents: Mapping[str, AgentAtTick]
    queue1: tuple[Waiting, ...]
    queue2: tuple[Waiting, ...]

    @property
    def day(self) -> int:
        """The day of the tick."""
        return self.tick // self.simulation.ticks_per_day

    @property
    def tick_of_day(self) -> int:
        """The tick's place within its day, from 0."""
        return self.tick % self.simulation.ticks_per_day

    @property
    def totals(self) -> AgentAtTick:
        """All agents together, exact beyond int64."""
        columns = zip(*(_figures(agent).values() for agent in self.agents.values()), strict=True)
        return AgentAtTick(*map(sum, columns))

    def queue1_of(self, agent: str | None) -> list[Waiting]:
        """Queue 1 of an agent, or all of them."""
        return [waiting for waiting in self.queue1 if agent in (None, waiting.sender)]

    def queue2_of(self, agent: str | None) -> list[Waiting]:
        """What of Queue 2 an agent is to pay or to receive, or all of it."""
        return [waiting for waiting in self.queue2 if agent in (None, waiting.sender, waiting.receiver)]

    def as_dict(self, agent: str | None = None) -> dict[str, Any]:
        """The state in plain values: of all agents, or of one; its totals are those of the system all the same.

        Keys: simulation_id, run_id, scenario, ticks_per_day, num_days and engine_version as in `simulations`; day, tick
        and tick_of_day; agent, the one that was asked for or None; money_unit; totals and agents, with the attributes
        of AgentAtTick; queue1 and queue2, with those of Waiting.
        """
        return {
            **self.simulation.as_dict(),
            "day": self.day,
            "tick": self.tick,
            "tick_of_day": self.tick_of_day,
            "agent": agent,
            "money_unit": "minor units",
            "totals": _figures(self.totals),
            "agents": [
                {"agent": name} | _figures(figures) for name, figures in self.agents.items() if agent in (None, name)
            ],
            "queue1": [asdict(waiting) for waiting in self.queue1_of(agent)],
            "queue2": [asdict(waiting) for waiting in self.queue2_of(agent)],
        }


def state_at_tick(stored: StoredDays, simulation_id: str, tick: int, agent: str | None = None) -> StateAtTick:
    """The state of a stored simulation at the end of a tick, counted through the whole simulation.

    agent: one that must be in it. Raises InputError if there is no such simulation, tick or agent, or if what is stored
    cannot be read or does not hold together.
    """
    simulation = stored_simulation(stored, simulation_id)
    day = tick // simulation.ticks_per_day
    if day not in simulation.days:
        raise InputError("command line", [Problem("--tick", tick, _ticks_stored(simulation))])
    agents = stored.read("agents", simulation.run_id, day, [simulation_id], [*_AGENT, *_TERMS]).sort("agent_index")
    if agent is not None and agent not in agents["agent"]:
        remedy = f"no such agent in {simulation_id}; {did_you_mean(agent, agents['agent'])}"
        raise InputError("command line", [Problem("--agent", agent, remedy)])
    entries = _entries(stored, simulation, day)
    rebuilt = _rebuilt(stored, simulation, tick, agents, entries)
    return _described(simulation, rebuilt, agents, entries)


def _ticks_stored(simulation: StoredSimulation) -> str:
    per_day, days = simulation.ticks_per_day, simulation.days
    stored = f"{days_text(days)} of {simulation.num_days}, of {per_day} ticks each"
    last = (days[-1] + 1) * per_day - 1
    return f"{simulation.simulation_id} has no such tick stored, but {stored}, the last of which is tick {last}"


def _entries(stored: StoredDays, simulation: StoredSimulation, day: int) -> pl.DataFrame:
    """When each transaction of a day was submitted, and why it joined its queue: those settled, and those queued last.

    tick: when it settled; null if it did not.
    """
    names = [simulation.simulation_id]
    settled = stored.read("settlements", simulation.run_id, day, names, [*_ENTRY, "tick"])
    queued = stored.read("queue_snapshots", simulation.run_id, day, names, [*_ENTRY, "outcome"])
    return pl.concat([settled, queued], how="diagonal")


def _rebuilt(
    stored: StoredDays, simulation: StoredSimulation, tick: int, agents: pl.DataFrame, entries: pl.DataFrame
) -> RebuiltState:
    run_id, names = simulation.run_id, [simulation.simulation_id]
    day = tick // simulation.ticks_per_day
    carried = carried_into(stored, run_id, day, names)
    arrivals = pl.concat(
        [
            stored.read("arrivals", run_id, day, names, _ARRIVAL),
            arrivals_outstanding_on(stored, run_id, day - 1, carried, _ARRIVAL),
        ]
    )
    settled = entries.filter(pl.col("tick") <= tick).select(_KEY)
    over = arrivals.join(settled, on=_KEY, how="semi")
    to_come = arrivals.filter(pl.col("arrival_tick") > tick).select(_KEY)
    # Rows that do not match one that is left out are kept, so that rebuild_state sees what does not hold together.
    aside = pl.concat([over.select(_KEY), to_come])
    carried, arrivals, entries = (rows.join(aside, on=_KEY, how="anti") for rows in (carried, arrivals, entries))
    night = carried.with_columns(
        pl.lit(day - 1, pl.Int64).alias("day"),
        pl.lit("carried").alias("outcome"),
        pl.lit(None, pl.Int64).alias("entry_tick"),
        pl.lit(None, pl.Int64).alias("entry_seq"),
    )
    is_settled = pl.col("tick").is_not_null()
    return rebuild_state(
        simulation.simulation_id,
        tick,
        ticks_per_day=simulation.ticks_per_day,
        agents=_paid(agents, over).rows(named=True),
        arrivals=arrivals.rows(named=True),
        settlements=entries.filter(is_settled).rows(named=True),
        queue_snapshots=[*night.rows(named=True), *entries.filter(~is_settled).rows(named=True)],
        collateral_events=stored.read("collateral_events", run_id, day, names, _EVENT).rows(named=True),
    )


def _paid(agents: pl.DataFrame, settled: pl.DataFrame) -> pl.DataFrame:
    """Agents as if each had opened the day with what it has once these transactions have settled."""
    received = settled.group_by(pl.col("receiver").alias("agent")).agg(pl.col("amount").sum().alias("received"))
    sent = settled.group_by(pl.col("sender").alias("agent")).agg(pl.col("amount").sum().alias("sent"))
    both = agents.join(received, on="agent", how="left").join(sent, on="agent", how="left")
    balance = pl.col("opening_balance") + pl.col("received").fill_null(0) - pl.col("sent").fill_null(0)
    return both.with_columns(balance.alias("opening_balance")).select(agents.columns)


def _described(
    simulation: StoredSimulation, state: RebuiltState, agents: pl.DataFrame, entries: pl.DataFrame
) -> StateAtTick:
    queued = {*(waiting.transaction for waiting in state.queue2)}
    reasons = {
        name: reason
        for name, reason in entries.select("transaction", "wait_reason").iter_rows()
        if name in queued and reason is not None
    }
    queue1 = tuple(
        _waiting(1, position, waiting, state.tick, WAIT_REASONS[POLICY])
        for queue in state.queue1.values()
        for position, waiting in enumerate(queue)
    )
    queue2 = tuple(
        _waiting(2, position, waiting, state.tick, reasons[waiting.transaction])
        for position, waiting in enumerate(state.queue2)
    )
    own1, own2, receipts = _Sums(), _Sums(), _Sums()
    for waiting in queue1:
        own1.add(waiting.sender, waiting.amount)
    for waiting in queue2:
        own2.add(waiting.sender, waiting.amount)
        receipts.add(waiting.receiver, waiting.amount)
    figures = {}
    for row in agents.iter_rows(named=True):
        name = row["agent"]
        balance, posted = state.balances[name], state.posted_collateral[name]
        capacity = credit_capacity(row["credit_limit"], posted, row["haircut_bp"])
        figures[name] = AgentAtTick(
            balance=balance,
            credit_capacity=capacity,
            available_liquidity=balance + capacity,
            credit_used=max(0, -balance),
            posted_collateral=posted,
            queue1_size=own1.sizes.get(name, 0),
            queue1_value=own1.values.get(name, 0),
            queue2_size=own2.sizes.get(name, 0),
            queue2_value=own2.values.get(name, 0),
            queue2_receipts_value=receipts.values.get(name, 0),
        )
    return StateAtTick(simulation, state.tick, figures, queue1, queue2)


class _Sums:
    """Number and value of transactions by agent."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.values: dict[str, int] = {}

    def add(self, agent: str, amount: int) -> None:
        self.sizes[agent] = self.sizes.get(agent, 0) + 1
        self.values[agent] = self.values.get(agent, 0) + amount


def _waiting(queue: int, position: int, waiting: RebuiltTransaction, tick: int, wait_reason: str) -> Waiting:
    deadline = waiting.deadline_tick
    return Waiting(
        queue=queue,
        position=position,
        **asdict(waiting),
        wait_reason=wait_reason,
        waited_ticks=tick - waiting.arrival_tick,
        is_overdue=deadline is not None and deadline <= tick,
    )


def _figures(agent: AgentAtTick) -> dict[str, int]:
    return asdict(agent)
