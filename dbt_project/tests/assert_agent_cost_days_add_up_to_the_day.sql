-- Fails if what a day cost an agent in all is not the sum of its kinds, or what agents had to send, left unsettled, waited
-- and used does not add up to what the day states.

with agent_days as (

    select * from {{ of_runs(ref('fct_agent_cost_days')) }}

),

summed as (

    select
        simulation_id,
        day,
        count(*) filter (
            cost_total
            <> cost_overdraft::hugeint + cost_delay + cost_overdue + cost_collateral + cost_unsettled
        ) as wrong_totals,
        sum(outstanding_value) as outstanding_value,
        sum(unsettled_value) as unsettled_value,
        sum(liquidity_used) as liquidity_used,
        sum(outstanding_value * queue1_value_weighted_delay_ticks) / sum(outstanding_value)
            as queue1_value_weighted_delay_ticks,
        sum(outstanding_value * queue2_value_weighted_delay_ticks) / sum(outstanding_value)
            as queue2_value_weighted_delay_ticks,
        sum(outstanding_value * value_weighted_delay_ticks) / sum(outstanding_value) as value_weighted_delay_ticks
    from agent_days
    group by simulation_id, day

)

select days.simulation_id, days.day
from {{ of_runs(ref('fct_lsm_effectiveness_days')) }} as days
left join summed
    on days.simulation_id = summed.simulation_id
    and days.day = summed.day
where summed.wrong_totals is distinct from 0
    or summed.outstanding_value is distinct from days.carried_in_value + days.arrived_value
    or summed.unsettled_value is distinct from days.unsettled_value
    or summed.liquidity_used is distinct from days.liquidity_used
    {%- for delay in [
        'value_weighted_delay_ticks', 'queue1_value_weighted_delay_ticks', 'queue2_value_weighted_delay_ticks'
    ] %}
    or (summed.{{ delay }} is null) <> (days.{{ delay }} is null)
    or abs(summed.{{ delay }} - days.{{ delay }}) > 1e-9 * greatest(1, days.{{ delay }})
    {%- endfor %}
