with source as (

    select * from {{ source('raw', 'agents') }}

),

renamed as (

    select
        run_id,
        simulation_id,
        day,
        agent,
        agent_index,
        opening_balance,
        credit_limit,
        posted_collateral,
        haircut_bp,
        policy
    from source

)

select * from renamed
