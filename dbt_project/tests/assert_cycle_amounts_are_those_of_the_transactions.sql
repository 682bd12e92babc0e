-- Fails if a cycle states another amount for a transaction than it arrived with.

with members as (

    {{ unnested_cycles() }}

)

select members.*, arrivals.amount as amount_arrived
from members
left join {{ of_runs(ref('stg_raw__arrivals')) }} as arrivals
    on members.simulation_id = arrivals.simulation_id
    and members.transaction = arrivals.transaction
where members.amount is distinct from arrivals.amount
