{#- Which runs a build is of. The environment's PAYMENT_SIM_RUNS names them, separated by commas; without it, all. -#}

{#- The runs asked for, quoted, as a SQL list; empty: all. Read only when a node is run: what is parsed does not depend
    on it, so that asking for other runs parses nothing anew. -#}
{% macro asked_runs() -%}
{%- if execute and env_var('PAYMENT_SIM_RUNS', '') -%}
'{{ env_var('PAYMENT_SIM_RUNS').split(',') | join("', '") }}'
{%- endif -%}
{%- endmacro %}

{#- The rows of a model that belong to the runs asked for. -#}
{% macro of_runs(relation) -%}
{%- set runs = asked_runs() -%}
{%- if runs -%}
(select * from {{ relation }} where run_id in ({{ runs }}))
{%- else -%}
{{ relation }}
{%- endif -%}
{%- endmacro %}

{#- What keeps a model that reads raw files to the runs asked for, where it is a table; a view is of all runs. -#}
{% macro where_asked() -%}
{%- set runs = asked_runs() -%}
{%- if runs and config.get('materialized') == 'incremental' %}
where run_id in ({{ runs }})
{%- endif -%}
{%- endmacro %}

{#- The incremental strategy `replace_runs`: every row of the runs asked for goes, also where nothing comes instead. -#}
{% macro get_incremental_replace_runs_sql(arguments) -%}
{%- set columns = arguments['dest_columns'] | map(attribute='quoted') | join(', ') -%}
{%- set runs = asked_runs() -%}
delete from {{ arguments['target_relation'] }}{% if runs %} where run_id in ({{ runs }}){% endif %};

insert into {{ arguments['target_relation'] }} ({{ columns }})
select {{ columns }} from {{ arguments['temp_relation'] }}
{%- endmacro %}

{#- Generic tests look at the rows of the runs asked for too: dbt reads what they test through this. -#}
{% macro get_where_subquery(relation) -%}
{{ of_runs(relation) }}
{%- endmacro %}
