-- Fails if a transaction is carried into a stored day and neither settles on it nor is queued at the end of it.

with fates as (

    {{ transaction_fates() }}

),

carried as (

    select snapshots.simulation_id, simulations.day, snapshots.transaction
    from {{ of_runs(ref('stg_raw__queue_snapshots')) }} as snapshots
    inner join {{ of_runs(ref('stg_raw__simulations')) }} as simulations
        on snapshots.simulation_id = simulations.simulation_id
        and snapshots.day + 1 = simulations.day
    where snapshots.outcome = 'carried'

)

select carried.simulation_id, carried.day, carried.transaction
from carried
anti join fates
    on carried.simulation_id = fates.simulation_id
    and carried.day = fates.day
    and carried.transaction = fates.transaction
