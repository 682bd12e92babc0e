-- Fails if a cycle's unnested transactions are not as many as, or not worth, what the cycle states.

with unnested as (

    select simulation_id, day, cycle_seq, count(*) as transactions, sum(amount) as total_value
    from {{ of_runs(ref('fct_lsm_cycle_transactions')) }}
    group by simulation_id, day, cycle_seq

)

select simulation_id, day, cycle_seq
from {{ of_runs(ref('fct_lsm_cycles')) }} as cycles
full join unnested using (simulation_id, day, cycle_seq)
where len(cycles.transactions) is distinct from unnested.transactions
    or cycles.total_value is distinct from unnested.total_value
