-- Fails if a row's tick lies outside its day.

with dated as (

    select 'arrivals' as raw_table, simulation_id, day, arrival_tick as tick from {{ of_runs(ref('stg_raw__arrivals')) }}
    union all
    select 'settlements' as raw_table, simulation_id, day, settlement_tick as tick
    from {{ of_runs(ref('stg_raw__settlements')) }}
    union all
    select 'lsm_cycles' as raw_table, simulation_id, day, tick from {{ of_runs(ref('stg_raw__lsm_cycles')) }}
    union all
    select 'lsm_runs' as raw_table, simulation_id, day, tick from {{ of_runs(ref('stg_raw__lsm_runs')) }}
    union all
    select 'ticks' as raw_table, simulation_id, day, tick from {{ of_runs(ref('stg_raw__ticks')) }}

)

select dated.*
from dated
inner join {{ of_runs(ref('stg_raw__simulations')) }} as simulations
    on dated.simulation_id = simulations.simulation_id
    and dated.day = simulations.day
where dated.tick // simulations.ticks_per_day <> dated.day
