-- Fails if a transaction settles on a day and is queued at the end of it, or is queued twice.

with fates as (

    select simulation_id, day, transaction, 'settled' as fate
    from {{ ref('stg_raw__settlements') }}

    union all

    select simulation_id, day, transaction, outcome as fate
    from {{ ref('stg_raw__queue_snapshots') }}

)

select simulation_id, day, transaction, list(fate) as fates
from fates
group by simulation_id, day, transaction
having count(*) > 1
