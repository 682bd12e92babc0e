"""Payments from a CSV or Parquet file (a scenario's `arrivals_file`), checked row by row."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from sim_engine.bounds import MONEY_MAX, TICK_MAX
from sim_engine.errors import ABSENT, InputError, Problem, did_you_mean
from sim_engine.names import GENERATED_ID_PREFIX, LISTED_ID_PREFIX, TRANSACTION
from sim_engine.transaction_ids import TransactionIds
from sim_engine.vocabulary import NONE, PRIORITIES

_REQUIRED = ("transaction", "sender", "receiver", "amount")
_TIMES = ("tick", "timestamp")
_OPTIONAL = ("priority", "deadline")
_COLUMNS = (*_REQUIRED, *_TIMES, *_OPTIONAL)
_FORMS = {
    ".csv": "it must be UTF-8 text with commas, a header, and as many values in every row",
    ".parquet": "write it again as Parquet",
}
_SHOWN_PER_KIND_MAX = 5
_DIGITS = re.compile(r"[0-9]{1,19}")
_TIMESTAMP_PATTERN = r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?$"


@dataclass(frozen=True)
class PaymentsFile:
    """The payments of a file, in its order; one element per payment in every array.

    name, sha256: the file's name and the digest of its bytes.
    ids: transaction ids. senders, receivers: agent indexes, int32. amounts: minor units, int64.
    ticks, deadlines: ticks of the simulation, int64; a deadline of -1 is none. priorities: codes of PRIORITIES, int8.
    """

    name: str
    sha256: str
    ids: TransactionIds
    senders: np.ndarray
    receivers: np.ndarray
    amounts: np.ndarray
    ticks: np.ndarray
    priorities: np.ndarray
    deadlines: np.ndarray

    def __setstate__(self, content: dict[str, Any]) -> None:
        # An unpickled array's dtype is equal to numpy's own and another object, which numpy takes long ways round.
        for name, value in content.items():
            self.__dict__[name] = value.view(np.dtype(value.dtype.str)) if isinstance(value, np.ndarray) else value

    @property
    def amount_total(self) -> int:
        """Sum of the amounts, minor units; exact beyond int64."""
        return sum(self.amounts.tolist())


def read_payments_file(
    path: Path,
    *,
    agent_ids: tuple[str, ...],
    ticks_per_day: int,
    opens_at: str | None,
    tick_seconds: int | None,
    reserved_ids: frozenset[str],
) -> PaymentsFile:
    """The payments of a CSV (with a header) or Parquet file.

    Columns: transaction, sender, receiver, amount, and either tick or timestamp; optional priority and deadline. With
    timestamps, each date of the file is a settlement day, in order, a day's first tick begins at `opens_at` and a tick
    lasts `tick_seconds`; a deadline is then a timestamp too.
    Raises InputError with the file's problems, at most a few rows of each kind.
    """
    table, digest = _read_table(path)
    problems = list(_column_problems(table.schema, opens_at, tick_seconds))
    if problems:
        raise InputError(path, problems)
    rows = _Rows(table)

    ids = rows.texts("transaction")
    form, form_in_words = re.compile(TRANSACTION[0]), TRANSACTION[1]
    rows.refuse("transaction", [not form.fullmatch(text) for text in ids], f"needs a name of {form_in_words}")
    counts = Counter(ids)
    rows.refuse("transaction", [counts[text] > 1 for text in ids], "duplicate transaction; give each its own name")
    rows.refuse(
        "transaction", [text in reserved_ids for text in ids], "duplicate: the scenario lists it already; rename one"
    )
    rows.refuse(
        "transaction",
        [text.startswith((GENERATED_ID_PREFIX, LISTED_ID_PREFIX)) for text in ids],
        f"'{GENERATED_ID_PREFIX}' and '{LISTED_ID_PREFIX}' are reserved for derived ids; name it otherwise",
    )
    index = {agent: place for place, agent in enumerate(agent_ids)}
    sides = {}
    for side in ("sender", "receiver"):
        names = rows.texts(side)
        sides[side] = np.array([index.get(name, NONE) for name in names], dtype=np.int32)
        rows.refuse(side, sides[side] == NONE, lambda name: f"no such agent; {did_you_mean(name, agent_ids)}")
    rows.refuse(
        "receiver",
        (sides["sender"] == sides["receiver"]) & (sides["sender"] != NONE),
        "an agent cannot pay itself; name another receiver",
    )
    amounts = rows.whole_numbers("amount", at_least=1, at_most=MONEY_MAX, hint="whole minor units (cents), above 0")
    priorities = [text or "normal" for text in rows.texts("priority")]
    rows.refuse("priority", [word not in PRIORITIES for word in priorities], f"must be one of {', '.join(PRIORITIES)}")
    if "tick" in table.column_names:
        ticks = rows.whole_numbers("tick", at_least=0, at_most=TICK_MAX, hint="a tick, 0 or above")
        deadlines = rows.whole_numbers("deadline", at_least=0, at_most=TICK_MAX, hint="a tick", optional=True)
    else:
        assert opens_at is not None and tick_seconds is not None, "checked with the columns"
        clock = _Clock.of_dates(rows.timestamps("timestamp"), opens_at, tick_seconds, ticks_per_day)
        ticks = clock.ticks(rows.timestamps("timestamp"))
        rows.refuse("timestamp", ticks == NONE, f"outside the day, which has {ticks_per_day} ticks from {opens_at}")
        deadlines = clock.ticks(rows.timestamps("deadline", optional=True), clamp=True)
    rows.refuse(
        "deadline", (deadlines != NONE) & (deadlines < ticks), "lies before the payment's arrival; move one of them"
    )
    if rows.problems:
        raise InputError(path, rows.problems)
    codes = np.array([PRIORITIES.index(word) for word in priorities], dtype=np.int8)
    return PaymentsFile(
        path.name, digest, TransactionIds.of(ids), sides["sender"], sides["receiver"], amounts, ticks, codes, deadlines
    )


def _read_table(path: Path) -> tuple[Any, str]:
    """A file's columns and the digest of its bytes.

    Arrow reads without threads of its own: where polars is loaded too, they can abort a process that ends soon after.
    """
    if path.suffix.lower() not in _FORMS:
        raise InputError(path, [Problem("arrivals_file", path.name, "must be a .csv or a .parquet file")])
    try:
        content = path.read_bytes()
        if path.suffix.lower() == ".csv":
            columns = pa.csv.read_csv(
                pa.BufferReader(content),
                read_options=pa.csv.ReadOptions(block_size=max(len(content), 1), use_threads=False),
                convert_options=pa.csv.ConvertOptions(
                    column_types={name: pa.string() for name in _COLUMNS}, strings_can_be_null=False
                ),
            )
        else:
            columns = pa.parquet.ParquetFile(pa.BufferReader(content), pre_buffer=False).read(use_threads=False)
    except OSError as error:
        remedy = f"cannot be read: {error.strerror or error}; name a readable file, from the scenario's folder"
        raise InputError(path, [Problem("arrivals_file", path.name, remedy)]) from error
    except pa.ArrowException as error:
        remedy = f"not a valid {path.suffix[1:]} file: {error}; {_FORMS[path.suffix.lower()]}"
        raise InputError(path, [Problem("", ABSENT, remedy)]) from error
    return columns, hashlib.sha256(content).hexdigest()


def _column_problems(schema: Any, opens_at: str | None, tick_seconds: int | None) -> Iterator[Problem]:
    columns: list[str] = schema.names
    for column, kind in dict(zip(columns, schema.types, strict=True)).items():
        if column not in _COLUMNS:
            yield Problem(f"column {column}", ABSENT, f"unknown column; {did_you_mean(column, _COLUMNS)}")
        elif columns.count(column) > 1:
            yield Problem(f"column {column}", ABSENT, "stands twice; keep one of them")
        elif column == "amount" and not (pa.types.is_integer(kind) or kind == pa.string()):
            yield Problem("column amount", str(kind), "must be a column of integers: whole minor units (cents)")
        elif pa.types.is_nested(kind) or pa.types.is_binary(kind):
            yield Problem(f"column {column}", str(kind), "must be a column of texts, numbers or times")
    for column in _REQUIRED:
        if column not in columns:
            yield Problem(f"column {column}", ABSENT, "missing; this column is needed")
    if sum(column in columns for column in _TIMES) != 1:
        yield Problem("column tick", ABSENT, "exactly one of the columns 'tick' and 'timestamp' is needed")
    if "timestamp" in columns and (opens_at is None or tick_seconds is None):
        yield Problem(
            "column timestamp", ABSENT, "needs 'opens_at' and 'tick_seconds' under the scenario's arrivals_file"
        )


class _Rows:
    """A table's columns as checked values, with the problems met on the way."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self.problems: list[Problem] = []
        self._refused: dict[str, set[int]] = {}

    def texts(self, column: str) -> list[str]:
        """Values as texts, an empty one for null; all empty if the column is absent."""
        if column not in self._table.column_names:
            return [""] * self._table.num_rows
        values = self._table[column]
        if pa.types.is_timestamp(values.type):
            values = pc.cast(values, pa.timestamp("us"))  # nanoseconds are written with digits that no text has
        elif pa.types.is_floating(values.type):
            values = pc.if_else(pc.is_nan(values), None, values)  # how some tools write "no value" among numbers
        return [value or "" for value in pc.cast(values, pa.string()).to_pylist()]

    def whole_numbers(
        self, column: str, *, at_least: int, at_most: int, hint: str, optional: bool = False
    ) -> np.ndarray:
        """Values as int64; -1 where an optional one is empty or a value was refused."""
        texts = self.texts(column)
        numbers = [
            int(text) if _DIGITS.fullmatch(text) and at_least <= int(text) <= at_most else NONE for text in texts
        ]
        empty_is_fine = [optional and not text for text in texts]
        refused = [number == NONE and not fine for number, fine in zip(numbers, empty_is_fine, strict=True)]
        self.refuse(column, refused, f"must be {hint}")
        return np.array(numbers, dtype=np.int64)

    def timestamps(self, column: str, *, optional: bool = False) -> np.ndarray:
        """Values as datetime64[us], NaT where an optional one is empty or a value was refused."""
        texts = self.texts(column)
        stamps = np.full(len(texts), np.datetime64("NaT"), dtype="datetime64[us]")
        refused = np.zeros(len(texts), dtype=bool)
        well_formed = pc.match_substring_regex(pa.array(texts, pa.string()), _TIMESTAMP_PATTERN).to_pylist()
        for row, (text, well) in enumerate(zip(texts, well_formed, strict=True)):
            try:
                if well:
                    stamps[row] = np.datetime64(text.replace(" ", "T"), "us")
                elif text or not optional:
                    refused[row] = True
            except ValueError:
                refused[row] = True
        self.refuse(column, refused, "must be a local time such as 2026-01-05 09:30:00")
        return stamps

    def refuse(self, column: str, refused: Any, remedy: str | Callable[[str], str]) -> None:
        """Notes a problem for the rows that are refused, the first few one by one; a value has only its first."""
        known = self._refused.setdefault(column, set())
        rows = [row for row in np.flatnonzero(np.asarray(refused, dtype=bool)).tolist() if row not in known]
        if not rows:
            return
        known.update(rows)
        texts = self.texts(column)
        for row in rows[:_SHOWN_PER_KIND_MAX]:
            said = remedy if isinstance(remedy, str) else remedy(texts[row])
            self.problems.append(Problem(f"row {row + 1}, {column}", texts[row], said))
        remaining = len(rows) - _SHOWN_PER_KIND_MAX
        if remaining > 0:
            said = "1 more row has" if remaining == 1 else f"{remaining} more rows have"
            self.problems.append(Problem(f"column {column}", ABSENT, f"{said} the same problem"))


@dataclass(frozen=True)
class _Clock:
    """Turns local times into ticks: the dates of the file are the settlement days, in order."""

    dates: np.ndarray
    opens_at: np.timedelta64
    tick_length: np.timedelta64
    ticks_per_day: int

    @classmethod
    def of_dates(cls, stamps: np.ndarray, opens_at: str, tick_seconds: int, ticks_per_day: int) -> "_Clock":
        parts = [int(part) for part in opens_at.split(":")] + [0]
        opening = np.timedelta64((parts[0] * 60 + parts[1]) * 60 + parts[2], "s").astype("timedelta64[us]")
        dates = np.unique(stamps[~np.isnat(stamps)].astype("datetime64[D]"))
        return cls(dates, opening, np.timedelta64(tick_seconds, "s").astype("timedelta64[us]"), ticks_per_day)

    def ticks(self, stamps: np.ndarray, *, clamp: bool = False) -> np.ndarray:
        """Ticks of the simulation, int64; -1 for NaT and for times outside the day's ticks.

        clamp: a time outside the day's ticks, or between its dates, counts as the nearest tick before it.
        """
        ticks = np.full(len(stamps), NONE, dtype=np.int64)
        known = ~np.isnat(stamps)
        if not known.any():
            return ticks
        dates = stamps[known].astype("datetime64[D]")
        days = np.searchsorted(self.dates, dates, side="right") - 1
        of_day = (stamps[known] - dates.astype("datetime64[us]") - self.opens_at) // self.tick_length
        if clamp:
            of_day = np.where(self.dates[np.maximum(days, 0)] < dates, self.ticks_per_day - 1, of_day)
            ticks[known] = np.maximum(days * self.ticks_per_day + np.clip(of_day, -1, self.ticks_per_day - 1), 0)
        else:
            inside = (of_day >= 0) & (of_day < self.ticks_per_day)
            ticks[known] = np.where(inside, days * self.ticks_per_day + of_day, NONE)
        return ticks
