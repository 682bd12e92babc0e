"""Random small scenarios: few agents, small amounts, so that ties, shortages and rings are common."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import strategies as st

from sim_engine import Scenario, parse_scenario

_NAMES = "ABCDEF"


@st.composite
def scenarios(
    draw: st.DrawFn, *, days_max: int = 3, ticks_max: int = 4, payments_max: int = 16, generates: bool = True
) -> Scenario:
    """A scenario with any of the engine's rules, switches and bounds."""
    names = _NAMES[: draw(st.integers(2, 5))]
    ticks_per_day, num_days = draw(st.integers(1, ticks_max)), draw(st.integers(1, days_max))
    amounts = st.integers(1, 9)
    agents = [
        {
            "id": name,
            "opening_balance": draw(st.integers(0, 6)),
            "credit_limit": draw(st.sampled_from([0, 0, 0, 3])),
            "posted_collateral": draw(st.sampled_from([0, 0, 5])),
            "haircut_bp": draw(st.sampled_from([0, 3_333, 10_000])),
        }
        for name in names
    ]
    ends = st.permutations(names).map(lambda order: order[:2])
    arrival = st.tuples(ends, amounts, st.integers(0, ticks_per_day * num_days - 1), st.integers(0, 3), st.booleans())
    arrivals = [
        {
            "sender": pair[0],
            "receiver": pair[1],
            "amount": amount,
            "tick": tick,
            "priority": ("normal", "normal", "urgent", "low")[priority],
            "deadline": tick if is_urgent else None,
        }
        for pair, amount, tick, priority, is_urgent in draw(st.lists(arrival, max_size=payments_max))
    ]
    raw: dict[str, Any] = {
        "name": "drawn",
        "ticks_per_day": ticks_per_day,
        "num_days": num_days,
        "rng_seed": draw(st.integers(0, 999)),
        "agents": agents,
        "arrivals": arrivals,
        "queue2": {
            "discipline": draw(st.sampled_from(["bypass", "fifo"])),
            "entry": draw(st.sampled_from(["settle", "settle", "queue"])),
        },
        "lsm": draw(lsm_rules()),
        "end_of_day": draw(st.sampled_from(["carry_over", "carry_over", "cancel"])),
    }
    if generates and draw(st.booleans()):
        flow = {"payments_per_day": draw(st.sampled_from([0.5, 2.0])), "amount": {"median": 5, "sigma": 0.5}}
        raw["generate"] = {"default": flow, "intraday_profile": [2, 1]}
    return parse_scenario(raw, source=Path("drawn.yaml"))


@st.composite
def crowded_scenarios(draw: st.DrawFn, *, ring_only: bool = False, payments_max: int = 60) -> Scenario:
    """A scenario with long queues and little liquidity, so that most ticks find rings to settle."""
    random = Random(draw(st.integers(0, 2**32)))
    names = _NAMES[: draw(st.integers(3, 6))]
    ticks_per_day, num_days = draw(st.integers(1, 4)), draw(st.integers(1, 2))
    liquidity = draw(st.integers(0, 4))
    size = draw(st.integers(10, payments_max))
    amount_max = draw(st.sampled_from([2, 4, 9]))
    payments = []
    for _ in range(size):
        sender, receiver = random.sample(names, 2)
        payments.append(
            {
                "sender": sender,
                "receiver": receiver,
                "amount": random.randint(1, amount_max),
                "tick": random.randrange(ticks_per_day * num_days),
                "priority": random.choice(["normal", "normal", "normal", "urgent", "low"]),
            }
        )
    lsm = draw(lsm_rules())
    if ring_only:
        lsm |= {"bilateral": False, "ring": True, "gridlock": False}
    raw = {
        "name": "crowded",
        "ticks_per_day": ticks_per_day,
        "num_days": num_days,
        "agents": [{"id": name, "opening_balance": random.randint(0, liquidity)} for name in names],
        "arrivals": payments,
        "queue2": {
            "discipline": draw(st.sampled_from(["bypass", "fifo"])),
            "entry": draw(st.sampled_from(["settle", "queue"])),
        },
        "lsm": lsm,
        "end_of_day": draw(st.sampled_from(["carry_over", "cancel"])),
    }
    return parse_scenario(raw, source=Path("crowded.yaml"))


def sparse_ring_scenario(seed: int) -> Scenario:
    """A scenario with rings alone, few payments and some liquidity: what is found depends on who searches when."""
    random = Random(seed)
    names = _NAMES[: random.choice([4, 5, 6])]
    ticks = random.choice([2, 3])
    payments = []
    for _ in range(random.randint(6, 18)):
        sender, receiver = random.sample(names, 2)
        tick, amount = random.randrange(ticks), random.randint(1, 6)
        payments.append({"sender": sender, "receiver": receiver, "amount": amount, "tick": tick})
    raw = {
        "name": "sparse",
        "ticks_per_day": ticks,
        "agents": [{"id": name, "opening_balance": random.choice([0, 0, 0, 1, 2])} for name in names],
        "arrivals": payments,
        "queue2": {"entry": random.choice(["settle", "settle", "queue"])},
        "lsm": {"bilateral": False, "gridlock": False},
    }
    return parse_scenario(raw, source=Path("sparse.yaml"))


@st.composite
def lsm_rules(draw: st.DrawFn) -> dict[str, Any]:
    """Any switches and bounds, the usual ones more often."""
    return {
        "bilateral": draw(st.sampled_from([False, True])),
        "ring": draw(st.sampled_from([True, True, False])),
        "gridlock": draw(st.sampled_from([False, True])),
        "max_cycle_length": draw(st.sampled_from([3, 4, 5, 6])),
        "every_ticks": draw(st.sampled_from([1, 1, 2, 3])),
        "max_passes": draw(st.sampled_from([10, 10, 1, 2])),
        "max_cycles_per_tick": draw(st.sampled_from([1000, 1000, 1, 2])),
    }


# Busy scenarios: many agents or long queues. What the compiled kernel does only then, it does here.


def busy_scenario(seed: int) -> Scenario:
    """A scenario of one of the shapes below under rules drawn at random, for seeds 0, 1, ... each shape in turn."""
    random = Random(seed)
    return _BUSY_SHAPES[seed % len(_BUSY_SHAPES)](random)


def _hub_and_spoke(random: Random) -> Scenario:
    """One to four hubs that everybody pays and is paid by, and some traffic past them: many legs into an agent."""
    agents = random.choice([20, 33, 50, 64, 65, 90, 128, 129, 140])
    hubs = random.sample(range(agents), random.randint(1, 4))
    payments = []
    for _ in range(random.randint(4, 12) * agents):
        hub, spoke = random.choice(hubs), random.randrange(agents)
        if random.random() < 0.3 or hub == spoke:
            hub, spoke = random.sample(range(agents), 2)
        payments.append((hub, spoke) if random.random() < 0.5 else (spoke, hub))
    return _busy(random, "hub_and_spoke", agents, payments)


def _dense(random: Random) -> Scenario:
    """A few agents that all pay each other much: long queues in every pair."""
    agents = random.randint(4, 12)
    payments = [tuple(random.sample(range(agents), 2)) for _ in range(random.randint(100, 400))]
    return _busy(random, "dense", agents, payments)


def _long_rings(random: Random) -> Scenario:
    """Rings of three to ten agents that share some of their legs, among few others: mostly no shorter way round."""
    agents = random.choice([6, 8, 10, 12, 70])
    payments = []
    for _ in range(random.randint(2, 9) if agents < 70 else 15):
        ring = random.sample(range(agents), random.randint(3, min(10, agents)))
        payments += [*zip(ring, [*ring[1:], ring[0]], strict=True)] * random.choice([1, 1, 2])
    payments += [tuple(random.sample(range(agents), 2)) for _ in range(random.randint(0, agents))]
    lsm = {"bilateral": random.random() < 0.3, "gridlock": random.random() < 0.2, "ring": True}
    lsm |= {"max_cycle_length": random.randint(5, 10), "max_cycles_per_tick": random.choice([1000, 1000, 2])}
    return _busy(random, "long_rings", agents, payments, lsm, random.choice(["small", "even", "wide"]))


def _clusters(random: Random) -> Scenario:
    """Groups of agents that pay nobody outside, so that a gridlock set falls into components."""
    agents = random.choice([12, 30, 66, 100])
    order = random.sample(range(agents), agents)
    size = random.choice([2, 3, 5, 8])
    payments = []
    for _ in range(random.randint(3, 8) * agents):
        group = random.randrange(0, agents - 1, size)
        members = order[group : group + size]
        if len(members) >= 2:
            payments.append(tuple(random.sample(members, 2)))
    # Mostly gridlock alone: what the others settle would leave it little.
    lsm = {"bilateral": random.random() < 0.2, "ring": random.random() < 0.2, "gridlock": True}
    return _busy(random, "clusters", agents, payments, lsm)


def _long_lines(random: Random) -> Scenario:
    """Two or three agents queue hundreds of payments; money trickles in and picks the small ones out of their lines."""
    agents = random.choice([3, 5, 20])
    payments: list[tuple[int, int]] = []
    for _ in range(random.randint(200, 500)):
        sender, receiver = random.sample(range(agents), 2)
        payments.append((sender % 2, receiver) if sender % 2 != receiver else (receiver, sender % 2 + 2 * (agents < 4)))
    payments = [(sender % agents, receiver) for sender, receiver in payments]
    payments = [(sender, receiver) for sender, receiver in payments if sender != receiver]
    lsm = {} if random.random() < 0.5 else {"bilateral": False, "ring": random.random() < 0.5, "gridlock": False}
    return _busy(random, "long_lines", agents, payments, lsm, amounts="few_large")


def _many_pairs(random: Random) -> Scenario:
    """Everybody owes everybody something, and a tick may settle only few cycles: sweeps are cut in the middle."""
    agents = random.choice([9, 16, 25, 40])
    pairs = [(i, j) for i in range(agents) for j in range(agents) if i != j]
    payments = random.choices(pairs, k=random.randint(200, 600))
    lsm = {"bilateral": True, "max_cycles_per_tick": random.choice([1, 2, 3, 5, 8, 13])}
    return _busy(random, "many_pairs", agents, payments, lsm)


def _large_amounts(random: Random) -> Scenario:
    """Few payments whose amounts, all together, come close to what int64 holds."""
    agents = random.choice([3, 4, 6, 24, 40])
    payments = [tuple(random.sample(range(agents), 2)) for _ in range(random.randint(2, 4) * agents)]
    payments += [(agent, 0) for agent in range(1, agents)]
    return _busy(random, "large_amounts", agents, payments, amounts="largest")


def _tight_bounds(random: Random) -> Scenario:
    """Few agents, one or two mechanisms, bounds that cut nearly every run: who is asked, and when, is told apart."""
    agents = random.randint(3, 9)
    payments = [tuple(random.sample(range(agents), 2)) for _ in range(random.randint(8, 60))]
    payments += [(receiver, sender) for sender, receiver in payments if random.random() < 0.5]
    on = random.choice([("bilateral",), ("bilateral",), ("ring",), ("bilateral", "ring"), ("ring", "gridlock")])
    lsm = {mechanism: mechanism in on for mechanism in ("bilateral", "ring", "gridlock")}
    lsm |= {"max_passes": random.randint(1, 3), "max_cycles_per_tick": random.randint(1, 3)}
    return _busy(random, "tight_bounds", agents, payments, lsm, "small")


def _ways_back(random: Random) -> Scenario:
    """Some twenty legs lead back to a hub, which pays few, and those pay another hub that pays everybody.

    A few cents reach the hub every tick: what it may lose to the agents that pay it changes a little and often.
    """
    agents = random.choice([40, 70, 70, 100])
    hub, other, *rest = random.sample(range(agents), agents)
    few = rest[: random.randint(2, 12)]
    payments = [(hub, agent) for agent in few for _ in range(random.randint(1, 3))]
    payments += [(agent, other) for agent in few for _ in range(random.randint(1, 3))]
    payments += [(other, agent) for agent in rest for _ in range(random.randint(1, 2))]
    payments += [(agent, hub) for agent in random.sample(rest, random.randint(14, 35))]
    lsm = {"bilateral": random.random() < 0.1, "ring": True, "gridlock": False}
    lsm |= {"every_ticks": 1, "max_passes": 10, "max_cycles_per_tick": random.choice([1000, 1000, 1])}
    return _busy(random, "ways_back", agents, payments, lsm, random.choice(["even", "octaves"]), trickle_to=hub)


_BUSY_SHAPES = (
    _hub_and_spoke,
    _dense,
    _long_rings,
    _clusters,
    _long_lines,
    _many_pairs,
    _large_amounts,
    _tight_bounds,
    _ways_back,
    _ways_back,
)


def _busy(
    random: Random,
    name: str,
    agents: int,
    ends: list[tuple[int, int]],
    lsm: dict[str, Any] | None = None,
    amounts: str | None = None,
    trickle_to: int | None = None,
) -> Scenario:
    """Payments between these ends (agent indexes) as a scenario: amounts, times, liquidity and rules are drawn here."""
    days, ticks = random.choice([1, 1, 2]), random.choice([1, 3, 6, 12])
    ticks *= 3 if trickle_to is not None else 1
    draw_amount = _amounts(random, amounts or random.choice(["small", "even", "wide", "few_large"]), len(ends))
    sizes = [draw_amount() for _ in ends]
    usual = sorted(sizes)[len(sizes) // 2]
    liquidity = usual * random.choice([0, 1, 2, 4, 12]) // 4
    urgent = random.choice([0.0, 0.1, 0.3])
    classes = ["normal", "normal", "low"] if random.random() < 0.5 else ["normal"]
    credit = random.random() < 0.4
    arrivals = []
    for (sender, receiver), amount in zip(ends, sizes, strict=True):
        tick = random.randrange(ticks * days)
        arrival = {"sender": f"A{sender}", "receiver": f"A{receiver}", "amount": amount, "tick": tick}
        arrival["priority"] = "urgent" if random.random() < urgent else random.choice(classes)
        if random.random() < 0.1:
            arrival["deadline"] = tick + random.randint(0, 3)
        arrivals.append(arrival)
    if trickle_to is not None:
        trickle = {"sender": "RICH", "receiver": f"A{trickle_to}", "priority": "urgent"}
        arrivals += [trickle | {"amount": random.randint(1, 9), "tick": tick} for tick in range(ticks * days)]
    largest = {"max_cycle_length": random.choice([3, 4, 4, 5, 7, 10]) if agents <= 8 else random.choice([3, 4, 4, 5])}
    rules = {
        "bilateral": random.random() < 0.6,
        "ring": random.random() < 0.8,
        "gridlock": random.random() < 0.6,
        "every_ticks": random.choice([1, 1, 1, 2, 3]),
        "max_passes": random.choice([10, 10, 1, 2]),
        "max_cycles_per_tick": random.choice([1000, 1000, 1, 4, 20]),
    }
    raw = {
        "name": f"busy_{name}",
        "ticks_per_day": ticks,
        "num_days": days,
        "agents": [
            {
                "id": f"A{agent}",
                "opening_balance": random.randint(0, liquidity),
                "credit_limit": random.choice([0, usual]) if credit else 0,
                "posted_collateral": random.choice([0, 0, usual]) if credit else 0,
                "haircut_bp": random.choice([0, 2_500]),
            }
            for agent in range(agents)
        ]
        + [{"id": "RICH", "opening_balance": 1_000}] * (trickle_to is not None),
        "arrivals": arrivals,
        "queue2": {
            "discipline": random.choice(["bypass", "bypass", "fifo"]),
            "entry": random.choice(["settle", "settle", "queue"]),
        },
        "lsm": rules | largest | (lsm or {}),
        "end_of_day": random.choice(["carry_over", "carry_over", "cancel"]),
    }
    return parse_scenario(raw, source=Path("busy.yaml"))


def _amounts(random: Random, kind: str, count: int) -> Callable[[], int]:
    """Draws amounts of a kind for a scenario of so many payments."""
    if kind == "small":
        largest = random.choice([2, 5, 9, 20])
        return lambda: random.randint(1, largest)
    if kind == "even":
        return lambda: random.randint(90, 110)
    if kind == "wide":
        octaves = random.choice([6.0, 12.0, 30.0])
        return lambda: int(2 ** (octaves * random.random()))
    if kind == "octaves":
        return lambda: int(2 ** (6 + 3 * random.random()))
    if kind == "few_large":
        return lambda: random.randint(1_000, 2_000) if random.random() < 0.2 else random.randint(1, 20)
    assert kind == "largest", kind
    # All amounts, opening balances and one credit capacity stay below 2^63.
    largest = 2**62 // count
    return lambda: random.randint(largest // 2, largest) if random.random() < 0.7 else random.randint(1, 9)
