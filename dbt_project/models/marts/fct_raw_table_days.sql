{%- set raw_tables = [
    'simulations',
    'agents',
    'arrivals',
    'settlements',
    'lsm_cycles',
    'lsm_runs',
    'ticks',
    'agent_days',
    'queue_snapshots',
    'policy_snapshots',
    'collateral_events',
] %}

with days as (

    select distinct run_id, day
    from {{ of_runs(ref('stg_raw__simulations')) }}

),

counted as (
    {% for table in raw_tables %}
    select run_id, '{{ table }}' as raw_table, day, count(*) as row_count
    from {{ of_runs(ref('stg_raw__' ~ table)) }}
    group by run_id, day
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

raw_tables as (

    select unnest({{ raw_tables }}) as raw_table

)

select
    days.run_id,
    raw_tables.raw_table,
    days.day,
    coalesce(counted.row_count, 0) as row_count
from days
cross join raw_tables
left join counted
    on days.run_id = counted.run_id
    and days.day = counted.day
    and raw_tables.raw_table = counted.raw_table
