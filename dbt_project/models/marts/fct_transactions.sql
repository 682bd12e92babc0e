with arrivals as (

    select * from {{ of_runs(ref('stg_raw__arrivals')) }}

),

settlements as (

    select * from {{ of_runs(ref('stg_raw__settlements')) }}

),

snapshots as (

    select * from {{ of_runs(ref('stg_raw__queue_snapshots')) }}

),

transaction_days as (

    select * from {{ of_runs(ref('int_transaction_days_clipped')) }}

),

last_stored as (

    select simulation_id, max(day) as day
    from transaction_days
    group by simulation_id

),

-- A transaction's last day: that on which it left the queues, or the last one that is stored.
last_days as (

    select transaction_days.*
    from transaction_days
    inner join last_stored on transaction_days.simulation_id = last_stored.simulation_id
    where
        transaction_days.outcome is distinct from 'carried'
        or transaction_days.day = last_stored.day

),

traced as (

    select
        arrivals.run_id,
        arrivals.simulation_id,
        arrivals.transaction,
        arrivals.sender,
        arrivals.receiver,
        arrivals.amount,
        arrivals.priority,
        arrivals.parent,
        arrivals.day as arrival_day,
        arrivals.arrival_tick,
        arrivals.arrival_seq,
        arrivals.deadline_tick,
        last_days.entry_tick,
        settlements.day as settlement_day,
        settlements.settlement_tick,
        settlements.settlement_seq,
        settlements.mechanism,
        settlements.lsm_pass,
        settlements.cycle_seq,
        -- Why it joined Queue 2; what stands in Queue 1 has not.
        case
            when settlements.transaction is not null then settlements.wait_reason
            when last_days.queue_end = 2 then snapshots.wait_reason
        end as wait_reason,
        case
            when settlements.transaction is not null then 'settled'
            when last_days.outcome = 'cancelled' then 'cancelled'
            when last_days.outcome = 'carried' then 'queued'
        end as status,
        last_days.queue_end as queue,
        last_days.day as last_day,
        last_days.day - arrivals.day as nights,
        last_days.wait_until_tick
    from arrivals
    left join settlements
        on arrivals.simulation_id = settlements.simulation_id
        and arrivals.transaction = settlements.transaction
    left join last_days
        on arrivals.simulation_id = last_days.simulation_id
        and arrivals.transaction = last_days.transaction
    left join snapshots
        on last_days.simulation_id = snapshots.simulation_id
        and last_days.transaction = snapshots.transaction
        and last_days.day = snapshots.day

)

select
    run_id,
    simulation_id,
    transaction,
    sender,
    receiver,
    amount,
    priority,
    parent,
    status,
    arrival_day,
    arrival_tick,
    arrival_seq,
    entry_tick,
    settlement_day,
    settlement_tick,
    settlement_seq,
    mechanism,
    lsm_pass,
    cycle_seq,
    cycle_seq is not null as is_lsm_settled,
    -- Nothing but its sender's policy keeps a transaction in Queue 1.
    case when entry_tick > arrival_tick or entry_tick is null then 'policy' end as queue1_wait_reason,
    wait_reason,
    case when status = 'settled' then entry_tick - arrival_tick end as queue1_wait_ticks,
    settlement_tick - entry_tick as queue2_wait_ticks,
    settlement_tick - arrival_tick as wait_ticks,
    deadline_tick,
    -- What is unsettled at the end of a day has outlived every deadline before the next day's first tick.
    coalesce(wait_until_tick > deadline_tick, false) as is_overdue,
    queue,
    last_day,
    nights
from traced
