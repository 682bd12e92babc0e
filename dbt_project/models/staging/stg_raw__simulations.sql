-- Columns are named where the files are read: lineage cannot follow a star over files.
select
    run_id,
    simulation_id,
    day,
    scenario,
    scenario_hash,
    arm,
    baseline_arm,
    rng_seed,
    ticks_per_day,
    num_days,
    num_agents,
    engine_version,
    config
from {{ source('raw', 'simulations') }}{{ where_asked() }}
