-- Fails if a transaction settles or is queued on a day on which it did not arrive and into which it was not carried.

with fates as (

    {{ transaction_fates() }}

),

outstanding as (

    select simulation_id, day, transaction
    from {{ of_runs(ref('stg_raw__arrivals')) }}

    union all

    select simulation_id, day + 1 as day, transaction
    from {{ of_runs(ref('stg_raw__queue_snapshots')) }}
    where outcome = 'carried'

)

select fates.simulation_id, fates.day, fates.transaction, fates.fate
from fates
anti join outstanding
    on fates.simulation_id = outstanding.simulation_id
    and fates.day = outstanding.day
    and fates.transaction = outstanding.transaction
