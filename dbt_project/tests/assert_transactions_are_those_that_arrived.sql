-- Fails if a transaction arrived and is not in fct_transactions, or is there with another sender, receiver or amount.

select simulation_id, transaction, sender, receiver, amount
from {{ of_runs(ref('stg_raw__arrivals')) }}

except

select simulation_id, transaction, sender, receiver, amount
from {{ of_runs(ref('fct_transactions')) }}
