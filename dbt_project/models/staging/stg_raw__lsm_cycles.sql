-- Columns are named where the files are read: lineage cannot follow a star over files.
select
    run_id,
    simulation_id,
    day,
    cycle_seq,
    tick,
    lsm_pass,
    mechanism,
    cycle_type,
    cycle_length,
    agents,
    transactions,
    amounts,
    net_positions,
    min_amount,
    settled_value,
    total_value
from {{ source('raw', 'lsm_cycles') }}{{ where_asked() }}
