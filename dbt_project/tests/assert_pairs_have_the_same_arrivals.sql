-- Fails if a simulation and the one it is paired with do not have, day by day, arrivals of the same number and value.

select pairs.simulation_id, pairs.partner_simulation_id, arrived.day
from {{ of_runs(ref('int_arms_paired')) }} as pairs
inner join {{ of_runs(ref('fct_lsm_effectiveness_days')) }} as arrived
    on pairs.simulation_id = arrived.simulation_id
left join {{ of_runs(ref('fct_lsm_effectiveness_days')) }} as partner_arrived
    on pairs.partner_simulation_id = partner_arrived.simulation_id
    and arrived.day = partner_arrived.day
where pairs.pairing = 'paired'
    and (
        arrived.arrived_count is distinct from partner_arrived.arrived_count
        or arrived.arrived_value is distinct from partner_arrived.arrived_value
    )
