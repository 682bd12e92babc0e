"""How generated payments are drawn (SPEC 3 and 10): the compiled code against plain loops that say the same."""

from bisect import bisect_right
from hashlib import sha256
from itertools import accumulate
from math import exp, log, nextafter
from pathlib import Path
from random import Random
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from sim_engine import Scenario, parse_scenario
from sim_engine.arrivals import payments_of_day
from sim_engine.generation import day as generation_day
from sim_engine.generation import kernel
from sim_engine.generation.plan import plan_of

LADDER_END = 2**53
WORD_MAX = 2**64 - 1


# The definition of the draws, in plain Python: numpy's Philox for the random words, the standard library for the rest


def words_of(seed: int, agent: str, day: int, count: int) -> list[tuple[int, ...]]:
    """The first blocks of four random words of an agent's day. numpy counts up before the first block."""
    digest = sha256(f"{seed}\n{agent}\n{day}\npayments".encode()).digest()
    key = np.array([int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little")], np.uint64)
    words = np.random.Philox(key=key, counter=2**256 - 1).random_raw(4 * count).tolist()
    return [tuple(words[4 * block : 4 * block + 4]) for block in range(count)]


def stated_by(scenario: Scenario, agent: str, key: str) -> Any:
    generate = scenario.stated.generate
    assert generate is not None
    own = getattr(generate.agents.get(agent), key, None)
    return getattr(generate.default, key) if own is None else own


def tick_at(profile: tuple[float, ...], time: float, ticks_per_day: int) -> int:
    """The tick of a time in [0, 1): as far through the day's activity as through the day itself."""
    ends = list(accumulate(profile))
    position = time * ends[-1]
    busy = [part for part, share in enumerate(accumulate(profile)) if share > (ends[part - 1] if part else 0)]
    part = next((part for part in busy if position < ends[part]), busy[-1])
    start = ends[part - 1] if part else 0.0
    share = (position - start) / (ends[part] - start)
    return min(int((part + share) * ticks_per_day / len(profile)), ((part + 1) * ticks_per_day - 1) // len(profile))


def ladder_of(weights: dict[str, float]) -> list[int]:
    """Where each receiver's interval ends; all of them fill 0..2^53."""
    sums = list(accumulate(weights.values()))
    return [int(so_far / sums[-1] * 2.0**53) for so_far in sums]


def receiver_at(scenario: Scenario, agent: str, word: int) -> str:
    weights = stated_by(scenario, agent, "counterparties")
    if weights is None:
        weights = {one: stated_by(scenario, one, "payments_per_day") for one in scenario.agent_ids}
    else:
        weights = {one: weights[one] for one in sorted(weights)}
    names, ends = list(weights), ladder_of(weights)
    own_start = own_width = 0
    if agent in weights:
        place = names.index(agent)
        own_start = ends[place - 1] if place else 0
        own_width = ends[place] - own_start
        if own_width > 2**52:
            names.remove(agent)
            ends = ladder_of({one: weights[one] for one in names})
            own_start = own_width = 0
    position = word * (2**53 - own_width) >> 64
    if position >= own_start:
        position += own_width
    return names[bisect_right(ends, position)]


def drawn_plainly(scenario: Scenario, day: int) -> list[tuple[str, str, str, int, int]]:
    """Id, sender, receiver, amount and tick of a day's generated payments, in order of arrival."""
    stated, generate = scenario.stated, scenario.stated.generate
    assert generate is not None
    payments = []
    for index, agent in enumerate(scenario.agent_ids):
        rate = stated_by(scenario, agent, "payments_per_day")
        time = 0.0
        for seq, words in enumerate(words_of(stated.rng_seed, agent, day, int(rate + 20 * rate**0.5) + 20)):
            time -= log(((words[0] >> 11) + 1) * 2.0**-53)
            if time >= rate:
                break
            amounts = stated_by(scenario, agent, "amount")
            z = NormalDist().inv_cdf(((words[1] >> 12) + 0.5) * 2.0**-52)
            amount = max(int(amounts.median * exp(amounts.sigma * z)), 1)
            tick = day * stated.ticks_per_day + tick_at(generate.intraday_profile, time / rate, stated.ticks_per_day)
            receiver = receiver_at(scenario, agent, words[2])
            payments.append((tick, index, seq, f"gen:{agent}:{day}:{seq}", agent, receiver, amount))
        else:
            raise AssertionError("too few words")
    return [(name, sender, receiver, amount, tick) for tick, _, _, name, sender, receiver, amount in sorted(payments)]


def drawn(scenario: Scenario, day: int) -> list[tuple[str, str, str, int, int]]:
    """The same by the engine."""
    names, payments = scenario.agent_ids, payments_of_day(scenario, day, 0)
    senders, receivers = ([names[agent] for agent in side] for side in (payments.senders, payments.receivers))
    return list(zip(payments.ids, senders, receivers, payments.amounts.tolist(), payments.ticks.tolist(), strict=True))


def generating(agents: list[str], flows: dict[str, Any] | None = None, **changes: Any) -> Scenario:
    flow = {"payments_per_day": 30.0, "amount": {"median": 90_000, "sigma": 1.3}} | changes.pop("default", {})
    generate = {"default": flow, "agents": flows or {}, "intraday_profile": changes.pop("profile", [1.0])}
    raw = {
        "name": "generating",
        "ticks_per_day": 60,
        "num_days": 2,
        "rng_seed": 5,
        "agents": [{"id": agent, "opening_balance": 0} for agent in agents],
        "generate": generate,
    }
    return parse_scenario(raw | changes, source=Path("generating.yaml"))


ABC = ["B", "A", "C"]
SCENARIOS = {
    "alike": generating(ABC),
    "profile": generating(ABC, profile=[0, 3, 0, 0.1, 1e-9, 7, 0, 0], ticks_per_day=100),
    "parts that fill no whole ticks": generating(ABC, profile=[1, 0, 2, 0, 1, 0, 3], ticks_per_day=17),
    "one tick": generating(ABC, ticks_per_day=1, profile=[1, 2]),
    "many ticks": generating(ABC, ticks_per_day=1_000_000),
    "some are silent": generating([*ABC, "D"], {"B": {"payments_per_day": 0.0}, "D": {"payments_per_day": 0.0}}),
    "one sends most": generating(ABC, {"C": {"payments_per_day": 20_000.0}}),
    "one sends nearly all": generating(ABC, {"A": {"payments_per_day": 2_000.0}}, default={"payments_per_day": 1e-9}),
    "stated": generating(
        [*ABC, "D", "E"],
        {
            "A": {"counterparties": {"E": 1.0, "B": 0.0, "C": 2.5, "D": 0.0}},
            "B": {"counterparties": {"D": 1e12, "A": 1e-12}},
            "C": {"counterparties": {"A": 0.1}, "payments_per_day": 3.0},
        },
    ),
    "stated by default": generating(
        [*ABC, "D"],
        default={"counterparties": {"D": 5.0, "A": 1.0, "B": 2.0}},
        flows={"C": {"counterparties": {"D": 1}}},
    ),
    "mostly oneself by default": generating(ABC, default={"counterparties": {"A": 1e12, "B": 1e-3, "C": 2e-3}}),
    "small amounts": generating(ABC, default={"amount": {"median": 1, "sigma": 10.0}}),
    "fixed amounts": generating(ABC, default={"amount": {"median": 12, "sigma": 0.0}}),
    "names": generating(["A.-_z", "x" * 64, "0", "BANK"], default={"payments_per_day": 130.0}, num_days=112),
    "many agents": generating(
        [f"BANK_{place}" for place in range(300)],
        {f"BANK_{place}": {"payments_per_day": float(place % 17) ** 2 / 8} for place in range(0, 300, 2)},
        profile=[4, 1, 2],
    ),
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_payments_are_drawn_as_plain_loops_draw_them(scenario):
    for day in (0, scenario.stated.num_days - 1):
        expected = drawn_plainly(scenario, day)
        assert len(expected) > 30
        assert drawn(scenario, day) == expected


@pytest.mark.parametrize("room", [0, 1, 50])
def test_too_little_room_changes_nothing(monkeypatch, room):
    scenario = SCENARIOS["alike"]
    expected = drawn(scenario, 0)
    assert len(expected) > 60
    monkeypatch.setattr(generation_day, "_room", lambda _: max(room, 1))
    assert drawn(scenario, 0) == expected


def test_nothing_is_drawn_at_rate_zero():
    assert drawn(generating(ABC, default={"payments_per_day": 0.0}), 0) == []


def test_a_stated_receiver_hangs_neither_on_the_order_of_the_file_nor_of_the_agents():
    """The scenario's hash does not know the order in which a file states weights, so no draw may."""
    one = generating(ABC, {"A": {"counterparties": {"B": 1.0, "C": 2.0}}})
    other = generating(["C", "A", "B"], {"A": {"counterparties": {"C": 2.0, "B": 1.0}}})
    of_a = [[payment for payment in drawn(scenario, 0) if payment[1] == "A"] for scenario in (one, other)]
    assert len(of_a[0]) > 10
    assert of_a[0] == of_a[1]


# The parts of it


def test_random_words_are_those_of_numpys_philox():
    random = Random(1)
    for _ in range(50):
        key = np.array([random.getrandbits(64) for _ in range(2)], np.uint64)
        number = random.choice([0, 1, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, random.getrandbits(64)])
        expected = np.random.Philox(key=key, counter=(number - 1) % 2**256).random_raw(4).tolist()
        assert list(kernel.philox(key[0], key[1], np.uint64(number))) == expected


def test_quantiles_are_those_of_the_standard_library():
    """It has the same algorithm; the shares go through all its branches and over their borders."""
    random = Random(2)
    smallest = 2.0**-53
    borders = [0.075, 0.5, 0.925, exp(-25), 1 - exp(-25), smallest, 1 - smallest]
    near = [nextafter(border, side) for border in borders[:-2] for side in (0.0, 1.0)]
    tails = [random.random() * 10.0 ** -random.randrange(1, 16) for _ in range(2_000)]
    shares = borders + near + tails + [1 - share for share in tails] + [random.random() for _ in range(2_000)]
    shares = [share for share in shares if smallest <= share <= 1 - smallest]
    assert len(shares) > 5_000
    assert [kernel.normal_quantile(share) for share in shares] == [NormalDist().inv_cdf(share) for share in shares]


@pytest.mark.parametrize(
    ("word", "gap", "share"),
    [
        (0, 53 * log(2), 2.0**-53),
        (2**11 - 1, 53 * log(2), 2.0**-53),
        (2**12, log(2**53 / 3), 3 * 2.0**-53),
        (2**63 - 1, log(2), 0.5 - 2.0**-53),
        (2**63, 0.6931471805599452, 0.5 + 2.0**-53),
        (WORD_MAX, 0.0, 1 - 2.0**-53),
    ],
)
def test_a_word_becomes_a_gap_of_zero_or_more_and_a_share_strictly_between_zero_and_one(word, gap, share):
    assert kernel.gap_of(np.uint64(word)) == pytest.approx(gap, rel=2e-16)
    assert kernel.share_of(np.uint64(word)) == share


@pytest.mark.parametrize(
    ("weights", "own"),
    [
        ([1.0, 2.0], None),
        ([0.0, 1.0, 0.0, 0.0, 2.0, 0.0], None),
        ([0.0, 1.0, 0.0, 0.0, 2.0, 0.0], 1),
        ([3.0, 1.0, 0.0, 3.0], 0),
        ([3.0, 1.0, 0.0, 3.0, 0.0], 3),
        ([3.0, 1.0, 0.0, 3.0, 0.0], 4),
        ([0.1] * 10, 9),
        ([1e-300, 1.0, 1e-300], None),
        ([5e-324, 5e-324], 1),
        ([1.0] * 1000 + [1e12], 5),
    ],
)
def test_no_random_word_leads_to_oneself_to_weight_zero_or_out_of_the_ladder(weights, own):
    """Words at both ends, and around every border between two intervals."""
    ends = ladder_of(dict(enumerate(weights)))
    assert ends[-1] == LADDER_END
    start = 0 if not own else ends[own - 1]
    width = 0 if own is None else ends[own] - start
    others = LADDER_END - width
    borders = [-(-(end - width * (end > start)) * 2**64 // others) for end in ends]
    words = {0, 1, WORD_MAX - 1, WORD_MAX} | {border + off for border in borders for off in (-1, 0, 1)}
    shift = 53 - (len(ends) - 1).bit_length()
    guides = np.array([bisect_right(ends, start << shift) for start in range(1 << (53 - shift))], np.int32)
    whose = [place for place, weight in enumerate(weights) if weight > 0 and place != own]
    reached = set()
    for word in sorted(word for word in words if 0 <= word <= WORD_MAX):
        position = kernel.position_of(np.uint64(word), np.uint64(start), np.uint64(width))
        place = kernel.place_at(np.uint64(position), np.array(ends, np.uint64), 0, guides, 0, np.uint64(shift))
        assert place in whose
        assert place == bisect_right(ends, position)
        reached.add(place)
    assert reached == {place for place in whose if ends[place] > (ends[place - 1] if place else 0)}


@pytest.mark.parametrize(
    "profile",
    [
        [1.0],
        [0, 1, 0],
        [0.1] * 7 + [0, 0],
        [3, 0, 1e-12, 0, 0.3],
        [1e12, 5e-324],
        [5e-324, 0],
        [7, 0],
        [1.0] * 28 + [0.0] + [1.0] * 71,
    ],
)
@pytest.mark.parametrize("ticks_per_day", [1, 3, 7, 100, 1440, 999_983])
def test_no_time_leads_into_a_part_of_the_day_without_activity(profile, ticks_per_day):
    """Times at both ends, and around the start and end of every part; a tick may lie in two parts."""
    ends = list(accumulate(profile, initial=0.0))
    borders = [end / ends[-1] for end in ends]
    times = {0.0, 1 - 2.0**-53, *borders, *(nextafter(border, side) for border in borders for side in (0.0, 1.0))}
    activity = plan_of(generating(ABC, profile=profile).stated.generate, ("B", "A", "C")).profile.activity
    busy = {
        tick
        for part, share in enumerate(profile)
        if share > 0
        for tick in range(part * ticks_per_day // len(profile), -(-(part + 1) * ticks_per_day // len(profile)))
    }
    part, tick_before = 0, 0
    for time in sorted(time for time in times if time < 1):
        tick, part = kernel.tick_of(activity, len(profile), part, time, ticks_per_day)
        assert tick in busy
        assert tick == tick_at(tuple(profile), time, ticks_per_day)
        assert tick >= tick_before
        tick_before = tick


# What it costs


def test_the_compiled_code_is_compiled_once():
    for scenario in SCENARIOS.values():
        drawn(scenario, 0)
    assert len(kernel.draw.signatures) == len(kernel.merge.signatures) == 1


def test_seeds_share_a_plan_and_agents_do_not_share_anothers():
    scenario = SCENARIOS["stated"]
    generate, agent_ids = scenario.stated.generate, scenario.agent_ids
    other_seed = scenario.with_rules(rng_seed=8, num_days=1)
    assert plan_of(other_seed.stated.generate, other_seed.agent_ids) is plan_of(generate, agent_ids)
    assert plan_of(generate, agent_ids[::-1]) is not plan_of(generate, agent_ids)


def test_a_plan_grows_with_the_agents_not_with_their_pairs():
    def size(count: int, **default: Any) -> int:
        agents = [f"BANK_{place}" for place in range(count)]
        scenario = generating(agents, default=default)
        plan = plan_of(scenario.stated.generate, scenario.agent_ids)
        return sum(array.nbytes for array in (*plan.flows, *plan.ladders, plan.profile.activity))

    by_rate = [size(count) for count in (512, 1024)]
    stated = [
        size(count, counterparties={f"BANK_{place}": 1.0 for place in range(0, count, 2)}) for count in (512, 1024)
    ]
    assert by_rate[1] < 2.01 * by_rate[0]
    assert stated[1] < 2.01 * stated[0]
