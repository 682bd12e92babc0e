-- Fails if a balance went further below zero than the agent's credit capacity, with the most collateral of the day.

with posted as (

    select simulation_id, day, agent, max(posted_after) as posted_max
    from {{ of_runs(ref('stg_raw__collateral_events')) }}
    group by simulation_id, day, agent

),

agents as (

    select
        simulation_id,
        day,
        agent,
        credit_limit,
        greatest(posted_collateral, coalesce(posted_max, 0)) as posted_max,
        haircut_bp
    from {{ of_runs(ref('stg_raw__agents')) }} as agents
    left join posted using (simulation_id, day, agent)

)

select
    agent_days.simulation_id,
    agent_days.day,
    agent_days.agent,
    agent_days.min_balance,
    {{ credit_capacity('agents.credit_limit', 'agents.posted_max', 'agents.haircut_bp') }} as capacity
from {{ of_runs(ref('stg_raw__agent_days')) }} as agent_days
inner join agents
    on agent_days.simulation_id = agents.simulation_id
    and agent_days.day = agents.day
    and agent_days.agent = agents.agent
where agent_days.min_balance + capacity < 0
