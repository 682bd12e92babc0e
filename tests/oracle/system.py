"""The system within a day: accounts, both queues, and the record of what happens to them."""

from dataclasses import dataclass

import numpy as np

from sim_engine.records import DayRecord, Transactions
from sim_engine.scenario import Scenario, credit_capacities, credit_capacity
from sim_engine.state import QueuedTransaction, SystemState
from tests.oracle.bounds import Bounds
from tests.oracle.costs import agent_costs
from tests.oracle.item import Item
from tests.oracle.ledger import Ledger
from tests.oracle.lsm.netting import net_positions
from tests.oracle.lsm.run import LsmRun
from tests.oracle.queue2 import Queue2
from tests.oracle.recorder import Recorder
from tests.oracle.ring_memory import RingMemory


@dataclass(frozen=True, slots=True)
class Cycle:
    """Items that settle together, with their agents, both in the order in which the cycle is recorded."""

    agents: list[int]
    items: list[Item]


class System:
    """One simulated day under way.

    rules, agents: what the scenario states. policies: those in force on the day, by agent. ledger, queue1 (by agent),
    queue2: where money and payments stand. bounds: what agents may pay. posted: collateral by agent, minor units.
    released_today, received_today, values_of_day: by agent, minor units; see policies.View. idle_ticks: by agent, in a
    row. ring_memory: what the ring search remembers within the day. recorder: what has happened so far.
    """

    def __init__(self, scenario: Scenario, opening: SystemState, transactions: Transactions) -> None:
        """Opens a day from the state that the day before closed with and the transactions outstanding in it."""
        agents = scenario.stated.agents
        self.rules = scenario.stated
        self.day = opening.day
        self.ticks_per_day = scenario.stated.ticks_per_day
        self.first_tick = opening.day * self.ticks_per_day
        self.agents = agents
        self.policies = [agent.policy_on(opening.day) for agent in agents]
        self.transactions = transactions
        self.ring_memory = RingMemory(len(agents))
        self.ledger = Ledger(
            opening.balances,
            credit_capacities(scenario.stated, opening.posted_collateral),
            self.ring_memory,
        )
        self.bounds = Bounds(agents, self.ledger, opening.balances, self.ring_memory)
        self.posted = list(opening.posted_collateral)
        self.released_today = [0] * len(agents)
        self.received_today = [0] * len(agents)
        self.values_of_day = [0] * len(agents)
        self.idle_ticks = [0] * len(agents)
        self.queue1: list[list[Item]] = [[] for _ in agents]
        self.queue2 = Queue2(len(agents), self.ring_memory.pair_has_new_oldest)
        self.recorder = Recorder(len(agents))
        self._scenario = scenario
        self._opening = opening
        self._entries_count = opening.entries_count
        self._items = [
            Item(row, *attributes)
            for row, attributes in enumerate(
                zip(
                    self.transactions.senders.tolist(),
                    self.transactions.receivers.tolist(),
                    self.transactions.amounts.tolist(),
                    self.transactions.priorities.tolist(),
                    self.transactions.arrival_seqs.tolist(),
                    self.transactions.deadline_ticks.tolist(),
                    strict=True,
                )
            )
        ]
        self._first_arrival_by_tick = transactions.carried + np.searchsorted(
            transactions.arrival_ticks[transactions.carried :], self.first_tick + np.arange(self.ticks_per_day + 1)
        )
        self._requeue(opening)
        for item in [*(item for queue in self.queue1 for item in queue), *self._items[transactions.carried :]]:
            self.values_of_day[item.sender] += item.amount

    def _requeue(self, opening: SystemState) -> None:
        """Puts carried transactions where they stood."""
        row_of = {
            transaction: row for row, transaction in enumerate(self.transactions.ids[: self.transactions.carried])
        }
        for transaction in opening.queued:
            item = self._items[row_of[transaction.id]]
            if transaction.queue == 1:
                self.queue1[item.sender].append(item)
            else:
                item.entry_tick = transaction.entry_tick
                item.entry_seq = transaction.entry_seq
                item.wait_reason = transaction.wait_reason
                self.queue2.insert(item)

    def admit_arrivals(self, tick: int) -> None:
        """Puts the tick's arrivals into their senders' Queue 1."""
        first, last = self._first_arrival_by_tick[tick - self.first_tick : tick - self.first_tick + 2]
        for item in self._items[first:last]:
            self.queue1[item.sender].append(item)

    def next_entry_seq(self) -> int:
        """The place of the next submission among all of the simulation."""
        self._entries_count += 1
        return self._entries_count - 1

    def settle_alone(self, item: Item, mechanism: int, tick: int) -> None:
        """One settlement step of a single transaction, which may stand in Queue 2."""
        if item.in_queue2:
            self.queue2.remove([item])
        self.ledger.move({item.sender: -item.amount, item.receiver: item.amount})
        self._count([item])
        self.recorder.step([item], mechanism, tick)

    def settle_cycles(self, cycles: list[Cycle], mechanism: int, run: LsmRun) -> None:
        """One settlement step of queued transactions, recorded as the cycles given."""
        items = [item for cycle in cycles for item in cycle.items]
        positions = net_positions(items)
        self.queue2.remove(items)
        self.ledger.move(positions)
        self._count(items)
        self.recorder.cycles([(cycle.agents, cycle.items) for cycle in cycles], positions, mechanism, run)

    def _count(self, items: list[Item]) -> None:
        self.bounds.settled(items)
        for item in items:
            self.received_today[item.receiver] += item.amount

    def post(self, agent: int, posted: int, reason: int, tick: int) -> None:
        """Changes what collateral an agent has posted."""
        stated = self.agents[agent]
        self.recorder.collateral(agent, tick, self.posted[agent], posted, reason)
        self.posted[agent] = posted
        capacity = credit_capacity(stated.credit_limit, posted, stated.haircut_bp)
        self.ledger.change_credit_capacity(agent, capacity)

    def close(self) -> tuple[DayRecord, SystemState]:
        """End of day, after its last tick: the day's record and the state that the next day opens with."""
        cancels = self.rules.end_of_day == "cancel"
        queue1 = [item for queue in self.queue1 for item in queue]
        queue2 = self.queue2.in_order()
        settlements, collateral_events = self.recorder.settlements(), self.recorder.collateral_events()
        queued_at_end = self.recorder.queued_at_end(self.queue1, queue2, cancels)
        record = DayRecord(
            day=self.day,
            transactions=self.transactions,
            settlements=settlements,
            lsm_cycles=self.recorder.lsm_cycles(),
            lsm_runs=self.recorder.lsm_runs(),
            tick_ends=self.recorder.tick_ends(),
            agent_days=self.recorder.agent_days(self.ledger, self._opening),
            queued_at_end=queued_at_end,
            collateral_events=collateral_events,
            agent_costs=agent_costs(
                self._scenario, self._opening, self.transactions, settlements, queued_at_end, collateral_events
            ),
        )
        closing = SystemState(
            scenario_hash=self._opening.scenario_hash,
            day=self.day + 1,
            balances=tuple(self.ledger.balances()),
            posted_collateral=tuple(self.posted),
            queued=() if cancels else tuple(self._as_carried(item) for item in [*queue1, *queue2]),
            arrivals_count=self._opening.arrivals_count + len(self._items) - self.transactions.carried,
            entries_count=self._entries_count,
            money_total=self._opening.money_total
            + sum(item.amount for item in self._items[self.transactions.carried :]),
        )
        return record, closing

    def _as_carried(self, item: Item) -> QueuedTransaction:
        return QueuedTransaction(
            id=self.transactions.ids[item.row],
            sender=item.sender,
            receiver=item.receiver,
            amount=item.amount,
            priority=item.priority,
            arrival_tick=int(self.transactions.arrival_ticks[item.row]),
            arrival_seq=item.arrival_seq,
            deadline_tick=int(self.transactions.deadline_ticks[item.row]),
            queue=2 if item.in_queue2 else 1,
            entry_tick=item.entry_tick,
            entry_seq=item.entry_seq,
            wait_reason=item.wait_reason,
        )
