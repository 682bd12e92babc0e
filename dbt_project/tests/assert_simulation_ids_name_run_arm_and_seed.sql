-- Fails if a simulation_id is not <run_id>.<arm>.s<seed>.

select simulation_id, run_id, arm, rng_seed
from {{ of_runs(ref('stg_raw__simulations')) }}
where simulation_id <> run_id || '.' || arm || '.s' || rng_seed
