-- An agent on a day has an account, numbered for this query alone: millions of legs are sorted by number, not by name.
with accounts as (

    select run_id, simulation_id, day, agent, row_number() over () as account
    from {{ of_runs(ref('stg_raw__agents')) }}

),

transaction_days as (

    select
        payers.account as payer,
        payees.account as payee,
        clipped.amount,
        clipped.arrival_seq,
        clipped.settlement_seq
    from {{ of_runs(ref('int_transaction_days_clipped')) }} as clipped
    inner join accounts as payers
        on clipped.simulation_id = payers.simulation_id
        and clipped.day = payers.day
        and clipped.sender = payers.agent
    inner join accounts as payees
        on clipped.simulation_id = payees.simulation_id
        and clipped.day = payees.day
        and clipped.receiver = payees.agent

),

legs as (

    select payer as account, amount as debit, arrival_seq, settlement_seq
    from transaction_days

    union all

    select payee as account, -amount as debit, arrival_seq, settlement_seq
    from transaction_days

),

-- What is settled simultaneously is one step: nothing is measured inside it.
settlement_steps as (

    select account, settlement_seq, sum(debit) as debit
    from legs
    where settlement_seq is not null
    group by account, settlement_seq

),

settled_running as (

    select account, sum(debit) over (partition by account order by settlement_seq) as net_debit
    from settlement_steps

),

settled as (

    select account, greatest(0, max(net_debit)) as liquidity_used
    from settled_running
    group by account

),

-- Carried in transactions arrived on earlier days and so stand first.
arriving_running as (

    select account, debit, sum(debit) over (partition by account order by arrival_seq) as net_debit
    from legs

),

bounds as (

    select
        account,
        greatest(0, max(net_debit)) as liquidity_upper_bound,
        greatest(0, sum(debit)) as liquidity_lower_bound
    from arriving_running
    group by account

)

select
    accounts.run_id,
    accounts.simulation_id,
    accounts.day,
    accounts.agent,
    coalesce(settled.liquidity_used, 0)::bigint as liquidity_used,
    coalesce(bounds.liquidity_upper_bound, 0)::bigint as liquidity_upper_bound,
    coalesce(bounds.liquidity_lower_bound, 0)::bigint as liquidity_lower_bound
from accounts
left join settled on accounts.account = settled.account
left join bounds on accounts.account = bounds.account
