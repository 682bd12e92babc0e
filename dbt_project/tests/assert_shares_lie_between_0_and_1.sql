-- Fails if a share, ratio or delay indicator lies outside 0 to 1.

with shares as (

    select simulation_id, day, unnest([delay_indicator, lsm_count_share, lsm_value_share]) as share
    from {{ of_runs(ref('fct_lsm_effectiveness_days')) }}

    union all

    select simulation_id, day, unnest([netting_ratio, settled_value_share, settled_count_share]) as share
    from {{ of_runs(ref('fct_cycle_type_days')) }}

    union all

    select simulation_id, day, unnest([netting_ratio, settled_value_share, settled_count_share]) as share
    from {{ of_runs(ref('fct_cycle_length_days')) }}

    union all

    select simulation_id, day, netting_ratio as share
    from {{ of_runs(ref('fct_lsm_cycles')) }}

)

select *
from shares
where share not between 0 and 1
