{#- What a group of rows of fct_lsm_cycles comes to. -#}
{% macro cycle_measures() -%}
any_value(run_id) as run_id,
        count(*) as cycles,
        sum(len(transactions))::bigint as transactions,
        sum(total_value)::bigint as gross_value,
        sum(settled_value)::bigint as net_value,
        sum(liquidity_saved)::bigint as liquidity_saved,
        sum(liquidity_saved) / sum(total_value) as netting_ratio,
        avg(total_value) as gross_value_mean,
        median(total_value) as gross_value_median,
        max(total_value) as gross_value_max
{%- endmacro %}
