with transaction_days as (

    select * from {{ ref('int_transaction_days_clipped') }}

),

agents as (

    select run_id, simulation_id, day, agent
    from {{ ref('stg_raw__agents') }}

),

legs as (

    select simulation_id, day, sender as agent, amount as debit, arrival_seq, settlement_seq
    from transaction_days

    union all

    select simulation_id, day, receiver as agent, -amount as debit, arrival_seq, settlement_seq
    from transaction_days

),

-- What is settled simultaneously is one step: nothing is measured inside it.
settlement_steps as (

    select simulation_id, day, agent, settlement_seq, sum(debit) as debit
    from legs
    where settlement_seq is not null
    group by simulation_id, day, agent, settlement_seq

),

settled_running as (

    select
        simulation_id,
        day,
        agent,
        sum(debit) over (partition by simulation_id, day, agent order by settlement_seq) as net_debit
    from settlement_steps

),

settled as (

    select simulation_id, day, agent, greatest(0, max(net_debit)) as liquidity_used
    from settled_running
    group by simulation_id, day, agent

),

-- Carried in transactions arrived on earlier days and so stand first.
arriving_running as (

    select
        simulation_id,
        day,
        agent,
        debit,
        sum(debit) over (partition by simulation_id, day, agent order by arrival_seq) as net_debit
    from legs

),

bounds as (

    select
        simulation_id,
        day,
        agent,
        greatest(0, max(net_debit)) as liquidity_upper_bound,
        greatest(0, sum(debit)) as liquidity_lower_bound
    from arriving_running
    group by simulation_id, day, agent

)

select
    agents.run_id,
    agents.simulation_id,
    agents.day,
    agents.agent,
    coalesce(settled.liquidity_used, 0)::bigint as liquidity_used,
    coalesce(bounds.liquidity_upper_bound, 0)::bigint as liquidity_upper_bound,
    coalesce(bounds.liquidity_lower_bound, 0)::bigint as liquidity_lower_bound
from agents
left join settled
    on agents.simulation_id = settled.simulation_id
    and agents.day = settled.day
    and agents.agent = settled.agent
left join bounds
    on agents.simulation_id = bounds.simulation_id
    and agents.day = bounds.day
    and agents.agent = bounds.agent
