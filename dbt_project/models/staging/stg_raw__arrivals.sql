with source as (

    select * from {{ source('raw', 'arrivals') }}

),

renamed as (

    select
        run_id,
        simulation_id,
        day,
        transaction,
        sender,
        receiver,
        amount,
        priority,
        arrival_tick,
        arrival_seq,
        deadline_tick,
        parent
    from source

)

select * from renamed
