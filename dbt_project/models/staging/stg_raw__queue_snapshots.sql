with source as (

    select * from {{ source('raw', 'queue_snapshots') }}

),

renamed as (

    select
        run_id,
        simulation_id,
        day,
        agent,
        queue,
        position,
        transaction,
        entry_tick,
        entry_seq,
        outcome
    from source

)

select * from renamed
