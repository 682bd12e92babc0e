"""The marts that a report is built from."""

import duckdb
import polars as pl

MARTS_READ = (
    "dim_simulations",
    "fct_agent_cost_days",
    "fct_agent_lsm_days",
    "fct_cycle_length_days",
    "fct_cycle_type_days",
    "fct_data_tests",
    "fct_experiment_arms",
    "fct_lsm_counterfactual",
    "fct_lsm_cycle_transactions",
    "fct_lsm_cycles",
    "fct_lsm_effectiveness_days",
    "fct_raw_table_days",
    "fct_ticks",
    "fct_transactions",
)
"""Every table that a question may name."""


_INT64 = range(-(2**63), 2**63)


class Marts:
    """The tables of a warehouse, to be asked in SQL."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def ask(self, statement: str) -> pl.DataFrame:
        """The rows that a statement gives.

        Sums of whole numbers are whole numbers, of 128 bits where 64 do not hold them: a simulation's money fits into
        64, that of many may not.
        """
        rows: pl.DataFrame = self._connection.sql(statement).pl()
        sums = [column.cast(pl.Int128) for column in rows if column.dtype.is_decimal()]
        return rows.with_columns(
            column.cast(pl.Int64) if all(value in _INT64 for value in column.drop_nulls().to_list()) else column
            for column in sums
        )

    def missing(self) -> list[str]:
        """Marts that the warehouse does not have, as one that an earlier version built."""
        there = {name for (name,) in self._connection.sql("select table_name from duckdb_tables()").fetchall()}
        return [name for name in MARTS_READ if name not in there]
