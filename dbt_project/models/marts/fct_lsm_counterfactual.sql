with pairs as (

    select
        run_id,
        simulation_id,
        arm,
        rng_seed,
        partner_simulation_id as twin_simulation_id,
        partner_arm as twin_arm
    from {{ of_runs(ref('int_arms_paired')) }}
    where comparison = 'lsm_off'
        and pairing = 'paired'

),

days as (

    select
        *,
        carried_in_value + arrived_value as outstanding_value,
        unsettled_count = 0 as is_all_settled
    from {{ of_runs(ref('fct_lsm_effectiveness_days')) }}

),

openings as (

    select
        simulation_id,
        day,
        -- No bigint: the credit of many agents may outgrow it.
        sum(
            opening_balance + {{ credit_capacity('credit_limit', 'posted_collateral', 'haircut_bp') }}
        )::double as opening_liquidity
    from {{ of_runs(ref('stg_raw__agents')) }}
    group by simulation_id, day

)

select
    pairs.run_id,
    pairs.simulation_id,
    pairs.arm,
    pairs.twin_simulation_id,
    pairs.twin_arm,
    pairs.rng_seed,
    lsm_on.day,
    openings.opening_liquidity,

    lsm_on.outstanding_value as outstanding_value_on,
    lsm_off.outstanding_value as outstanding_value_off,

    lsm_on.value_weighted_delay_ticks as value_weighted_delay_ticks_on,
    lsm_off.value_weighted_delay_ticks as value_weighted_delay_ticks_off,
    lsm_off.value_weighted_delay_ticks - lsm_on.value_weighted_delay_ticks as delay_saved,
    lsm_off.queue1_value_weighted_delay_ticks - lsm_on.queue1_value_weighted_delay_ticks as queue1_delay_saved,
    lsm_off.queue2_value_weighted_delay_ticks - lsm_on.queue2_value_weighted_delay_ticks as queue2_delay_saved,

    lsm_on.delay_indicator as delay_indicator_on,
    lsm_off.delay_indicator as delay_indicator_off,
    lsm_off.delay_indicator - lsm_on.delay_indicator as delay_indicator_saved,

    lsm_on.settled_count as settled_count_on,
    lsm_off.settled_count as settled_count_off,
    lsm_on.settled_count - lsm_off.settled_count as extra_settled_count,
    lsm_on.settled_value as settled_value_on,
    lsm_off.settled_value as settled_value_off,
    lsm_on.settled_value - lsm_off.settled_value as extra_settled_value,

    lsm_on.is_all_settled as is_all_settled_on,
    lsm_off.is_all_settled as is_all_settled_off,
    lsm_on.liquidity_used as liquidity_used_on,
    lsm_off.liquidity_used as liquidity_used_off,
    case
        when lsm_on.is_all_settled and lsm_off.is_all_settled then lsm_off.liquidity_used - lsm_on.liquidity_used
    end as liquidity_saved,

    lsm_on.queue_value_peak as queue_value_peak_on,
    lsm_off.queue_value_peak as queue_value_peak_off,
    lsm_off.queue_value_peak - lsm_on.queue_value_peak as queue_value_peak_saved
from pairs
inner join days as lsm_on
    on pairs.simulation_id = lsm_on.simulation_id
inner join days as lsm_off
    on pairs.twin_simulation_id = lsm_off.simulation_id
    and lsm_on.day = lsm_off.day
inner join openings
    on lsm_on.simulation_id = openings.simulation_id
    and lsm_on.day = openings.day
