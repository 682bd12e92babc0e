"""How agents behave, as a scenario file states it: release policies, collateral, limits, and what it costs them."""

from collections.abc import Iterable
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_serializer, model_validator

from sim_engine.bounds import DAYS_MAX, TICK_MAX
from sim_engine.errors import did_you_mean
from sim_engine.model import Model, Money, Tick, Ticks, Unit


class Fifo(Model):
    """Releases everything at once."""


class Deadline(Model):
    """Holds a transaction until its deadline is near; one without a deadline is due on the last tick of the day."""

    urgency_ticks: Ticks = Field(
        description="How long before its deadline a transaction is released; 0: in the tick of its deadline",
        examples=[5],
    )


class LiquidityAware(Model):
    """Releases in order of arrival as long as a buffer of liquidity stays, and what is due as `deadline` does."""

    target_buffer: Money = Field(description="Available liquidity that is kept back", examples=[20_000_000])
    urgency_ticks: Ticks = Field(
        description="How long before its deadline a transaction is released whatever is left", examples=[5]
    )


class ReceiptReactive(Model):
    """Releases in order of arrival as much as was received on this day, and an allowance."""

    allowance: Money = Field(description="Value that is released before anything is received", examples=[20_000_000])


class ScheduleStep(Model):
    """From a tick of the day on, at least so much of the day's value is to have been released."""

    tick: Tick = Field(description="Tick of the day, from 0, from which the share holds", examples=[300])
    share_bp: Annotated[int, Unit("basis points")] = Field(
        ge=0, le=10_000, description="Share of the day's value that is to have been released", examples=[5_000]
    )


class Scheduled(Model):
    """Releases in order of arrival as far as a throughput guideline asks for.

    - Ticks ascend, each stated once, and shares never fall from one step to the next.
    - A step's tick is a tick of the day: below `ticks_per_day`.
    """

    profile: tuple[ScheduleStep, ...] = Field(
        min_length=1,
        strict=False,
        description="Steps of the guideline; before the first one nothing is to have been released",
        examples=[[{"tick": 300, "share_bp": 5_000}, {"tick": 450, "share_bp": 7_500}]],
    )

    @field_validator("profile")
    @classmethod
    def _ascends(cls, profile: tuple[ScheduleStep, ...]) -> tuple[ScheduleStep, ...]:
        ticks, shares = [step.tick for step in profile], [step.share_bp for step in profile]
        if ticks != sorted(set(ticks)) or shares != sorted(shares):
            raise ValueError("ticks and shares must ascend, each tick stated once")
        return profile


def _must_be_one_of(policies: Iterable[str]) -> str:
    return f"must be one of {', '.join(policies)}, with its parameters below it"


class Policy(Model):
    """What leaves an agent's Queue 1: one of these, by name. Whatever it is, urgent transactions leave at once.

    - Exactly one is named, with its parameters below it; a name alone will do for one that has none.
    """

    fifo: Fifo | None = Field(None, description="Release at once", examples=[{}])
    deadline: Deadline | None = Field(
        None, description="Hold until the deadline is near", examples=[{"urgency_ticks": 5}]
    )
    liquidity_aware: LiquidityAware | None = Field(
        None, description="Keep a buffer of liquidity", examples=[{"target_buffer": 20_000_000, "urgency_ticks": 5}]
    )
    receipt_reactive: ReceiptReactive | None = Field(
        None, description="Pay out of what was received", examples=[{"allowance": 20_000_000}]
    )
    scheduled: Scheduled | None = Field(
        None,
        description="Follow a throughput guideline",
        examples=[{"profile": [{"tick": 300, "share_bp": 5_000}]}],
    )

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        if isinstance(value, str):
            if value not in cls.model_fields:
                raise ValueError(f"no such policy; {did_you_mean(value, cls.model_fields)}")
            return {value: {}}
        if not isinstance(value, (dict, cls)):
            raise ValueError(_must_be_one_of(cls.model_fields))
        return value

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_fields_set) != 1 or self.rules is None:
            raise ValueError(_must_be_one_of(type(self).model_fields))
        return self

    @model_serializer(mode="plain")
    def _stated(self) -> dict[str, Any]:
        return {self.name: self.rules.model_dump(mode="json")}

    @property
    def name(self) -> str:
        """The policy's name."""
        return next(iter(self.model_fields_set))

    @property
    def rules(self) -> Any:
        """The policy's parameters, an instance of one of the models above."""
        return getattr(self, self.name)


class PolicyChange(Model):
    """A policy that takes the place of the one before it.

    - Changes stand in the order of their days, at most one a day.
    """

    day: Annotated[int, Unit("day")] = Field(
        ge=1, le=DAYS_MAX, description="Day, from 0, from whose opening on it is in force", examples=[1]
    )
    policy: Policy = Field(
        description="What leaves Queue 1 from then on", examples=["fifo", {"receipt_reactive": {"allowance": 0}}]
    )


class OnNeed(Model):
    """Posts collateral when what the agent has submitted and not settled exceeds its available liquidity."""

    max: Money = Field(
        description="Most collateral that is posted at any time, before the haircut", examples=[80_000_000]
    )


class ReturnWhenIdle(Model):
    """Withdraws the collateral that is not needed once the agent has had nothing to pay for so many ticks of a day."""

    ticks: Annotated[int, Unit("ticks")] = Field(
        ge=1,
        le=TICK_MAX,
        description="How many ticks in a row both its queues are empty and it releases nothing",
        examples=[30],
    )


class Collateral(Model):
    """How an agent's posted collateral changes; `static`, without either rule, is as it opened.

    - `on_need.max` is at least the agent's `posted_collateral`.
    """

    on_need: OnNeed | None = Field(None, description="When to post more", examples=[{"max": 80_000_000}])
    return_when_idle: ReturnWhenIdle | None = Field(
        None, description="When to take back what is not needed", examples=[{"ticks": 30}]
    )

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        if not isinstance(value, (dict, cls)) and value != "static":
            raise ValueError("must be 'static', or hold on_need or return_when_idle with what they take below them")
        return {} if value == "static" else value


class Limits(Model):
    """Bounds on an agent's net position of a day; they bind all its transactions but urgent ones.

    - Bilateral limits are towards other agents of the scenario.
    """

    bilateral: dict[str, Money] = Field(
        {}, description="By receiver: most that is sent to it net of what it sends", examples=[{"BANK_B": 50_000_000}]
    )
    multilateral: Money | None = Field(
        None, description="Most that is sent to all others net of what they send; none: no limit", examples=[80_000_000]
    )


Percent = Annotated[int, Field(ge=0, le=10_000), Unit("percent")]


class PriorityWeights(Model):
    """What a tick of delay weighs by priority, percent."""

    urgent: Percent = Field(200, description="Weight of urgent transactions", examples=[200])
    normal: Percent = Field(100, description="Weight of normal transactions", examples=[100])
    low: Percent = Field(50, description="Weight of low transactions", examples=[50])


BasisPoints = Annotated[int, Field(ge=0, le=1_000_000), Unit("basis points")]


class Costs(Model):
    """What is booked for an agent and a day: rates in basis points (1/10,000) of a value held for a whole day.

    - What an agent's day may cost at these rates stays below 2^63 minor units.
    """

    overdraft_bp: BasisPoints = Field(0, description="Of the overdrawn balance, for a day", examples=[10])
    delay_bp: BasisPoints = Field(0, description="Of the value that it has not settled yet, for a day", examples=[5])
    delay_weights: PriorityWeights = Field(
        PriorityWeights(),
        description="What delay weighs by priority",
        examples=[{"urgent": 300, "normal": 100, "low": 0}],
    )
    overdue_bp: BasisPoints = Field(
        0, description="Of the value unsettled after its deadline, for a day", examples=[50]
    )
    collateral_bp: BasisPoints = Field(0, description="Of the posted collateral, for a day", examples=[1])
    unsettled_bp: BasisPoints = Field(
        0, description="Of the value unsettled at the end of the day, once", examples=[100]
    )
