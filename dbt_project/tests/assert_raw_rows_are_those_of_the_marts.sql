-- Fails if a raw table is said to have more or fewer rows for a day than a mart that has one for each of them.

with in_marts as (

    select run_id, 'simulations' as raw_table, day, count(*) as row_count
    from {{ of_runs(ref('fct_lsm_effectiveness_days')) }}
    group by run_id, day

    union all

    select run_id, unnest(['agents', 'agent_days', 'policy_snapshots']) as raw_table, day, count(*) as row_count
    from {{ of_runs(ref('fct_agent_cost_days')) }}
    group by run_id, day

    union all

    select run_id, 'arrivals' as raw_table, arrival_day as day, count(*) as row_count
    from {{ of_runs(ref('fct_transactions')) }}
    group by run_id, arrival_day

    union all

    select run_id, 'settlements' as raw_table, settlement_day as day, count(*) as row_count
    from {{ of_runs(ref('fct_transactions')) }}
    where status = 'settled'
    group by run_id, settlement_day

    union all

    select run_id, 'queue_snapshots' as raw_table, day, sum(unsettled_count)::bigint as row_count
    from {{ of_runs(ref('fct_lsm_effectiveness_days')) }}
    group by run_id, day

    union all

    select run_id, 'lsm_cycles' as raw_table, day, count(*) as row_count
    from {{ of_runs(ref('fct_lsm_cycles')) }}
    group by run_id, day

    union all

    select run_id, 'ticks' as raw_table, day, count(*) as row_count
    from {{ of_runs(ref('fct_ticks')) }}
    group by run_id, day

),

-- No mart has the runs of the LSM, nor changes of collateral, one by one.
stored as (

    select run_id, raw_table, day, row_count
    from {{ of_runs(ref('fct_raw_table_days')) }}
    where raw_table not in ('lsm_runs', 'collateral_events')

)

select run_id, raw_table, day
from stored
full join in_marts using (run_id, raw_table, day)
where stored.row_count is distinct from coalesce(in_marts.row_count, 0)
