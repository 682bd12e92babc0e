-- Fails if a stored day lacks a tick, or a table lacks one of the simulation's agents on it.

with counted as (

    select 'ticks' as raw_table, simulation_id, day, count(*) as found
    from {{ of_runs(ref('stg_raw__ticks')) }}
    group by simulation_id, day

    union all

    select 'agents' as raw_table, simulation_id, day, count(*) as found
    from {{ of_runs(ref('stg_raw__agents')) }}
    group by simulation_id, day

    union all

    select 'agent_days' as raw_table, simulation_id, day, count(*) as found
    from {{ of_runs(ref('stg_raw__agent_days')) }}
    group by simulation_id, day

    union all

    select 'policy_snapshots' as raw_table, simulation_id, day, count(*) as found
    from {{ of_runs(ref('stg_raw__policy_snapshots')) }}
    group by simulation_id, day

),

expected as (

    select
        simulation_id,
        day,
        unnest(['ticks', 'agents', 'agent_days', 'policy_snapshots']) as raw_table,
        unnest([ticks_per_day, num_agents, num_agents, num_agents]) as due
    from {{ of_runs(ref('stg_raw__simulations')) }}

)

select expected.*, counted.found
from expected
left join counted
    on expected.simulation_id = counted.simulation_id
    and expected.day = counted.day
    and expected.raw_table = counted.raw_table
where counted.found is distinct from expected.due
