-- Fails if a day's liquidity used is not the sum of the peak net debits of its agents.

with summed as (

    select simulation_id, day, sum(peak_net_debit) as peak_net_debit
    from {{ of_runs(ref('stg_raw__agent_days')) }}
    group by simulation_id, day

)

select days.simulation_id, days.day, days.liquidity_used, summed.peak_net_debit
from {{ of_runs(ref('fct_lsm_effectiveness_days')) }} as days
left join summed
    on days.simulation_id = summed.simulation_id
    and days.day = summed.day
where days.liquidity_used is distinct from summed.peak_net_debit
