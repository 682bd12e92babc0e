-- Fails if the largest size of an agent's queue at the end of a tick is not that of its transactions that had joined
-- and not left it.

with transaction_days as (

    select * from {{ of_runs(ref('int_transaction_days_clipped')) }}

),

moves as (

    select simulation_id, day, sender as agent, wait_from_tick as tick, 1 as queue1, 0 as queue2, end_tick
    from transaction_days

    union all

    select simulation_id, day, sender as agent, queue2_from_tick as tick, -1 as queue1, 1 as queue2, end_tick
    from transaction_days

    union all

    select simulation_id, day, sender as agent, wait_until_tick as tick, 0 as queue1, -1 as queue2, end_tick
    from transaction_days

),

changes as (

    select simulation_id, day, agent, tick, sum(queue1) as queue1, sum(queue2) as queue2
    from moves
    where tick < end_tick
    group by simulation_id, day, agent, tick

),

sizes as (

    select
        simulation_id,
        day,
        agent,
        sum(queue1) over so_far as queue1_size,
        sum(queue2) over so_far as queue2_size
    from changes
    window so_far as (partition by simulation_id, day, agent order by tick)

),

recomputed as (

    select simulation_id, day, agent, max(queue1_size) as queue1_size_max, max(queue2_size) as queue2_size_max
    from sizes
    group by simulation_id, day, agent

)

select agent_days.simulation_id, agent_days.day, agent_days.agent
from {{ of_runs(ref('stg_raw__agent_days')) }} as agent_days
left join recomputed
    on agent_days.simulation_id = recomputed.simulation_id
    and agent_days.day = recomputed.day
    and agent_days.agent = recomputed.agent
where agent_days.queue1_size_max <> coalesce(recomputed.queue1_size_max, 0)
    or agent_days.queue2_size_max <> coalesce(recomputed.queue2_size_max, 0)
