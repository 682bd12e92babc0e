-- Fails if a transaction settles on a day and is queued at the end of it, or is queued twice.

with fates as (

    {{ transaction_fates() }}

)

select simulation_id, day, transaction, list(fate) as fates
from fates
group by simulation_id, day, transaction
having count(*) > 1
