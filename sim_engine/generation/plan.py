"""A scenario's `generate` as the arrays that payments are drawn from; the same for every seed and day."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sim_engine.generation.kernel import LADDER_BITS, Flows, Ladders, Profile
from sim_engine.scenario import Generate, PaymentFlow

_PLANS_KEPT_MAX = 8


@dataclass(frozen=True)
class Plan:
    """What payments are drawn from."""

    flows: Flows
    ladders: Ladders
    profile: Profile


def plan_of(generate: Generate, agent_ids: tuple[str, ...]) -> Plan:
    """The plan of a scenario, made once for all scenarios that share the model and have these agents."""
    return _plan_of(_Itself(generate), agent_ids)


@dataclass(frozen=True, eq=False, slots=True)
class _Itself:
    """A model as a key: equal to itself alone. Its fields have no hash, and comparing them would take long."""

    generate: Generate

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self.generate is other.generate

    def __hash__(self) -> int:
        return id(self.generate)


@lru_cache(_PLANS_KEPT_MAX)
def _plan_of(key: _Itself, agent_ids: tuple[str, ...]) -> Plan:
    generate = key.generate
    default, nothing_stated = generate.default, PaymentFlow()
    stated = [generate.agents.get(agent, nothing_stated) for agent in agent_ids]
    rates = [
        (default.payments_per_day if flow.payments_per_day is None else flow.payments_per_day) or 0.0 for flow in stated
    ]
    amounts = [default.amount if flow.amount is None else flow.amount for flow in stated]
    flows = Flows(
        rates=np.array(rates, np.float64),
        medians=np.array([1 if amount is None else amount.median for amount in amounts], np.float64),
        sigmas=np.array([0 if amount is None else amount.sigma for amount in amounts], np.float64),
        ladders=np.zeros(len(stated), np.int64),
        own_starts=np.zeros(len(stated), np.uint64),
        own_widths=np.zeros(len(stated), np.uint64),
    )
    index = {agent: place for place, agent in enumerate(agent_ids)}
    ladders: list[_Ladder] = []

    share = [agent for agent, flow in enumerate(stated) if rates[agent] and flow.counterparties is None]
    if share:
        weights = dict(enumerate(rates)) if default.counterparties is None else _by_index(default.counterparties, index)
        shared = _Ladder.of(weights)
        ladders.append(shared)
        for agent in share:
            start, width = shared.interval(agent)
            if 2 * width > 1 << LADDER_BITS:
                # So little would be left of the ladder that rounding would tell; there is one such agent at most.
                flows.ladders[agent] = len(ladders)
                ladders.append(_Ladder.of({other: weight for other, weight in weights.items() if other != agent}))
            else:
                flows.own_starts[agent], flows.own_widths[agent] = start, width
    for agent, flow in enumerate(stated):
        if rates[agent] and flow.counterparties is not None:
            flows.ladders[agent] = len(ladders)
            ladders.append(_Ladder.of(_by_index(flow.counterparties, index)))
    return Plan(flows, _one_after_the_other(ladders), _profile(generate.intraday_profile))


def _profile(shares: Sequence[float]) -> Profile:
    activity = np.cumsum([0.0, *shares])
    return Profile(activity[: int(np.searchsorted(activity, activity[-1])) + 1], len(shares))


def _by_index(weights: Mapping[str, float], index: Mapping[str, int]) -> dict[int, float]:
    """Weights by agent index, in the order of the names: neither the file's order nor the agents' decides draws."""
    return {index[receiver]: weights[receiver] for receiver in sorted(weights)}


@dataclass(frozen=True, slots=True)
class _Ladder:
    """Receivers (agent indexes, int32) whose intervals lie side by side, and where each ends (uint64)."""

    agents: np.ndarray
    ends: np.ndarray
    places: dict[int, int]

    @classmethod
    def of(cls, weights: Mapping[int, float]) -> "_Ladder":
        """The ladder of weights by agent, at least one of them above 0."""
        sums = np.cumsum(np.fromiter(weights.values(), np.float64, len(weights)))
        ends = (sums / sums[-1] * 2.0**LADDER_BITS).astype(np.uint64)
        agents = np.fromiter(weights, np.int32, len(weights))
        return cls(agents, ends, {agent: place for place, agent in enumerate(weights)})

    def interval(self, agent: int) -> tuple[int, int]:
        """Where the agent's interval starts and how wide it is; nowhere and 0 wide if it has none."""
        place = self.places.get(agent)
        if place is None:
            return 0, 0
        start = int(self.ends[place - 1]) if place else 0
        return start, int(self.ends[place]) - start

    @property
    def shift(self) -> int:
        """What takes a position to its bucket: about as many buckets as places."""
        return LADDER_BITS - (len(self.ends) - 1).bit_length()

    @property
    def guide(self) -> np.ndarray:
        """For each bucket the first place that ends behind the bucket's start, int32."""
        starts = np.arange(1 << (LADDER_BITS - self.shift), dtype=np.uint64) << np.uint64(self.shift)
        return np.searchsorted(self.ends, starts, side="right").astype(np.int32)


def _one_after_the_other(ladders: Sequence[_Ladder]) -> Ladders:
    guides = [ladder.guide for ladder in ladders]
    return Ladders(
        ends=_joined((ladder.ends for ladder in ladders), np.uint64),
        agents=_joined((ladder.agents for ladder in ladders), np.int32),
        first_places=_firsts(len(ladder.ends) for ladder in ladders),
        guides=_joined(guides, np.int32),
        first_guides=_firsts(len(guide) for guide in guides),
        shifts=np.array([ladder.shift for ladder in ladders], np.uint64),
    )


def _joined(parts: Iterable[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.empty(0, dtype), *parts])


def _firsts(lengths: Iterable[int]) -> np.ndarray:
    """Where each part starts, and where the last one ends."""
    return np.cumsum([0, *lengths])
