-- Fails if a transaction that settled in a cycle is not among that cycle's transactions.

with members as (

    {{ unnested_cycles() }}

)

select settlements.simulation_id, settlements.day, settlements.cycle_seq, settlements.transaction
from {{ of_runs(ref('stg_raw__settlements')) }} as settlements
anti join members
    on settlements.simulation_id = members.simulation_id
    and settlements.day = members.day
    and settlements.cycle_seq = members.cycle_seq
    and settlements.transaction = members.transaction
where settlements.cycle_seq is not null
