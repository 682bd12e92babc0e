-- Fails if an offset on entry is of a pass of an LSM run or among more than two agents, or another cycle is of no pass.

select simulation_id, day, cycle_seq, mechanism, lsm_pass, cycle_length
from {{ of_runs(ref('stg_raw__lsm_cycles')) }}
where (lsm_pass = 0) <> (mechanism = 'entry_offset')
    or (mechanism = 'entry_offset' and cycle_length <> 2)
