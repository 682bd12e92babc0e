"""Notes what happens in a day as rows, and hands them out as the arrays of sim_engine.records."""

from collections.abc import Mapping, Sequence

import numpy as np

from sim_engine.records import AgentDays, CollateralEvents, LsmCycles, LsmRuns, QueuedAtEnd, Settlements, TickEnds
from sim_engine.state import SystemState
from sim_engine.vocabulary import BILATERAL, CANCELLED, CARRIED, GRIDLOCK, NONE, POSTED, RING, WITHDRAWN
from tests.oracle.item import Item
from tests.oracle.ledger import Ledger
from tests.oracle.lsm.run import LsmRun
from tests.oracle.queue2 import Queue2


class Recorder:
    """What has happened so far in a day. Only what settled is ever told to it."""

    def __init__(self, agents: int) -> None:
        self._settlements: list[tuple[int, ...]] = []
        self._steps = 0
        self._cycles: list[tuple[int, ...]] = []
        self._cycle_agents: list[int] = []
        self._cycle_net_positions: list[int] = []
        self._cycle_agent_offsets = [0]
        self._cycle_transactions: list[int] = []
        self._cycle_transaction_offsets = [0]
        self._runs: list[tuple[int, ...]] = []
        self._tick_ends: list[tuple[int, ...]] = []
        self._collateral: list[tuple[int, ...]] = []
        self._queue1_sizes_max = [0] * agents
        self._queue2_sizes_max = [0] * agents

    def step(
        self, items: Sequence[Item], mechanism: int, tick: int, lsm_pass: int = NONE, cycle_seq: int = NONE
    ) -> None:
        """A settlement step of its own."""
        self._settle(items, mechanism, tick, lsm_pass, cycle_seq)
        self._steps += 1

    def cycles(
        self,
        cycles: Sequence[tuple[Sequence[int], Sequence[Item]]],
        positions: Mapping[int, int],
        mechanism: int,
        run: LsmRun,
    ) -> None:
        """Cycles (agents, items) that settled in one step; positions: received - paid by agent."""
        for agents, items in cycles:
            amounts = [item.amount for item in items]
            net = [positions[agent] for agent in agents]
            gross, settled_value = sum(amounts), sum(max(0, -position) for position in net)
            self._settle(items, mechanism, run.tick, run.lsm_pass, len(self._cycles))
            self._cycles.append((run.tick, run.lsm_pass, mechanism, min(amounts), settled_value, gross))
            self._cycle_agents += agents
            self._cycle_net_positions += net
            self._cycle_agent_offsets.append(len(self._cycle_agents))
            self._cycle_transactions += [item.row for item in items]
            self._cycle_transaction_offsets.append(len(self._cycle_transactions))
            run.cycles[mechanism] += 1
            run.settled_transactions += len(items)
            run.total_value += gross
            run.settled_value += settled_value
        self._steps += 1

    def _settle(self, items: Sequence[Item], mechanism: int, tick: int, lsm_pass: int, cycle_seq: int) -> None:
        for item in items:
            self._settlements.append(
                (
                    item.row, tick, self._steps, mechanism,
                    item.entry_tick, item.entry_seq, lsm_pass, cycle_seq, item.wait_reason,
                )
            )  # fmt: skip

    def lsm_run(self, run: LsmRun, queue_size_after: int, queue_value_after: int) -> None:
        """An LSM run that has ended."""
        self._runs.append(
            (
                run.tick, run.lsm_pass, run.cycles[BILATERAL], run.cycles[RING], run.cycles[GRIDLOCK],
                run.settled_transactions, run.total_value, run.settled_value, run.retry_settled, run.retry_value,
                run.queue_size_before, queue_size_after, run.queue_value_before, queue_value_after, run.hit_limit,
            )
        )  # fmt: skip

    def collateral(self, agent: int, tick: int, before: int, after: int, reason: int) -> None:
        """An agent's posted collateral has changed."""
        self._collateral.append((agent, tick, POSTED if after > before else WITHDRAWN, before, after, reason))

    def tick_end(self, queue1: Sequence[Sequence[Item]], queue2: Queue2, ledger: Ledger) -> None:
        """Queues and accounts as a tick leaves them."""
        credit_used = sum(-balance for balance in ledger.balances() if balance < 0)
        queue1_size = queue1_value = 0
        for agent, queue in enumerate(queue1):
            queue1_size += len(queue)
            queue1_value += sum(item.amount for item in queue)
            self._queue1_sizes_max[agent] = max(self._queue1_sizes_max[agent], len(queue))
        for agent, size in enumerate(queue2.sizes):
            if size > self._queue2_sizes_max[agent]:
                self._queue2_sizes_max[agent] = size
        self._tick_ends.append((queue1_size, queue1_value, queue2.size, queue2.value, credit_used))

    def settlements(self) -> Settlements:
        """All settlements so far."""
        rows, ticks, seqs, mechanisms, entry_ticks, entry_seqs, passes, cycles, reasons = _columns(self._settlements, 9)
        return Settlements(
            transactions=rows.astype(np.int32),
            ticks=ticks.astype(np.int32),
            seqs=seqs.astype(np.int32),
            mechanisms=mechanisms.astype(np.int8),
            entry_ticks=entry_ticks.astype(np.int32),
            entry_seqs=entry_seqs,
            lsm_passes=passes.astype(np.int32),
            cycle_seqs=cycles.astype(np.int32),
            wait_reasons=reasons.astype(np.int8),
        )

    def lsm_cycles(self) -> LsmCycles:
        """All cycles so far."""
        ticks, passes, mechanisms, min_amounts, settled_values, total_values = _columns(self._cycles, 6)
        return LsmCycles(
            ticks=ticks.astype(np.int32),
            lsm_passes=passes.astype(np.int32),
            mechanisms=mechanisms.astype(np.int8),
            min_amounts=min_amounts,
            settled_values=settled_values,
            total_values=total_values,
            agent_offsets=np.array(self._cycle_agent_offsets, np.int64),
            agents=np.array(self._cycle_agents, np.int32),
            net_positions=np.array(self._cycle_net_positions, np.int64),
            transaction_offsets=np.array(self._cycle_transaction_offsets, np.int64),
            transactions=np.array(self._cycle_transactions, np.int32),
        )

    def lsm_runs(self) -> LsmRuns:
        """All LSM runs so far."""
        columns = _columns(self._runs, 15)
        columns[-1] = columns[-1].astype(np.int8)
        return LsmRuns(*columns)

    def tick_ends(self) -> TickEnds:
        """The ends of all ticks so far."""
        return TickEnds(*_columns(self._tick_ends, 5))

    def collateral_events(self) -> CollateralEvents:
        """All changes of collateral so far."""
        agents, ticks, actions, before, after, reasons = _columns(self._collateral, 6)
        return CollateralEvents(
            agents=agents.astype(np.int32),
            ticks=ticks.astype(np.int32),
            actions=actions.astype(np.int8),
            posted_before=before,
            posted_after=after,
            reasons=reasons.astype(np.int8),
        )

    def agent_days(self, ledger: Ledger, opening: SystemState) -> AgentDays:
        """Each agent's day so far."""
        return AgentDays(
            opening_balances=np.array(opening.balances, np.int64),
            opening_collateral=np.array(opening.posted_collateral, np.int64),
            closing_balances=np.array(ledger.balances(), np.int64),
            min_balances=np.array(ledger.balance_min, np.int64),
            max_balances=np.array(ledger.balance_max, np.int64),
            queue1_sizes_max=np.array(self._queue1_sizes_max, np.int64),
            queue2_sizes_max=np.array(self._queue2_sizes_max, np.int64),
        )

    def queued_at_end(self, queue1: Sequence[Sequence[Item]], queue2: Sequence[Item], cancels: bool) -> QueuedAtEnd:
        """What stands in the queues now; cancels: whether the end of the day cancels it."""
        places = [(1, position, item) for queue in queue1 for position, item in enumerate(queue)]
        places += [(2, position, item) for position, item in enumerate(queue2)]
        rows, queues, positions, entry_ticks, entry_seqs, reasons = _columns(
            [
                (item.row, queue, position, item.entry_tick, item.entry_seq, item.wait_reason)
                for queue, position, item in places
            ],
            6,
        )
        return QueuedAtEnd(
            transactions=rows.astype(np.int32),
            queues=queues.astype(np.int8),
            positions=positions,
            entry_ticks=entry_ticks.astype(np.int32),
            entry_seqs=entry_seqs,
            wait_reasons=reasons.astype(np.int8),
            outcomes=np.full(len(places), CANCELLED if cancels else CARRIED, np.int8),
        )


def _columns(rows: Sequence[tuple[int, ...]], width: int) -> list[np.ndarray]:
    """Rows of equal width as that many int64 arrays."""
    return [np.ascontiguousarray(column) for column in np.array(rows, np.int64).reshape(len(rows), width).T]
