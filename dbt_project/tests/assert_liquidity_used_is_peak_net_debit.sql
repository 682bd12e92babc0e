-- Fails if the liquidity an agent used is not the peak net debit that the engine measured.

select
    agent_days.simulation_id,
    agent_days.day,
    agent_days.agent,
    agent_days.peak_net_debit,
    net_debits.liquidity_used
from {{ of_runs(ref('stg_raw__agent_days')) }} as agent_days
full join {{ of_runs(ref('int_net_debits_measured')) }} as net_debits
    on agent_days.simulation_id = net_debits.simulation_id
    and agent_days.day = net_debits.day
    and agent_days.agent = net_debits.agent
where agent_days.peak_net_debit is distinct from net_debits.liquidity_used
