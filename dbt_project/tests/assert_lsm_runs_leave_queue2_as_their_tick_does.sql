-- Fails if an LSM run leaves another Queue 2 than its tick ends with, or it is not what it found less what it settled.

select runs.simulation_id, runs.tick
from {{ of_runs(ref('stg_raw__lsm_runs')) }} as runs
left join {{ of_runs(ref('stg_raw__ticks')) }} as ticks
    on runs.simulation_id = ticks.simulation_id
    and runs.tick = ticks.tick
where runs.queue_size_after is distinct from ticks.queue2_size
    or runs.queue_value_after is distinct from ticks.queue2_value
    or runs.queue_size_after <> runs.queue_size_before - runs.settled_transactions - runs.retry_settled
    or runs.queue_value_after <> runs.queue_value_before - runs.total_value - runs.retry_value
