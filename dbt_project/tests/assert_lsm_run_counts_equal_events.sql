-- Fails if an LSM run's cycles and settlements, by number and value, are not those of the event tables. Offsets on entry
-- come before their tick's run and are not of it.

with cycles as (

    select
        simulation_id,
        tick,
        count(*) filter (mechanism = 'bilateral') as bilateral_cycles,
        count(*) filter (mechanism = 'ring') as ring_cycles,
        count(*) filter (mechanism = 'gridlock') as gridlock_cycles,
        sum(len(transactions)) as settled_transactions,
        sum(total_value) as total_value,
        sum(settled_value) as settled_value,
        max(lsm_pass) as lsm_pass_max
    from {{ of_runs(ref('stg_raw__lsm_cycles')) }}
    where mechanism <> 'entry_offset'
    group by simulation_id, tick

),

settled as (

    select
        settlements.simulation_id,
        settlements.settlement_tick as tick,
        settlements.mechanism,
        arrivals.amount,
        settlements.settlement_seq > min(settlements.settlement_seq) filter (settlements.lsm_pass > 0) over (
            partition by settlements.simulation_id, settlements.settlement_tick
        ) as is_after_cycle
    from {{ of_runs(ref('stg_raw__settlements')) }} as settlements
    inner join {{ of_runs(ref('stg_raw__arrivals')) }} as arrivals
        on settlements.simulation_id = arrivals.simulation_id
        and settlements.transaction = arrivals.transaction

),

-- A tick's own retry comes before its LSM run, the run's retries after its first cycle.
retries as (

    select simulation_id, tick, count(*) as retry_settled, sum(amount) as retry_value
    from settled
    where mechanism = 'queue' and is_after_cycle
    group by simulation_id, tick

)

select simulation_id, tick
from {{ of_runs(ref('stg_raw__lsm_runs')) }} as runs
full join cycles using (simulation_id, tick)
full join retries using (simulation_id, tick)
where runs.bilateral_cycles is distinct from coalesce(cycles.bilateral_cycles, 0)
    or runs.ring_cycles is distinct from coalesce(cycles.ring_cycles, 0)
    or runs.gridlock_cycles is distinct from coalesce(cycles.gridlock_cycles, 0)
    or runs.settled_transactions is distinct from coalesce(cycles.settled_transactions, 0)
    or runs.total_value is distinct from coalesce(cycles.total_value, 0)
    or runs.settled_value is distinct from coalesce(cycles.settled_value, 0)
    or runs.retry_settled is distinct from coalesce(retries.retry_settled, 0)
    or runs.retry_value is distinct from coalesce(retries.retry_value, 0)
    or runs.passes < cycles.lsm_pass_max
