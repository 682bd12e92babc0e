{%- set by_lsm = ['bilateral', 'ring', 'gridlock', 'entry_offset'] %}
{%- set mechanisms = ['immediate', 'queue'] + by_lsm %}

with ticks as (

    select * from {{ of_runs(ref('stg_raw__ticks')) }}

),

simulations as (

    select simulation_id, ticks_per_day
    from {{ of_runs(ref('dim_simulations')) }}

)

select
    ticks.run_id,
    ticks.simulation_id,
    ticks.day,
    ticks.tick,
    ticks.tick - ticks.day * simulations.ticks_per_day as tick_of_day,

    ticks.arrivals as arrival_count,
    ticks.arrival_value,
    ticks.settled_{{ mechanisms | join(' + ticks.settled_') }} as settled_count,
    ticks.settled_value_{{ mechanisms | join(' + ticks.settled_value_') }} as settled_value,
    ticks.settled_{{ by_lsm | join(' + ticks.settled_') }} as lsm_settled_count,
    ticks.settled_value_{{ by_lsm | join(' + ticks.settled_value_') }} as lsm_settled_value,
    {%- for mechanism in mechanisms %}
    ticks.settled_{{ mechanism }},
    ticks.settled_value_{{ mechanism }},
    {%- endfor %}

    ticks.queue1_size,
    ticks.queue1_value,
    ticks.queue2_size,
    ticks.queue2_value,
    ticks.queue1_value + ticks.queue2_value as queue_value,
    ticks.intraday_credit_used
from ticks
inner join simulations
    on ticks.simulation_id = simulations.simulation_id
