{#- The parts of a raw table as they are, without what their folders say; `filename` is each row's part. -#}
{% macro raw_files(table) -%}
{%- do source('raw', table) -%}
read_parquet(
    '{{ env_var("PAYMENT_SIM_RAW", "../data/raw") }}/{{ table }}/*/*/*.parquet',
    hive_partitioning = false, filename = true
)
{%- endmacro %}
