-- Fails if an arm is compared with an arm that the run does not have, or with one that is itself compared with another.

with arms as (

    select distinct run_id, arm, baseline_arm
    from {{ of_runs(ref('stg_raw__simulations')) }}

)

select arms.run_id, arms.arm, arms.baseline_arm
from arms
left join arms as baselines
    on arms.run_id = baselines.run_id
    and arms.baseline_arm = baselines.arm
    and baselines.arm = baselines.baseline_arm
where baselines.arm is null
