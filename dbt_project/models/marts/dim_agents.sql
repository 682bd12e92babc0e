with agent_days as (

    select * from {{ of_runs(ref('stg_raw__agents')) }}

),

-- The simulation opens with its first day.
opening as (

    select *
    from agent_days
    qualify row_number() over (partition by simulation_id, agent order by day) = 1

)

select
    run_id,
    simulation_id,
    agent,
    agent_index,
    opening_balance,
    credit_limit,
    posted_collateral,
    haircut_bp,
    {{ credit_capacity('credit_limit', 'posted_collateral', 'haircut_bp') }} as credit_capacity,
    policy
from opening
