with simulations as (

    select * from {{ of_runs(ref('dim_simulations')) }}

),

days_compared as (

    select * from {{ of_runs(ref('int_experiment_days_compared')) }}

),

{{ arm_statistics() }}

select
    run_id,
    arm,
    baseline_arm,
    metric,
    unit,
    {{ arm_statistics_columns() }}
from bounded
