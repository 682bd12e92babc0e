-- Fails if a settlement step has more than one tick or mechanism, or a later step an earlier tick.

with steps as (

    select
        simulation_id,
        day,
        settlement_seq,
        min(settlement_tick) as tick_min,
        max(settlement_tick) as tick_max,
        count(distinct mechanism) as mechanisms
    from {{ of_runs(ref('stg_raw__settlements')) }}
    group by simulation_id, day, settlement_seq

)

select *
from steps
qualify tick_min <> tick_max
    or mechanisms > 1
    or tick_min < lag(tick_max) over (partition by simulation_id, day order by settlement_seq)
