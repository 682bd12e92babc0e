-- Fails if a balance went further below zero than the agent's credit capacity.

select
    agent_days.simulation_id,
    agent_days.day,
    agent_days.agent,
    agent_days.min_balance,
    {{ credit_capacity('agents.credit_limit', 'agents.posted_collateral', 'agents.haircut_bp') }} as capacity
from {{ of_runs(ref('stg_raw__agent_days')) }} as agent_days
inner join {{ of_runs(ref('stg_raw__agents')) }} as agents
    on agent_days.simulation_id = agents.simulation_id
    and agent_days.day = agents.day
    and agent_days.agent = agents.agent
where agent_days.min_balance + capacity < 0
