"""The contract of each raw table: its columns in order, what they mean, and what must hold of every row (SPEC 5).

A docstring's first line says what one row is. Checks that need more than one table are dbt tests.
"""

import pandera.polars as pa
import polars as pl

from pipelines.contracts.columns import (
    BASIS_POINTS,
    RawTable,
    balance_column,
    count_column,
    money_column,
    moneys_column,
    seq_column,
    tick_column,
    word_column,
    words_column,
)
from sim_engine.vocabulary import (
    COLLATERAL_ACTIONS,
    COLLATERAL_REASONS,
    CYCLE_TYPES,
    HIT_LIMITS,
    LSM_MECHANISMS,
    MECHANISMS,
    OUTCOMES,
    POLICY,
    PRIORITIES,
    WAIT_REASONS,
)

QUEUE2_WAIT_REASONS = tuple(reason for reason in WAIT_REASONS if reason != WAIT_REASONS[POLICY])
"""Why a transaction joined Queue 2; in Queue 1 it is the policy that keeps it."""


class Simulations(RawTable):
    """One row per simulation and day.

    What was simulated: enough to run it again.
    """

    run_id: str = word_column("Run that the simulation belongs to")
    scenario: str = word_column("Name of the scenario")
    scenario_hash: str = pa.Field(
        description="SHA-256 of config, hexadecimal", str_matches=r"^[0-9a-f]{64}$", metadata={"unit": ""}
    )
    arm: str = word_column("Arm of the run: the variant of the scenario that was simulated")
    baseline_arm: str = word_column("Arm of the run that this one is compared with; its own name: it is a baseline")
    rng_seed: pl.Int64 = seq_column("Seed of the generated arrivals")
    ticks_per_day: pl.Int64 = count_column("Ticks in a settlement day", ge=1)
    num_days: pl.Int64 = count_column("Settlement days of the whole simulation", ge=1)
    num_agents: pl.Int64 = count_column("Agents", ge=2)
    engine_version: str = word_column("Version of the settlement engine")
    config: str = word_column("Everything the scenario states, defaults filled in, as canonical JSON text")

    class Config(RawTable.Config):
        unique = ["simulation_id", "day"]


class Agents(RawTable):
    """One row per agent and day, as of the day's opening."""

    agent: str = word_column("Agent: a bank with an account at the central bank")
    agent_index: pl.Int64 = seq_column("Place of the agent in the scenario, from 0; ties between agents go by it")
    opening_balance: pl.Int64 = balance_column(
        "Balance at the opening of the day; below zero only as far as credit allows"
    )
    credit_limit: pl.Int64 = money_column("Unsecured intraday credit")
    posted_collateral: pl.Int64 = money_column("Collateral posted at the opening of the day, before the haircut")
    haircut_bp: pl.Int64 = pa.Field(
        description="Haircut on posted collateral", ge=0, le=10_000, metadata={"unit": BASIS_POINTS}
    )
    policy: str = word_column("Policy that decides what leaves the agent's Queue 1 on this day")

    class Config(RawTable.Config):
        unique = ["simulation_id", "day", "agent"]


class Arrivals(RawTable):
    """One row per transaction, on the day it arrives."""

    transaction: str = word_column("Transaction: one indivisible payment")
    sender: str = word_column("Agent that pays")
    receiver: str = word_column("Agent that is paid")
    amount: pl.Int64 = money_column("Amount of the transaction", ge=1)
    priority: str = word_column("Class of the transaction in Queue 2", isin=PRIORITIES)
    arrival_tick: pl.Int64 = tick_column("Tick at which it entered its sender's Queue 1")
    arrival_seq: pl.Int64 = seq_column("Place among all arrivals of the simulation, from 0")
    deadline_tick: pl.Int64 = tick_column(
        "Tick after which it is overdue if unsettled; null: no deadline", nullable=True
    )
    parent: str = word_column("Transaction it is a part of; null: it is whole", nullable=True)

    class Config(RawTable.Config):
        unique = ["simulation_id", "transaction"]

    @pa.dataframe_check(name="an agent never pays itself")
    def sender_is_not_receiver(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: D102
        return data.lazyframe.select(pl.col("sender") != pl.col("receiver"))


class Settlements(RawTable):
    """One row per transaction, on the day it settles."""

    transaction: str = word_column("Transaction that settled")
    tick: pl.Int64 = tick_column("Tick at which it settled")
    settlement_seq: pl.Int64 = seq_column(
        "Simultaneous settlement step of the day, from 0; a set settled together shares it"
    )
    mechanism: str = word_column(
        "What settled it: itself on entry (immediate), a retry of Queue 2 (queue), or an LSM mechanism", isin=MECHANISMS
    )
    entry_tick: pl.Int64 = tick_column("Tick at which it was submitted to the RTGS system, leaving Queue 1")
    entry_seq: pl.Int64 = seq_column("Place among all submissions of the simulation, from 0; Queue 2 is ordered by it")
    lsm_pass: pl.Int64 = seq_column(
        "Pass of the LSM run that settled it, from 1; 0 for an offset on entry; null unless by LSM", nullable=True
    )
    cycle_seq: pl.Int64 = seq_column("Cycle of the day that settled it; null unless by LSM", nullable=True)
    wait_reason: str = word_column(
        "Why it joined Queue 2: its sender's liquidity, limits or reservation, behind another of its sender, or the "
        "rule that it may not settle on entry; null if it settled on entry",
        isin=QUEUE2_WAIT_REASONS,
        nullable=True,
    )

    class Config(RawTable.Config):
        unique = ["simulation_id", "transaction"]

    @pa.dataframe_check(name="lsm_pass and cycle_seq are stated exactly when the LSM settled it")
    def attribution_is_whole(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: D102
        by_lsm = pl.col("mechanism").is_in(LSM_MECHANISMS)
        return data.lazyframe.select(
            (pl.col("lsm_pass").is_not_null() == by_lsm) & (pl.col("cycle_seq").is_not_null() == by_lsm)
        )

    @pa.dataframe_check(name="lsm_pass is 0 exactly for an offset on entry")
    def pass_follows_mechanism(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: D102
        return data.lazyframe.select(pl.col("lsm_pass").eq_missing(0) == (pl.col("mechanism") == "entry_offset"))

    @pa.dataframe_check(name="wait_reason is stated exactly when it waited in Queue 2")
    def reason_is_whole(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: D102
        return data.lazyframe.select(pl.col("wait_reason").is_null() == (pl.col("mechanism") == "immediate"))

    @pa.dataframe_check(name="it settled no earlier than it was submitted")
    def entry_precedes_settlement(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: D102
        return data.lazyframe.select(pl.col("entry_tick") <= pl.col("tick"))


class LsmCycles(RawTable):
    """One row per settled cycle: a netting set that the LSM settled simultaneously, in full."""

    cycle_seq: pl.Int64 = seq_column("Place of the cycle within its day, from 0")
    tick: pl.Int64 = tick_column("Tick at which it settled")
    lsm_pass: pl.Int64 = seq_column("Pass of the LSM run that found it, from 1; 0 for an offset on entry")
    mechanism: str = word_column("Mechanism that found it", isin=LSM_MECHANISMS)
    cycle_type: str = word_column("bilateral: 2 agents; multilateral: 3 or more", isin=CYCLE_TYPES)
    cycle_length: pl.Int64 = count_column("Number of agents", ge=2)
    agents: pl.List = words_column(
        "Its agents, each once: by index, but for rings in payment direction from the lowest index"
    )
    transactions: pl.List = words_column(
        "Its transactions: in Queue 2 order, but for rings the k-th is paid by the k-th agent"
    )
    amounts: pl.List = moneys_column("Amounts, aligned with transactions")
    net_positions: pl.List = moneys_column("Received - paid within the cycle, aligned with agents")
    min_amount: pl.Int64 = money_column("Smallest amount", ge=1)
    settled_value: pl.Int64 = money_column(
        "Net value: the liquidity that moved, sum of max(0, paid - received) over agents"
    )
    total_value: pl.Int64 = money_column("Gross value: sum of the amounts", ge=1)

    class Config(RawTable.Config):
        unique = ["simulation_id", "day", "cycle_seq"]

    @pa.dataframe_check(name="lists are aligned and cycle_length counts distinct agents")
    def lists_are_aligned(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: D102
        agents, amounts = pl.col("agents").list, pl.col("amounts").list
        return data.lazyframe.select(
            (agents.len() == pl.col("cycle_length"))
            & (agents.n_unique() == pl.col("cycle_length"))
            & (pl.col("net_positions").list.len() == pl.col("cycle_length"))
            & (pl.col("transactions").list.len() == amounts.len())
            & (pl.col("transactions").list.n_unique() == amounts.len())
        )

    @pa.dataframe_check(name="lists hold no nulls")
    def lists_are_full(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: D102
        lists = [pl.col(name).list for name in ("agents", "transactions", "amounts", "net_positions")]
        return data.lazyframe.select(
            pl.all_horizontal(one.eval(pl.element().is_not_null()).list.all() for one in lists)
        )

    @pa.dataframe_check(name="cycle_type is bilateral exactly when cycle_length is 2")
    def type_follows_length(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: D102
        return data.lazyframe.select((pl.col("cycle_type") == "bilateral") == (pl.col("cycle_length") == 2))

    @pa.dataframe_check(name="lsm_pass is 0 exactly for an offset on entry")
    def pass_follows_mechanism(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: D102
        return data.lazyframe.select((pl.col("lsm_pass") == 0) == (pl.col("mechanism") == "entry_offset"))

    @pa.dataframe_check(name="an offset on entry is bilateral")
    def entry_offset_is_bilateral(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: D102
        is_bilateral = pl.col("cycle_type") == "bilateral"
        return data.lazyframe.select(is_bilateral | (pl.col("mechanism") != "entry_offset"))

    @pa.dataframe_check(name="total_value and min_amount are those of the amounts")
    def values_follow_amounts(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: D102
        amounts = pl.col("amounts").list
        return data.lazyframe.select((amounts.sum() == pl.col("total_value")) & (amounts.min() == pl.col("min_amount")))

    @pa.dataframe_check(name="net_positions sum to 0 and settled_value is what they move")
    def net_follows_positions(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: D102
        positions = pl.col("net_positions").list
        paid_net = positions.eval(pl.element().clip(upper_bound=0)).list.sum()
        return data.lazyframe.select(
            (positions.sum() == 0)
            & (-paid_net == pl.col("settled_value"))
            & (pl.col("settled_value") <= pl.col("total_value"))
        )


class LsmRuns(RawTable):
    """One row per LSM run: the mechanisms switched on, tried in a tick in which Queue 2 was not empty."""

    tick: pl.Int64 = tick_column("Tick of the run")
    passes: pl.Int64 = count_column("Passes begun, the last, empty one included", ge=1)
    bilateral_cycles: pl.Int64 = count_column("Cycles settled by the bilateral sweep")
    ring_cycles: pl.Int64 = count_column("Cycles settled by the ring search")
    gridlock_cycles: pl.Int64 = count_column("Cycles settled by gridlock resolution")
    settled_transactions: pl.Int64 = count_column("Transactions settled in cycles")
    total_value: pl.Int64 = money_column("Gross value of the cycles")
    settled_value: pl.Int64 = money_column("Net value of the cycles")
    retry_settled: pl.Int64 = count_column("Transactions settled by the retries after its passes")
    retry_value: pl.Int64 = money_column("Value settled by the retries after its passes")
    queue_size_before: pl.Int64 = count_column("Transactions in Queue 2 before the run", ge=1)
    queue_size_after: pl.Int64 = count_column("Transactions in Queue 2 after the last retry")
    queue_value_before: pl.Int64 = money_column("Value in Queue 2 before the run", ge=1)
    queue_value_after: pl.Int64 = money_column("Value in Queue 2 after the last retry")
    value_bound: pl.Int64 = money_column(
        "Upper bound on the value that any set of the queue could settle; null: not sampled", nullable=True
    )
    hit_limit: str = word_column(
        "Bound that cut the run short: max_passes (passes), max_cycles_per_tick (cycles)", isin=HIT_LIMITS
    )

    class Config(RawTable.Config):
        unique = ["simulation_id", "tick"]

    @pa.dataframe_check(name="what left the queue was settled by cycles or retries")
    def queue_is_accounted_for(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: D102
        size = pl.col("queue_size_before") - pl.col("queue_size_after")
        value = pl.col("queue_value_before") - pl.col("queue_value_after")
        return data.lazyframe.select(
            (size == pl.col("settled_transactions") + pl.col("retry_settled"))
            & (value == pl.col("total_value") + pl.col("retry_value"))
        )

    @pa.dataframe_check(name="net is at most gross")
    def net_is_at_most_gross(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: D102
        return data.lazyframe.select(pl.col("settled_value") <= pl.col("total_value"))


class Ticks(RawTable):
    """One row per tick."""

    tick: pl.Int64 = tick_column("Tick")
    arrivals: pl.Int64 = count_column("Transactions that arrived")
    arrival_value: pl.Int64 = money_column("Value that arrived")
    settled_immediate: pl.Int64 = count_column("Transactions settled on entry")
    settled_value_immediate: pl.Int64 = money_column("Value settled on entry")
    settled_queue: pl.Int64 = count_column("Transactions settled by retries of Queue 2")
    settled_value_queue: pl.Int64 = money_column("Value settled by retries of Queue 2")
    settled_bilateral: pl.Int64 = count_column("Transactions settled by the bilateral sweep")
    settled_value_bilateral: pl.Int64 = money_column("Value settled by the bilateral sweep")
    settled_ring: pl.Int64 = count_column("Transactions settled by the ring search")
    settled_value_ring: pl.Int64 = money_column("Value settled by the ring search")
    settled_gridlock: pl.Int64 = count_column("Transactions settled by gridlock resolution")
    settled_value_gridlock: pl.Int64 = money_column("Value settled by gridlock resolution")
    settled_entry_offset: pl.Int64 = count_column("Transactions settled by an offset on entry")
    settled_value_entry_offset: pl.Int64 = money_column("Value settled by an offset on entry")
    queue1_size: pl.Int64 = count_column("Transactions in all Queues 1 at the end of the tick")
    queue1_value: pl.Int64 = money_column("Value in all Queues 1 at the end of the tick")
    queue2_size: pl.Int64 = count_column("Transactions in Queue 2 at the end of the tick")
    queue2_value: pl.Int64 = money_column("Value in Queue 2 at the end of the tick")
    intraday_credit_used: pl.Int64 = money_column("Sum of all overdrawn balances at the end of the tick")

    class Config(RawTable.Config):
        unique = ["simulation_id", "tick"]


class AgentDays(RawTable):
    """One row per agent and day."""

    agent: str = word_column("Agent")
    opening_balance: pl.Int64 = balance_column("Balance at the opening of the day")
    closing_balance: pl.Int64 = balance_column("Balance at the close of the day")
    min_balance: pl.Int64 = balance_column("Smallest balance after any settlement step, the opening included")
    max_balance: pl.Int64 = balance_column("Largest balance after any settlement step, the opening included")
    peak_net_debit: pl.Int64 = money_column("Largest excess of value sent over value received since the day's opening")
    arrivals: pl.Int64 = count_column("Transactions to send that arrived")
    arrival_value: pl.Int64 = money_column("Value to send that arrived")
    sent: pl.Int64 = count_column("Transactions sent that settled")
    sent_value: pl.Int64 = money_column("Value sent that settled")
    received: pl.Int64 = count_column("Transactions received")
    received_value: pl.Int64 = money_column("Value received")
    lsm_releases: pl.Int64 = count_column("Transactions it sent that the LSM settled")
    queue1_size_max: pl.Int64 = count_column("Largest size of its Queue 1 at the end of a tick")
    queue2_size_max: pl.Int64 = count_column("Most transactions it had in Queue 2 at the end of a tick")
    queue1_size_end: pl.Int64 = count_column(
        "Transactions in its Queue 1 at the end of the day, before any cancellation"
    )
    queue2_size_end: pl.Int64 = count_column(
        "Its transactions in Queue 2 at the end of the day, before any cancellation"
    )
    cost_overdraft: pl.Int64 = money_column("Cost of its overdrawn balance; booked, never debited, as every cost")
    cost_delay: pl.Int64 = money_column("Cost of the value it had not settled yet, weighted by priority")
    cost_overdue: pl.Int64 = money_column("Cost of the value it had not settled after its deadline")
    cost_collateral: pl.Int64 = money_column("Cost of its posted collateral")
    cost_unsettled: pl.Int64 = money_column("Cost of the value it had queued at the end of the day")

    class Config(RawTable.Config):
        unique = ["simulation_id", "day", "agent"]

    @pa.dataframe_check(name="balances agree with what was sent and received")
    def balances_agree(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: D102
        opening, closing = pl.col("opening_balance"), pl.col("closing_balance")
        return data.lazyframe.select(
            (opening - pl.col("sent_value") + pl.col("received_value") == closing)
            & (pl.col("min_balance") <= pl.min_horizontal(opening, closing))
            & (pl.col("max_balance") >= pl.max_horizontal(opening, closing))
            & (pl.col("peak_net_debit") == opening - pl.col("min_balance"))
        )


class QueueSnapshots(RawTable):
    """One row per transaction queued at the end of the day, after the last LSM run and before any cancellation."""

    agent: str = word_column("Sender of the transaction")
    queue: pl.Int64 = pa.Field(
        isin=[1, 2], description="1: the agent's own queue; 2: the RTGS system's central queue", metadata={"unit": ""}
    )
    position: pl.Int64 = seq_column("Place in that queue, from 0: in the agent's own (1) or in the system's (2)")
    transaction: str = word_column("Transaction that is queued")
    entry_tick: pl.Int64 = tick_column("Tick at which it was submitted; null in Queue 1", nullable=True)
    entry_seq: pl.Int64 = seq_column("Place among all submissions of the simulation; null in Queue 1", nullable=True)
    outcome: str = word_column("What became of it: carried into the next day, or cancelled", isin=OUTCOMES)
    wait_reason: str = word_column(
        "Why it waits: its sender's policy in Queue 1, why it joined Queue 2 in Queue 2", isin=WAIT_REASONS
    )

    class Config(RawTable.Config):
        unique = ["simulation_id", "day", "transaction"]

    @pa.dataframe_check(name="entry is stated exactly in Queue 2")
    def entry_follows_queue(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: D102
        submitted = pl.col("queue") == 2
        return data.lazyframe.select(
            (pl.col("entry_tick").is_not_null() == submitted) & (pl.col("entry_seq").is_not_null() == submitted)
        )

    @pa.dataframe_check(name="the policy is what it waits for exactly in Queue 1")
    def reason_follows_queue(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: D102
        return data.lazyframe.select((pl.col("wait_reason") == "policy") == (pl.col("queue") == 1))


class PolicySnapshots(RawTable):
    """One row per agent policy in force on a day."""

    agent: str = word_column("Agent")
    policy: str = word_column("Policy that decides what leaves its Queue 1")
    parameters: str = word_column("Parameters of the policy, as canonical JSON text")
    policy_hash: str = pa.Field(
        description="SHA-256 of policy and parameters, hexadecimal: equal for agents that behave alike",
        str_matches=r"^[0-9a-f]{64}$",
        metadata={"unit": ""},
    )

    class Config(RawTable.Config):
        unique = ["simulation_id", "day", "agent"]


class CollateralEvents(RawTable):
    """One row per change of an agent's posted collateral."""

    event_seq: pl.Int64 = seq_column("Place of the change within its day, from 0")
    agent: str = word_column("Agent whose collateral changed")
    tick: pl.Int64 = tick_column("Tick at which it changed, before anything settled in it")
    action: str = word_column("What the agent did: posted more, or withdrew some", isin=COLLATERAL_ACTIONS)
    amount: pl.Int64 = money_column("Collateral posted or withdrawn, before the haircut", ge=1)
    posted_before: pl.Int64 = money_column("Collateral posted before the change, before the haircut")
    posted_after: pl.Int64 = money_column("Collateral posted after the change, before the haircut")
    reason: str = word_column(
        "Why: on_need, what it has submitted exceeded its liquidity; idle, it had nothing to pay",
        isin=COLLATERAL_REASONS,
    )

    class Config(RawTable.Config):
        unique = ["simulation_id", "day", "event_seq"]

    @pa.dataframe_check(name="posted_after is posted_before plus what was posted or less what was withdrawn")
    def amounts_add_up(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: D102
        change = pl.when(pl.col("action") == "posted").then(pl.col("amount")).otherwise(-pl.col("amount"))
        return data.lazyframe.select(pl.col("posted_before") + change == pl.col("posted_after"))

    @pa.dataframe_check(name="agents post on need and withdraw when idle")
    def reason_follows_action(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: D102
        return data.lazyframe.select((pl.col("action") == "posted") == (pl.col("reason") == "on_need"))
