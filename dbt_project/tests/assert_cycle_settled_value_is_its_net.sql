-- Fails if a cycle's settled_value is not what its net payers pay, or exceeds its total_value.

select simulation_id, day, cycle_seq, net_positions, settled_value, total_value
from {{ of_runs(ref('stg_raw__lsm_cycles')) }}
where settled_value <> list_sum(list_transform(net_positions, lambda position: greatest(0, -position)))
    or settled_value > total_value
