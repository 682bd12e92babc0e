-- Fails if a simulation with LSM opens a day with more or less liquidity, balances and credit capacity, than its twin, or
-- with another than fct_lsm_counterfactual states.

with openings as (

    select
        simulation_id,
        day,
        sum(
            opening_balance + {{ credit_capacity('credit_limit', 'posted_collateral', 'haircut_bp') }}
        ) as opening_liquidity
    from {{ of_runs(ref('stg_raw__agents')) }}
    group by simulation_id, day

)

select pairs.simulation_id, pairs.day, lsm_on.opening_liquidity, lsm_off.opening_liquidity
from {{ of_runs(ref('fct_lsm_counterfactual')) }} as pairs
left join openings as lsm_on
    on pairs.simulation_id = lsm_on.simulation_id
    and pairs.day = lsm_on.day
left join openings as lsm_off
    on pairs.twin_simulation_id = lsm_off.simulation_id
    and pairs.day = lsm_off.day
where lsm_on.opening_liquidity is distinct from lsm_off.opening_liquidity
    or lsm_on.opening_liquidity::double is distinct from pairs.opening_liquidity
