with source as (

    select * from {{ source('raw', 'ticks') }}

),

renamed as (

    select
        run_id,
        simulation_id,
        day,
        tick,
        arrivals,
        arrival_value,
        settled_immediate,
        settled_value_immediate,
        settled_queue,
        settled_value_queue,
        settled_bilateral,
        settled_value_bilateral,
        settled_ring,
        settled_value_ring,
        settled_gridlock,
        settled_value_gridlock,
        settled_entry_offset,
        settled_value_entry_offset,
        queue1_size,
        queue1_value,
        queue2_size,
        queue2_value,
        intraday_credit_used
    from source

)

select * from renamed
