with source as (

    select * from {{ source('raw', 'settlements') }}

),

renamed as (

    select
        run_id,
        simulation_id,
        day,
        transaction,
        tick as settlement_tick,
        settlement_seq,
        mechanism,
        entry_tick,
        entry_seq,
        lsm_pass,
        cycle_seq,
        wait_reason
    from source

)

select * from renamed
