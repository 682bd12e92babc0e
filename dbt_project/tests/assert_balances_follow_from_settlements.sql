-- Fails if an agent's closing, smallest or largest balance is not what its settlements, step by step, make of the
-- opening one.

with legs as (

    {{ settlement_legs() }}

),

steps as (

    select simulation_id, day, agent, settlement_seq, sum(change) as change
    from legs
    group by simulation_id, day, agent, settlement_seq

),

running as (

    select
        simulation_id,
        day,
        agent,
        change,
        sum(change) over (partition by simulation_id, day, agent order by settlement_seq) as moved
    from steps

),

measured as (

    select
        simulation_id,
        day,
        agent,
        sum(change) as moved,
        least(0, min(moved)) as moved_min,
        greatest(0, max(moved)) as moved_max
    from running
    group by simulation_id, day, agent

)

select
    agent_days.*,
    measured.moved,
    measured.moved_min,
    measured.moved_max
from {{ of_runs(ref('stg_raw__agent_days')) }} as agent_days
left join measured
    on agent_days.simulation_id = measured.simulation_id
    and agent_days.day = measured.day
    and agent_days.agent = measured.agent
where agent_days.closing_balance <> agent_days.opening_balance + coalesce(measured.moved, 0)
    or agent_days.min_balance <> agent_days.opening_balance + coalesce(measured.moved_min, 0)
    or agent_days.max_balance <> agent_days.opening_balance + coalesce(measured.moved_max, 0)
    or agent_days.peak_net_debit <> -coalesce(measured.moved_min, 0)
