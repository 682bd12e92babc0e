with simulation_days as (

    select * from {{ of_runs(ref('stg_raw__simulations')) }}

),

-- Every day repeats what was simulated; the first one speaks for all.
counted as (

    select
        *,
        count(*) over (partition by simulation_id) as days_stored,
        row_number() over (partition by simulation_id order by day) as place
    from simulation_days

)

select
    run_id,
    simulation_id,
    scenario,
    scenario_hash,
    arm,
    baseline_arm,
    arm = baseline_arm as is_baseline,
    {{ is_lsm_on('config') }} as is_lsm_on,
    rng_seed,
    ticks_per_day,
    num_days,
    days_stored,
    num_agents,
    engine_version,
    config
from counted
where place = 1
