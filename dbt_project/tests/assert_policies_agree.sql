-- Fails if the tables agents and policy_snapshots state different policies.

select
    agents.simulation_id,
    agents.day,
    agents.agent,
    agents.policy,
    policy_snapshots.policy as policy_of_snapshot
from {{ of_runs(ref('stg_raw__agents')) }} as agents
full join {{ of_runs(ref('stg_raw__policy_snapshots')) }} as policy_snapshots
    on agents.simulation_id = policy_snapshots.simulation_id
    and agents.day = policy_snapshots.day
    and agents.agent = policy_snapshots.agent
where agents.policy is distinct from policy_snapshots.policy
