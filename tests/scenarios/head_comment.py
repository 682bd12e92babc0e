"""The comment that a scenario file opens with, read strictly: what it does not understand is an error, never skipped.

    # Census: 3 agents, 3 payments, 1 day of 20 ticks, liquidity 0
    # Question: does a ring settle although nobody can pay first?
    # Why: everyone pays and receives the same.
    # Expect:
    #   settled: ring at tick 5: T1 T2 T3; queue at tick 7: T4
    #   cycles: ring at tick 5: BANK_A BANK_B BANK_C by T1 T2 T3, gross 150000, net 0
    #   queued: none
    #   balances: BANK_A 0, BANK_B 0, BANK_C 0

Three lines more stand there where there is something to say: `held: T5`, in Queue 1 at the end of the day;
`collateral: posted at tick 2: BANK_A 50000`, what is posted from then on; `waits: T4 liquidity`, why each transaction
that settled or stayed joined Queue 2. Without the first two there must be nothing such; the third may be left out.

A scenario of several days says `Expect on day 0:` and so on, each day with all four lines. One too large for that
states bounds instead, under `Expect on each day:` and `Expect in the run:`, such as `settled: at least 0.85 of the
value outstanding`; MEASURES lists what they can be stated for. `Why` is the hand-work behind the numbers, for readers.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from sim_engine.vocabulary import COLLATERAL_ACTIONS, MECHANISMS, WAIT_REASONS

OUTCOME_WORDS = ("settled", "cycles", "queued", "balances")
"""What the head of every scenario states."""

OPTIONAL_WORDS = ("held", "collateral", "waits")
"""What it states where there is something to say."""

LSM_MECHANISMS = ("bilateral", "ring", "gridlock", "entry_offset")

MEASURES = {
    "payments": "",
    "settled": "of the value outstanding",
    "queued on entry": "of the value submitted",
    "queued at the end": "of the value submitted",
    **{f"cycles by {mechanism}": "" for mechanism in LSM_MECHANISMS},
    "balances": "of the liquidity with one agent",
}
"""What bounds can be stated for, with the words that follow the number."""

COUNTS = tuple(measure for measure, unit in MEASURES.items() if not unit)
"""Measures that can be added up over the days of a run; shares of a day's value cannot."""


class HeadError(ValueError):
    """A head comment that cannot be read."""


@dataclass(frozen=True)
class Census:
    """The size of a scenario.

    payments: listed ones, or the expected number a day if generated. liquidity: balances plus credit, minor units.
    """

    agents: int
    payments: int
    generated: bool
    days: int
    ticks_per_day: int
    liquidity: int


@dataclass(frozen=True)
class Settlement:
    """A transaction and what settled it when."""

    transaction: str
    mechanism: str
    tick: int


@dataclass(frozen=True)
class Cycle:
    """A settled cycle; gross and net in minor units."""

    mechanism: str
    tick: int
    agents: tuple[str, ...]
    transactions: tuple[str, ...]
    gross: int
    net: int


@dataclass(frozen=True)
class CollateralChange:
    """A change of posted collateral; posted: minor units from then on."""

    action: str
    tick: int
    agent: str
    posted: int


@dataclass(frozen=True)
class DayOutcome:
    """What a day is to leave behind.

    settled: in the order of their steps, those of one simultaneous step by name. cycles: in the order of cycle_seq.
    queued: in the order of the queue. balances: by agent, minor units. held: in Queue 1, by agent and arrival.
    collateral: in the order of event_seq. waits: by transaction; None if the head does not say.
    """

    settled: tuple[Settlement, ...]
    cycles: tuple[Cycle, ...]
    queued: tuple[str, ...]
    balances: dict[str, int]
    held: tuple[str, ...] = ()
    collateral: tuple[CollateralChange, ...] = ()
    waits: dict[str, str] | None = None


@dataclass(frozen=True)
class Bound:
    """A measure and the range that it is to lie in, ends included; None where it is open."""

    measure: str
    lowest: Fraction | None
    highest: Fraction | None

    def admits(self, value: Fraction) -> bool:
        """Whether the value lies in the range."""
        return (self.lowest is None or value >= self.lowest) and (self.highest is None or value <= self.highest)


@dataclass(frozen=True)
class Head:
    """A head comment. Either every day has an outcome in `days`, or bounds stand in `each_day` and `in_the_run`."""

    census: Census
    question: str
    days: tuple[DayOutcome, ...] = ()
    each_day: tuple[Bound, ...] = ()
    in_the_run: tuple[Bound, ...] = ()


def parse_head(text: str) -> Head:
    """The head comment of a scenario file's text. Raises HeadError for whatever in it is missing or not understood."""
    prose, blocks = _split(text)
    for keyword in ("Census", "Question"):
        if not prose.get(keyword):
            raise HeadError(f"'# {keyword}: ...' is missing")
    census = _census(prose["Census"])
    words = {"on each day": tuple(MEASURES), "in the run": COUNTS}
    if set(words) & set(blocks) and set(blocks) - set(words):
        raise HeadError("state either the outcome of every day or bounds, not both")
    bounds = {title: tuple(_bounds(blocks[title], words[title])) for title in words if title in blocks}
    if bounds:
        each_day, in_the_run = bounds.get("on each day", ()), bounds.get("in the run", ())
        _demand(OUTCOME_WORDS, {bound.measure.split()[0] for bound in each_day}, "'Expect on each day'")
        return Head(census, prose["Question"], each_day=each_day, in_the_run=in_the_run)
    titles = [""] if census.days == 1 else [f"on day {day}" for day in range(census.days)]
    if list(blocks) != titles:
        found = ", ".join(_heading(title) for title in blocks) or "none"
        raise HeadError(f"expected blocks: {', '.join(_heading(title) for title in titles)}; found: {found}")
    return Head(census, prose["Question"], days=tuple(_outcome(blocks[title], _heading(title)) for title in titles))


def _heading(title: str) -> str:
    return f"Expect {title}".strip()


def _split(text: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Prose by keyword, and the lines of each block of expectations by what follows the word Expect."""
    lines = text.splitlines()
    length = next((place for place, line in enumerate(lines) if not line.startswith("#")), len(lines))
    for number, line in enumerate(lines[length:], length + 1):
        if re.match(r"\s*#.*\b(Expect|Census|Question)\b", line):
            raise HeadError(f"line {number}: '{line}' stands below the head comment, where nobody reads it")

    prose: dict[str, str] = {}
    blocks: dict[str, list[str]] = {}
    block: list[str] | None = None
    keyword = ""
    for number, line in enumerate(lines[:length], 1):
        if opening := re.fullmatch(r"# Expect(?: (on day \d+|on each day|in the run))?:", line):
            title = opening[1] or ""
            if title in blocks:
                raise HeadError(f"line {number}: '{_heading(title)}' stands twice")
            block = blocks[title] = []
        elif opening := re.fullmatch(r"# (Census|Question|Why): (\S.*)", line):
            keyword, block = opening[1], None
            if keyword in prose:
                raise HeadError(f"line {number}: '{keyword}' stands twice")
            prose[keyword] = opening[2]
        elif (more := re.fullmatch(r"#   (\S.*)", line)) and block is not None:
            block.append(more[1])
        elif more and keyword in ("Question", "Why"):
            prose[keyword] += f" {more[1]}"
        else:
            raise HeadError(f"line {number}: not understood: '{line}'")
    return prose, blocks


def _census(text: str) -> Census:
    found = _match(
        r"(\d+) agents, (?:(\d+) payments?|about (\d+) payments a day), (\d+) days? of (\d+) ticks, liquidity (\d+)",
        text,
        "Census: N agents, N payments (or: about N payments a day), N days of N ticks, liquidity N",
    )
    agents, listed, generated, days, ticks, liquidity = found.groups()
    return Census(int(agents), int(listed or generated), listed is None, int(days), int(ticks), int(liquidity))


def _outcome(lines: Iterable[str], heading: str) -> DayOutcome:
    stated = _stated(lines, (*OUTCOME_WORDS, *OPTIONAL_WORDS))
    _demand(OUTCOME_WORDS, stated, f"'{heading}'")
    return DayOutcome(
        settled=tuple(one for part in _parts(stated["settled"], "; ") for one in _settlements(part)),
        cycles=tuple(_cycle(part) for part in _parts(stated["cycles"], "; ")),
        queued=tuple(_parts(stated["queued"], " ")),
        balances=_balances(stated["balances"]),
        held=tuple(_parts(stated.get("held", "none"), " ")),
        collateral=tuple(_collateral(part) for part in _parts(stated.get("collateral", "none"), "; ")),
        waits=_waits(stated["waits"]) if "waits" in stated else None,
    )


def _settlements(text: str) -> list[Settlement]:
    found = _match(r"(\w+) at tick (\d+): (\S+(?: \S+)*)", text, "settled: MECHANISM at tick N: T1 T2; ...")
    mechanism, tick, transactions = found.groups()
    return [Settlement(one, _known(mechanism, MECHANISMS), int(tick)) for one in transactions.split(" ")]


def _cycle(text: str) -> Cycle:
    found = _match(
        r"(\w+) at tick (\d+): (\S+(?: \S+)+) by (\S+(?: \S+)+), gross (\d+), net (\d+)",
        text,
        "cycles: MECHANISM at tick N: AGENT AGENT by T1 T2, gross N, net N; ...",
    )
    mechanism, tick, agents, transactions, gross, net = found.groups()
    return Cycle(
        _known(mechanism, LSM_MECHANISMS),
        int(tick),
        tuple(agents.split(" ")),
        tuple(transactions.split(" ")),
        int(gross),
        int(net),
    )


def _collateral(text: str) -> CollateralChange:
    found = _match(r"(\w+) at tick (\d+): (\S+) (\d+)", text, "collateral: ACTION at tick N: AGENT N; ...")
    action, tick, agent, posted = found.groups()
    return CollateralChange(_known(action, COLLATERAL_ACTIONS), int(tick), agent, int(posted))


def _waits(text: str) -> dict[str, str]:
    waits: dict[str, str] = {}
    for part in _parts(text, ", "):
        transaction, reason = _match(r"(\S+) (\w+)", part, "waits: T1 REASON, T2 REASON").groups()
        if transaction in waits:
            raise HeadError(f"waits: {transaction} stands twice")
        waits[transaction] = _known(reason, WAIT_REASONS)
    return waits


def _balances(text: str) -> dict[str, int]:
    balances: dict[str, int] = {}
    for part in text.split(", "):
        agent, money = _match(r"(\S+) (-?\d+)", part, "balances: AGENT N, AGENT N").groups()
        if agent in balances:
            raise HeadError(f"balances: {agent} stands twice")
        balances[agent] = int(money)
    return balances


def _bounds(lines: Iterable[str], measures: tuple[str, ...]) -> Iterable[Bound]:
    number = r"(\d+(?:\.\d+)?)"
    for measure, text in _stated(lines, measures).items():
        unit = f" {MEASURES[measure]}" if MEASURES[measure] else ""
        found = _match(
            f"(?:at least {number}|at most {number}|{number} to {number}){re.escape(unit)}",
            text,
            f"{measure}: at least N (or: at most N; N to N){unit}",
        )
        at_least, at_most, lowest, highest = (None if one is None else Fraction(one) for one in found.groups())
        yield Bound(measure, at_least if lowest is None else lowest, at_most if highest is None else highest)


def _stated(lines: Iterable[str], words: Iterable[str]) -> dict[str, str]:
    stated: dict[str, str] = {}
    for line in lines:
        word, text = _match(r"([^:]+): (\S.*)", line, "WORD: WHAT IS EXPECTED").groups()
        if _known(word, words) in stated:
            raise HeadError(f"'{word}' stands twice")
        stated[word] = text
    return stated


def _parts(text: str, separator: str) -> list[str]:
    return [] if text == "none" else text.split(separator)


def _known(word: str, words: Iterable[str]) -> str:
    if word not in words:
        raise HeadError(f"'{word}' is no word of expectations; known are: {', '.join(words)}")
    return word


def _demand(words: Iterable[str], stated: Iterable[str], place: str) -> None:
    missing = [word for word in words if word not in stated]
    if missing:
        raise HeadError(f"{place} does not state: {', '.join(missing)}")


def _match(pattern: str, text: str, form: str) -> re.Match[str]:
    found = re.fullmatch(pattern, text)
    if found is None:
        raise HeadError(f"'{text}' does not have the form '{form}'")
    return found
