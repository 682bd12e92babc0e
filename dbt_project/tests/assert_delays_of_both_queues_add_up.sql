-- Fails if the delays in Queue 1 and Queue 2 do not add up to the whole.

select simulation_id, day, delay_indicator, value_weighted_delay_ticks
from {{ of_runs(ref('fct_lsm_effectiveness_days')) }}
where abs(queue1_delay_indicator + queue2_delay_indicator - delay_indicator) > 1e-9
    or abs(queue1_value_weighted_delay_ticks + queue2_value_weighted_delay_ticks - value_weighted_delay_ticks)
        > 1e-9 * greatest(1, value_weighted_delay_ticks)
