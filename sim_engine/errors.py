"""What a user did wrong, collected as values and reported together."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class _Absent:
    """No value stands there at all."""

    def __repr__(self) -> str:
        return "nothing"

    def __reduce__(self) -> str:
        return "ABSENT"  # in another process too, there is but one


ABSENT = _Absent()
"""The value of a problem where the file says nothing."""

_SHOWN_VALUE_LENGTH_MAX = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one place of an input.

    key: path within the file, such as ``agents[2].credit_limit``; empty for the whole file.
    value: what was found there, or ABSENT where naming it adds nothing.
    remedy: what is allowed, or what to do.
    """

    key: str
    value: object
    remedy: str

    def __str__(self) -> str:
        place = f"{self.key}: " if self.key else ""
        found = "" if self.value is ABSENT else f"found {_shown(self.value)}; "
        return f"{place}{found}{self.remedy}"


class InputError(ValueError):
    """Input that cannot be used: every problem of one source, in the order of the file.

    source: the file (or what stands for it) that holds the problems.
    """

    def __init__(self, source: object, problems: Sequence[Problem]) -> None:
        self.source = str(source)
        self.problems = tuple(problems)
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{self.source}: {count}\n{lines}")

    def __reduce__(self) -> tuple[type["InputError"], tuple[str, tuple[Problem, ...]]]:
        return type(self), (self.source, self.problems)  # an exception is pickled by its message else


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """A closing phrase that offers the closest of the known words, or lists them if none is close."""
    words = list(known)
    close = difflib.get_close_matches(str(word), words, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    if not words:
        return "there are none here; leave it out"
    listed = ", ".join(words[:12]) + (", …" if len(words) > 12 else "")
    return f"known are: {listed}"


_YAML_WORDS: dict[object, str] = {None: "null", True: "true", False: "false"}


def _shown(value: object) -> str:
    """The value as its file would write it, cut if it is long."""
    text = _YAML_WORDS[value] if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= _SHOWN_VALUE_LENGTH_MAX else text[: _SHOWN_VALUE_LENGTH_MAX - 1] + "…"
