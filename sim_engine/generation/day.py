"""A day's generated payments.

Those of an agent are drawn from a stream of its own, keyed by (seed, agent id, day): other agents, and other days,
change no agent's times and amounts (SPEC 10). Payment number k of an agent and day takes the one block k of its stream.
"""

import hashlib
from dataclasses import dataclass
from math import sqrt

import numpy as np

from sim_engine.generation import kernel
from sim_engine.generation.plan import Plan, plan_of
from sim_engine.names import GENERATED_ID_PREFIX
from sim_engine.scenario import Generate
from sim_engine.transaction_ids import TransactionIds


@dataclass(frozen=True, slots=True)
class GeneratedDay:
    """Generated payments by tick, within a tick by agent and then in order of time; attributes as in Transactions."""

    ids: TransactionIds
    senders: np.ndarray
    receivers: np.ndarray
    amounts: np.ndarray
    ticks: np.ndarray


class AmountBeyondInt64(ValueError):
    """An amount was drawn that no int64 holds: of `agent`, its largest of the day."""

    def __init__(self, agent: str, amount: float) -> None:
        self.agent = agent
        self.amount = amount
        super().__init__(f"{agent}: {amount}")


def generated_day(
    generate: Generate, agent_ids: tuple[str, ...], seed: int, day: int, ticks_per_day: int
) -> GeneratedDay:
    """The payments that are generated for a day. Raises AmountBeyondInt64."""
    keys = _keys(agent_ids, seed, day)
    drawn, counts, tick_counts = _drawn(plan_of(generate, agent_ids), agent_ids, keys, ticks_per_day)

    stems = [f"{GENERATED_ID_PREFIX}{agent}:{day}:".encode() for agent in agent_ids]
    stem_starts = np.cumsum([0, *map(len, stems)])
    content_length = int(counts @ np.diff(stem_starts) + _digits(counts).sum())
    count = int(counts.sum())
    merged = kernel.Merged(
        senders=np.empty(count, np.int32),
        receivers=np.empty(count, np.int32),
        amounts=np.empty(count, np.int64),
        ticks=np.empty(count, np.int64),
        id_starts=np.empty(count + 1, np.int64),
        id_bytes=np.empty(content_length, np.uint8),
    )
    stem_bytes = np.array(bytearray().join(stems), np.uint8)
    kernel.merge(drawn, counts, tick_counts, day * ticks_per_day, stem_bytes, stem_starts, merged)
    ids = TransactionIds.of_bytes(merged.id_starts, merged.id_bytes)
    return GeneratedDay(ids, merged.senders, merged.receivers, merged.amounts, merged.ticks)


def _drawn(
    plan: Plan, agent_ids: tuple[str, ...], keys: np.ndarray, ticks_per_day: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The payments agent after agent, how many each agent has, and how many each tick of the day."""
    room = _room(plan.flows.rates.sum())
    while True:
        drawn = np.empty(room, kernel.DRAWN)
        counts, tick_counts = np.zeros(len(agent_ids), np.int64), np.zeros(ticks_per_day, np.int64)
        agent, amount = kernel.draw(
            plan.flows, plan.ladders, plan.profile, ticks_per_day, keys, drawn, counts, tick_counts
        )
        if agent >= 0:
            raise AmountBeyondInt64(agent_ids[agent], amount)
        if agent == kernel.DONE:
            return drawn, counts, tick_counts
        room *= 2


def _room(expected: float) -> int:
    """Room that a Poisson number of payments fits into almost always; where it does not, they are drawn again."""
    return int(expected + 6 * sqrt(expected)) + 16


def _digits(counts: np.ndarray) -> np.ndarray:
    """How many digits the numbers from 0 up to each count (without it) have together."""
    digits = counts.copy()
    power = 10
    while power < counts.max():
        digits += np.maximum(counts - power, 0)
        power *= 10
    return digits


def _keys(agent_ids: tuple[str, ...], seed: int, day: int) -> np.ndarray:
    """Each agent's Philox key: the first two little-endian words of the digest of what the stream is for, uint64."""
    ends = f"\n{day}\npayments"
    digests = [hashlib.sha256(f"{seed}\n{agent}{ends}".encode()).digest()[:16] for agent in agent_ids]
    return np.frombuffer(bytearray().join(digests), "<u8").astype(np.uint64).reshape(-1, 2)
