-- Columns are named where the files are read: lineage cannot follow a star over files.
select
    run_id,
    simulation_id,
    day,
    transaction,
    tick as settlement_tick,
    settlement_seq,
    mechanism,
    entry_tick,
    entry_seq,
    lsm_pass,
    cycle_seq,
    wait_reason
from {{ source('raw', 'settlements') }}{{ where_asked() }}
