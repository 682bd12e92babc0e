-- Fails if the net positions of a cycle do not sum to 0.

select simulation_id, day, cycle_seq, net_positions
from {{ of_runs(ref('stg_raw__lsm_cycles')) }}
where list_sum(net_positions) <> 0
