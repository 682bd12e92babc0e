"""What a scenario file may say: the models, and a loader that reports every problem of a file at once."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeGuard

from pydantic import Field, ValidationError

from sim_engine import names
from sim_engine.behaviour import Collateral, Costs, Fifo, Limits, Policy, PolicyChange
from sim_engine.bounds import DAYS_MAX, MONEY_MAX, SEED_MAX, TICK_MAX
from sim_engine.errors import ABSENT, InputError, Problem, did_you_mean
from sim_engine.model import Model, Money, Tick, Unit
from sim_engine.model_problems import in_file_order, matching, problems_of
from sim_engine.payments_file import PaymentsFile, read_payments_file
from sim_engine.presets import PresetName, with_preset
from sim_engine.yaml_file import read_yaml_mapping

Priority = Literal["urgent", "normal", "low"]
Name = Annotated[str, matching(*names.NAME)]
AgentId = Annotated[str, matching(*names.AGENT)]
TransactionId = Annotated[str, matching(*names.TRANSACTION)]
ClockTime = Annotated[
    str, matching(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?", "a time of day such as '07:00' or '07:00:30'")
]


class Agent(Model):
    """A bank with an account at the central bank.

    - Each agent has an id of its own.
    """

    id: AgentId = Field(
        description="Name of the agent: letters, digits, '_', '.' and '-', a letter or digit first, at most 64",
        examples=["BANK_A"],
    )
    opening_balance: Money = Field(description="Money on the account at tick 0", examples=[100_000_000])
    credit_limit: Money = Field(0, description="Unsecured intraday credit", examples=[50_000_000])
    posted_collateral: Money = Field(
        0, description="Collateral posted at the central bank at tick 0, before the haircut", examples=[30_000_000]
    )
    haircut_bp: Annotated[int, Unit("basis points")] = Field(
        0, ge=0, le=10_000, description="Haircut on the collateral", examples=[1_000]
    )
    policy: Policy = Field(
        Policy(fifo=Fifo()),
        description="What leaves Queue 1: 'fifo' releases everything at once",
        examples=[{"receipt_reactive": {"allowance": 20_000_000}}],
    )
    policy_changes: tuple[PolicyChange, ...] = Field(
        (), strict=False, description="Policies of later days", examples=[[{"day": 1, "policy": "fifo"}]]
    )
    collateral: Collateral = Field(
        Collateral(),
        description="How the posted collateral changes; 'static': it does not",
        examples=[{"on_need": {"max": 80_000_000}}],
    )
    limits: Limits = Field(Limits(), description="Bounds on its net positions", examples=[{"multilateral": 80_000_000}])
    reserved_for_urgent: Money = Field(
        0, description="Available liquidity that is left to urgent transactions", examples=[10_000_000]
    )

    def policy_on(self, day: int) -> Policy:
        """The policy in force on a day."""
        return next((change.policy for change in reversed(self.policy_changes) if change.day <= day), self.policy)

    @property
    def credit_capacity(self) -> int:
        """How far below zero the balance may go at the opening of the simulation, minor units."""
        return credit_capacity(self.credit_limit, self.posted_collateral, self.haircut_bp)

    @property
    def largest_posted_collateral(self) -> int:
        """The most that it may ever have posted, minor units, before the haircut."""
        on_need = self.collateral.on_need
        return max(self.posted_collateral, on_need.max if on_need else 0)

    @property
    def largest_credit_capacity(self) -> int:
        """How far below zero the balance may ever go, minor units."""
        return credit_capacity(self.credit_limit, self.largest_posted_collateral, self.haircut_bp)


def credit_capacity(credit_limit: int, posted_collateral: int, haircut_bp: int) -> int:
    """Credit that a limit and collateral after its haircut give, minor units, rounded down (SPEC 3)."""
    return credit_limit + posted_collateral * (10_000 - haircut_bp) // 10_000


def credit_capacities(stated: "ScenarioFile", posted_collateral: Sequence[int]) -> list[int]:
    """What credit_capacity gives each agent, by index, with the collateral posted at some time."""
    return [
        credit_capacity(agent.credit_limit, posted, agent.haircut_bp)
        for agent, posted in zip(stated.agents, posted_collateral, strict=True)
    ]


class ListedArrival(Model):
    """One payment that the scenario states outright.

    - Sender and receiver are agents of the scenario, and not the same one.
    - Each id is stated once, and does not begin with `gen:` or `listed:`, which derived ids do.
    - A payment arrives in the simulation: its tick is below `ticks_per_day` x `num_days`.
    - A deadline does not lie before the payment's tick.
    """

    id: TransactionId | None = Field(
        None,
        description="Name of the transaction: at most 128 characters, no blanks; none: derived from its place in the "
        "list",
        examples=["T1"],
    )
    sender: str = Field(description="Agent that pays", examples=["BANK_A"])
    receiver: str = Field(description="Agent that is paid", examples=["BANK_B"])
    amount: Annotated[int, Unit("minor units")] = Field(
        gt=0, le=MONEY_MAX, description="What is paid", examples=[50_000]
    )
    tick: Tick = Field(
        description="Tick at which it arrives in its sender's Queue 1, counted through all days", examples=[5]
    )
    priority: Priority = Field(
        "normal", description="Class in Queue 2: urgent before normal before low", examples=["urgent"]
    )
    deadline: Tick | None = Field(
        None, description="Tick after which it is overdue if unsettled; none: no deadline", examples=[15]
    )


class ArrivalsFile(Model):
    """A CSV file with a header, or a Parquet file, of payments; a path alone will do for a file with ticks.

    Columns: `transaction`, `sender`, `receiver`, `amount` (minor units), and `tick` or `timestamp`; `priority` and
    `deadline` are optional. With timestamps, each date of the file is a settlement day, in order.

    - A file with timestamps needs both `opens_at` and `tick_seconds`.
    - Every row keeps what holds of a listed payment, and no id stands in both.
    - A timestamp lies within the ticks of its day.
    """

    path: str = Field(min_length=1, description="Where the file is, from the scenario's folder", examples=["day.csv"])
    opens_at: ClockTime | None = Field(
        None, description="Clock time of a day's first tick, 'HH:MM' or 'HH:MM:SS'", examples=["07:00"]
    )
    tick_seconds: Annotated[int, Unit("seconds")] | None = Field(
        None, gt=0, le=86_400, description="Length of a tick", examples=[60]
    )


class Amounts(Model):
    """Lognormal amounts: median x exp(sigma x standard normal), rounded down, at least one minor unit."""

    median: Annotated[int, Unit("minor units")] = Field(
        gt=0, le=MONEY_MAX, description="Half of the amounts are below it", examples=[400_000]
    )
    sigma: Annotated[float, Unit("ratio")] = Field(
        1.0,
        ge=0,
        le=10,
        allow_inf_nan=False,
        description="Standard deviation of the amount's natural logarithm; 0: all are alike",
        examples=[1.0],
    )


Weight = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False), Unit("ratio")]
"""A share relative to others of its kind; 0: none."""


class PaymentFlow(Model):
    """What one agent sends; a key left out takes the flow's default.

    - Every agent has `payments_per_day`, of its own or by default, and those that send anything have an `amount`.
    - Receivers are other agents of the scenario, at least one of them with a weight above 0.
    """

    payments_per_day: Annotated[float, Unit("count")] | None = Field(
        None,
        ge=0,
        le=10_000_000,
        allow_inf_nan=False,
        description="Expected number of payments that the agent sends in a day",
        examples=[250],
    )
    amount: Amounts | None = Field(
        None, description="Distribution of the amounts", examples=[{"median": 400_000, "sigma": 1.0}]
    )
    counterparties: dict[str, Weight] | None = Field(
        None,
        description="Receivers with their weights; none: all others, weighted by their payments_per_day",
        examples=[{"BANK_B": 3, "BANK_C": 1}],
    )


class Generate(Model):
    """Random arrivals: Poisson in number, lognormal in amount, to weighted counterparties.

    - `agents` names agents of the scenario.
    - At least one part of `intraday_profile` is above 0.
    """

    default: PaymentFlow = Field(
        PaymentFlow(),
        description="For every agent and key that `agents` does not state",
        examples=[{"payments_per_day": 250, "amount": {"median": 400_000}}],
    )
    agents: dict[str, PaymentFlow] = Field(
        {}, description="By agent, what differs from the default", examples=[{"BANK_A": {"payments_per_day": 1_000}}]
    )
    intraday_profile: tuple[Weight, ...] = Field(
        (1.0,),
        min_length=1,
        strict=False,
        description="Relative activity in equally long parts of the day",
        examples=[[3, 1, 1, 2]],
    )

    def flow(self, agent: str) -> PaymentFlow:
        """The agent's flow with the defaults filled in."""
        stated = self.agents.get(agent)
        if stated is None:
            return self.default
        return self.default.model_copy(update={k: v for k, v in stated if v is not None})


class Queue2(Model):
    """The central queue's rules."""

    discipline: Literal["bypass", "fifo"] = Field(
        "bypass",
        description="Whether an item that cannot settle blocks its sender's later items ('fifo')",
        examples=["fifo"],
    )
    entry: Literal["settle", "settle_urgent", "queue"] = Field(
        "settle",
        description="What may settle alone: everything, urgent transactions, or ('queue') nothing; the rest waits for "
        "the LSM",
        examples=["settle_urgent"],
    )


class Lsm(Model):
    """Which liquidity-saving mechanisms run, how often and within which bounds.

    - `entry_offset` does not go with `queue2.entry: queue`, which lets entry only queue.
    """

    bilateral: bool = Field(True, description="Net the queued transactions of pairs", examples=[False])
    ring: bool = Field(True, description="Net rings of three or more agents, one transaction a leg", examples=[False])
    gridlock: bool = Field(
        True, description="Net everything queued at once where the two others find nothing", examples=[False]
    )
    entry_offset: bool = Field(
        False,
        description="Net a transaction, before it queues, with what its receiver has queued for its sender",
        examples=[True],
    )
    bilateral_max_payments: Annotated[int, Unit("count")] | None = Field(
        None, ge=1, le=TICK_MAX, description="Oldest transactions a side that bilateral nets; none: all", examples=[10]
    )
    max_cycle_length: Annotated[int, Unit("agents")] = Field(
        4, ge=3, le=10, description="Longest ring; above 6 the search takes long in dense queues", examples=[5]
    )
    every_ticks: Annotated[int, Unit("ticks")] = Field(
        1,
        ge=1,
        le=TICK_MAX,
        description="From one run to the next; there is one on the last tick of each day besides",
        examples=[20],
    )
    max_passes: Annotated[int, Unit("count")] = Field(
        10, ge=1, le=TICK_MAX, description="Passes in one run", examples=[3]
    )
    max_cycles_per_tick: Annotated[int, Unit("count")] = Field(
        1000, ge=1, le=TICK_MAX, description="Cycles in one run, all mechanisms", examples=[100]
    )
    selection: Literal["fifo"] = Field(
        "fifo", description="Which set is chosen: 'fifo' never skips within a queue", examples=["fifo"]
    )

    @property
    def is_on(self) -> bool:
        """Whether any mechanism is switched on."""
        return self.bilateral or self.ring or self.gridlock


class ScenarioFile(Model):
    """One scenario file, key by key.

    - Opening balances and all amounts together, and the largest credit capacity that an agent can come to with them,
      stay below 2^63 minor units; generated amounts are held to this on the day they are drawn.
    """

    name: Name = Field(
        description="Name of the scenario: letters, digits and '_', at most 64", examples=["three_bank_ring"]
    )
    ticks_per_day: Annotated[int, Unit("ticks")] = Field(
        ge=1, le=1_000_000, description="Length of a settlement day", examples=[600]
    )
    num_days: Annotated[int, Unit("days")] = Field(
        1, ge=1, le=DAYS_MAX, description="How many settlement days are simulated", examples=[5]
    )
    rng_seed: int = Field(0, ge=0, le=SEED_MAX, description="Seed of the generated arrivals", examples=[42])
    agents: tuple[Agent, ...] = Field(
        min_length=2,
        strict=False,
        description="The banks, in the order of their index",
        examples=[[{"id": "BANK_A", "opening_balance": 100_000_000}, {"id": "BANK_B", "opening_balance": 0}]],
    )
    arrivals: tuple[ListedArrival, ...] = Field(
        (),
        strict=False,
        description="Payments stated outright",
        examples=[[{"sender": "BANK_A", "receiver": "BANK_B", "amount": 50_000, "tick": 5}]],
    )
    arrivals_file: ArrivalsFile | None = Field(
        None, description="Payments read from a file; its path alone will do", examples=[{"path": "day.csv"}]
    )
    generate: Generate | None = Field(
        None,
        description="Payments drawn at random",
        examples=[{"default": {"payments_per_day": 250, "amount": {"median": 400_000}}}],
    )
    preset: PresetName | None = Field(
        None,
        description="System whose switches of `queue2` and `lsm` hold where the file states none",
        examples=["t2"],
    )
    queue2: Queue2 = Field(Queue2(), description="Rules of the central queue", examples=[{"discipline": "fifo"}])
    lsm: Lsm = Field(Lsm(), description="Liquidity-saving mechanisms", examples=[{"ring": False, "every_ticks": 20}])
    end_of_day: Literal["carry_over", "cancel"] = Field(
        "carry_over", description="What becomes of transactions unsettled at the end of a day", examples=["cancel"]
    )
    costs: Costs = Field(
        Costs(),
        description="What is booked for credit, collateral and delay",
        examples=[{"delay_bp": 5, "collateral_bp": 1}],
    )


@dataclass(frozen=True)
class Scenario:
    """A validated scenario with everything it needs to run.

    stated: what the file says, defaults filled in.
    payments_file: the payments of its `arrivals_file`, if it names one.
    """

    stated: ScenarioFile
    payments_file: PaymentsFile | None = None

    @property
    def agent_ids(self) -> tuple[str, ...]:
        """Ids of the agents in index order."""
        return tuple(agent.id for agent in self.stated.agents)

    @cached_property
    def config(self) -> str:
        """Everything that decides the outcome, as canonical JSON text; a payments file stands in it by its digest."""
        stated = self.stated.model_dump(mode="json")
        if self.payments_file is not None:
            stated["arrivals_file"]["sha256"] = self.payments_file.sha256
        return json.dumps(stated, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @cached_property
    def scenario_hash(self) -> str:
        """SHA-256 of `config`, hexadecimal."""
        return hashlib.sha256(self.config.encode()).hexdigest()

    @cached_property
    def is_plain(self) -> bool:
        """Whether no agent and no rule asks for more than arrival, entry, retry and the three mechanisms."""
        plain = Agent(id="plain", opening_balance=0)
        behaviour = ("policy", "policy_changes", "collateral", "limits", "reserved_for_urgent")
        return (
            not self.stated.lsm.entry_offset
            and self.stated.lsm.bilateral_max_payments is None
            and self.stated.queue2.entry != "settle_urgent"
            and all(getattr(agent, key) == getattr(plain, key) for agent in self.stated.agents for key in behaviour)
        )

    def with_rules(self, **changes: object) -> "Scenario":
        """The same scenario with `num_days`, `rng_seed`, `queue2`, `lsm` or `end_of_day` replaced.

        With fewer days, what would arrive later does not arrive.
        Raises InputError if a value is not allowed.
        """
        assert changes.keys() <= {"num_days", "rng_seed", "queue2", "lsm", "end_of_day"}, sorted(changes)
        try:
            stated = ScenarioFile.model_validate({**dict(self.stated), **changes})
        except ValidationError as error:
            raise InputError(self.stated.name, problems_of(error, ScenarioFile)) from None
        return replace(self, stated=stated)


def load_scenario(path: str | Path) -> Scenario:
    """The scenario that a YAML file describes.

    Raises InputError with every problem of the file, each with its path in the file, the value found and what is
    allowed.
    """
    path = Path(path)
    return parse_scenario(read_yaml_mapping(path), source=path)


def parse_scenario(raw: Mapping[str, Any], *, source: Path) -> Scenario:
    """The scenario that a mapping describes, as a YAML file would hold it.

    source: the file it came from; relative paths in it start from that file's folder.
    Raises InputError as load_scenario does.
    """
    raw = with_preset(raw)
    if isinstance(raw.get("arrivals_file"), str):
        raw["arrivals_file"] = {"path": raw["arrivals_file"]}
    problems: list[Problem] = []
    stated: ScenarioFile | None = None
    try:
        stated = ScenarioFile.model_validate(raw)
    except ValidationError as error:
        problems += [_at_its_agent(problem) for problem in problems_of(error, ScenarioFile)]
    problems += _cross_problems(raw)
    if problems or stated is None:
        raise InputError(source, in_file_order(problems, raw))

    payments_file = None
    if stated.arrivals_file is not None:
        payments_file = read_payments_file(
            source.parent / stated.arrivals_file.path,
            agent_ids=tuple(agent.id for agent in stated.agents),
            ticks_per_day=stated.ticks_per_day,
            opens_at=stated.arrivals_file.opens_at,
            tick_seconds=stated.arrivals_file.tick_seconds,
            reserved_ids=frozenset(arrival.id for arrival in stated.arrivals if arrival.id is not None),
        )
    problems += _late_file_problems(stated, payments_file)
    problems += _money_problems(stated, payments_file)
    problems += _cost_problems(stated, payments_file)
    if problems:
        raise InputError(source, problems)
    return Scenario(stated, payments_file)


def _at_its_agent(problem: Problem) -> Problem:
    """An unknown key of the file that every agent may state."""
    if problem.key in Agent.model_fields and problem.remedy.startswith("unknown key"):
        return replace(problem, remedy="unknown key here; each agent states its own, below 'agents'")
    return problem


# What no single value shows. Read from the raw mapping, so that these are found beside a file's other problems;
# values of the wrong type were reported already and are passed over here.


def _cross_problems(raw: Mapping[str, Any]) -> Iterator[Problem]:
    agents = [agent.get("id") for agent in _mappings(raw.get("agents"))]
    known = [agent for agent in agents if isinstance(agent, str)]
    yield from _repeated(known, "agents", "id", "agent")
    yield from _behaviour_problems(raw, known)
    yield from _listed_arrival_problems(raw, known)
    if isinstance(raw.get("generate"), dict):
        yield from _generate_problems(raw["generate"], known)
    ticks = [arrival.get("tick") for arrival in _mappings(raw.get("arrivals"))]
    yield from _late_arrival_problems(ticks, raw.get("ticks_per_day"), raw.get("num_days", 1))


def _behaviour_problems(raw: Mapping[str, Any], known: list[str]) -> Iterator[Problem]:
    """What an agent's policies, collateral and limits, and the LSM's rules, say against each other."""
    agents = frozenset(known)
    for place, agent in enumerate(_mappings(raw.get("agents"))):
        for problem in (
            *_limit_problems(agent, known, agents),
            *_policy_problems(agent, raw.get("ticks_per_day")),
            *_collateral_problems(agent),
        ):
            yield replace(problem, key=f"agents[{place}].{problem.key}")
    queue2, lsm = raw.get("queue2"), raw.get("lsm")
    only_queues = isinstance(queue2, dict) and queue2.get("entry") == "queue"
    if only_queues and isinstance(lsm, dict) and lsm.get("entry_offset") is True:
        remedy = "does nothing where 'queue2.entry: queue' lets entry only queue; switch one of them off"
        yield Problem("lsm.entry_offset", True, remedy)


def _limit_problems(agent: Mapping[str, Any], known: list[str], agents: frozenset[str]) -> Iterator[Problem]:
    limits = agent.get("limits")
    bilateral = limits.get("bilateral") if isinstance(limits, dict) else None
    for receiver in bilateral if isinstance(bilateral, dict) else ():
        if receiver == agent.get("id"):
            yield Problem(f"limits.bilateral.{receiver}", ABSENT, "an agent pays others only; leave it out")
        elif known and receiver not in agents:
            remedy = f"no such agent; {did_you_mean(receiver, known)}"
            yield Problem(f"limits.bilateral.{receiver}", ABSENT, remedy)


def _policy_problems(agent: Mapping[str, Any], ticks_per_day: object) -> Iterator[Problem]:
    days = [change.get("day") for change in _mappings(agent.get("policy_changes"))]
    for change, (before, day) in enumerate(pairwise(days), start=1):
        if _is_int(before) and _is_int(day) and day <= before:
            remedy = f"must come after day {before}, on which the change before it is; put them in order"
            yield Problem(f"policy_changes[{change}].day", day, remedy)
    for where, step in _schedule_steps(agent):
        tick = step.get("tick")
        if _is_int(tick) and _is_int(ticks_per_day) and tick >= ticks_per_day > 0:
            remedy = f"is no tick of the day, whose ticks are 0..{ticks_per_day - 1}; move the step"
            yield Problem(f"{where}.tick", tick, remedy)


def _collateral_problems(agent: Mapping[str, Any]) -> Iterator[Problem]:
    posted, collateral = agent.get("posted_collateral", 0), agent.get("collateral")
    on_need = collateral.get("on_need") if isinstance(collateral, dict) else None
    most = on_need.get("max") if isinstance(on_need, dict) else None
    if _is_int(posted) and _is_int(most) and 0 <= most < posted:
        remedy = f"is below the agent's posted_collateral {posted}; raise it"
        yield Problem("collateral.on_need.max", most, remedy)


def _schedule_steps(agent: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The steps of an agent's schedules with their places."""
    changes = [
        (f"policy_changes[{place}].policy", change.get("policy"))
        for place, change in enumerate(_mappings(agent.get("policy_changes")))
    ]
    for key, policy in [("policy", agent.get("policy")), *changes]:
        scheduled = policy.get("scheduled") if isinstance(policy, dict) else None
        profile = scheduled.get("profile") if isinstance(scheduled, dict) else None
        for place, step in enumerate(_mappings(profile)):
            yield f"{key}.scheduled.profile[{place}]", step


def _listed_arrival_problems(raw: Mapping[str, Any], known: list[str]) -> Iterator[Problem]:
    arrivals, agents = _mappings(raw.get("arrivals")), frozenset(known)
    ids = []
    for place, arrival in enumerate(arrivals):
        key = f"arrivals[{place}]"
        for side in ("sender", "receiver"):
            agent = arrival.get(side)
            if isinstance(agent, str) and known and agent not in agents:
                yield Problem(f"{key}.{side}", agent, f"no such agent; {did_you_mean(agent, known)}")
        if isinstance(arrival.get("sender"), str) and arrival.get("sender") == arrival.get("receiver"):
            yield Problem(f"{key}.receiver", arrival["receiver"], "an agent cannot pay itself; name another receiver")
        tick, deadline = arrival.get("tick"), arrival.get("deadline")
        if _is_int(tick) and _is_int(deadline) and deadline < tick:
            yield Problem(f"{key}.deadline", deadline, f"lies before the payment's tick {tick}; move one of them")
        transaction = arrival.get("id")
        if isinstance(transaction, str):
            ids.append(transaction)
            for prefix in (names.GENERATED_ID_PREFIX, names.LISTED_ID_PREFIX):
                if transaction.startswith(prefix):
                    yield Problem(
                        f"{key}.id", transaction, f"'{prefix}' is reserved for derived ids; name it otherwise"
                    )
        else:
            ids.append("")
    yield from _repeated(ids, "arrivals", "id", "transaction")


def _generate_problems(generate: Mapping[str, Any], known: list[str]) -> Iterator[Problem]:
    agents = frozenset(known)
    default = generate.get("default")
    default = default if isinstance(default, dict) else {}
    stated = generate.get("agents")
    stated = stated if isinstance(stated, dict) else {}
    flows = {"generate.default": default} | {
        f"generate.agents.{agent}": flow for agent, flow in stated.items() if isinstance(flow, dict)
    }
    for agent in stated:
        if known and agent not in agents:
            yield Problem(f"generate.agents.{agent}", ABSENT, f"no such agent; {did_you_mean(agent, known)}")
    for key, flow in flows.items():
        weights = flow.get("counterparties")
        for receiver in weights if isinstance(weights, dict) else ():
            if known and receiver not in agents:
                remedy = f"no such agent; {did_you_mean(receiver, known)}"
                yield Problem(f"{key}.counterparties.{receiver}", ABSENT, remedy)
            elif key == f"generate.agents.{receiver}":
                yield Problem(f"{key}.counterparties.{receiver}", ABSENT, "an agent cannot pay itself; leave it out")

    def value(agent: str, key: str) -> object:
        flow = stated.get(agent)
        own = flow.get(key) if isinstance(flow, dict) else None
        return default.get(key) if own is None else own

    rates = {agent: value(agent, "payments_per_day") for agent in known}
    for agent in known:
        if rates[agent] is None:
            remedy = "missing; state it here or in generate.default"
            yield Problem(f"generate.agents.{agent}.payments_per_day", ABSENT, remedy)
        if not _is_positive(rates[agent]):
            continue
        if value(agent, "amount") is None:
            remedy = "missing; state it here or in generate.default"
            yield Problem(f"generate.agents.{agent}.amount", ABSENT, remedy)
        weights = value(agent, "counterparties")
        if weights is None:
            weights = rates
        if isinstance(weights, dict) and not any(
            _is_positive(weight) for receiver, weight in weights.items() if receiver != agent
        ):
            remedy = "nobody to pay: give another agent a weight above 0"
            yield Problem(f"generate.agents.{agent}.counterparties", ABSENT, remedy)
    profile = generate.get("intraday_profile")
    if isinstance(profile, list) and profile and not any(_is_positive(share) for share in profile):
        yield Problem("generate.intraday_profile", profile, "at least one part of the day needs a share above 0")


def _late_arrival_problems(ticks: list[object], ticks_per_day: object, num_days: object) -> Iterator[Problem]:
    """Listed payments that would arrive after the simulation has ended."""
    if _is_int(ticks_per_day) and _is_int(num_days) and ticks_per_day > 0 and num_days > 0:
        for place, tick in enumerate(ticks):
            if _is_int(tick) and tick >= ticks_per_day * num_days:
                yield Problem(f"arrivals[{place}].tick", tick, _outside(ticks_per_day * num_days))


def _late_file_problems(stated: ScenarioFile, payments_file: PaymentsFile | None) -> Iterator[Problem]:
    """The latest payment of a file, if it would arrive after the simulation has ended."""
    ticks_total = stated.ticks_per_day * stated.num_days
    if payments_file is not None and len(payments_file.ticks) and int(payments_file.ticks.max()) >= ticks_total:
        row = int(payments_file.ticks.argmax())
        found = int(payments_file.ticks[row])
        yield Problem(f"arrivals_file ({payments_file.name}) row {row + 1}, tick", found, _outside(ticks_total))


def _outside(ticks_total: int) -> str:
    return f"outside the run, whose ticks are 0..{ticks_total - 1}; move it or raise num_days"


def _money_problems(stated: ScenarioFile, payments_file: PaymentsFile | None) -> Iterator[Problem]:
    """Sums that the tables' int64 could not hold (SPEC 3)."""
    total = opening_money(stated) + sum(arrival.amount for arrival in stated.arrivals)
    if payments_file is not None:
        total += payments_file.amount_total
    if total > MONEY_MAX:
        remedy = f"opening balances plus all amounts come to {total}; scale them down to {MONEY_MAX} or less"
        yield Problem("", ABSENT, remedy)
    for place, agent in enumerate(stated.agents):
        if total + agent.largest_credit_capacity > MONEY_MAX >= total:
            remedy = (
                f"credit capacity and all money of the simulation ({total}) must stay at or below {MONEY_MAX}; lower it"
            )
            yield Problem(f"agents[{place}].credit_limit", agent.largest_credit_capacity, remedy)


def _cost_problems(stated: ScenarioFile, payments_file: PaymentsFile | None) -> Iterator[Problem]:
    """Costs of an agent's day that the tables' int64 could not hold, were all known payments its own and never settled.

    Generated payments are known on their day only, which is refused then (sim_engine.costs).
    """
    rates = stated.costs
    amounts = sum(arrival.amount for arrival in stated.arrivals) + (payments_file.amount_total if payments_file else 0)
    weight = max(rates.delay_weights.urgent, rates.delay_weights.normal, rates.delay_weights.low)
    most = amounts * (rates.delay_bp * weight + 100 * (rates.overdue_bp + rates.unsettled_bp))
    most += 100 * rates.overdraft_bp * max(agent.largest_credit_capacity for agent in stated.agents)
    most += 100 * rates.collateral_bp * max(agent.largest_posted_collateral for agent in stated.agents)
    most = most // (100 * 10_000) + len(type(rates).model_fields)  # each kind is rounded
    if most > MONEY_MAX:
        remedy = f"may cost an agent more than {MONEY_MAX} a day; lower the rates, or scale all money down"
        yield Problem("costs", most, remedy)


def opening_money(stated: ScenarioFile) -> int:
    """Money that all agents open the simulation with, minor units."""
    return sum(agent.opening_balance for agent in stated.agents)


def _repeated(borne: list[str], where: str, key: str, noun: str) -> Iterator[Problem]:
    first_place: dict[str, int] = {}
    for place, name in enumerate(borne):
        if not name:
            continue
        if name in first_place:
            remedy = f"duplicate {noun}: {where}[{first_place[name]}] bears it already; give each its own"
            yield Problem(f"{where}[{place}].{key}", name, remedy)
        first_place.setdefault(name, place)


def _mappings(value: object) -> list[dict[str, Any]]:
    """A list's members with whatever is no mapping replaced by an empty one, so that places stay true."""
    return [member if isinstance(member, dict) else {} for member in value] if isinstance(value, list) else []


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
