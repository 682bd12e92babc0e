{%- set metrics = experiment_metrics() -%}
{%- set savings = metrics | selectattr('source', 'equalto', 'savings') | map(attribute='name') | list -%}
with simulations as (

    select run_id, simulation_id, arm, rng_seed, {{ is_lsm_on('config') }} as is_lsm_on
    from {{ of_runs(ref('dim_simulations')) }}

),

effectiveness as (

    select * from {{ of_runs(ref('fct_lsm_effectiveness_days')) }}

),

efficiency as (

    select * from {{ of_runs(ref('fct_liquidity_efficiency_days')) }}

),

counterfactual as (

    select * from {{ of_runs(ref('fct_lsm_counterfactual')) }}

),

baselines as (

    select simulation_id, partner_simulation_id as baseline_simulation_id
    from {{ of_runs(ref('int_arms_paired')) }}
    where comparison = 'baseline'
        and pairing = 'paired'

),

-- A simulation without LSM is its own twin: it saves nothing.
savings as (

    select simulation_id, day, {{ savings | join(', ') }}
    from counterfactual

    union all

    select effectiveness.simulation_id, effectiveness.day, 0 as {{ savings | join(', 0 as ') }}
    from effectiveness
    inner join simulations
        on effectiveness.simulation_id = simulations.simulation_id
    where not simulations.is_lsm_on

),

measured as (

    select
        simulations.run_id,
        simulations.simulation_id,
        simulations.arm,
        simulations.rng_seed,
        effectiveness.day
        {%- for metric in metrics %},
        {{ metric.source }}.{{ metric.name }}
        {%- endfor %}
    from simulations
    inner join effectiveness
        on simulations.simulation_id = effectiveness.simulation_id
    inner join efficiency
        on effectiveness.simulation_id = efficiency.simulation_id
        and effectiveness.day = efficiency.day
    left join savings
        on effectiveness.simulation_id = savings.simulation_id
        and effectiveness.day = savings.day

),

compared as (

    select
        measured.run_id,
        measured.simulation_id,
        measured.arm,
        measured.rng_seed,
        measured.day,
        unnest({{ measures_compared(metrics) }}) as measure
    from measured
    left join baselines
        on measured.simulation_id = baselines.simulation_id
    left join measured as baseline
        on baselines.baseline_simulation_id = baseline.simulation_id
        and measured.day = baseline.day

)

select
    run_id,
    simulation_id,
    arm,
    rng_seed,
    day,
    measure.metric,
    measure.unit,
    measure.value,
    measure.difference
from compared
