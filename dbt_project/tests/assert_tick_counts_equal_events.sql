-- Fails if a tick's arrivals or settlements, by number, value and mechanism, are not those of the event tables.

{%- set mechanisms = ['immediate', 'queue', 'bilateral', 'ring', 'gridlock', 'entry_offset'] %}

with arrived as (

    select simulation_id, arrival_tick as tick, count(*) as arrivals, sum(amount) as arrival_value
    from {{ of_runs(ref('stg_raw__arrivals')) }}
    group by simulation_id, arrival_tick

),

settled as (

    select
        settlements.simulation_id,
        settlements.settlement_tick as tick,
        {%- for mechanism in mechanisms %}
        count(*) filter (mechanism = '{{ mechanism }}') as settled_{{ mechanism }},
        sum(amount) filter (mechanism = '{{ mechanism }}') as settled_value_{{ mechanism }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ of_runs(ref('stg_raw__settlements')) }} as settlements
    inner join {{ of_runs(ref('stg_raw__arrivals')) }} as arrivals
        on settlements.simulation_id = arrivals.simulation_id
        and settlements.transaction = arrivals.transaction
    group by settlements.simulation_id, settlements.settlement_tick

)

select simulation_id, tick
from {{ of_runs(ref('stg_raw__ticks')) }} as ticks
full join arrived using (simulation_id, tick)
full join settled using (simulation_id, tick)
where ticks.arrivals is distinct from coalesce(arrived.arrivals, 0)
    or ticks.arrival_value is distinct from coalesce(arrived.arrival_value, 0)
    {%- for mechanism in mechanisms %}
    or ticks.settled_{{ mechanism }} is distinct from coalesce(settled.settled_{{ mechanism }}, 0)
    or ticks.settled_value_{{ mechanism }} is distinct from coalesce(settled.settled_value_{{ mechanism }}, 0)
    {%- endfor %}
