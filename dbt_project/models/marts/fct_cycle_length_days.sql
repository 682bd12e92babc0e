with cycles as (

    select * from {{ of_runs(ref('fct_lsm_cycles')) }}

),

days as (

    select * from {{ of_runs(ref('fct_lsm_effectiveness_days')) }}

),

measured as (

    select
        simulation_id,
        day,
        cycle_length,
        {{ cycle_measures() }}
    from cycles
    group by simulation_id, day, cycle_length

)

select
    measured.run_id,
    measured.simulation_id,
    measured.day,
    measured.cycle_length,
    case measured.cycle_length
        when 2 then 'bilateral'
        when 3 then 'trilateral'
        else 'longer'
    end as length_class,
    measured.cycles,
    measured.transactions,
    measured.gross_value,
    measured.net_value,
    measured.liquidity_saved,
    measured.netting_ratio,
    measured.gross_value_mean,
    measured.gross_value_median,
    measured.gross_value_max,
    measured.gross_value / days.settled_value as settled_value_share,
    measured.transactions / days.settled_count as settled_count_share
from measured
left join days
    on measured.simulation_id = days.simulation_id
    and measured.day = days.day
