-- Columns are named where the files are read: lineage cannot follow a star over files.
select
    run_id,
    simulation_id,
    day,
    agent,
    agent_index,
    opening_balance,
    credit_limit,
    posted_collateral,
    haircut_bp,
    policy
from {{ source('raw', 'agents') }}{{ where_asked() }}
