{#- Whether a settlement is the LSM's; null of what has not settled. -#}
{% macro settled_by_lsm(mechanism) -%}
{{ mechanism }} not in ('immediate', 'queue')
{%- endmacro %}
