-- Fails if what a simulation has settled beyond its twin by the end of a day is not what the twin has left unsettled
-- beyond it: cancelled until then, or still queued.

with days as (

    select
        simulation_id,
        day,
        unsettled_value - cancelled_value
            + sum(cancelled_value) over (partition by simulation_id order by day) as unsettled_so_far
    from {{ of_runs(ref('fct_lsm_effectiveness_days')) }}

),

pairs as (

    select
        simulation_id,
        twin_simulation_id,
        day,
        sum(extra_settled_value) over (partition by simulation_id order by day) as extra_settled_so_far
    from {{ of_runs(ref('fct_lsm_counterfactual')) }}

)

select
    pairs.simulation_id,
    pairs.day,
    pairs.extra_settled_so_far,
    lsm_on.unsettled_so_far,
    lsm_off.unsettled_so_far
from pairs
left join days as lsm_on
    on pairs.simulation_id = lsm_on.simulation_id
    and pairs.day = lsm_on.day
left join days as lsm_off
    on pairs.twin_simulation_id = lsm_off.simulation_id
    and pairs.day = lsm_off.day
where pairs.extra_settled_so_far is distinct from lsm_off.unsettled_so_far - lsm_on.unsettled_so_far
