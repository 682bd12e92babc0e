with agents as (

    select simulation_id, day, agent, policy
    from {{ of_runs(ref('stg_raw__agents')) }}

),

lsm_days as (

    select run_id, simulation_id, day, agent, outstanding_value, value_weighted_delay_ticks, liquidity_used
    from {{ of_runs(ref('fct_agent_lsm_days')) }}

),

costs as (

    select simulation_id, day, agent, cost_overdraft, cost_delay, cost_overdue, cost_collateral, cost_unsettled
    from {{ of_runs(ref('stg_raw__agent_days')) }}

),

transaction_days as (

    select * from {{ of_runs(ref('int_transaction_days_clipped')) }}

),

deadlines as (

    select simulation_id, transaction, deadline_tick
    from {{ of_runs(ref('stg_raw__arrivals')) }}
    where deadline_tick is not null

),

payments as (

    select
        simulation_id,
        day,
        sender as agent,
        sum(amount) filter (settlement_tick is null) as unsettled_value,
        -- Value times ticks outgrows bigint.
        sum(amount::hugeint * queue1_wait_ticks) / sum(amount) as queue1_value_weighted_delay_ticks,
        sum(amount::hugeint * queue2_wait_ticks) / sum(amount) as queue2_value_weighted_delay_ticks
    from transaction_days
    group by simulation_id, day, sender

),

overdue as (

    select
        transaction_days.simulation_id,
        transaction_days.day,
        transaction_days.sender as agent,
        sum(transaction_days.amount) as overdue_value
    from transaction_days
    inner join deadlines
        on transaction_days.simulation_id = deadlines.simulation_id
        and transaction_days.transaction = deadlines.transaction
    where transaction_days.wait_until_tick > deadlines.deadline_tick
    group by transaction_days.simulation_id, transaction_days.day, transaction_days.sender

)

select
    lsm_days.run_id,
    lsm_days.simulation_id,
    lsm_days.day,
    lsm_days.agent,
    agents.policy,

    (
        costs.cost_overdraft + costs.cost_delay + costs.cost_overdue + costs.cost_collateral + costs.cost_unsettled
    ) as cost_total,
    costs.cost_overdraft,
    costs.cost_delay,
    costs.cost_overdue,
    costs.cost_collateral,
    costs.cost_unsettled,

    lsm_days.outstanding_value,
    lsm_days.value_weighted_delay_ticks,
    payments.queue1_value_weighted_delay_ticks,
    payments.queue2_value_weighted_delay_ticks,
    coalesce(payments.unsettled_value, 0)::bigint as unsettled_value,
    coalesce(overdue.overdue_value, 0)::bigint as overdue_value,
    lsm_days.liquidity_used
from lsm_days
inner join agents using (simulation_id, day, agent)
inner join costs using (simulation_id, day, agent)
left join payments using (simulation_id, day, agent)
left join overdue using (simulation_id, day, agent)
