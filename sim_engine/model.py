"""What the models of a scenario file have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sim_engine.bounds import MONEY_MAX, TICK_MAX

Money = Annotated[int, Field(ge=0, le=MONEY_MAX)]
"""Minor units."""

Tick = Annotated[int, Field(ge=0, le=TICK_MAX)]


class Model(BaseModel):
    """A part of a scenario file: unknown keys are refused, values are taken as they stand, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
