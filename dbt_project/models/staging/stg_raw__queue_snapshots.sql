-- Columns are named where the files are read: lineage cannot follow a star over files.
select
    run_id,
    simulation_id,
    day,
    agent,
    queue,
    position,
    transaction,
    entry_tick,
    entry_seq,
    outcome,
    wait_reason
from {{ source('raw', 'queue_snapshots') }}{{ where_asked() }}
