{#- What tells a simulation with the LSM from its twin without, read from the JSON text of its config. -#}

{#- Keys of the config's `lsm` that switch a mechanism on; without any of them it nets nothing.
    A config that does not know a mechanism has it off. -#}
{% macro lsm_switches() -%}
{{ return(['bilateral', 'ring', 'gridlock', 'entry_offset']) }}
{%- endmacro %}

{% macro is_lsm_on(config) -%}
(
        {%- for switch in lsm_switches() %}
        coalesce(json_extract({{ config }}, '$.lsm.{{ switch }}')::boolean, false){{ ' or' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#- Everything that the simulation rests on but the LSM: equal for twins. A preset's name decides nothing, for what it
    switches stands in the config. -#}
{% macro config_without_lsm(config) -%}
json_merge_patch({{ config }}, '{"lsm": null, "preset": null}')
{%- endmacro %}
