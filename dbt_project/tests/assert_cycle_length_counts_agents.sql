-- Fails if a cycle's cycle_length is not the number of its agents, or an agent stands in it twice.

select simulation_id, day, cycle_seq, cycle_length, agents
from {{ of_runs(ref('stg_raw__lsm_cycles')) }}
where cycle_length <> len(agents)
    or cycle_length <> list_unique(agents)
