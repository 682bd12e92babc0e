with cycles as (

    select * from {{ of_runs(ref('stg_raw__lsm_cycles')) }}

),

arrivals as (

    select * from {{ of_runs(ref('stg_raw__arrivals')) }}

),

settlements as (

    select * from {{ of_runs(ref('stg_raw__settlements')) }}

),

unnested as (

    select
        run_id,
        simulation_id,
        day,
        cycle_seq,
        generate_subscripts(transactions, 1) - 1 as place,
        unnest(transactions) as transaction,
        unnest(amounts) as amount,
        tick,
        lsm_pass,
        mechanism,
        cycle_type,
        cycle_length
    from cycles

)

select
    unnested.run_id,
    unnested.simulation_id,
    unnested.day,
    unnested.cycle_seq,
    unnested.place,
    unnested.transaction,
    arrivals.sender,
    arrivals.receiver,
    unnested.amount,
    arrivals.priority,
    unnested.tick,
    unnested.lsm_pass,
    unnested.mechanism,
    unnested.cycle_type,
    unnested.cycle_length,
    arrivals.arrival_tick,
    settlements.entry_tick,
    settlements.entry_tick - arrivals.arrival_tick as queue1_wait_ticks,
    unnested.tick - settlements.entry_tick as queue2_wait_ticks,
    unnested.tick - arrivals.arrival_tick as wait_ticks
from unnested
inner join arrivals
    on unnested.simulation_id = arrivals.simulation_id
    and unnested.transaction = arrivals.transaction
inner join settlements
    on unnested.simulation_id = settlements.simulation_id
    and unnested.transaction = settlements.transaction
