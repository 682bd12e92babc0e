{#- How arms of a run compare, over seeds.

    Goes on from the queries `simulations` (dim_simulations) and `days_compared` (measures of days in the long form of
    int_experiment_days_compared), and ends with `bounded`. of: columns of days_compared that the statistics are
    taken by, beside run, arm and metric. -#}
{% macro arm_statistics(of=[]) -%}
pairings as (

    select * from {{ of_runs(ref('int_arms_paired')) }}
    where comparison = 'baseline'

),

t_quantiles as (

    select * from {{ ref('t_quantiles') }}

),

-- One seed that cannot be compared refuses its arm: the others would be a choice by what came of them.
arms as (

    select
        simulations.run_id,
        simulations.arm,
        any_value(simulations.baseline_arm) as baseline_arm,
        coalesce(
            arg_max(
                pairings.pairing,
                list_position(['paired', 'no_partner', 'days_differ', 'arrivals_differ'], pairings.pairing)
            ),
            'baseline'
        ) as pairing
    from simulations
    left join pairings
        on simulations.simulation_id = pairings.simulation_id
    group by simulations.run_id, simulations.arm

),

seed_days as (

    select
        days_compared.run_id,
        days_compared.arm,
        {%- for key in of %}
        days_compared.{{ key }},
        {%- endfor %}
        any_value(arms.baseline_arm) as baseline_arm,
        days_compared.metric,
        any_value(days_compared.unit) as unit,
        any_value(arms.pairing) as pairing,
        days_compared.rng_seed,
        -- Null unless every day has its value: seeds would be means over different days.
        case
            when count(days_compared.value) = count(*) then list(days_compared.value order by days_compared.day)
        end as values_by_day,
        case
            when any_value(arms.pairing) = 'paired' and count(days_compared.difference) = count(*)
                then list(days_compared.difference order by days_compared.day)
        end as differences_by_day
    from days_compared
    inner join arms
        on days_compared.run_id = arms.run_id
        and days_compared.arm = arms.arm
    group by
        days_compared.run_id,
        days_compared.arm,
        {%- for key in of %}
        days_compared.{{ key }},
        {%- endfor %}
        days_compared.metric,
        days_compared.rng_seed

),

seeds as (

    select
        *,
        {{ list_mean('values_by_day') }} as seed_value,
        {{ list_mean('differences_by_day') }} as seed_difference
    from seed_days

),

by_seed as (

    select
        run_id,
        arm,
        {%- for key in of %}
        {{ key }},
        {%- endfor %}
        any_value(baseline_arm) as baseline_arm,
        metric,
        any_value(unit) as unit,
        any_value(pairing) as pairing,
        coalesce(list(seed_value order by rng_seed) filter (seed_value is not null), []) as seed_values,
        coalesce(list(seed_difference order by rng_seed) filter (seed_difference is not null), []) as seed_differences
    from seeds
    group by run_id, arm, {% for key in of %}{{ key }}, {% endfor %}metric

),

averaged as (

    select
        *,
        {{ list_mean('seed_values') }} as mean,
        {{ list_mean('seed_differences') }} as paired_difference
    from by_seed

),

spread as (

    select
        *,
        len(seed_values) as seeds,
        len(seed_differences) as pairs,
        {{ list_sd('seed_values', 'mean') }} as sd,
        {{ list_sd('seed_differences', 'paired_difference') }} as paired_difference_sd
    from averaged

),

bounded as (

    select
        spread.*,
        {{ t_quantile('(spread.seeds - 1)', 'of_seeds.quantile_0_975') }} * spread.sd / sqrt(spread.seeds)
            as half_width,
        {{ t_quantile('(spread.pairs - 1)', 'of_pairs.quantile_0_975') }} * spread.paired_difference_sd
            / sqrt(spread.pairs) as paired_difference_half_width
    from spread
    left join t_quantiles as of_seeds
        on spread.seeds - 1 = of_seeds.degrees_of_freedom
    left join t_quantiles as of_pairs
        on spread.pairs - 1 = of_pairs.degrees_of_freedom

)
{%- endmacro %}

{#- What the statistics are, in the order in which marts have them. -#}
{% macro arm_statistics_columns() -%}
pairing,
    seeds,
    mean,
    sd,
    mean - half_width as ci95_low,
    mean + half_width as ci95_high,
    pairs,
    paired_difference,
    paired_difference_sd,
    paired_difference - paired_difference_half_width as paired_difference_ci95_low,
    paired_difference + paired_difference_half_width as paired_difference_ci95_high
{%- endmacro %}

{#- Measures of a day, side by side in the queries `measured` and `baseline`, as a list with an item for each. A
    difference of whole numbers is taken exactly.

    metrics: each with name, unit and is_whole. -#}
{% macro measures_compared(metrics) -%}
[
            {%- for metric in metrics %}
            {%- set exactly = '::hugeint' if metric.is_whole else '' %}
            {
                'metric': '{{ metric.name }}',
                'unit': '{{ metric.unit }}',
                'value': measured.{{ metric.name }}::double,
                'difference': (measured.{{ metric.name }}{{ exactly }} - baseline.{{ metric.name }}{{ exactly }})::double
            }{{ ',' if not loop.last }}
            {%- endfor %}
        ]
{%- endmacro %}
