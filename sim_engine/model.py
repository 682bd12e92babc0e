"""What the models of a scenario file have in common."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sim_engine.bounds import MONEY_MAX, TICK_MAX


@dataclass(frozen=True, slots=True)
class Unit:
    """What a number of a file counts; it stands in a type for readers of the reference, and decides nothing."""

    name: str


Money = Annotated[int, Field(ge=0, le=MONEY_MAX), Unit("minor units")]
"""Minor units."""

Tick = Annotated[int, Field(ge=0, le=TICK_MAX), Unit("tick")]

Ticks = Annotated[Tick, Unit("ticks")]
"""A number of ticks, which may be none."""


class Model(BaseModel):
    """A part of a scenario file: unknown keys are refused, values are taken as they stand, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
