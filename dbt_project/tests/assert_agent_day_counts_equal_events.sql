-- Fails if what an agent's day says of arrivals, settlements and queues, by number and value, is not what the event
-- tables say.

with settled as (

    select
        settlements.simulation_id,
        settlements.day,
        arrivals.sender,
        arrivals.receiver,
        arrivals.amount,
        settlements.cycle_seq
    from {{ of_runs(ref('stg_raw__settlements')) }} as settlements
    inner join {{ of_runs(ref('stg_raw__arrivals')) }} as arrivals
        on settlements.simulation_id = arrivals.simulation_id
        and settlements.transaction = arrivals.transaction

),

arrived as (

    select simulation_id, day, sender as agent, count(*) as arrivals, sum(amount) as arrival_value
    from {{ of_runs(ref('stg_raw__arrivals')) }}
    group by simulation_id, day, sender

),

sent as (

    select
        simulation_id,
        day,
        sender as agent,
        count(*) as sent,
        sum(amount) as sent_value,
        count(cycle_seq) as lsm_releases
    from settled
    group by simulation_id, day, sender

),

received as (

    select simulation_id, day, receiver as agent, count(*) as received, sum(amount) as received_value
    from settled
    group by simulation_id, day, receiver

),

queued as (

    select
        simulation_id,
        day,
        agent,
        count(*) filter (queue = 1) as queue1_size_end,
        count(*) filter (queue = 2) as queue2_size_end
    from {{ of_runs(ref('stg_raw__queue_snapshots')) }}
    group by simulation_id, day, agent

)

select simulation_id, day, agent
from {{ of_runs(ref('stg_raw__agent_days')) }} as agent_days
full join arrived using (simulation_id, day, agent)
full join sent using (simulation_id, day, agent)
full join received using (simulation_id, day, agent)
full join queued using (simulation_id, day, agent)
where agent_days.arrivals is distinct from coalesce(arrived.arrivals, 0)
    or agent_days.arrival_value is distinct from coalesce(arrived.arrival_value, 0)
    or agent_days.sent is distinct from coalesce(sent.sent, 0)
    or agent_days.sent_value is distinct from coalesce(sent.sent_value, 0)
    or agent_days.lsm_releases is distinct from coalesce(sent.lsm_releases, 0)
    or agent_days.received is distinct from coalesce(received.received, 0)
    or agent_days.received_value is distinct from coalesce(received.received_value, 0)
    or agent_days.queue1_size_end is distinct from coalesce(queued.queue1_size_end, 0)
    or agent_days.queue2_size_end is distinct from coalesce(queued.queue2_size_end, 0)
