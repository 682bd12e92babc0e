-- Fails if an agent of an arm, all of whose seeds have their pair, differs from itself in the baseline by another mean
-- than the paired difference, an arm that is a baseline or refused has one, or what an agent pays in all is not the sum
-- of what it pays of each kind.

with agents as (

    select * from {{ of_runs(ref('fct_experiment_agents')) }}

),

kinds as (

    select run_id, arm, agent, sum(mean) as mean
    from agents
    where starts_with(metric, 'cost_')
        and metric <> 'cost_total'
    group by run_id, arm, agent

)

select agents.run_id, agents.arm, agents.agent, agents.metric
from agents
left join agents as baselines
    on agents.run_id = baselines.run_id
    and agents.baseline_arm = baselines.arm
    and agents.agent = baselines.agent
    and agents.metric = baselines.metric
left join kinds
    on agents.run_id = kinds.run_id
    and agents.arm = kinds.arm
    and agents.agent = kinds.agent
where (agents.pairing <> 'paired' and (agents.pairs > 0 or agents.paired_difference is not null))
    or (
        agents.pairs = agents.seeds
        and agents.pairs = baselines.seeds
        and abs(agents.paired_difference - (agents.mean - baselines.mean))
            > 1e-9 * greatest(1, abs(agents.mean), abs(baselines.mean))
    )
    or (
        agents.metric = 'cost_total'
        and (kinds.mean is null or abs(agents.mean - kinds.mean) > 1e-9 * greatest(1, kinds.mean))
    )
