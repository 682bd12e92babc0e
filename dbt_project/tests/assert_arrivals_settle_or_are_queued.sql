-- Fails if a transaction arrives on a day and neither settles on it nor is queued at the end of it.

with fates as (

    {{ transaction_fates() }}

)

select arrivals.simulation_id, arrivals.day, arrivals.transaction
from {{ of_runs(ref('stg_raw__arrivals')) }} as arrivals
anti join fates
    on arrivals.simulation_id = fates.simulation_id
    and arrivals.day = fates.day
    and arrivals.transaction = fates.transaction
