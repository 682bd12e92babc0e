-- Fails if a transaction of a cycle had not joined Queue 2 by then.

with members as (

    {{ unnested_cycles() }}

)

select members.*, settlements.entry_tick, settlements.wait_reason
from members
inner join {{ of_runs(ref('stg_raw__settlements')) }} as settlements
    on members.simulation_id = settlements.simulation_id
    and members.transaction = settlements.transaction
where settlements.wait_reason is null
    or settlements.entry_tick > members.tick
