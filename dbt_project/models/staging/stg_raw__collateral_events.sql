-- Columns are named where the files are read: lineage cannot follow a star over files.
select
    run_id,
    simulation_id,
    day,
    event_seq,
    agent,
    tick,
    action,
    amount,
    posted_before,
    posted_after,
    reason
from {{ source('raw', 'collateral_events') }}{{ where_asked() }}
