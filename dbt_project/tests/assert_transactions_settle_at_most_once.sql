-- Fails if a transaction settles twice.

select simulation_id, transaction, count(*) as settlements
from {{ of_runs(ref('stg_raw__settlements')) }}
group by simulation_id, transaction
having count(*) > 1
