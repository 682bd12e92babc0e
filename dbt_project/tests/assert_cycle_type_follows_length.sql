-- Fails if a cycle of two agents is not bilateral, or a longer one not multilateral.

select simulation_id, day, cycle_seq, cycle_type, cycle_length
from {{ of_runs(ref('stg_raw__lsm_cycles')) }}
where cycle_type <> case when cycle_length = 2 then 'bilateral' else 'multilateral' end
