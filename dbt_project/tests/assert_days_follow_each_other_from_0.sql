-- Fails if a simulation's stored days do not start with day 0, leave one out, or outnumber num_days.

select simulation_id, list(day order by day) as days_stored
from {{ of_runs(ref('stg_raw__simulations')) }}
group by simulation_id
having min(day) <> 0
    or max(day) <> count(*) - 1
    or max(day) >= min(num_days)
