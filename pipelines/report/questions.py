"""What a report asks of the marts. The page shows each statement beside what it gave, to be asked again.

Each function returns one DuckDB statement, complete with the run and arm that it is about. Sums of money are whole
minor units; means are divided in the last step, and every result has one order.
"""

from collections.abc import Iterable
from dataclasses import dataclass

BINS_MAX = 48
"""Stretches that a day is cut into for a chart."""

METRICS = (
    "value_weighted_delay_ticks",
    "settled_value",
    "lsm_value_share",
    "liquidity_used",
    "turnover",
    "queue_value_peak",
)
"""What arms are compared by on the page; fct_experiment_arms has every measure."""

_LENGTH_FROM = """case
        when cycle_length > 20 then 21 when cycle_length > 10 then 11 when cycle_length > 5 then 6
        else cycle_length
    end"""


@dataclass(frozen=True)
class Subject:
    """What a report looks at: one arm of a run, beside its twin without LSM where there is one.

    ticks_per_day: of the arm's simulations. days: simulated days of all of them together.
    """

    run_id: str
    arm: str
    twin_arm: str | None
    ticks_per_day: int
    days: int

    @property
    def bin_ticks(self) -> int:
        """Ticks of a stretch of the day: all alike, unless that would take much longer ones."""
        least = -(-self.ticks_per_day // BINS_MAX)
        alike = (ticks for ticks in range(least, 2 * least + 1) if self.ticks_per_day % ticks == 0)
        return next(alike, least)


def _of_arm(subject: Subject) -> str:
    """What narrows a mart to the arm's simulations."""
    return (
        "inner join dim_simulations using (run_id, simulation_id) "
        f"where run_id = '{subject.run_id}' and arm = '{subject.arm}'"
    )


def runs() -> str:
    """The runs that the marts hold."""
    return """
select distinct run_id
from dim_simulations
order by run_id"""


def simulations(run_id: str) -> str:
    """The run's simulations, without their configuration."""
    return f"""
select
    arm, baseline_arm, simulation_id, rng_seed, scenario, scenario_hash, engine_version,
    ticks_per_day, num_days, days_stored, num_agents
from dim_simulations
where run_id = '{run_id}'
order by arm, rng_seed, simulation_id"""


def lsm_switches(run_id: str) -> str:
    """The run's arms: whether some LSM mechanism is on, and the arm that is the same without."""
    return f"""
select
    arm,
    any_value(is_baseline) as is_baseline,
    bool_or(is_lsm_on) as has_lsm,
    min(twins.twin_arm) as twin_arm
from dim_simulations
left join (select distinct arm, twin_arm from fct_lsm_counterfactual where run_id = '{run_id}') as twins using (arm)
where run_id = '{run_id}'
group by arm
order by arm"""


def days_in_sum(subject: Subject) -> str:
    """What the arm's simulated days did, in sum."""
    return f"""
select
    count(*) as days,
    sum(carried_in_count) as carried_in_count,
    sum(arrived_count) as arrived_count,
    sum(arrived_value) as arrived_value,
    sum(settled_count) as settled_count,
    sum(settled_value) as settled_value,
    sum(unsettled_count) as unsettled_count,
    sum(unsettled_value) as unsettled_value,
    sum(lsm_settled_count) as lsm_settled_count,
    sum(lsm_settled_value) as lsm_settled_value,
    sum(liquidity_used) as liquidity_used
from fct_lsm_effectiveness_days
{_of_arm(subject)}"""


def days(subject: Subject) -> str:
    """What each day of the arm did, as a mean over its simulations."""
    return f"""
select
    day,
    count(*) as simulations,
    avg(settled_count) as settled_count,
    avg(settled_value) as settled_value,
    avg(unsettled_value) as unsettled_value,
    sum(lsm_settled_value) / nullif(sum(settled_value), 0) as lsm_value_share,
    avg(liquidity_used) as liquidity_used,
    sum(settled_value) / nullif(sum(liquidity_used), 0) as turnover
from fct_lsm_effectiveness_days
{_of_arm(subject)}
group by day
order by day"""


def cycle_kinds(subject: Subject) -> str:
    """What the cycles of each mechanism and type netted, in sum over the arm's simulated days."""
    return f"""
with settled as (
    select sum(settled_value) as value
    from fct_lsm_effectiveness_days
    {_of_arm(subject)}
)

select
    mechanism,
    cycle_type,
    sum(cycles) as cycles,
    sum(transactions) as transactions,
    sum(gross_value) as gross_value,
    sum(net_value) as net_value,
    sum(liquidity_saved) as liquidity_saved,
    sum(liquidity_saved) / sum(gross_value) as netting_ratio,
    sum(gross_value) / (select value from settled) as settled_value_share
from fct_cycle_type_days
{_of_arm(subject)}
group by mechanism, cycle_type
order by mechanism, cycle_type"""


def cycle_lengths(subject: Subject) -> str:
    """What the cycles of each length netted, in sum over the arm's simulated days."""
    return f"""
select
    cycle_length,
    sum(cycles) as cycles,
    sum(transactions) as transactions,
    sum(gross_value) as gross_value,
    sum(net_value) as net_value,
    sum(liquidity_saved) as liquidity_saved,
    sum(liquidity_saved) / sum(gross_value) as netting_ratio
from fct_cycle_length_days
{_of_arm(subject)}
group by cycle_length
order by cycle_length"""


def cycles_over_the_day(subject: Subject) -> str:
    """When cycles of each mechanism and type settled: number and value on a mean day, by stretch of the day."""
    return f"""
select
    mechanism,
    cycle_type,
    tick % {subject.ticks_per_day} // {subject.bin_ticks} * {subject.bin_ticks} as from_tick,
    count(*) / {subject.days} as cycles_a_day,
    sum(total_value) / {subject.days} as gross_value_a_day
from fct_lsm_cycles
{_of_arm(subject)}
group by mechanism, cycle_type, from_tick
order by mechanism, cycle_type, from_tick"""


def lengths_over_the_day(subject: Subject) -> str:
    """When cycles of each length settled, on a mean day; lengths above 5 in groups that begin at 6, 11 and 21."""
    return f"""
select
    {_LENGTH_FROM} as length_from,
    tick % {subject.ticks_per_day} // {subject.bin_ticks} * {subject.bin_ticks} as from_tick,
    count(*) / {subject.days} as cycles_a_day
from fct_lsm_cycles
{_of_arm(subject)}
group by length_from, from_tick
order by length_from, from_tick"""


def queues_over_the_day(subject: Subject) -> str:
    """What was queued through the day at the ends of ticks, by stretch of it: the mean, and where most days lie."""
    arms = ", ".join(f"'{arm}'" for arm in (subject.arm, subject.twin_arm) if arm)
    return f"""
with stretches as (
    select
        arm, simulation_id, day,
        tick_of_day // {subject.bin_ticks} * {subject.bin_ticks} as from_tick,
        avg(queue_value) as queue_value,
        avg(queue2_value) as queue2_value
    from fct_ticks
    inner join dim_simulations using (run_id, simulation_id)
    where run_id = '{subject.run_id}' and arm in ({arms})
    group by arm, simulation_id, day, from_tick
)

select
    arm,
    from_tick,
    avg(queue_value order by simulation_id, day) as queue_value,
    quantile_cont(queue_value, 0.1) as queue_value_decile_1,
    quantile_cont(queue_value, 0.9) as queue_value_decile_9,
    avg(queue2_value order by simulation_id, day) as queue2_value
from stretches
group by arm, from_tick
order by arm, from_tick"""


def netting_pairs(subject: Subject, most: int) -> str:
    """The pairs of agents between which most value settled in cycles, both directions together."""
    return f"""
select
    least(sender, receiver) as agent,
    greatest(sender, receiver) as counterparty,
    count(*) as transactions,
    sum(amount) as gross_value,
    sum(amount) filter (sender < receiver) as paid_by_agent,
    sum(amount) filter (sender > receiver) as paid_by_counterparty
from fct_lsm_cycle_transactions
{_of_arm(subject)}
group by all
order by gross_value desc, agent, counterparty
limit {most}"""


def agents(subject: Subject, most: int) -> str:
    """What the agents with most value in cycles give and get, in sum over the arm's simulated days."""
    return f"""
select
    agent,
    sum(cycles) as cycles,
    sum(cycle_paid_value) as cycle_paid_value,
    sum(liquidity_provided) as liquidity_provided,
    sum(liquidity_received) as liquidity_received,
    sum(liquidity_saved) as liquidity_saved,
    sum(lsm_sent_value) / nullif(sum(sent_value), 0) as lsm_value_share,
    sum(liquidity_used) as liquidity_used
from fct_agent_lsm_days
{_of_arm(subject)}
group by agent
having sum(cycles) > 0
order by sum(liquidity_provided) + sum(liquidity_saved) desc, agent
limit {most}"""


def agents_in_cycles(subject: Subject) -> str:
    """How many of the arm's agents were in a cycle, and how many pairs of them netted with each other."""
    return f"""
with legs as (
    select least(sender, receiver) as agent, greatest(sender, receiver) as counterparty
    from fct_lsm_cycle_transactions
    {_of_arm(subject)}
)

select
    (select count(distinct unnested) from (select unnest([agent, counterparty]) as unnested from legs)) as agents,
    (select count(*) from (select distinct agent, counterparty from legs)) as pairs"""


def largest_cycles(subject: Subject, of_each: int, most: int) -> str:
    """The cycles that saved most liquidity, at least some of each mechanism."""
    return f"""
with ranked as (
    select
        simulation_id, rng_seed, day, cycle_seq, tick, lsm_pass, mechanism, cycle_type, cycle_length,
        len(transactions) as transaction_count, total_value, settled_value, liquidity_saved, wait_ticks_max,
        row_number() over (
            partition by mechanism order by liquidity_saved desc, simulation_id, day, cycle_seq
        ) as rank_of_mechanism
    from fct_lsm_cycles
    {_of_arm(subject)}
)

select * exclude (rank_of_mechanism)
from (
    select *
    from ranked
    order by rank_of_mechanism > 1, rank_of_mechanism > {of_each}, liquidity_saved desc, simulation_id, day, cycle_seq
    limit {most}
)
order by liquidity_saved desc, simulation_id, day, cycle_seq"""


def cycle_transactions(run_id: str, simulation_id: str, day: int, cycle_seq: int) -> str:
    """The transactions of one cycle, in its order."""
    return f"""
select
    transaction, sender, receiver, amount, arrival_tick, entry_tick, wait_ticks
from fct_lsm_cycle_transactions
where run_id = '{run_id}' and simulation_id = '{simulation_id}' and day = {day} and cycle_seq = {cycle_seq}
order by place"""


def cycle_agents(run_id: str, simulation_id: str, day: int, cycle_seq: int, *, largest_first: bool) -> str:
    """The agents of one cycle, with what each paid and received in it and its net position; else in its own order."""
    cycle = f"run_id = '{run_id}' and simulation_id = '{simulation_id}' and day = {day} and cycle_seq = {cycle_seq}"
    return f"""
with members as (
    select unnest(agents) as agent, unnest(net_positions) as net_position, generate_subscripts(agents, 1) as place
    from fct_lsm_cycles
    where {cycle}
),

legs as (
    select unnest([sender, receiver]) as agent, unnest([amount, 0]) as paid, unnest([0, amount]) as received
    from fct_lsm_cycle_transactions
    where {cycle}
)

select
    agent,
    sum(paid) as paid,
    sum(received) as received,
    any_value(net_position) as net_position
from members
inner join legs using (agent)
group by agent, place
order by {"sum(paid) + sum(received) desc, place" if largest_first else "place"}"""


def cycle_without_lsm(subject: Subject, simulation_id: str, day: int, cycle_seq: int) -> str:
    """How much later a cycle's transactions settle in the twin without LSM: value-weighted, and how many never do."""
    return f"""
select
    count(*) as transactions,
    count(*) filter (twins.settlement_tick is null) as never_settled,
    sum((twins.settlement_tick - cycle.tick) * cycle.amount::hugeint)
        / sum(cycle.amount) filter (twins.settlement_tick is not null) as ticks_later
from fct_lsm_cycle_transactions as cycle
inner join (
    select distinct simulation_id, twin_simulation_id
    from fct_lsm_counterfactual
    where run_id = '{subject.run_id}' and twin_arm = '{subject.twin_arm}'
) using (simulation_id)
inner join fct_transactions as twins
    on twins.run_id = '{subject.run_id}'
    and twins.simulation_id = twin_simulation_id
    and twins.transaction = cycle.transaction
where cycle.run_id = '{subject.run_id}' and cycle.simulation_id = '{simulation_id}'
    and cycle.day = {day} and cycle.cycle_seq = {cycle_seq}"""


def arms(run_id: str, metrics: Iterable[str] = METRICS) -> str:
    """Every arm by the metrics that are shown: mean over seeds, interval, and paired difference to its baseline."""
    shown = ", ".join(f"'{metric}'" for metric in metrics)
    return f"""
select
    metric, unit, arm, baseline_arm, pairing, seeds, mean, ci95_low, ci95_high,
    pairs, paired_difference, paired_difference_ci95_low, paired_difference_ci95_high
from fct_experiment_arms
where run_id = '{run_id}' and metric in ({shown})
order by list_position([{shown}], metric), arm, baseline_arm"""


def differences(run_id: str, metrics: Iterable[str] = METRICS) -> str:
    """What sets each arm apart from its baseline by the metrics that are shown, where they can be paired by seed."""
    shown = ", ".join(f"'{metric}'" for metric in metrics)
    return f"""
select
    metric, unit, arm, baseline_arm, pairs, mean, paired_difference,
    paired_difference_ci95_low, paired_difference_ci95_high
from fct_experiment_arms
where run_id = '{run_id}' and metric in ({shown}) and arm <> baseline_arm and pairs > 0
order by list_position([{shown}], metric), arm, baseline_arm"""


def savings(subject: Subject) -> str:
    """What the LSM saved beside the twin without, as a mean day over seeds with its interval."""
    return f"""
select metric, unit, seeds, mean, ci95_low, ci95_high
from fct_experiment_arms
where run_id = '{subject.run_id}' and arm = '{subject.arm}'
    and metric in ('delay_saved', 'extra_settled_value', 'liquidity_saved', 'queue_value_peak_saved')
order by metric"""


def costs(run_id: str) -> str:
    """What a mean day cost each arm's agents together, by kind."""
    return f"""
select
    arm,
    sum(cost_total) / count(distinct (simulation_id, day)) as cost_total,
    sum(cost_overdraft) / count(distinct (simulation_id, day)) as cost_overdraft,
    sum(cost_delay) / count(distinct (simulation_id, day)) as cost_delay,
    sum(cost_overdue) / count(distinct (simulation_id, day)) as cost_overdue,
    sum(cost_collateral) / count(distinct (simulation_id, day)) as cost_collateral,
    sum(cost_unsettled) / count(distinct (simulation_id, day)) as cost_unsettled
from fct_agent_cost_days
inner join dim_simulations using (run_id, simulation_id)
where run_id = '{run_id}'
group by arm
order by arm"""


def stored_rows(run_id: str) -> str:
    """How many rows of each raw table are stored, every one held against its contract before."""
    return f"""
select raw_table, count(*) as days, sum(row_count) as row_count
from fct_raw_table_days
where run_id = '{run_id}'
group by raw_table
order by raw_table"""


def laws(run_id: str) -> str:
    """What the last build that tested the run's marts found of each law; what fails comes first."""
    return f"""
select test, description, status, failures
from fct_data_tests
where run_id = '{run_id}' and kind = 'law'
order by status = 'pass', test"""


def other_tests(run_id: str) -> str:
    """What it found of keys, references, allowed values and the like, by kind."""
    return f"""
select
    kind,
    count(*) as tests,
    count(*) filter (status = 'pass') as passed,
    coalesce(sum(failures), 0) as failures
from fct_data_tests
where run_id = '{run_id}' and kind <> 'law'
group by kind
order by kind"""


def config(subject: Subject) -> str:
    """The whole configuration of the arm's first simulation, as it ran."""
    return f"""
select config
from dim_simulations
where run_id = '{subject.run_id}' and arm = '{subject.arm}'
order by rng_seed, simulation_id
limit 1"""
