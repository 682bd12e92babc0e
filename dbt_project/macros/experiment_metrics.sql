{#- What the arms of a run are compared by: the measures of a day in three marts, each with its unit.

    is_whole: it is a whole number, so that two days differ by an exact one. A test holds the list against the columns
    of the marts. -#}
{% macro experiment_metrics() -%}
{%- set stated = {
    'effectiveness': [
        ('carried_in_count', 'count', true),
        ('carried_in_value', 'minor units', true),
        ('arrived_count', 'count', true),
        ('arrived_value', 'minor units', true),
        ('submitted_count', 'count', true),
        ('submitted_value', 'minor units', true),
        ('settled_count', 'count', true),
        ('settled_value', 'minor units', true),
        ('unsettled_count', 'count', true),
        ('unsettled_value', 'minor units', true),
        ('cancelled_count', 'count', true),
        ('cancelled_value', 'minor units', true),
        ('lsm_settled_count', 'count', true),
        ('lsm_settled_value', 'minor units', true),
        ('lsm_count_share', 'ratio', false),
        ('lsm_value_share', 'ratio', false),
        ('liquidity_used', 'minor units', true),
        ('liquidity_upper_bound', 'minor units', true),
        ('liquidity_lower_bound', 'minor units', true),
        ('turnover', 'ratio', false),
        ('delay_indicator', 'ratio', false),
        ('queue1_delay_indicator', 'ratio', false),
        ('queue2_delay_indicator', 'ratio', false),
        ('value_weighted_delay_ticks', 'ticks', false),
        ('queue1_value_weighted_delay_ticks', 'ticks', false),
        ('queue2_value_weighted_delay_ticks', 'ticks', false),
        ('queue1_value_peak', 'minor units', true),
        ('queue2_value_peak', 'minor units', true),
        ('queue_value_peak', 'minor units', true),
        ('queue1_value_integral', 'minor units x ticks', false),
        ('queue2_value_integral', 'minor units x ticks', false),
        ('queue_value_integral', 'minor units x ticks', false),
    ],
    'efficiency': [
        ('system_wide_efficiency', 'ratio', false),
        ('liquidity_cost_gini', 'ratio', false),
        ('provision_relative_to_usage', 'ratio', false),
        ('average_settlement_tick', 'tick', false),
        ('settlement_decile_1_tick', 'tick', true),
        ('settlement_decile_2_tick', 'tick', true),
        ('settlement_decile_3_tick', 'tick', true),
        ('settlement_decile_4_tick', 'tick', true),
        ('settlement_decile_5_tick', 'tick', true),
        ('settlement_decile_6_tick', 'tick', true),
        ('settlement_decile_7_tick', 'tick', true),
        ('settlement_decile_8_tick', 'tick', true),
        ('settlement_decile_9_tick', 'tick', true),
    ],
    'savings': [
        ('delay_saved', 'ticks', false),
        ('queue1_delay_saved', 'ticks', false),
        ('queue2_delay_saved', 'ticks', false),
        ('delay_indicator_saved', 'ratio', false),
        ('extra_settled_count', 'count', true),
        ('extra_settled_value', 'minor units', true),
        ('liquidity_saved', 'minor units', true),
        ('queue_value_peak_saved', 'minor units', true),
    ],
} -%}
{%- set metrics = [] -%}
{%- for source, measures in stated.items() -%}
{%- for name, unit, is_whole in measures -%}
{%- do metrics.append({'source': source, 'name': name, 'unit': unit, 'is_whole': is_whole}) -%}
{%- endfor -%}
{%- endfor -%}
{{ return(metrics) }}
{%- endmacro %}

{#- What the agents of a run's arms are compared by: the measures of fct_agent_cost_days, likewise. -#}
{% macro agent_metrics() -%}
{%- set stated = [
    ('cost_total', 'minor units', true),
    ('cost_overdraft', 'minor units', true),
    ('cost_delay', 'minor units', true),
    ('cost_overdue', 'minor units', true),
    ('cost_collateral', 'minor units', true),
    ('cost_unsettled', 'minor units', true),
    ('outstanding_value', 'minor units', true),
    ('value_weighted_delay_ticks', 'ticks', false),
    ('queue1_value_weighted_delay_ticks', 'ticks', false),
    ('queue2_value_weighted_delay_ticks', 'ticks', false),
    ('unsettled_value', 'minor units', true),
    ('overdue_value', 'minor units', true),
    ('liquidity_used', 'minor units', true),
] -%}
{%- set metrics = [] -%}
{%- for name, unit, is_whole in stated -%}
{%- do metrics.append({'name': name, 'unit': unit, 'is_whole': is_whole}) -%}
{%- endfor -%}
{{ return(metrics) }}
{%- endmacro %}
