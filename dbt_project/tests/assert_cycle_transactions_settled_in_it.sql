-- Fails if a transaction of a cycle did not settle in that cycle, at its tick, in its pass and by its mechanism.

with members as (

    {{ unnested_cycles() }}

)

select members.*
from members
anti join {{ of_runs(ref('stg_raw__settlements')) }} as settlements
    on members.simulation_id = settlements.simulation_id
    and members.day = settlements.day
    and members.cycle_seq = settlements.cycle_seq
    and members.transaction = settlements.transaction
    and members.tick = settlements.settlement_tick
    and members.lsm_pass = settlements.lsm_pass
    and members.mechanism = settlements.mechanism
