-- Columns are named where the files are read: lineage cannot follow a star over files.
select
    run_id,
    simulation_id,
    day,
    tick,
    passes,
    bilateral_cycles,
    ring_cycles,
    gridlock_cycles,
    settled_transactions,
    total_value,
    settled_value,
    retry_settled,
    retry_value,
    queue_size_before,
    queue_size_after,
    queue_value_before,
    queue_value_after,
    value_bound,
    hit_limit
from {{ source('raw', 'lsm_runs') }}{{ where_asked() }}
