-- Fails if what an agent received less what it paid in a cycle, reckoned from the transactions, is not the stored net
-- position, or the cycle's agents are not the endpoints of its transactions.

with members as (

    {{ unnested_cycles() }}

),

legs as (

    select
        members.simulation_id,
        members.day,
        members.cycle_seq,
        unnest([arrivals.sender, arrivals.receiver]) as agent,
        unnest([-arrivals.amount, arrivals.amount]) as change
    from members
    inner join {{ of_runs(ref('stg_raw__arrivals')) }} as arrivals
        on members.simulation_id = arrivals.simulation_id
        and members.transaction = arrivals.transaction

),

recomputed as (

    select simulation_id, day, cycle_seq, agent, sum(change) as net_position
    from legs
    group by simulation_id, day, cycle_seq, agent

),

stored as (

    select
        simulation_id,
        day,
        cycle_seq,
        unnest(agents) as agent,
        unnest(net_positions) as net_position
    from {{ of_runs(ref('stg_raw__lsm_cycles')) }}

)

select
    simulation_id,
    day,
    cycle_seq,
    agent,
    stored.net_position,
    recomputed.net_position as net_position_recomputed
from stored
full join recomputed
    using (simulation_id, day, cycle_seq, agent)
where stored.net_position is distinct from recomputed.net_position
