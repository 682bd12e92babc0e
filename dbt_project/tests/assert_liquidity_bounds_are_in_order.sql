-- Fails if the lower bound of liquidity exceeds the upper one, or is above what was used on a day on which everything
-- settled.

select simulation_id, day, liquidity_lower_bound, liquidity_used, liquidity_upper_bound, unsettled_count
from {{ of_runs(ref('fct_lsm_effectiveness_days')) }}
where liquidity_lower_bound > liquidity_upper_bound
    or (unsettled_count = 0 and liquidity_lower_bound > liquidity_used)
