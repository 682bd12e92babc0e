with source as (

    select * from {{ source('raw', 'lsm_cycles') }}

),

renamed as (

    select
        run_id,
        simulation_id,
        day,
        cycle_seq,
        tick,
        lsm_pass,
        mechanism,
        cycle_type,
        cycle_length,
        agents,
        transactions,
        amounts,
        net_positions,
        min_amount,
        settled_value,
        total_value
    from source

)

select * from renamed
