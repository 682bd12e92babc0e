-- Fails if a day's cycles by type, or by length, do not add up to its cycles and to what the LSM settled.

with by_type as (

    select
        simulation_id,
        day,
        sum(cycles) as cycles,
        sum(transactions) as transactions,
        sum(gross_value) as gross_value,
        sum(net_value) as net_value,
        sum(liquidity_saved) as liquidity_saved
    from {{ of_runs(ref('fct_cycle_type_days')) }}
    group by simulation_id, day

),

by_length as (

    select
        simulation_id,
        day,
        sum(cycles) as cycles,
        sum(transactions) as transactions,
        sum(gross_value) as gross_value,
        sum(net_value) as net_value,
        sum(liquidity_saved) as liquidity_saved
    from {{ of_runs(ref('fct_cycle_length_days')) }}
    group by simulation_id, day

),

one_by_one as (

    select
        cycles.simulation_id,
        cycles.day,
        count(*) as cycles,
        any_value(days.lsm_settled_count) as transactions,
        any_value(days.lsm_settled_value) as gross_value,
        sum(cycles.settled_value) as net_value,
        sum(cycles.liquidity_saved) as liquidity_saved
    from {{ of_runs(ref('fct_lsm_cycles')) }} as cycles
    inner join {{ of_runs(ref('fct_lsm_effectiveness_days')) }} as days
        on cycles.simulation_id = days.simulation_id
        and cycles.day = days.day
    group by cycles.simulation_id, cycles.day

)

(from one_by_one except from by_type)
union all
(from by_type except from one_by_one)
union all
(from one_by_one except from by_length)
union all
(from by_length except from one_by_one)
