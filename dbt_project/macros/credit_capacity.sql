{#- Credit that a limit and collateral after its haircut give, minor units, rounded down. -#}
{% macro credit_capacity(credit_limit, posted_collateral, haircut_bp) -%}
({{ credit_limit }} + {{ posted_collateral }}::hugeint * (10000 - {{ haircut_bp }}) // 10000)::bigint
{%- endmacro %}
