with days as (

    select run_id, simulation_id, day
    from {{ of_runs(ref('stg_raw__simulations')) }}

),

transaction_days as (

    select
        *,
        settlement_tick is not null as is_settled,
        {{ settled_by_lsm('mechanism') }} as is_lsm_settled,
        entry_tick >= first_tick as is_submitted,
        coalesce(outcome = 'cancelled', false) as is_cancelled,
        -- Value times ticks outgrows bigint.
        amount::hugeint * wait_ticks as delay,
        amount::hugeint * queue1_wait_ticks as queue1_delay,
        amount::hugeint * queue2_wait_ticks as queue2_delay,
        amount::hugeint * (end_tick - wait_from_tick) as delay_max
    from {{ of_runs(ref('int_transaction_days_clipped')) }}

),

payments as (

    select
        simulation_id,
        day,

        count(*) filter (is_carried_in) as carried_in_count,
        count(*) filter (not is_carried_in) as arrived_count,
        count(*) filter (is_submitted) as submitted_count,
        count(*) filter (is_settled) as settled_count,
        count(*) filter (is_lsm_settled) as lsm_settled_count,
        count(*) filter (not is_settled) as unsettled_count,
        count(*) filter (is_cancelled) as cancelled_count,

        sum(amount) filter (is_carried_in) as carried_in_value,
        sum(amount) filter (not is_carried_in) as arrived_value,
        sum(amount) filter (is_submitted) as submitted_value,
        sum(amount) filter (is_settled) as settled_value,
        sum(amount) filter (is_lsm_settled) as lsm_settled_value,
        sum(amount) filter (not is_settled) as unsettled_value,
        sum(amount) filter (is_cancelled) as cancelled_value,

        sum(delay) / sum(delay_max) as delay_indicator,
        sum(queue1_delay) / sum(delay_max) as queue1_delay_indicator,
        sum(queue2_delay) / sum(delay_max) as queue2_delay_indicator,
        sum(delay) / sum(amount) as value_weighted_delay_ticks,
        sum(queue1_delay) / sum(amount) as queue1_value_weighted_delay_ticks,
        sum(queue2_delay) / sum(amount) as queue2_value_weighted_delay_ticks
    from transaction_days
    group by simulation_id, day

),

liquidity as (

    select
        simulation_id,
        day,
        sum(liquidity_used)::bigint as liquidity_used,
        sum(liquidity_upper_bound)::bigint as liquidity_upper_bound,
        sum(liquidity_lower_bound)::bigint as liquidity_lower_bound
    from {{ of_runs(ref('int_net_debits_measured')) }}
    group by simulation_id, day

),

queues as (

    select
        simulation_id,
        day,
        max(queue1_value) as queue1_value_peak,
        max(queue2_value) as queue2_value_peak,
        max(queue1_value + queue2_value) as queue_value_peak,
        sum(queue1_value)::double as queue1_value_integral,
        sum(queue2_value)::double as queue2_value_integral,
        sum(queue1_value + queue2_value)::double as queue_value_integral
    from {{ of_runs(ref('stg_raw__ticks')) }}
    group by simulation_id, day

)

select
    days.run_id,
    days.simulation_id,
    days.day,

    coalesce(payments.carried_in_count, 0) as carried_in_count,
    coalesce(payments.carried_in_value, 0)::bigint as carried_in_value,
    coalesce(payments.arrived_count, 0) as arrived_count,
    coalesce(payments.arrived_value, 0)::bigint as arrived_value,
    coalesce(payments.submitted_count, 0) as submitted_count,
    coalesce(payments.submitted_value, 0)::bigint as submitted_value,
    coalesce(payments.settled_count, 0) as settled_count,
    coalesce(payments.settled_value, 0)::bigint as settled_value,
    coalesce(payments.unsettled_count, 0) as unsettled_count,
    coalesce(payments.unsettled_value, 0)::bigint as unsettled_value,
    coalesce(payments.cancelled_count, 0) as cancelled_count,
    coalesce(payments.cancelled_value, 0)::bigint as cancelled_value,

    coalesce(payments.lsm_settled_count, 0) as lsm_settled_count,
    coalesce(payments.lsm_settled_value, 0)::bigint as lsm_settled_value,
    coalesce(payments.lsm_settled_count, 0) / nullif(payments.settled_count, 0) as lsm_count_share,
    coalesce(payments.lsm_settled_value, 0) / nullif(payments.settled_value, 0) as lsm_value_share,

    coalesce(liquidity.liquidity_used, 0) as liquidity_used,
    coalesce(liquidity.liquidity_upper_bound, 0) as liquidity_upper_bound,
    coalesce(liquidity.liquidity_lower_bound, 0) as liquidity_lower_bound,
    coalesce(payments.settled_value, 0) / nullif(liquidity.liquidity_used, 0) as turnover,

    payments.delay_indicator,
    payments.queue1_delay_indicator,
    payments.queue2_delay_indicator,
    payments.value_weighted_delay_ticks,
    payments.queue1_value_weighted_delay_ticks,
    payments.queue2_value_weighted_delay_ticks,

    queues.queue1_value_peak,
    queues.queue2_value_peak,
    queues.queue_value_peak,
    queues.queue1_value_integral,
    queues.queue2_value_integral,
    queues.queue_value_integral
from days
left join payments
    on days.simulation_id = payments.simulation_id
    and days.day = payments.day
left join liquidity
    on days.simulation_id = liquidity.simulation_id
    and days.day = liquidity.day
left join queues
    on days.simulation_id = queues.simulation_id
    and days.day = queues.day
