"""The page on raw tables, as their contracts state them."""

import inspect
from typing import Any

import polars as pl

from pipelines.contracts import CONTRACTS, columns_of, grain_of, primary_key_of
from pipelines.reference.markdown import code, link, page, table

TYPE_NAMES: dict[pl.DataType, str] = {
    pl.String(): "text",
    pl.Int64(): "int64",
    pl.List(pl.String()): "list of text",
    pl.List(pl.Int64()): "list of int64",
}
"""What the page calls the types that contracts use."""


def table_page() -> str:
    """Every raw table, column by column."""
    return page(
        "Table reference",
        "The raw tables: what a simulated day leaves behind, before anything is computed from it. Generated from "
        "the contracts in `pipelines/contracts/` by `make docs`; do not edit. Every row is held against its "
        "contract before a day is stored: types, nulls, allowed values, the key and the row laws; what needs "
        "several tables is tested by dbt ([mart_reference.md](mart_reference.md)). Money is in minor units "
        "(cents). A *tick* counts through all days of a simulation, from 0. Files lie at "
        "`raw/<table>/run_id=<run>/day=<nnnn>/part-<k>.parquet` in the data folder or the store, one for each chunk of "
        "the run; the run is a column of `simulations` alone, elsewhere the folder says it.",
        "\n".join(f"- {link(code(name))}: {grain_of(name)}" for name in CONTRACTS),
        *(_table(name) for name in CONTRACTS),
    )


def _table(name: str) -> str:
    schema = CONTRACTS[name].to_schema()
    about = inspect.cleandoc(CONTRACTS[name].__doc__ or "")
    key = ", ".join(map(code, primary_key_of(name)))
    parts = [f"## {code(name)}", about, f"Key: {key}.", _columns(name, schema)]
    if schema.checks:
        parts += ["Holds in every row:", "\n".join(f"- {check.name}" for check in schema.checks)]
    return "\n\n".join(parts)


def _columns(name: str, schema: Any) -> str:
    rows = [
        (
            code(column.name),
            TYPE_NAMES[column.dtype],
            "yes" if column.nullable else "",
            column.unit,
            column.description,
            ", ".join(_allowed(check) for check in schema.columns[column.name].checks),
        )
        for column in columns_of(name)
    ]
    return table(("column", "type", "null", "unit", "meaning", "allowed"), rows)


def _allowed(check: Any) -> str:
    """What a check of one column admits, in words."""
    stated = check.statistics
    match check.name:
        case "isin":
            return ", ".join(code(str(value)) for value in stated["allowed_values"])
        case "greater_than_or_equal_to":
            return f"from {stated['min_value']:,}"
        case "less_than_or_equal_to":
            return f"to {stated['max_value']:,}"
        case "str_length":
            return "not empty"
        case "str_matches":
            return f"matches {code(stated['pattern'])}"
    raise AssertionError(f"a check without words: {check.name}")
