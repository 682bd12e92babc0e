-- Fails if a day's settled number and value, in all and by the LSM, are not those of its ticks.

with summed as (

    select
        simulation_id,
        day,
        sum(settled_immediate + settled_queue) as alone_count,
        sum(settled_value_immediate + settled_value_queue) as alone_value,
        sum(settled_bilateral + settled_ring + settled_gridlock + settled_entry_offset) as lsm_count,
        sum(
            settled_value_bilateral + settled_value_ring + settled_value_gridlock + settled_value_entry_offset
        ) as lsm_value
    from {{ of_runs(ref('stg_raw__ticks')) }}
    group by simulation_id, day

)

select days.simulation_id, days.day
from {{ of_runs(ref('fct_lsm_effectiveness_days')) }} as days
left join summed
    on days.simulation_id = summed.simulation_id
    and days.day = summed.day
where days.settled_count is distinct from summed.alone_count + summed.lsm_count
    or days.settled_value is distinct from summed.alone_value + summed.lsm_value
    or days.lsm_settled_count is distinct from summed.lsm_count
    or days.lsm_settled_value is distinct from summed.lsm_value
