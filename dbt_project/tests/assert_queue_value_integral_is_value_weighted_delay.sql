-- Fails if the queued value summed over a day's ticks is not the outstanding value times its value-weighted delay.

with measured as (

    select
        *,
        carried_in_value + arrived_value as outstanding_value
    from {{ of_runs(ref('fct_lsm_effectiveness_days')) }}

)

select simulation_id, day
from measured
where abs(queue1_value_integral - outstanding_value * coalesce(queue1_value_weighted_delay_ticks, 0))
        > 1e-9 * greatest(1, queue_value_integral)
    or abs(queue2_value_integral - outstanding_value * coalesce(queue2_value_weighted_delay_ticks, 0))
        > 1e-9 * greatest(1, queue_value_integral)
    or abs(queue_value_integral - outstanding_value * coalesce(value_weighted_delay_ticks, 0))
        > 1e-9 * greatest(1, queue_value_integral)
