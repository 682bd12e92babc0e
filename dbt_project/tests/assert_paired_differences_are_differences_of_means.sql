-- Fails if an arm, all of whose seeds have their pair, differs from its baseline by another mean than the paired
-- difference, or an arm that is a baseline or refused has one.

with arms as (

    select * from {{ of_runs(ref('fct_experiment_arms')) }}

)

select arms.run_id, arms.arm, arms.metric
from arms
inner join arms as baselines
    on arms.run_id = baselines.run_id
    and arms.baseline_arm = baselines.arm
    and arms.metric = baselines.metric
where (arms.pairing <> 'paired' and (arms.pairs > 0 or arms.paired_difference is not null))
    or (
        arms.pairs = arms.seeds
        and arms.pairs = baselines.seeds
        and abs(arms.paired_difference - (arms.mean - baselines.mean))
            > 1e-9 * greatest(1, abs(arms.mean), abs(baselines.mean))
    )
