-- Columns are named where the files are read: lineage cannot follow a star over files.
select
    run_id,
    simulation_id,
    day,
    transaction,
    sender,
    receiver,
    amount,
    priority,
    arrival_tick,
    arrival_seq,
    deadline_tick,
    parent
from {{ source('raw', 'arrivals') }}{{ where_asked() }}
