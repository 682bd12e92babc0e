with source as (

    select * from {{ source('raw', 'policy_snapshots') }}

),

renamed as (

    select
        run_id,
        simulation_id,
        day,
        agent,
        policy,
        parameters,
        policy_hash
    from source

)

select * from renamed
