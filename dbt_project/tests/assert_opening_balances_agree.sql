-- Fails if the tables agents and agent_days state different opening balances.

select
    agents.simulation_id,
    agents.day,
    agents.agent,
    agents.opening_balance,
    agent_days.opening_balance as opening_balance_of_agent_day
from {{ of_runs(ref('stg_raw__agents')) }} as agents
full join {{ of_runs(ref('stg_raw__agent_days')) }} as agent_days
    on agents.simulation_id = agent_days.simulation_id
    and agents.day = agent_days.day
    and agents.agent = agent_days.agent
where agents.opening_balance is distinct from agent_days.opening_balance
