"""Random small scenarios: few agents, small amounts, so that ties, shortages and rings are common."""

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
