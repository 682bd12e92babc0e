-- Fails if what was carried into a day and arrived on it is not what settled and what did not, by number or value.

select simulation_id, day
from {{ of_runs(ref('fct_lsm_effectiveness_days')) }}
where carried_in_count + arrived_count <> settled_count + unsettled_count
    or carried_in_value + arrived_value <> settled_value + unsettled_value
    or cancelled_count > unsettled_count
    or cancelled_value > unsettled_value
