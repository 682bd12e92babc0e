-- Fails if a ring's k-th transaction is not paid by its k-th agent to the next one.

with legs as (

    select
        simulation_id,
        day,
        cycle_seq,
        unnest(transactions) as transaction,
        unnest(agents) as payer,
        unnest(agents[2:] || agents[:1]) as payee
    from {{ of_runs(ref('stg_raw__lsm_cycles')) }}
    where mechanism = 'ring'

)

select legs.*, arrivals.sender, arrivals.receiver
from legs
left join {{ of_runs(ref('stg_raw__arrivals')) }} as arrivals
    on legs.simulation_id = arrivals.simulation_id
    and legs.transaction = arrivals.transaction
where legs.payer is distinct from arrivals.sender
    or legs.payee is distinct from arrivals.receiver
