"""How agents behave, as a scenario file states it: release policies, collateral, limits, and what it costs them."""

from collections.abc import Iterable
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_serializer, model_validator

from sim_engine.bounds import DAYS_MAX, TICK_MAX
from sim_engine.errors import did_you_mean
from sim_engine.model import Model, Money, Tick


class Fifo(Model):
    """Releases everything at once."""


class Deadline(Model):
    """Holds a transaction until its deadline is near; one without a deadline is due on the last tick of the day."""

    urgency_ticks: Tick = Field(description="Ticks before its deadline at which a transaction is released")


class LiquidityAware(Model):
    """Releases in order of arrival as long as a buffer of liquidity stays, and what is due as `deadline` does."""

    target_buffer: Money = Field(description="Available liquidity that is kept back, minor units")
    urgency_ticks: Tick = Field(description="Ticks before its deadline at which a transaction is released anyway")


class ReceiptReactive(Model):
    """Releases in order of arrival as much as was received on this day, and an allowance."""

    allowance: Money = Field(description="Value that is released before anything is received, minor units")


class ScheduleStep(Model):
    """From a tick of the day on, at least so much of the day's value is to have been released."""

    tick: Tick = Field(description="Tick of the day, from 0")
    share_bp: int = Field(ge=0, le=10_000, description="Share of the day's value, basis points")


class Scheduled(Model):
    """Releases in order of arrival as far as a throughput guideline asks for."""

    profile: tuple[ScheduleStep, ...] = Field(
        min_length=1, strict=False, description="Shares of the day's value by tick, both ascending"
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
    """What leaves an agent's Queue 1: one of these, by name. Whatever it is, urgent transactions leave at once."""

    fifo: Fifo | None = Field(None, description="Release at once")
    deadline: Deadline | None = Field(None, description="Hold until the deadline is near")
    liquidity_aware: LiquidityAware | None = Field(None, description="Keep a buffer of liquidity")
    receipt_reactive: ReceiptReactive | None = Field(None, description="Pay out of what was received")
    scheduled: Scheduled | None = Field(None, description="Follow a throughput guideline")

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
    """A policy that takes the place of the one before it."""

    day: int = Field(ge=1, le=DAYS_MAX, description="Day from whose opening on it is in force")
    policy: Policy = Field(description="What leaves Queue 1 from then on")


class OnNeed(Model):
    """Posts collateral when what the agent has submitted and not settled exceeds its available liquidity."""

    max: Money = Field(description="Most collateral that is posted, minor units, before the haircut")


class ReturnWhenIdle(Model):
    """Withdraws the collateral that is not needed once the agent has had nothing to pay for so many ticks of a day."""

    ticks: int = Field(ge=1, le=TICK_MAX, description="Ticks in a row in which both its queues are empty")


class Collateral(Model):
    """How an agent's posted collateral changes; `static`, without either rule, is as it opened."""

    on_need: OnNeed | None = Field(None, description="When to post more")
    return_when_idle: ReturnWhenIdle | None = Field(None, description="When to take it back")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        if not isinstance(value, (dict, cls)) and value != "static":
            raise ValueError("must be 'static', or hold on_need or return_when_idle with what they take below them")
        return {} if value == "static" else value


class Limits(Model):
    """Bounds on an agent's net position of a day; they bind all its transactions but urgent ones."""

    bilateral: dict[str, Money] = Field({}, description="By receiver: most that is sent to it net of what it sends")
    multilateral: Money | None = Field(None, description="Most that is sent to all others net of what they send")


class PriorityWeights(Model):
    """What a tick of delay weighs by priority, percent."""

    urgent: int = Field(200, ge=0, le=10_000, description="Of urgent transactions, percent")
    normal: int = Field(100, ge=0, le=10_000, description="Of normal ones, percent")
    low: int = Field(50, ge=0, le=10_000, description="Of low ones, percent")


BasisPoints = Annotated[int, Field(ge=0, le=1_000_000)]


class Costs(Model):
    """What is booked for an agent and a day: rates in basis points (1/10,000) of a value held for a whole day."""

    overdraft_bp: BasisPoints = Field(0, description="Of the overdrawn balance, basis points a day")
    delay_bp: BasisPoints = Field(0, description="Of the value it has not settled yet, basis points a day")
    delay_weights: PriorityWeights = Field(PriorityWeights(), description="What delay weighs by priority")
    overdue_bp: BasisPoints = Field(0, description="Of the value unsettled after its deadline, basis points a day")
    collateral_bp: BasisPoints = Field(0, description="Of the posted collateral, basis points a day")
    unsettled_bp: BasisPoints = Field(0, description="Of the value unsettled at the end of the day, basis points")
