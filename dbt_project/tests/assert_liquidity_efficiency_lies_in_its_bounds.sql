-- Fails if a Gini coefficient or a provision relative to usage lies outside 0 to 1, or a settlement decile or average
-- outside the ticks of its day, or a decile before a smaller one.

with efficiency as (

    select
        *,
        [
            {%- for decile in range(1, 10) %}
            settlement_decile_{{ decile }}_tick{{ ',' if not loop.last }}
            {%- endfor %}
        ] as deciles
    from {{ of_runs(ref('fct_liquidity_efficiency_days')) }}

)

select efficiency.simulation_id, efficiency.day
from efficiency
inner join {{ of_runs(ref('dim_simulations')) }} as simulations
    on efficiency.simulation_id = simulations.simulation_id
where efficiency.liquidity_cost_gini not between 0 and 1
    or efficiency.provision_relative_to_usage not between 0 and 1
    or efficiency.average_settlement_tick not between 0 and simulations.ticks_per_day - 1
    or efficiency.deciles[1] < 0
    or efficiency.deciles[9] >= simulations.ticks_per_day
    or efficiency.deciles <> list_sort(efficiency.deciles)
