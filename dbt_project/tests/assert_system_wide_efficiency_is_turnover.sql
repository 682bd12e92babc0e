-- Fails if a day's system-wide efficiency, reckoned from its agents, is not its turnover, reckoned from its transactions.

select days.simulation_id, days.day, days.turnover, efficiency.system_wide_efficiency
from {{ of_runs(ref('fct_lsm_effectiveness_days')) }} as days
full join {{ of_runs(ref('fct_liquidity_efficiency_days')) }} as efficiency
    on days.simulation_id = efficiency.simulation_id
    and days.day = efficiency.day
where days.turnover is distinct from efficiency.system_wide_efficiency
