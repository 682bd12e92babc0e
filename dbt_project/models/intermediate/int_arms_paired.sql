with simulation_days as (

    select * from {{ of_runs(ref('stg_raw__simulations')) }}

),

arrivals as (

    select * from {{ of_runs(ref('stg_raw__arrivals')) }}

),

-- Every day repeats what was simulated.
simulations as (

    select
        run_id,
        simulation_id,
        any_value(arm) as arm,
        any_value(baseline_arm) as baseline_arm,
        any_value(rng_seed) as rng_seed,
        any_value(ticks_per_day) as ticks_per_day,
        any_value(config) as config,
        list(day order by day) as days
    from simulation_days
    group by run_id, simulation_id

),

-- Hashes are summed so that rows may come in any order; each row names its own place, arrival_seq.
digests as (

    select
        simulation_id,
        count(*) as arrivals,
        sum(hash(
            transaction, sender, receiver, amount, priority, arrival_tick, arrival_seq, deadline_tick
        )) as arrivals_digest
    from arrivals
    group by simulation_id

),

described as (

    select
        simulations.*,
        digests.arrivals,
        digests.arrivals_digest,
        {{ is_lsm_on('simulations.config') }} as is_lsm_on,
        {{ config_without_lsm('simulations.config') }} as config_without_lsm
    from simulations
    left join digests
        on simulations.simulation_id = digests.simulation_id

),

twins as (

    select
        lsm_on.simulation_id,
        lsm_off.simulation_id as twin_simulation_id
    from described as lsm_on
    inner join described as lsm_off
        on lsm_on.run_id = lsm_off.run_id
        and lsm_on.rng_seed = lsm_off.rng_seed
        and lsm_on.config_without_lsm = lsm_off.config_without_lsm
    where lsm_on.is_lsm_on
        and not lsm_off.is_lsm_on
    qualify row_number() over (
        partition by lsm_on.simulation_id
        order by lsm_off.arm = lsm_on.baseline_arm desc, lsm_off.arm
    ) = 1

),

comparisons as (

    select
        described.simulation_id,
        'lsm_off' as comparison,
        twins.twin_simulation_id as partner_simulation_id
    from described
    left join twins
        on described.simulation_id = twins.simulation_id
    where described.is_lsm_on

    union all

    select
        described.simulation_id,
        'baseline' as comparison,
        baselines.simulation_id as partner_simulation_id
    from described
    left join described as baselines
        on described.run_id = baselines.run_id
        and described.rng_seed = baselines.rng_seed
        and described.baseline_arm = baselines.arm
    where described.arm <> described.baseline_arm

)

select
    described.run_id,
    described.simulation_id,
    described.arm,
    described.rng_seed,
    comparisons.comparison,
    comparisons.partner_simulation_id,
    partners.arm as partner_arm,
    case
        when partners.simulation_id is null then 'no_partner'
        when described.days <> partners.days or described.ticks_per_day <> partners.ticks_per_day then 'days_differ'
        when described.arrivals is distinct from partners.arrivals
            or described.arrivals_digest is distinct from partners.arrivals_digest then 'arrivals_differ'
        else 'paired'
    end as pairing
from comparisons
inner join described
    on comparisons.simulation_id = described.simulation_id
left join described as partners
    on comparisons.partner_simulation_id = partners.simulation_id
