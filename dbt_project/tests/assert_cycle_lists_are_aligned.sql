-- Fails if a cycle has not one amount for each transaction and one net position for each agent.

select simulation_id, day, cycle_seq, agents, net_positions, transactions, amounts
from {{ of_runs(ref('stg_raw__lsm_cycles')) }}
where len(transactions) <> len(amounts)
    or len(agents) <> len(net_positions)
