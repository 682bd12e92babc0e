-- Fails if the size or value of a queue at the end of a tick is not that of the transactions that had joined and not
-- left it.

with transaction_days as (

    select * from {{ of_runs(ref('int_transaction_days_clipped')) }}

),

-- Every transaction joins a queue at one tick and leaves it at another; ticks that are equal cancel out.
moves as (

    select simulation_id, day, wait_from_tick as tick, 1 as queue1, 0 as queue2, amount from transaction_days
    union all
    select simulation_id, day, queue2_from_tick as tick, -1 as queue1, 1 as queue2, amount from transaction_days
    union all
    select simulation_id, day, wait_until_tick as tick, 0 as queue1, -1 as queue2, amount from transaction_days

),

changes as (

    select
        simulation_id,
        day,
        tick,
        sum(queue1) as queue1_size,
        sum(queue1 * amount) as queue1_value,
        sum(queue2) as queue2_size,
        sum(queue2 * amount) as queue2_value
    from moves
    group by simulation_id, day, tick

),

recomputed as (

    select
        ticks.simulation_id,
        ticks.tick,
        sum(coalesce(changes.queue1_size, 0)) over so_far as queue1_size,
        sum(coalesce(changes.queue1_value, 0)) over so_far as queue1_value,
        sum(coalesce(changes.queue2_size, 0)) over so_far as queue2_size,
        sum(coalesce(changes.queue2_value, 0)) over so_far as queue2_value
    from {{ of_runs(ref('stg_raw__ticks')) }} as ticks
    left join changes
        on ticks.simulation_id = changes.simulation_id
        and ticks.day = changes.day
        and ticks.tick = changes.tick
    window so_far as (partition by ticks.simulation_id, ticks.day order by ticks.tick)

)

select ticks.simulation_id, ticks.tick
from {{ of_runs(ref('stg_raw__ticks')) }} as ticks
inner join recomputed
    on ticks.simulation_id = recomputed.simulation_id
    and ticks.tick = recomputed.tick
where ticks.queue1_size <> recomputed.queue1_size
    or ticks.queue1_value <> recomputed.queue1_value
    or ticks.queue2_size <> recomputed.queue2_size
    or ticks.queue2_value <> recomputed.queue2_value
