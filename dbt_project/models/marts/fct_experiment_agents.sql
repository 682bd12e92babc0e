{%- set metrics = agent_metrics() -%}
with simulations as (

    select * from {{ of_runs(ref('dim_simulations')) }}

),

baselines as (

    select simulation_id, partner_simulation_id as baseline_simulation_id
    from {{ of_runs(ref('int_arms_paired')) }}
    where comparison = 'baseline'
        and pairing = 'paired'

),

measured as (

    select * from {{ of_runs(ref('fct_agent_cost_days')) }}

),

days_compared as (

    select
        simulations.run_id,
        simulations.arm,
        simulations.rng_seed,
        measured.day,
        measured.agent,
        unnest({{ measures_compared(metrics) }}, max_depth := 2)
    from simulations
    inner join measured
        on simulations.simulation_id = measured.simulation_id
    left join baselines
        on measured.simulation_id = baselines.simulation_id
    left join measured as baseline
        on baselines.baseline_simulation_id = baseline.simulation_id
        and measured.day = baseline.day
        and measured.agent = baseline.agent

),

{{ arm_statistics(of=['agent']) }}

select
    run_id,
    arm,
    baseline_arm,
    agent,
    metric,
    unit,
    {{ arm_statistics_columns() }}
from bounded
