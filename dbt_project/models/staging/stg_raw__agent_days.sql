-- Columns are named where the files are read: lineage cannot follow a star over files.
select
    run_id,
    simulation_id,
    day,
    agent,
    opening_balance,
    closing_balance,
    min_balance,
    max_balance,
    peak_net_debit,
    arrivals,
    arrival_value,
    sent,
    sent_value,
    received,
    received_value,
    lsm_releases,
    queue1_size_max,
    queue2_size_max,
    queue1_size_end,
    queue2_size_end
from {{ source('raw', 'agent_days') }}
