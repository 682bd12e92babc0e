-- Fails if an agent opens a day with another balance than it closed the day before with.

select
    today.simulation_id,
    today.day,
    today.agent,
    yesterday.closing_balance,
    today.opening_balance
from {{ of_runs(ref('stg_raw__agent_days')) }} as today
inner join {{ of_runs(ref('stg_raw__agent_days')) }} as yesterday
    on today.simulation_id = yesterday.simulation_id
    and today.agent = yesterday.agent
    and today.day = yesterday.day + 1
where today.opening_balance <> yesterday.closing_balance
