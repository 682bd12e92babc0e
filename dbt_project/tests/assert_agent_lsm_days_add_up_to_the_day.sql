-- Fails if what agents sent, paid, received and saved on a day does not add up to what the day and its cycles state, or
-- their shares do not add up to 1, or to 0 where one is taken from another.

with summed as (

    select
        simulation_id,
        day,
        sum(outstanding_count) as outstanding_count,
        sum(outstanding_value) as outstanding_value,
        sum(sent_count) as settled_count,
        sum(sent_value) as settled_value,
        sum(lsm_sent_count) as lsm_settled_count,
        sum(lsm_sent_value) as lsm_settled_value,
        sum(cycle_paid_count) as cycle_paid_count,
        sum(cycle_received_count) as cycle_received_count,
        sum(cycle_paid_value) as cycle_paid_value,
        sum(cycle_received_value) as cycle_received_value,
        sum(liquidity_provided) as liquidity_provided,
        sum(liquidity_received) as liquidity_received,
        sum(liquidity_saved) as liquidity_saved,
        sum(liquidity_used) as liquidity_used,
        sum(outstanding_value * value_weighted_delay_ticks) / sum(outstanding_value) as value_weighted_delay_ticks,
        sum(cycle_gross_share) as cycle_gross_share,
        sum(provision_relative_to_usage) as provision_relative_to_usage
    from {{ of_runs(ref('fct_agent_lsm_days')) }}
    group by simulation_id, day

),

cycles as (

    select
        simulation_id,
        day,
        sum(settled_value) as net_value,
        sum(liquidity_saved) as liquidity_saved
    from {{ of_runs(ref('fct_lsm_cycles')) }}
    group by simulation_id, day

)

select days.simulation_id, days.day
from {{ of_runs(ref('fct_lsm_effectiveness_days')) }} as days
left join summed
    on days.simulation_id = summed.simulation_id
    and days.day = summed.day
left join cycles
    on days.simulation_id = cycles.simulation_id
    and days.day = cycles.day
where summed.outstanding_count is distinct from days.carried_in_count + days.arrived_count
    or summed.outstanding_value is distinct from days.carried_in_value + days.arrived_value
    or summed.settled_count is distinct from days.settled_count
    or summed.settled_value is distinct from days.settled_value
    or summed.lsm_settled_count is distinct from days.lsm_settled_count
    or summed.lsm_settled_value is distinct from days.lsm_settled_value
    or summed.cycle_paid_count is distinct from days.lsm_settled_count
    or summed.cycle_received_count is distinct from days.lsm_settled_count
    or summed.cycle_paid_value is distinct from days.lsm_settled_value
    or summed.cycle_received_value is distinct from days.lsm_settled_value
    or summed.liquidity_provided is distinct from coalesce(cycles.net_value, 0)
    or summed.liquidity_received is distinct from coalesce(cycles.net_value, 0)
    or summed.liquidity_saved is distinct from coalesce(cycles.liquidity_saved, 0)
    or summed.liquidity_used is distinct from days.liquidity_used
    or (summed.value_weighted_delay_ticks is null) <> (days.value_weighted_delay_ticks is null)
    or abs(summed.value_weighted_delay_ticks - days.value_weighted_delay_ticks)
        > 1e-9 * greatest(1, days.value_weighted_delay_ticks)
    or (summed.cycle_gross_share is null) <> (days.lsm_settled_count = 0)
    or abs(summed.cycle_gross_share - 1) > 1e-9
    or abs(summed.provision_relative_to_usage) > 1e-9
