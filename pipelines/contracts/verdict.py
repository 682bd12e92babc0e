"""Whether a frame surely keeps a contract: a quick yes, or a no that pandera has to look into.

pandera tells which value fails which check, and for that writes down what every check says of every row. Hardly any
frame fails, so this is asked first. It holds the frame against the same schema; a kind of check that it does not know
is put to pandera at once.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
import polars as pl


def surely_keeps(schema: Any, types: pl.Schema, frame: pl.DataFrame) -> bool:
    """Whether an eager frame passes all of a strict, ordered pandera schema with a key, its columns of these types.

    False if it does not, and once in a blue moon if it does.
    """
    assert schema.strict is True and schema.ordered and schema.unique and not schema.coerce, schema.name
    return (
        list(frame.schema.items()) == list(types.items())
        and all(_column_passes(column, frame[name]) for name, column in schema.columns.items())
        and all(_check_passes(check, frame) for check in schema.checks)
        and _differ(frame.select(schema.unique))
    )


def _column_passes(column: Any, values: pl.Series) -> bool:
    assert column.required and not (column.unique or column.regex or column.coerce), column.name
    if not column.nullable and values.null_count():
        return False
    return all(
        _PASSES[check.name](values, **check.statistics)
        if check.name in _PASSES
        else _check_passes(check, values.to_frame(), values.name)
        for check in column.checks
    )


def _check_passes(check: Any, frame: pl.DataFrame, column: str | None = None) -> bool:
    """What pandera says."""
    return bool(check(frame.lazy(), column).check_passed.collect().item())


# The checks that most columns have. Nulls pass, as they do with pandera: whether they may stand is another matter.


def _is_at_least(values: pl.Series, min_value: int) -> bool:
    least: Any = values.min()
    return least is None or bool(least >= min_value)


def _is_one_of(values: pl.Series, allowed_values: Sequence[object]) -> bool:
    is_allowed = reduce(or_, [pl.col(values.name).eq(allowed) for allowed in allowed_values])
    return bool(values.to_frame().lazy().select(is_allowed.all()).collect().item())


def _is_not_empty(values: pl.Series, min_value: int, max_value: int | None, exact_value: int | None) -> bool:
    assert (min_value, max_value, exact_value) == (1, None, None), values.name
    return bool((values.str.len_bytes() > 0).all())


_PASSES: dict[str, Callable[..., bool]] = {
    "greater_than_or_equal_to": _is_at_least,
    "isin": _is_one_of,
    "str_length": _is_not_empty,
}
"""By pandera's name of the check, whether all values pass it; its statistics are the arguments."""


def _differ(rows: pl.DataFrame) -> bool:
    """Whether all rows have different hashes, and so are different; two that share one may yet be."""
    hashes = np.sort(rows.hash_rows().to_numpy())
    return bool((hashes[1:] != hashes[:-1]).all())
