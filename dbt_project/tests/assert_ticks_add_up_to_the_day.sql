-- Fails if a day's ticks are not numbered from 0 without gaps, what settled in one of them is not the sum over
-- mechanisms, or what they state does not add up to what arrived and settled on the day, in all and by the LSM, nor
-- queued value to its peaks and integrals.

{%- set by_lsm = ['bilateral', 'ring', 'gridlock', 'entry_offset'] %}
{%- set mechanisms = ['immediate', 'queue'] + by_lsm %}

with ticks as (

    select * from {{ of_runs(ref('fct_ticks')) }}

),

summed as (

    select
        simulation_id,
        day,
        count(*) as ticks,
        min(tick_of_day) as first_tick,
        max(tick_of_day) as last_tick,
        max(tick - tick_of_day) - min(tick - tick_of_day) as clocks_apart,
        count(*) filter (
            settled_count <> settled_{{ mechanisms | join(' + settled_') }}
            or settled_value <> settled_value_{{ mechanisms | join(' + settled_value_') }}
            or lsm_settled_count <> settled_{{ by_lsm | join(' + settled_') }}
            or lsm_settled_value <> settled_value_{{ by_lsm | join(' + settled_value_') }}
        ) as wrong_sums,
        sum(arrival_count) as arrived_count,
        sum(arrival_value) as arrived_value,
        sum(settled_count) as settled_count,
        sum(settled_value) as settled_value,
        sum(lsm_settled_count) as lsm_settled_count,
        sum(lsm_settled_value) as lsm_settled_value,
        {%- for queue in ['queue1', 'queue2', 'queue'] %}
        max({{ queue }}_value) as {{ queue }}_value_peak,
        sum({{ queue }}_value)::double as {{ queue }}_value_integral{{ ',' if not loop.last }}
        {%- endfor %}
    from ticks
    group by simulation_id, day

)

select simulation_id, day
from {{ of_runs(ref('fct_lsm_effectiveness_days')) }} as days
full join summed using (simulation_id, day)
where summed.first_tick is distinct from 0
    or summed.last_tick is distinct from summed.ticks - 1
    or summed.clocks_apart is distinct from 0
    or summed.wrong_sums is distinct from 0
    {%- for measure in [
        'arrived_count', 'arrived_value', 'settled_count', 'settled_value', 'lsm_settled_count', 'lsm_settled_value',
        'queue1_value_peak', 'queue2_value_peak', 'queue_value_peak',
        'queue1_value_integral', 'queue2_value_integral', 'queue_value_integral',
    ] %}
    or summed.{{ measure }} is distinct from days.{{ measure }}
    {%- endfor %}
