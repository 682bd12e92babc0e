-- Fails if what a day cost an agent is not what its balances, collateral and transactions, tick by tick, come to at the
-- rates of its config.

with days as (

    select
        simulation_id,
        day,
        ticks_per_day,
        day * ticks_per_day as first_tick,
        (day + 1) * ticks_per_day as end_tick,
        {%- for kind in ['overdraft', 'delay', 'overdue', 'collateral', 'unsettled'] %}
        coalesce(json_extract(config, '$.costs.{{ kind }}_bp')::bigint, 0) as {{ kind }}_bp,
        {%- endfor %}
        {%- for priority in ['urgent', 'normal', 'low'] %}
        coalesce(json_extract(config, '$.costs.delay_weights.{{ priority }}')::bigint, 0) as {{ priority }}_weight
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ of_runs(ref('stg_raw__simulations')) }}

),

legs as (

    {{ settlement_legs() }}

),

changes as (

    select simulation_id, day, agent, settlement_tick as tick, change as balance_change, 0 as posted_change
    from legs

    union all

    select simulation_id, day, agent, tick, 0 as balance_change, posted_after - posted_before as posted_change
    from {{ of_runs(ref('stg_raw__collateral_events')) }}

    union all

    select
        agents.simulation_id,
        agents.day,
        agents.agent,
        days.first_tick as tick,
        agents.opening_balance as balance_change,
        agents.posted_collateral as posted_change
    from {{ of_runs(ref('stg_raw__agents')) }} as agents
    inner join days
        on agents.simulation_id = days.simulation_id
        and agents.day = days.day

),

tick_changes as (

    select
        simulation_id,
        day,
        agent,
        tick,
        sum(balance_change) as balance_change,
        sum(posted_change) as posted_change
    from changes
    group by simulation_id, day, agent, tick

),

-- What an agent has from the end of a tick on, until a later one changes it.
standing as (

    select
        tick_changes.simulation_id,
        tick_changes.day,
        tick_changes.agent,
        sum(tick_changes.balance_change) over so_far as balance,
        sum(tick_changes.posted_change) over so_far as posted,
        lead(tick_changes.tick, 1, days.end_tick) over so_far - tick_changes.tick as ticks
    from tick_changes
    inner join days
        on tick_changes.simulation_id = days.simulation_id
        and tick_changes.day = days.day
    window so_far as (
        partition by tick_changes.simulation_id, tick_changes.day, tick_changes.agent
        order by tick_changes.tick
    )

),

held as (

    select
        simulation_id,
        day,
        agent,
        sum(greatest(0, -balance)::hugeint * ticks) as overdrawn,
        sum(posted::hugeint * ticks) as posted
    from standing
    group by simulation_id, day, agent

),

late as (

    select
        clipped.simulation_id,
        clipped.day,
        clipped.sender as agent,
        sum(
            clipped.amount::hugeint * clipped.wait_ticks * case arrivals.priority
                when 'urgent' then days.urgent_weight
                when 'normal' then days.normal_weight
                when 'low' then days.low_weight
            end
        ) as delayed,
        sum(
            clipped.amount::hugeint
            * greatest(0, clipped.wait_until_tick - greatest(arrivals.deadline_tick, days.first_tick))
        ) filter (arrivals.deadline_tick is not null) as overdue,
        sum(clipped.amount) filter (clipped.settlement_tick is null) as unsettled
    from {{ of_runs(ref('int_transaction_days_clipped')) }} as clipped
    inner join {{ of_runs(ref('stg_raw__arrivals')) }} as arrivals
        on clipped.simulation_id = arrivals.simulation_id
        and clipped.transaction = arrivals.transaction
    inner join days
        on clipped.simulation_id = days.simulation_id
        and clipped.day = days.day
    group by clipped.simulation_id, clipped.day, clipped.sender

),

expected as (

    select
        held.simulation_id,
        held.day,
        held.agent,
        {{ half_up('held.overdrawn * days.overdraft_bp', 'days.ticks_per_day * 10000') }} as cost_overdraft,
        {{ half_up('coalesce(late.delayed, 0) * days.delay_bp', 'days.ticks_per_day * 1000000') }} as cost_delay,
        {{ half_up('coalesce(late.overdue, 0) * days.overdue_bp', 'days.ticks_per_day * 10000') }} as cost_overdue,
        {{ half_up('held.posted * days.collateral_bp', 'days.ticks_per_day * 10000') }} as cost_collateral,
        {{ half_up('coalesce(late.unsettled, 0) * days.unsettled_bp', '10000') }} as cost_unsettled
    from held
    inner join days
        on held.simulation_id = days.simulation_id
        and held.day = days.day
    left join late
        on held.simulation_id = late.simulation_id
        and held.day = late.day
        and held.agent = late.agent

)

select agent_days.simulation_id, agent_days.day, agent_days.agent
from {{ of_runs(ref('stg_raw__agent_days')) }} as agent_days
inner join expected
    on agent_days.simulation_id = expected.simulation_id
    and agent_days.day = expected.day
    and agent_days.agent = expected.agent
where agent_days.cost_overdraft is distinct from expected.cost_overdraft
    or agent_days.cost_delay is distinct from expected.cost_delay
    or agent_days.cost_overdue is distinct from expected.cost_overdue
    or agent_days.cost_collateral is distinct from expected.cost_collateral
    or agent_days.cost_unsettled is distinct from expected.cost_unsettled
