-- Fails if a queue snapshot names another agent than the transaction's sender.

select
    snapshots.simulation_id,
    snapshots.day,
    snapshots.transaction,
    snapshots.agent,
    arrivals.sender
from {{ of_runs(ref('stg_raw__queue_snapshots')) }} as snapshots
inner join {{ of_runs(ref('stg_raw__arrivals')) }} as arrivals
    on snapshots.simulation_id = arrivals.simulation_id
    and snapshots.transaction = arrivals.transaction
where snapshots.agent <> arrivals.sender
