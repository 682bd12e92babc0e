with source as (

    select * from {{ source('raw', 'simulations') }}

),

renamed as (

    select
        run_id,
        simulation_id,
        day,
        scenario,
        scenario_hash,
        arm,
        rng_seed,
        ticks_per_day,
        num_days,
        num_agents,
        engine_version,
        config
    from source

)

select * from renamed
