-- Columns are named where the files are read: lineage cannot follow a star over files.
select
    run_id,
    simulation_id,
    day,
    agent,
    policy,
    parameters,
    policy_hash
from {{ source('raw', 'policy_snapshots') }}{{ where_asked() }}
