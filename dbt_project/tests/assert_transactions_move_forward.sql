-- Fails if a transaction is submitted before it arrives, or settles before it is submitted.

with entered as (

    select simulation_id, transaction, entry_tick, settlement_tick
    from {{ of_runs(ref('stg_raw__settlements')) }}

    union all

    select simulation_id, transaction, entry_tick, null as settlement_tick
    from {{ of_runs(ref('stg_raw__queue_snapshots')) }}

)

select
    entered.simulation_id,
    entered.transaction,
    arrivals.arrival_tick,
    entered.entry_tick,
    entered.settlement_tick
from entered
inner join {{ of_runs(ref('stg_raw__arrivals')) }} as arrivals
    on entered.simulation_id = arrivals.simulation_id
    and entered.transaction = arrivals.transaction
where entered.entry_tick < arrivals.arrival_tick
    or entered.settlement_tick < entered.entry_tick
