-- Fails if an agent opens a day with other collateral than it had posted at the end of the day before.

with closing as (

    select
        agents.simulation_id,
        agents.day,
        agents.agent,
        coalesce(arg_max(events.posted_after, events.event_seq), any_value(agents.posted_collateral))
            as posted_collateral
    from {{ of_runs(ref('stg_raw__agents')) }} as agents
    left join {{ of_runs(ref('stg_raw__collateral_events')) }} as events
        on agents.simulation_id = events.simulation_id
        and agents.day = events.day
        and agents.agent = events.agent
    group by agents.simulation_id, agents.day, agents.agent

)

select
    today.simulation_id,
    today.day,
    today.agent,
    yesterday.posted_collateral as posted_before,
    today.posted_collateral
from {{ of_runs(ref('stg_raw__agents')) }} as today
inner join closing as yesterday
    on today.simulation_id = yesterday.simulation_id
    and today.agent = yesterday.agent
    and today.day = yesterday.day + 1
where today.posted_collateral <> yesterday.posted_collateral
