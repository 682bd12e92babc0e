"""The compiled code that draws a day's payments: numbers in, numbers out.

All of it stands in one file: numba's cache notices a change of the file that holds the function called from outside,
and of no other. Floating point is plain IEEE arithmetic with the C library's exp, log and sqrt.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

DONE, ROOM_EXCEEDED = -1, -2
"""What `draw` says in place of an agent."""

LADDER_BITS = 53
"""A ladder ends at 2^LADDER_BITS."""

DRAWN = np.dtype([("amount", np.int64), ("receiver", np.int32), ("tick", np.int32)])
"""A payment as it is drawn; the tick is that of the day. One record, because each is read once, far from the next."""

_AMOUNT_BEYOND_INT64 = float(2**63)
"""Draws from here on have no int64."""

_DIGIT_0 = ord("0")

# Whole numbers of 64 bits without a sign; mixed with signed ones they would become floats.
_ONE, _SHIFT_11, _SHIFT_12 = np.uint64(1), np.uint64(11), np.uint64(12)
_LADDER_END = np.uint64(1 << LADDER_BITS)
_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_KEY_STEP_0, _KEY_STEP_1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)

_CENTRE_ABOVE = (
    2.5090809287301226727e3,
    3.3430575583588128105e4,
    6.7265770927008700853e4,
    4.5921953931549871457e4,
    1.3731693765509461125e4,
    1.9715909503065514427e3,
    1.3314166789178437745e2,
    3.3871328727963666080e0,
)
_CENTRE_BELOW = (
    5.2264952788528545610e3,
    2.8729085735721942674e4,
    3.9307895800092710610e4,
    2.1213794301586595867e4,
    5.3941960214247511077e3,
    6.8718700749205790830e2,
    4.2313330701600911252e1,
    1.0,
)
_FLANK_ABOVE = (
    7.74545014278341407640e-4,
    2.27238449892691845833e-2,
    2.41780725177450611770e-1,
    1.27045825245236838258e0,
    3.64784832476320460504e0,
    5.76949722146069140550e0,
    4.63033784615654529590e0,
    1.42343711074968357734e0,
)
_FLANK_BELOW = (
    1.05075007164441684324e-9,
    5.47593808499534494600e-4,
    1.51986665636164571966e-2,
    1.48103976427480074590e-1,
    6.89767334985100004550e-1,
    1.67638483018380384940e0,
    2.05319162663775882187e0,
    1.0,
)
_TAIL_ABOVE = (
    2.01033439929228813265e-7,
    2.71155556874348757815e-5,
    1.24266094738807843860e-3,
    2.65321895265761230930e-2,
    2.96560571828504891230e-1,
    1.78482653991729133580e0,
    5.46378491116411436990e0,
    6.65790464350110377720e0,
)
_TAIL_BELOW = (
    2.04426310338993978564e-15,
    1.42151175831644588870e-7,
    1.84631831751005468180e-5,
    7.86869131145613259100e-4,
    1.48753612908506148525e-2,
    1.36929880922735805310e-1,
    5.99832206555887937690e-1,
    1.0,
)
"""Coefficients of AS 241: near the middle, further out, and in the tails; each above and below a fraction's line."""


class Flows(NamedTuple):
    """What each agent sends, by agent index; the same for every seed and day.

    rates: expected payments a day. medians, sigmas: of the lognormal amounts; all float64.
    ladders: which ladder its receivers stand on, int64. own_starts, own_widths: where its own interval lies there,
    which is left out; 0 and 0 if there is none, uint64.
    """

    rates: np.ndarray
    medians: np.ndarray
    sigmas: np.ndarray
    ladders: np.ndarray
    own_starts: np.ndarray
    own_widths: np.ndarray


class Ladders(NamedTuple):
    """Weighted receivers as intervals side by side that fill 0..2^LADDER_BITS, several such ladders in a row.

    ends: where each place's interval ends, uint64. agents: whose it is, int32. first_places: of each ladder, int64.
    guides: for each of a ladder's equal buckets the first place that ends behind the bucket's start, counted from the
    ladder's first, int32. first_guides: of each ladder, int64. shifts: what makes a position a bucket, uint64.
    """

    ends: np.ndarray
    agents: np.ndarray
    first_places: np.ndarray
    guides: np.ndarray
    first_guides: np.ndarray
    shifts: np.ndarray


class Profile(NamedTuple):
    """How active the equally long parts of a day are.

    activity: up to the end of each part, from 0, as far as the last part with any, float64. parts: how many there are.
    """

    activity: np.ndarray
    parts: int


class Merged(NamedTuple):
    """Room for the payments of a day in order of arrival.

    senders, receivers: int32. amounts, ticks of the simulation: int64. Id k is the bytes (uint8)
    id_starts[k]:id_starts[k + 1] (int64).
    """

    senders: np.ndarray
    receivers: np.ndarray
    amounts: np.ndarray
    ticks: np.ndarray
    id_starts: np.ndarray
    id_bytes: np.ndarray


@njit(cache=True, nogil=True)
def draw(
    flows: Flows,
    ladders: Ladders,
    profile: Profile,
    ticks_per_day: int,
    keys: np.ndarray,
    drawn: np.ndarray,
    counts: np.ndarray,
    tick_counts: np.ndarray,
) -> tuple[int, float]:
    """Draws the payments of a day, agent after agent, those of an agent in order of time.

    keys: two words per agent, uint64.
    drawn (DRAWN), counts (payments by agent) and tick_counts (by tick of the day; both int64 and 0 before) are filled.
    Returns (DONE, 0), or (ROOM_EXCEEDED, 0) if `drawn` is too short for them all, or the first agent one of whose
    amounts has no int64, with its largest amount.
    """
    # Taken apart before the loops: an array taken out of a tuple is counted as in use every time.
    rates, medians, sigmas, ladder_of_agents, own_starts, own_widths = flows
    ends, receivers, first_places, guides, first_guides, shifts = ladders
    activity, parts = profile
    total = 0
    for agent in range(len(counts)):
        rate, median, sigma = rates[agent], medians[agent], sigmas[agent]
        own_start, own_width = own_starts[agent], own_widths[agent]
        key_0, key_1 = keys[agent, 0], keys[agent, 1]
        first = total
        time = 0.0
        part = 0
        amount_max = 0.0
        if rate == 0.0:
            continue
        ladder = ladder_of_agents[agent]
        first_place, first_guide, shift = first_places[ladder], first_guides[ladder], shifts[ladder]
        while True:
            word_0, word_1, word_2, _ = philox(key_0, key_1, np.uint64(total - first))
            time += gap_of(word_0)
            if time >= rate:
                break
            if total == len(drawn):
                return ROOM_EXCEEDED, 0.0
            payment = drawn[total]
            tick, part = tick_of(activity, parts, part, time / rate, ticks_per_day)
            payment.tick = tick
            tick_counts[tick] += 1
            amount = median * math.exp(sigma * normal_quantile(share_of(word_1)))
            amount_max = max(amount_max, amount)
            if amount < _AMOUNT_BEYOND_INT64:
                payment.amount = max(int(amount), 1)
            position = position_of(word_2, own_start, own_width)
            payment.receiver = receivers[place_at(position, ends, first_place, guides, first_guide, shift)]
            total += 1
        if amount_max >= _AMOUNT_BEYOND_INT64:
            return agent, amount_max
        counts[agent] = total - first
    return DONE, 0.0


@njit(forceinline=True)
def gap_of(word: np.uint64) -> float:
    """The time from one payment to the next, in units of the mean: -log of a share in (0, 1]."""
    return -math.log(((word >> _SHIFT_11) + _ONE) * 2.0**-53)


@njit(forceinline=True)
def share_of(word: np.uint64) -> float:
    """A share in (0, 1), as far from the one end as from the other."""
    return ((word >> _SHIFT_12) + 0.5) * 2.0**-52


@njit(forceinline=True)
def tick_of(activity: np.ndarray, parts: int, part: int, time: float, ticks_per_day: int) -> tuple[int, int]:
    """The tick of the day that a time in [0, 1) falls into by the day's profile, and the part of the day.

    part: that of an earlier time. Rounding leads into no part without activity, and out of no day.
    """
    position = time * activity[-1]
    while part < len(activity) - 2 and position >= activity[part + 1]:
        part += 1
    share = (position - activity[part]) / (activity[part + 1] - activity[part])
    tick_last = ((part + 1) * ticks_per_day - 1) // parts
    return min(int((part + share) * ticks_per_day / parts), tick_last), part


@njit(forceinline=True)
def position_of(word: np.uint64, own_start: np.uint64, own_width: np.uint64) -> np.uint64:
    """Where on a ladder a random word falls, each position outside the own interval as likely as any other."""
    position: np.uint64 = wide_product(word, _LADDER_END - own_width)[0]
    if position >= own_start:
        position += own_width
    return position


@njit(forceinline=True)
def place_at(
    position: np.uint64, ends: np.ndarray, first_place: int, guides: np.ndarray, first_guide: int, shift: np.uint64
) -> int:
    """The place of a ladder whose interval a position below its end falls into; arguments as in Ladders."""
    place: int = first_place + guides[first_guide + np.int64(position >> shift)]
    while ends[place] <= position:
        place += 1
    return place


@njit(cache=True, nogil=True)
def merge(
    drawn: np.ndarray,
    counts: np.ndarray,
    tick_counts: np.ndarray,
    first_tick: int,
    stems: np.ndarray,
    stem_starts: np.ndarray,
    merged: Merged,
) -> None:
    """Puts drawn payments in order of tick, within a tick by agent and then by time, and names them.

    drawn, counts, tick_counts: as `draw` filled them. first_tick: of the day.
    stems: what the ids of each agent begin with, in a row, uint8; those of agent a at
    stem_starts[a]:stem_starts[a + 1], int64. merged: room for exactly what was drawn; is filled.
    """
    senders, receivers, amounts, ticks, id_starts, id_bytes = merged
    # Several short loops: each goes through little memory at a time.
    rows = np.empty(len(tick_counts), np.int64)
    row = 0
    for tick in range(len(tick_counts)):
        rows[tick] = row
        for _ in range(tick_counts[tick]):
            ticks[row] = first_tick + tick
            row += 1

    sources = np.empty(len(counts), np.int64)
    source = 0
    for agent in range(len(counts)):
        sources[agent] = source
        for _ in range(counts[agent]):
            tick = drawn[source].tick
            senders[rows[tick]] = agent
            rows[tick] += 1
            source += 1

    for row in range(len(senders)):
        agent = senders[row]
        payment = drawn[sources[agent]]
        sources[agent] += 1
        receivers[row] = payment.receiver
        amounts[row] = payment.amount

    numbers = np.zeros(len(counts), np.int64)
    end = 0
    for row in range(len(senders)):
        agent = senders[row]
        id_starts[row] = end
        for place in range(stem_starts[agent], stem_starts[agent + 1]):
            id_bytes[end] = stems[place]
            end += 1
        end = write_number(id_bytes, end, numbers[agent])
        numbers[agent] += 1
    id_starts[len(senders)] = end


@njit(forceinline=True)
def write_number(text: np.ndarray, start: int, number: int) -> int:
    """Writes a number of 0 or above into a text, in decimal digits. Returns where they end."""
    end = start + 1
    power = 10
    while number >= power:
        end += 1
        power *= 10
    for place in range(end - 1, start - 1, -1):
        text[place] = _DIGIT_0 + number % 10
        number //= 10
    return end


@njit(forceinline=True)
def philox(key_0: np.uint64, key_1: np.uint64, number: np.uint64) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Four random words: block `number` of the Philox4x64-10 generator with the key (Salmon et al. 2011)."""
    word_0, word_1, word_2, word_3 = number, np.uint64(0), np.uint64(0), np.uint64(0)
    for _ in range(10):
        high_0, low_0 = wide_product(_MULTIPLIER_0, word_0)
        high_1, low_1 = wide_product(_MULTIPLIER_1, word_2)
        word_0, word_1, word_2, word_3 = high_1 ^ word_1 ^ key_0, low_1, high_0 ^ word_3 ^ key_1, low_0
        key_0 += _KEY_STEP_0
        key_1 += _KEY_STEP_1
    return word_0, word_1, word_2, word_3


def _wide_product(typing_context: Any, left: Any, right: Any) -> Any:
    """The product of two uint64 as two words, the high and the low one."""

    def generated(_: Any, builder: Any, __: Any, factors: Any) -> Any:
        wide, narrow = ir.IntType(128), ir.IntType(64)
        product = builder.mul(*(builder.zext(factor, wide) for factor in factors))
        high = builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), narrow)
        pair = ir.Constant(ir.ArrayType(narrow, 2), ir.Undefined)
        return builder.insert_value(builder.insert_value(pair, high, 0), builder.trunc(product, narrow), 1)

    pair_of_words = types.UniTuple(types.uint64, 2)  # type: ignore[no-untyped-call]
    return pair_of_words(types.uint64, types.uint64), generated


wide_product: Any = intrinsic(_wide_product)


@njit(forceinline=True)
def normal_quantile(share: float) -> float:
    """The standard normal quantile of a share in (0, 1): Wichura's PPND16 (Applied Statistics 37, 1988, AS 241)."""
    q = share - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        return _polynomial(_CENTRE_ABOVE, r) * q / _polynomial(_CENTRE_BELOW, r)
    r = math.sqrt(-math.log(share if q <= 0.0 else 1.0 - share))
    if r <= 5.0:
        r -= 1.6
        distance = _polynomial(_FLANK_ABOVE, r) / _polynomial(_FLANK_BELOW, r)
    else:
        r -= 5.0
        distance = _polynomial(_TAIL_ABOVE, r) / _polynomial(_TAIL_BELOW, r)
    return -distance if q < 0.0 else distance


@njit(forceinline=True)
def _polynomial(coefficients: tuple[float, ...], r: float) -> float:
    """Horner's rule, the coefficient of the highest power first."""
    value = coefficients[0]
    for coefficient in coefficients[1:]:
        value = value * r + coefficient
    return value
