{#- What several laws start from. -#}

{#- One row per transaction in a cycle, as the cycle states it. -#}
{% macro unnested_cycles() -%}
select
    simulation_id,
    day,
    cycle_seq,
    tick,
    lsm_pass,
    mechanism,
    unnest(transactions) as transaction,
    unnest(amounts) as amount
from {{ of_runs(ref('stg_raw__lsm_cycles')) }}
{%- endmacro %}

{#- One row per settled transaction and each of its two agents, with what it does to the balance. -#}
{% macro settlement_legs() -%}
select
    settlements.simulation_id,
    settlements.day,
    settlements.settlement_tick,
    settlements.settlement_seq,
    unnest([arrivals.sender, arrivals.receiver]) as agent,
    unnest([-arrivals.amount, arrivals.amount]) as change
from {{ of_runs(ref('stg_raw__settlements')) }} as settlements
inner join {{ of_runs(ref('stg_raw__arrivals')) }} as arrivals
    on settlements.simulation_id = arrivals.simulation_id
    and settlements.transaction = arrivals.transaction
{%- endmacro %}

{#- One row per day and transaction that settled on it or was queued at the end of it. -#}
{% macro transaction_fates() -%}
select simulation_id, day, transaction, 'settled' as fate
from {{ of_runs(ref('stg_raw__settlements')) }}

union all

select simulation_id, day, transaction, outcome as fate
from {{ of_runs(ref('stg_raw__queue_snapshots')) }}
{%- endmacro %}

{#- A quotient of whole numbers, from 0 on, rounded to a whole one, halves upwards. -#}
{% macro half_up(numerator, denominator) -%}
((2 * ({{ numerator }})::hugeint + {{ denominator }}) // (2 * {{ denominator }}))
{%- endmacro %}
