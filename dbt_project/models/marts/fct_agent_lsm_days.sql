with agents as (

    select run_id, simulation_id, day, agent
    from {{ of_runs(ref('stg_raw__agents')) }}

),

outgoing as (

    select
        simulation_id,
        day,
        sender as agent,
        amount,
        settlement_tick is not null as is_settled,
        {{ settled_by_lsm('mechanism') }} as is_lsm_settled,
        -- Value times ticks outgrows bigint.
        amount::hugeint * wait_ticks as delay
    from {{ of_runs(ref('int_transaction_days_clipped')) }}

),

payments as (

    select
        simulation_id,
        day,
        agent,
        count(*) as outstanding_count,
        sum(amount) as outstanding_value,
        count(*) filter (is_settled) as sent_count,
        sum(amount) filter (is_settled) as sent_value,
        count(*) filter (is_lsm_settled) as lsm_sent_count,
        sum(amount) filter (is_lsm_settled) as lsm_sent_value,
        sum(delay) / sum(amount) as value_weighted_delay_ticks
    from outgoing
    group by simulation_id, day, agent

),

cycle_transactions as (

    select simulation_id, day, cycle_seq, sender, receiver, amount
    from {{ of_runs(ref('fct_lsm_cycle_transactions')) }}

),

cycle_legs as (

    select simulation_id, day, cycle_seq, sender as agent, amount as paid, null as received
    from cycle_transactions

    union all

    select simulation_id, day, cycle_seq, receiver as agent, null as paid, amount as received
    from cycle_transactions

),

in_cycle as (

    select
        simulation_id,
        day,
        cycle_seq,
        agent,
        count(paid) as paid_count,
        count(received) as received_count,
        coalesce(sum(paid), 0) as paid_value,
        coalesce(sum(received), 0) as received_value
    from cycle_legs
    group by simulation_id, day, cycle_seq, agent

),

positions as (

    select
        simulation_id,
        day,
        agent,
        count(*) as cycles,
        sum(paid_count) as paid_count,
        sum(paid_value) as paid_value,
        sum(received_count) as received_count,
        sum(received_value) as received_value,
        sum(greatest(0, paid_value - received_value)) as liquidity_provided,
        sum(greatest(0, received_value - paid_value)) as liquidity_received,
        sum(least(paid_value, received_value)) as liquidity_saved
    from in_cycle
    group by simulation_id, day, agent

),

counterparties_out as (

    select simulation_id, day, sender as agent, count(distinct receiver) as counterparties
    from cycle_transactions
    group by simulation_id, day, sender

),

counterparties_in as (

    select simulation_id, day, receiver as agent, count(distinct sender) as counterparties
    from cycle_transactions
    group by simulation_id, day, receiver

),

measured as (

    select
        agents.run_id,
        agents.simulation_id,
        agents.day,
        agents.agent,

        coalesce(positions.cycles, 0) as cycles,
        coalesce(positions.paid_count, 0)::bigint as cycle_paid_count,
        coalesce(positions.paid_value, 0)::bigint as cycle_paid_value,
        coalesce(positions.received_count, 0)::bigint as cycle_received_count,
        coalesce(positions.received_value, 0)::bigint as cycle_received_value,
        coalesce(positions.liquidity_provided, 0)::bigint as liquidity_provided,
        coalesce(positions.liquidity_received, 0)::bigint as liquidity_received,
        coalesce(positions.liquidity_saved, 0)::bigint as liquidity_saved,
        coalesce(counterparties_out.counterparties, 0) as counterparties_out,
        coalesce(counterparties_in.counterparties, 0) as counterparties_in,

        coalesce(payments.outstanding_count, 0) as outstanding_count,
        coalesce(payments.outstanding_value, 0)::bigint as outstanding_value,
        coalesce(payments.sent_count, 0) as sent_count,
        coalesce(payments.sent_value, 0)::bigint as sent_value,
        coalesce(payments.lsm_sent_count, 0) as lsm_sent_count,
        coalesce(payments.lsm_sent_value, 0)::bigint as lsm_sent_value,
        payments.value_weighted_delay_ticks,

        net_debits.liquidity_used
    from agents
    inner join {{ of_runs(ref('int_net_debits_measured')) }} as net_debits
        on agents.simulation_id = net_debits.simulation_id
        and agents.day = net_debits.day
        and agents.agent = net_debits.agent
    left join payments
        on agents.simulation_id = payments.simulation_id
        and agents.day = payments.day
        and agents.agent = payments.agent
    left join positions
        on agents.simulation_id = positions.simulation_id
        and agents.day = positions.day
        and agents.agent = positions.agent
    left join counterparties_out
        on agents.simulation_id = counterparties_out.simulation_id
        and agents.day = counterparties_out.day
        and agents.agent = counterparties_out.agent
    left join counterparties_in
        on agents.simulation_id = counterparties_in.simulation_id
        and agents.day = counterparties_in.day
        and agents.agent = counterparties_in.agent

),

-- Hugeint: the products of two sums of money below do not fit bigint.
with_totals as (

    select
        *,
        sum(cycle_paid_value) over day_of_all as cycle_gross_value_of_all,
        sum(sent_value) over day_of_all as sent_value_of_all,
        sum(liquidity_used) over day_of_all as liquidity_used_by_all
    from measured
    window day_of_all as (partition by simulation_id, day)

)

select
    run_id,
    simulation_id,
    day,
    agent,

    cycles,
    cycle_paid_count,
    cycle_paid_value,
    cycle_received_count,
    cycle_received_value,
    cycle_paid_value / nullif(cycle_gross_value_of_all, 0) as cycle_gross_share,
    liquidity_provided,
    liquidity_received,
    liquidity_saved,
    counterparties_out,
    counterparties_in,

    outstanding_count,
    outstanding_value,
    sent_count,
    sent_value,
    lsm_sent_count,
    lsm_sent_value,
    lsm_sent_count / nullif(sent_count, 0) as lsm_count_share,
    lsm_sent_value / nullif(sent_value, 0) as lsm_value_share,
    value_weighted_delay_ticks,

    liquidity_used,
    liquidity_used / nullif(sent_value, 0) as liquidity_cost,
    (liquidity_used * sent_value_of_all - sent_value * liquidity_used_by_all)
        / nullif(liquidity_used_by_all * sent_value_of_all, 0) as provision_relative_to_usage
from with_totals
