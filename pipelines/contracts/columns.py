"""What columns are made of: each kind of column with its checks, its unit and a description."""

from typing import Any

import pandera.polars as pa
import polars as pl

TICK, SEQ, MONEY, COUNT, WORD, BASIS_POINTS = "tick", "sequence number", "minor units", "count", "", "basis points"
"""Units. Money is in minor units (cents); a word has no unit."""


def word_column(description: str, *, isin: tuple[str, ...] | None = None, nullable: bool = False) -> Any:
    """A text; isin: the words it may be, else any but the empty one."""
    checks: dict[str, Any] = {"str_length": {"min_value": 1}} if isin is None else {"isin": list(isin)}
    return pa.Field(description=description, nullable=nullable, metadata={"unit": WORD}, **checks)


def count_column(description: str, *, ge: int = 0) -> Any:
    """A number of things."""
    return pa.Field(description=description, ge=ge, metadata={"unit": COUNT})


def seq_column(description: str, *, nullable: bool = False, ge: int = 0) -> Any:
    """A place in an order."""
    return pa.Field(description=description, ge=ge, nullable=nullable, metadata={"unit": SEQ})


def tick_column(description: str, *, nullable: bool = False) -> Any:
    """A tick of the simulation, from 0 through all its days."""
    return pa.Field(description=description, ge=0, nullable=nullable, metadata={"unit": TICK})


def money_column(description: str, *, ge: int = 0, nullable: bool = False) -> Any:
    """An amount of minor units that is never below ge."""
    return pa.Field(description=description, ge=ge, nullable=nullable, metadata={"unit": MONEY})


def balance_column(description: str) -> Any:
    """An amount of minor units that credit may take below zero."""
    return pa.Field(description=description, metadata={"unit": MONEY})


def words_column(description: str) -> Any:
    """A list of names."""
    return pa.Field(description=description, dtype_kwargs={"inner": pl.String}, metadata={"unit": WORD})


def moneys_column(description: str) -> Any:
    """A list of amounts of minor units."""
    return pa.Field(description=description, dtype_kwargs={"inner": pl.Int64}, metadata={"unit": MONEY})


class RawTable(pa.DataFrameModel):
    """What every raw table has in common: it is strict, its columns stand in order and it starts with these two."""

    simulation_id: str = word_column("Simulation: run, arm and seed, joined as in my_run.lsm_on.s42")
    day: pl.Int64 = count_column("Settlement day, from 0")

    class Config:
        strict = True
        ordered = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # A failing row is reported under its own contract's name; a Config that is derived would keep this one's.
        if "Config" in cls.__dict__:
            cls.Config.name = cls.__name__  # type: ignore[attr-defined]
        super().__init_subclass__(**kwargs)
