-- Fails if a transaction waits in Queue 2 for another reason at the end of a day than when it settled or at the end of an
-- earlier day: a reason is that for which it joined.

with told as (

    select simulation_id, transaction, wait_reason
    from {{ of_runs(ref('stg_raw__queue_snapshots')) }}
    where queue = 2

    union all

    select simulation_id, transaction, wait_reason
    from {{ of_runs(ref('stg_raw__settlements')) }}

)

select simulation_id, transaction, list(wait_reason) as wait_reasons
from told
group by simulation_id, transaction
having count(distinct coalesce(wait_reason, '')) > 1
