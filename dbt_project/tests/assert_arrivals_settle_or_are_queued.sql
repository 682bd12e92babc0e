-- Fails if a transaction arrives on a day and neither settles on it nor is queued at the end of it.

with fates as (

    select simulation_id, day, transaction, 'settled' as fate
    from {{ ref('stg_raw__settlements') }}

    union all

    select simulation_id, day, transaction, outcome as fate
    from {{ ref('stg_raw__queue_snapshots') }}

)

select arrivals.simulation_id, arrivals.day, arrivals.transaction
from {{ ref('stg_raw__arrivals') }} as arrivals
anti join fates
    on arrivals.simulation_id = fates.simulation_id
    and arrivals.day = fates.day
    and arrivals.transaction = fates.transaction
