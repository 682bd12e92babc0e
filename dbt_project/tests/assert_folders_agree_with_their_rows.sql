-- Fails if a row stands in the folder of another day or run than its own.

-- depends_on: {{ ref('stg_raw__simulations') }}
{%- set tables = [
    'agents', 'arrivals', 'settlements', 'lsm_cycles', 'lsm_runs', 'ticks', 'agent_days', 'queue_snapshots',
    'policy_snapshots', 'collateral_events',
] %}

with filed as (

    select filename, day, run_id
    from {{ raw_files('simulations') }}
    {%- for table in tables %}

    union all

    select filename, day, split_part(simulation_id, '.', 1) as run_id
    from {{ raw_files(table) }}
    {%- endfor %}

)

select distinct filename, day, run_id
from filed
where not contains(filename, '/run_id=' || run_id || '/day=' || lpad(day::varchar, 4, '0') || '/')
