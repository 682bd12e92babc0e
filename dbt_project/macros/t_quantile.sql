{#- The 97.5 % quantile of Student's t distribution: half the width of a 95 % confidence interval, in standard errors.

    tabulated: the seed's quantile, null above the degrees of freedom that it has. There the quantile is expanded in
    their inverse around the normal one (Cornish and Fisher; Abramowitz and Stegun 26.7.5): from 200 on to 1e-11. -#}
{% macro t_quantile(degrees_of_freedom, tabulated) -%}
{%- set x = 1.959963984540054 -%}
{%- set coefficients = [
    (x ** 3 + x) / 4,
    (5 * x ** 5 + 16 * x ** 3 + 3 * x) / 96,
    (3 * x ** 7 + 19 * x ** 5 + 17 * x ** 3 - 15 * x) / 384,
    (79 * x ** 9 + 776 * x ** 7 + 1482 * x ** 5 - 1920 * x ** 3 - 945 * x) / 92160,
] -%}
coalesce(
        {{ tabulated }},
        {{ x }}::double
        {%- for coefficient in coefficients %}
        + {{ coefficient }}::double / {{ degrees_of_freedom }} ** {{ loop.index }}
        {%- endfor %}
    )
{%- endmacro %}
