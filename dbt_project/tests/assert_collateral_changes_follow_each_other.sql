-- Fails if a change of collateral does not start from the agent's one before, or from the day's opening, is not of its
-- amount, or the changes of a day are not numbered from 0 without gaps in the order of their ticks.

with events as (

    select
        *,
        row_number() over of_day - 1 as place,
        lag(tick, 1, tick) over of_day as tick_before,
        lag(posted_after) over (partition by simulation_id, day, agent order by event_seq) as posted_until_then
    from {{ of_runs(ref('stg_raw__collateral_events')) }}
    window of_day as (partition by simulation_id, day order by event_seq)

)

select events.simulation_id, events.day, events.event_seq
from events
left join {{ of_runs(ref('stg_raw__agents')) }} as agents
    on events.simulation_id = agents.simulation_id
    and events.day = agents.day
    and events.agent = agents.agent
where events.event_seq <> events.place
    or events.tick < events.tick_before
    or events.posted_before is distinct from coalesce(events.posted_until_then, agents.posted_collateral)
    or events.posted_after - events.posted_before
        <> case events.action when 'posted' then events.amount else -events.amount end
