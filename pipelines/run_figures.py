"""What a run did, in figures: totals over its simulations and days."""

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from sim_engine.vocabulary import CYCLE_TYPES, MECHANISMS


@dataclass(frozen=True, slots=True)
class Volume:
    """A number of transactions and their value, minor units."""

    transactions: int = 0
    value: int = 0

    def __add__(self, other: "Volume") -> "Volume":
        return Volume(self.transactions + other.transactions, self.value + other.value)

    def __sub__(self, other: "Volume") -> "Volume":
        return Volume(self.transactions - other.transactions, self.value - other.value)


@dataclass(frozen=True, slots=True)
class Netting:
    """Cycles, their transactions, and their values in minor units.

    gross: sum of the amounts. net: the liquidity that moved. saved: the difference.
    """

    cycles: int = 0
    transactions: int = 0
    gross: int = 0
    net: int = 0

    @property
    def saved(self) -> int:
        """Liquidity that settling one by one would have moved and netting did not, minor units."""
        return self.gross - self.net

    def __add__(self, other: "Netting") -> "Netting":
        return Netting(
            self.cycles + other.cycles,
            self.transactions + other.transactions,
            self.gross + other.gross,
            self.net + other.net,
        )

    def as_dict(self) -> dict[str, int]:
        """The figures by name."""
        return {
            "cycles": self.cycles,
            "transactions": self.transactions,
            "gross": self.gross,
            "net": self.net,
            "saved": self.saved,
        }


@dataclass
class RunFigures:
    """Totals so far, exact beyond int64.

    settled_by: by mechanism. netting_by: by cycle type. cycles_of_days: number of cycles of each day.
    """

    arrived: Volume = Volume()
    settled_by: dict[str, Volume] = field(default_factory=lambda: dict.fromkeys(MECHANISMS, Volume()))
    netting_by: dict[str, Netting] = field(default_factory=lambda: dict.fromkeys(CYCLE_TYPES, Netting()))
    cycles_of_days: list[int] = field(default_factory=list)

    @property
    def settled(self) -> Volume:
        """What settled, by any mechanism."""
        return sum(self.settled_by.values(), Volume())

    @property
    def unsettled(self) -> Volume:
        """What has arrived and not settled: still queued, or cancelled."""
        return self.arrived - self.settled

    @property
    def netting(self) -> Netting:
        """All cycles together."""
        return sum(self.netting_by.values(), Netting())

    def add_day(self, ticks: pl.DataFrame, cycles: pl.DataFrame) -> None:
        """Counts in the raw tables `ticks` and `lsm_cycles` of a day."""
        self.arrived += Volume(_sum(ticks["arrivals"]), _sum(ticks["arrival_value"]))
        for mechanism in MECHANISMS:
            self.settled_by[mechanism] += Volume(
                _sum(ticks[f"settled_{mechanism}"]), _sum(ticks[f"settled_value_{mechanism}"])
            )
        for kind in CYCLE_TYPES:
            chosen = cycles.filter(pl.col("cycle_type") == kind)
            self.netting_by[kind] += Netting(
                chosen.height,
                _sum(chosen["transactions"].list.len()),
                _sum(chosen["total_value"]),
                _sum(chosen["settled_value"]),
            )
        self.cycles_of_days.append(cycles.height)

    def as_dict(self) -> dict[str, Any]:
        """The figures by name, as plain values; money in minor units."""
        return {
            "arrived": _plain(self.arrived),
            "settled": _plain(self.settled),
            "unsettled": _plain(self.unsettled),
            "settled_by_mechanism": {mechanism: _plain(volume) for mechanism, volume in self.settled_by.items()},
            "lsm": self.netting.as_dict(),
            "lsm_by_cycle_type": {kind: netting.as_dict() for kind, netting in self.netting_by.items()},
            "lsm_cycles_by_day": self.cycles_of_days,
        }


def _plain(volume: Volume) -> dict[str, int]:
    return {"transactions": volume.transactions, "value": volume.value}


def _sum(numbers: pl.Series) -> int:
    """The exact sum: that of many simulations may exceed int64."""
    return int(numbers.cast(pl.Int128).sum())
