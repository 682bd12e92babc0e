with days as (

    select run_id, simulation_id, day
    from {{ of_runs(ref('stg_raw__simulations')) }}

),

agent_days as (

    select simulation_id, day, agent, sent_count, sent_value, liquidity_used, liquidity_cost
    from {{ of_runs(ref('fct_agent_lsm_days')) }}

),

settled as (

    select simulation_id, day, amount, settlement_tick - first_tick as tick
    from {{ of_runs(ref('int_transaction_days_clipped')) }}
    where settlement_tick is not null

),

system as (

    select
        simulation_id,
        day,
        sum(sent_value) as sent_value,
        sum(liquidity_used) as liquidity_used
    from agent_days
    group by simulation_id, day

),

-- Hugeint throughout: products of two sums of money are exact, and so is their sum.
provisions as (

    select
        agent_days.simulation_id,
        agent_days.day,
        sum(greatest(
            0,
            agent_days.liquidity_used * system.sent_value - agent_days.sent_value * system.liquidity_used
        )) as excess
    from agent_days
    inner join system
        on agent_days.simulation_id = system.simulation_id
        and agent_days.day = system.day
    group by agent_days.simulation_id, agent_days.day

),

costs_ranked as (

    select
        simulation_id,
        day,
        sent_count as payments,
        liquidity_cost as cost,
        liquidity_cost - lag(liquidity_cost) over by_cost as step,
        row_number() over by_cost as place,
        sum(sent_count) over by_cost - sent_count as payments_below,
        sum(sent_count) over (partition by simulation_id, day) as payments_of_all
    from agent_days
    where sent_count > 0
    window by_cost as (partition by simulation_id, day order by liquidity_cost, agent rows unbounded preceding)

),

-- Two senders differ by the steps between them in order of cost. Each step therefore counts as often as there are pairs
-- of payments on either side of it; and where all costs are equal nothing is left of rounding.
costs_compared as (

    select
        simulation_id,
        day,
        list_sum(list(coalesce(step, 0) * payments_below * (payments_of_all - payments_below) order by place))
            as differences,
        any_value(payments_of_all) * list_sum(list(payments * cost order by place)) as payments_times_costs
    from costs_ranked
    group by simulation_id, day

),

ticks as (

    select
        simulation_id,
        day,
        tick,
        sum(amount) as settled_value
    from settled
    group by simulation_id, day, tick

),

ticks_running as (

    select
        simulation_id,
        day,
        tick,
        settled_value,
        sum(settled_value) over (partition by simulation_id, day order by tick) as settled_value_so_far,
        sum(settled_value) over (partition by simulation_id, day) as settled_value_of_day
    from ticks

),

timing as (

    select
        simulation_id,
        day,
        sum(settled_value * tick) / sum(settled_value) as average_settlement_tick
        {%- for decile in range(1, 10) %},
        min(tick) filter (10 * settled_value_so_far >= {{ decile }} * settled_value_of_day)
            as settlement_decile_{{ decile }}_tick
        {%- endfor %}
    from ticks_running
    group by simulation_id, day

)

select
    days.run_id,
    days.simulation_id,
    days.day,
    system.sent_value / nullif(system.liquidity_used, 0) as system_wide_efficiency,
    costs_compared.differences / nullif(costs_compared.payments_times_costs, 0) as liquidity_cost_gini,
    provisions.excess / nullif(system.liquidity_used * system.sent_value, 0) as provision_relative_to_usage,
    timing.average_settlement_tick
    {%- for decile in range(1, 10) %},
    timing.settlement_decile_{{ decile }}_tick
    {%- endfor %}
from days
left join system
    on days.simulation_id = system.simulation_id
    and days.day = system.day
left join provisions
    on days.simulation_id = provisions.simulation_id
    and days.day = provisions.day
left join costs_compared
    on days.simulation_id = costs_compared.simulation_id
    and days.day = costs_compared.day
left join timing
    on days.simulation_id = timing.simulation_id
    and days.day = timing.day
