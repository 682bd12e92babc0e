-- Fails if the agents of a simulation close a day with more or less money than they opened it with.

select
    simulation_id,
    day,
    sum(opening_balance) as opening,
    sum(closing_balance) as closing
from {{ of_runs(ref('stg_raw__agent_days')) }}
group by simulation_id, day
having sum(opening_balance) <> sum(closing_balance)
