{#- Means over lists of doubles. The order of the list is the order of addition, so that the last bit depends on nothing
    else; avg() and stddev_samp() add as their threads come. The first element is taken off before anything is summed:
    equal elements have exactly the mean that they share, and no deviation from it. -#}

{#- Null if the list is empty. -#}
{% macro list_mean(elements) -%}
{{ elements }}[1] + list_sum(list_transform({{ elements }}, lambda x: x - {{ elements }}[1])) / len({{ elements }})
{%- endmacro %}

{#- The sample standard deviation, from the squared deviations from the mean; null if there are not two elements. -#}
{% macro list_sd(elements, mean) -%}
sqrt(
        list_sum(list_transform({{ elements }}, lambda x: (x - {{ mean }}) * (x - {{ mean }})))
        / nullif(len({{ elements }}) - 1, 0)
    )
{%- endmacro %}
