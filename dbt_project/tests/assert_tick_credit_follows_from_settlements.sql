-- Fails if the intraday credit used at the end of a tick is not the sum of the overdrawn balances that settlements lead
-- to.

with legs as (

    {{ settlement_legs() }}

),

tick_changes as (

    select simulation_id, day, agent, settlement_tick as tick, sum(change) as change
    from legs
    group by simulation_id, day, agent, settlement_tick

),

balances as (

    select
        agent_days.simulation_id,
        agent_days.day,
        agent_days.agent,
        tick_changes.tick,
        agent_days.opening_balance,
        agent_days.opening_balance + sum(tick_changes.change) over so_far as balance
    from {{ of_runs(ref('stg_raw__agent_days')) }} as agent_days
    inner join tick_changes
        on agent_days.simulation_id = tick_changes.simulation_id
        and agent_days.day = tick_changes.day
        and agent_days.agent = tick_changes.agent
    window so_far as (
        partition by agent_days.simulation_id, agent_days.day, agent_days.agent
        order by tick_changes.tick
    )

),

credit_changes as (

    select
        simulation_id,
        day,
        tick,
        greatest(0, -balance) - greatest(0, -lag(balance, 1, opening_balance) over so_far) as change
    from balances
    window so_far as (partition by simulation_id, day, agent order by tick)

),

opening as (

    select simulation_id, day, sum(greatest(0, -opening_balance)) as credit
    from {{ of_runs(ref('stg_raw__agent_days')) }}
    group by simulation_id, day

),

changes as (

    select simulation_id, day, tick, sum(change) as change
    from credit_changes
    group by simulation_id, day, tick

)

select
    ticks.simulation_id,
    ticks.day,
    ticks.tick,
    ticks.intraday_credit_used,
    opening.credit + sum(coalesce(changes.change, 0)) over (
        partition by ticks.simulation_id, ticks.day
        order by ticks.tick
    ) as credit_recomputed
from {{ of_runs(ref('stg_raw__ticks')) }} as ticks
inner join opening
    on ticks.simulation_id = opening.simulation_id
    and ticks.day = opening.day
left join changes
    on ticks.simulation_id = changes.simulation_id
    and ticks.day = changes.day
    and ticks.tick = changes.tick
qualify ticks.intraday_credit_used <> credit_recomputed
