{#- The parts of a raw table as they are, of the runs asked for, without what their folders say; `filename` is each row's part. -#}
{% macro raw_files(table) -%}
{%- do source('raw', table) -%}
{%- set runs = asked_runs() -%}
{%- set folder = env_var("PAYMENT_SIM_RAW", "../data/raw") ~ "/" ~ table -%}
(
        select *
        from read_parquet(
            ['{{ folder }}/run_id=no-run/day=0000/part-0.parquet', '{{ folder }}/*/*/*.parquet'],
            hive_partitioning = false, filename = true
        )
        {%- if runs %}
        where regexp_extract(filename, '/run_id=([^/]+)/', 1) in ({{ runs }})
        {%- endif %}
    )
{%- endmacro %}
