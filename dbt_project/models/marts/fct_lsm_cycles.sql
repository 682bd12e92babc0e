with cycles as (

    select * from {{ of_runs(ref('stg_raw__lsm_cycles')) }}

),

waits as (

    select
        simulation_id,
        day,
        cycle_seq,
        max(wait_ticks) as wait_ticks_max,
        max(queue2_wait_ticks) as queue2_wait_ticks_max
    from {{ of_runs(ref('fct_lsm_cycle_transactions')) }}
    group by simulation_id, day, cycle_seq

)

select
    cycles.run_id,
    cycles.simulation_id,
    cycles.day,
    cycles.cycle_seq,
    cycles.tick,
    cycles.lsm_pass,
    cycles.mechanism,
    cycles.cycle_type,
    cycles.cycle_length,
    cycles.agents,
    cycles.transactions,
    cycles.amounts,
    cycles.net_positions,
    cycles.min_amount,
    cycles.settled_value,
    cycles.total_value,
    cycles.total_value - cycles.settled_value as liquidity_saved,
    (cycles.total_value - cycles.settled_value) / cycles.total_value as netting_ratio,
    waits.wait_ticks_max,
    waits.queue2_wait_ticks_max
from cycles
left join waits
    on cycles.simulation_id = waits.simulation_id
    and cycles.day = waits.day
    and cycles.cycle_seq = waits.cycle_seq
