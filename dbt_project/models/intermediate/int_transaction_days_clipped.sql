with days as (

    select
        run_id,
        simulation_id,
        day,
        day * ticks_per_day as first_tick,
        (day + 1) * ticks_per_day as end_tick
    from {{ of_runs(ref('stg_raw__simulations')) }}

),

arrivals as (

    select * from {{ of_runs(ref('stg_raw__arrivals')) }}

),

settlements as (

    select * from {{ of_runs(ref('stg_raw__settlements')) }}

),

snapshots as (

    select * from {{ of_runs(ref('stg_raw__queue_snapshots')) }}

),

outstanding as (

    select simulation_id, day, transaction, false as is_carried_in
    from arrivals

    union all

    select simulation_id, day + 1 as day, transaction, true as is_carried_in
    from snapshots
    where outcome = 'carried'

),

traced as (

    select
        days.run_id,
        days.simulation_id,
        days.day,
        days.first_tick,
        days.end_tick,
        outstanding.transaction,
        outstanding.is_carried_in,
        arrivals.sender,
        arrivals.receiver,
        arrivals.amount,
        arrivals.arrival_tick,
        arrivals.arrival_seq,
        -- As known at the end of the day: null while it stands in Queue 1.
        coalesce(settlements.entry_tick, snapshots.entry_tick) as entry_tick,
        settlements.settlement_tick,
        settlements.settlement_seq,
        settlements.mechanism,
        snapshots.queue as queue_end,
        snapshots.outcome
    from outstanding
    inner join days
        on outstanding.simulation_id = days.simulation_id
        and outstanding.day = days.day
    inner join arrivals
        on outstanding.simulation_id = arrivals.simulation_id
        and outstanding.transaction = arrivals.transaction
    left join settlements
        on outstanding.simulation_id = settlements.simulation_id
        and outstanding.day = settlements.day
        and outstanding.transaction = settlements.transaction
    left join snapshots
        on outstanding.simulation_id = snapshots.simulation_id
        and outstanding.day = snapshots.day
        and outstanding.transaction = snapshots.transaction

),

clipped as (

    select
        *,
        greatest(arrival_tick, first_tick) as wait_from_tick,
        coalesce(settlement_tick, end_tick) as wait_until_tick,
        greatest(coalesce(entry_tick, end_tick), first_tick) as queue2_from_tick
    from traced

)

select
    *,
    queue2_from_tick - wait_from_tick as queue1_wait_ticks,
    wait_until_tick - queue2_from_tick as queue2_wait_ticks,
    wait_until_tick - wait_from_tick as wait_ticks
from clipped
