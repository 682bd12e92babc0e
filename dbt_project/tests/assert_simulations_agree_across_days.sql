-- Fails if the days of a simulation do not agree on what was simulated.

select simulation_id
from {{ of_runs(ref('stg_raw__simulations')) }}
group by simulation_id
having count(distinct (
    run_id, scenario, scenario_hash, arm, baseline_arm, rng_seed, ticks_per_day, num_days, num_agents, engine_version,
    config
)) > 1
