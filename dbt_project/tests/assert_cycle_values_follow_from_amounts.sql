-- Fails if a cycle's total_value is not the sum of its amounts, or its min_amount not the smallest of them.

select simulation_id, day, cycle_seq, amounts, total_value, min_amount
from {{ of_runs(ref('stg_raw__lsm_cycles')) }}
where total_value <> list_sum(amounts)
    or min_amount <> list_min(amounts)
