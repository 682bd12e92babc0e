-- Fails if the transactions of a cycle settled in more than one step.

select simulation_id, day, cycle_seq, count(distinct settlement_seq) as steps
from {{ of_runs(ref('stg_raw__settlements')) }}
where cycle_seq is not null
group by simulation_id, day, cycle_seq
having count(distinct settlement_seq) > 1
