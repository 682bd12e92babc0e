-- Fails if the cycles of a day are not numbered from 0 without gaps.

select simulation_id, day, count(*) as cycles, max(cycle_seq) as cycle_seq_max
from {{ of_runs(ref('stg_raw__lsm_cycles')) }}
group by simulation_id, day
having max(cycle_seq) <> count(*) - 1
    or min(cycle_seq) <> 0
