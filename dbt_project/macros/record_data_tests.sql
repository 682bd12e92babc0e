{#- What a build's tests found, written to fct_data_tests when the build is over: only then is it known, so that no
    model can select it. It is told of the runs asked for; of those whose build failed, too. -#}

{#- Replaces the rows of the tests that were run. Rows of runs that are not stored any more go, and those of tests that
    the project does not have any more, of every run. Nothing, as long as the table has not been made. -#}
{% macro record_data_tests(results) -%}
{%- set stored_runs = of_runs(source('raw', 'simulations')) -%}
{%- set recorded = ref('fct_data_tests') -%}
{%- if execute and load_relation(recorded) -%}
{%- set found = results | selectattr('node.resource_type', 'equalto', 'test') | sort(attribute='node.name') | list -%}
{%- set known = graph.nodes.values() | selectattr('resource_type', 'equalto', 'test') | map(attribute='name') | sort -%}
{%- set runs = asked_runs() -%}
begin;

delete from {{ recorded }} where test not in ({{ quoted_list(known) }});

delete from {{ recorded }}
where (
    {{ 'test in (' ~ quoted_list(found | map(attribute='node.name')) ~ ')' if found else 'false' }}
    or run_id not in (select run_id from {{ stored_runs }})
)
{%- if runs %} and run_id in ({{ runs }}){% endif %};
{% if found %}
insert into {{ recorded }} by name
select runs.run_id, tests.*
from (select distinct run_id from {{ stored_runs }}) as runs
cross join (
    values
    {%- for result in found %}
    {%- set node = result.node %}
    (
        {{ quoted(node.name) }},
        {{ quoted(node.test_metadata.name if node.test_metadata else 'law') }},
        {{ quoted(tested_by(node)) }},
        {{ 'null' if node.test_metadata else quoted(said_by_law(node)) }},
        {{ quoted(result.status) }},
        {{ 'null' if result.failures is none else result.failures }}
    ){{ ',' if not loop.last }}
    {%- endfor %}
) as tests (test, kind, tested, description, status, failures)
order by runs.run_id, tests.test;
{% endif %}
commit;
{%- endif -%}
{%- endmacro %}

{#- What a test is of: the model that a generic one is attached to, or all that a law reads. -#}
{% macro tested_by(test) -%}
{%- set tested = [] -%}
{%- for node in ([test.attached_node] if test.test_metadata else test.depends_on.nodes) -%}
{%- do tested.append(node.split('.')[2:] | join('.')) -%}
{%- endfor -%}
{{ return(tested | sort | join(', ')) }}
{%- endmacro %}

{#- What a law says: its description, else the comment at its head. -#}
{% macro said_by_law(law) -%}
{%- set head = modules.re.match('(--.*\n)*', law.raw_code).group() -%}
{{ return(law.description or modules.re.sub('(^|\n)-- *', ' ', head) | trim) }}
{%- endmacro %}

{% macro quoted(text) -%}
{{ return(dbt.string_literal(dbt.escape_single_quotes(text | string))) }}
{%- endmacro %}

{% macro quoted_list(texts) -%}
{%- set literals = [] -%}
{%- for text in texts -%}
{%- do literals.append(quoted(text)) -%}
{%- endfor -%}
{{ return(literals | join(', ')) }}
{%- endmacro %}
