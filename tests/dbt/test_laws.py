"""Every law of the dbt project notices what breaks it: for each wrong value, exactly which laws fail.

The laws are the SQL that dbt compiled. Raw tables are tampered with in their Parquet parts, which the views read in
place; marts in a transaction that is rolled back.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pytest

from pipelines.contracts import CONTRACTS, schema_of
from pipelines.raw_store import RawStore
from tests.dbt.warehouse import Dbt, outcomes

pytestmark = pytest.mark.slow

DERIVED = ["int_transaction_days_clipped", "int_net_debits_measured"]
"""Tables that laws of raw tables read, each after those that it is made of."""

WORKED, BEHAVING = "worked", "behaving"
"""The runs whose tables are tampered with: tests/dbt/warehouse.py says what happens in them, step by step."""

RAW = {
    # A pays 41 first of all: it owes one more from then on, at its peak and at every tick end.
    "update arrivals set amount = amount + 1 where transaction = 'alone'": [
        "agent_day_counts_equal_events",
        "balances_follow_from_settlements",
        "liquidity_used_is_peak_net_debit",
        "tick_counts_equal_events",
        "tick_credit_follows_from_settlements",
        "transactions_are_those_that_arrived",
    ],
    # The same in a cycle, and of a payment that waits at the end of tick 1.
    "update arrivals set amount = amount + 1 where transaction = 'ring_ac'": [
        "agent_day_counts_equal_events",
        "balances_follow_from_settlements",
        "cycle_amounts_are_those_of_the_transactions",
        "cycle_net_positions_follow_from_transactions",
        "liquidity_used_is_peak_net_debit",
        "tick_counts_equal_events",
        "tick_credit_follows_from_settlements",
        "tick_queues_follow_from_transactions",
        "transactions_are_those_that_arrived",
    ],
    # The last day: none follows that opens with it.
    "update agent_days set closing_balance = closing_balance + 1 where agent = 'A' and day = 2": [
        "balances_follow_from_settlements",
        "money_is_conserved",
    ],
    "update agent_days set min_balance = -1000000 where agent = 'A' and day = 0": [
        "available_liquidity_is_never_negative",
        "balances_follow_from_settlements",
    ],
    "update agent_days set max_balance = max_balance + 1 where agent = 'A' and day = 0": [
        "balances_follow_from_settlements"
    ],
    "update agent_days set peak_net_debit = peak_net_debit + 1 where agent = 'A' and day = 0": [
        "balances_follow_from_settlements",
        "liquidity_used_is_peak_net_debit",
        "liquidity_used_is_the_sum_over_agents",
    ],
    # A opens day 1 with credit in use: -10.
    "update agent_days set opening_balance = opening_balance + 1 where agent = 'A' and day = 1": [
        "balances_follow_from_settlements",
        "days_open_as_the_day_before_closed",
        "money_is_conserved",
        "opening_balances_agree",
        "tick_credit_follows_from_settlements",
    ],
    "update agents set opening_balance = opening_balance + 1 where agent = 'A' and day = 0": ["opening_balances_agree"],
    "update agents set policy = 'other' where agent = 'A' and day = 0": ["policies_agree"],
    # The scenario states no rates.
    **{
        f"update agent_days set {kind} = 1 where agent = 'A' and day = 1": ["agent_costs_follow_from_events"]
        for kind in ("cost_overdraft", "cost_delay", "cost_overdue", "cost_collateral", "cost_unsettled")
    },
    # A pays 40 at tick 0, and again in the day's last step, when it owes 10: 50 is no more than its peak of 70.
    (
        "insert into settlements select * replace (9999 as settlement_seq) from settlements where transaction = 'alone'"
    ): [
        "agent_day_counts_equal_events",
        "balances_follow_from_settlements",
        "settlement_steps_follow_the_clock",
        "tick_counts_equal_events",
        "tick_credit_follows_from_settlements",
        "transactions_end_a_day_once",
        "transactions_settle_at_most_once",
    ],
    # Neither settled nor queued, it stands in Queue 1 to the end of the day, and A owes 40 less.
    "delete from settlements where transaction = 'alone'": [
        "agent_day_counts_equal_events",
        "agent_queue_peaks_follow_from_transactions",
        "arrivals_settle_or_are_queued",
        "balances_follow_from_settlements",
        "liquidity_used_is_peak_net_debit",
        "tick_counts_equal_events",
        "tick_credit_follows_from_settlements",
        "tick_queues_follow_from_transactions",
    ],
    # The same of a payment that was carried in; D's peak is what it pays here, and A's credit ends with it.
    "delete from settlements where transaction = 'overnight'": [
        "agent_day_counts_equal_events",
        "agent_queue_peaks_follow_from_transactions",
        "balances_follow_from_settlements",
        "carried_transactions_are_outstanding_next_day",
        "liquidity_used_is_peak_net_debit",
        "tick_counts_equal_events",
        "tick_credit_follows_from_settlements",
        "tick_queues_follow_from_transactions",
    ],
    # In Queue 2 four ticks before it arrives; C has one payment in it all the same.
    "update settlements set entry_tick = -1 where transaction = 'waits'": [
        "tick_queues_follow_from_transactions",
        "transactions_move_forward",
    ],
    # Its agents settle nothing else on that day, so that no balance depends on when it settled.
    "update settlements set settlement_seq = -1 where transaction = 'apart'": ["settlement_steps_follow_the_clock"],
    "update queue_snapshots set agent = 'A' where transaction = 'overnight'": [
        "agent_day_counts_equal_events",
        "queued_transactions_are_queued_by_their_sender",
    ],
    # On day 0 it stands in Queue 1 to the end, on day 1 it settles from nowhere: D's only queued payment, and its peak.
    "delete from queue_snapshots where transaction = 'overnight'": [
        "agent_day_counts_equal_events",
        "agent_queue_peaks_follow_from_transactions",
        "arrivals_settle_or_are_queued",
        "liquidity_used_is_peak_net_debit",
        "only_outstanding_transactions_settle_or_are_queued",
        "tick_queues_follow_from_transactions",
    ],
    # The same on day 1; day 0 stays as it is.
    "update queue_snapshots set outcome = 'cancelled' where transaction = 'overnight'": [
        "agent_queue_peaks_follow_from_transactions",
        "liquidity_used_is_peak_net_debit",
        "only_outstanding_transactions_settle_or_are_queued",
        "tick_queues_follow_from_transactions",
    ],
    # Tick 7: one payment arrives and settles, no queue and no credit changes.
    "delete from ticks where tick = 7": [
        "every_tick_and_agent_has_its_row",
        "settled_payments_equal_tick_sums",
        "tick_counts_equal_events",
    ],
    # Tick 0: nothing is queued, so that no LSM runs. As the day's last tick it would leave two queued and 10 of credit.
    "update ticks set tick = tick + 1000 where tick = 0": [
        "tick_counts_equal_events",
        "tick_credit_follows_from_settlements",
        "tick_queues_follow_from_transactions",
        "ticks_lie_in_their_day",
    ],
    "delete from policy_snapshots where agent = 'A' and day = 0": [
        "every_tick_and_agent_has_its_row",
        "policies_agree",
    ],
    "update simulations set num_days = 2 where day = 2": [
        "days_follow_each_other_from_0",
        "simulations_agree_across_days",
    ],
    "update simulations set rng_seed = rng_seed + 1 where day = 2": [
        "simulation_ids_name_run_arm_and_seed",
        "simulations_agree_across_days",
    ],
    "update simulations set baseline_arm = 'none_such'": ["baseline_arms_are_arms_of_the_run"],
    # Two arms now, each compared with the other.
    ("update simulations set arm = if(day = 0, 'base', 'other'), baseline_arm = if(day = 0, 'other', 'base')"): [
        "baseline_arms_are_arms_of_the_run",
        "simulation_ids_name_run_arm_and_seed",
        "simulations_agree_across_days",
    ],
    # The warehouse takes the day from the folder.
    "update ticks set day = 1 where tick = 0": ["folders_agree_with_their_rows"],
    # Day 0 lacks what settled in tick 0 and day 1 has it; day 1 opens with 10 of credit in use, tick 0 ends with 40.
    "update ticks set folder = 1 where tick = 0": [
        "every_tick_and_agent_has_its_row",
        "folders_agree_with_their_rows",
        "settled_payments_equal_tick_sums",
        "tick_credit_follows_from_settlements",
        "ticks_lie_in_their_day",
    ],
    # A run that settled nothing, so that no cycle lacks it. The other simulation has no ticks.
    "update lsm_runs set simulation_id = 'elsewhere.base.s0' where tick = 1": [
        "folders_agree_with_their_rows",
        "lsm_runs_leave_queue2_as_their_tick_does",
    ],
    # The last of the day's cycles.
    "delete from lsm_cycles where mechanism = 'bilateral'": [
        "lsm_run_counts_equal_events",
        "lsm_settlements_stand_in_their_cycle",
    ],
    # The first of the day's cycles.
    "delete from lsm_cycles where mechanism = 'ring'": [
        "cycles_are_numbered_without_gaps",
        "lsm_run_counts_equal_events",
        "lsm_settlements_stand_in_their_cycle",
    ],
    "update lsm_cycles set total_value = total_value + 1 where mechanism = 'ring'": [
        "cycle_values_follow_from_amounts",
        "lsm_run_counts_equal_events",
    ],
    "update lsm_cycles set min_amount = min_amount + 1 where mechanism = 'ring'": ["cycle_values_follow_from_amounts"],
    # The ring's amounts are 500, 490 and 470, its net positions -30, 10 and 20: no turn or change of sign repeats them.
    "update lsm_cycles set amounts = list_reverse(amounts) where mechanism = 'ring'": [
        "cycle_amounts_are_those_of_the_transactions"
    ],
    "update lsm_cycles set amounts = amounts || [0] where mechanism = 'ring'": [
        "cycle_amounts_are_those_of_the_transactions",
        "cycle_lists_are_aligned",
        "cycle_transactions_settled_in_it",
        "cycle_values_follow_from_amounts",
    ],
    "update lsm_cycles set net_positions = list_transform(net_positions, lambda x: -x) where mechanism = 'ring'": [
        "cycle_net_positions_follow_from_transactions"
    ],
    "update lsm_cycles set net_positions = list_transform(net_positions, lambda x: x + 1) where mechanism = 'ring'": [
        "cycle_net_positions_follow_from_transactions",
        "cycle_net_positions_sum_to_0",
        "cycle_settled_value_is_its_net",
    ],
    "update lsm_cycles set settled_value = settled_value + 1 where mechanism = 'ring'": [
        "cycle_settled_value_is_its_net",
        "lsm_run_counts_equal_events",
    ],
    "update lsm_cycles set cycle_type = 'multilateral' where mechanism = 'bilateral'": ["cycle_type_follows_length"],
    "update lsm_cycles set cycle_length = 4 where mechanism = 'ring'": ["cycle_length_counts_agents"],
    "update lsm_cycles set agents = list_reverse(agents) where mechanism = 'ring'": [
        "cycle_net_positions_follow_from_transactions",
        "rings_are_paid_around",
    ],
    "update lsm_cycles set transactions = list_reverse(transactions) where mechanism = 'ring'": [
        "cycle_amounts_are_those_of_the_transactions",
        "rings_are_paid_around",
    ],
    "update settlements set lsm_pass = lsm_pass + 1 where transaction = 'ring_ac'": [
        "cycle_transactions_settled_in_it"
    ],
    "update settlements set mechanism = 'gridlock' where transaction = 'ring_ac'": [
        "cycle_transactions_settled_in_it",
        "settlement_steps_follow_the_clock",
        "tick_counts_equal_events",
    ],
    "update settlements set wait_reason = null where transaction = 'ring_ac'": ["cycle_transactions_were_in_queue2"],
    "update settlements set cycle_seq = 99 where transaction = 'ring_ac'": [
        "cycle_transactions_settled_in_it",
        "lsm_settlements_stand_in_their_cycle",
    ],
    # It joins the step of the pair, a tick later: until then C has paid 490 and received nothing.
    "update settlements set settlement_seq = settlement_seq + 1 where transaction = 'ring_ac'": [
        "balances_follow_from_settlements",
        "cycles_settle_in_one_step",
        "liquidity_used_is_peak_net_debit",
        "settlement_steps_follow_the_clock",
    ],
    "update ticks set settled_ring = settled_ring + 1 where tick = 2": [
        "settled_payments_equal_tick_sums",
        "tick_counts_equal_events",
    ],
    "update ticks set queue1_value = queue1_value + 1 where tick = 2": ["tick_queues_follow_from_transactions"],
    "update ticks set intraday_credit_used = intraday_credit_used + 1 where tick = 2": [
        "tick_credit_follows_from_settlements"
    ],
    "update lsm_runs set passes = 0 where tick = 3": ["lsm_run_counts_equal_events"],
    "update lsm_runs set bilateral_cycles = bilateral_cycles + 1 where tick = 3": ["lsm_run_counts_equal_events"],
    "update lsm_runs set retry_settled = retry_settled + 1 where tick = 3": [
        "lsm_run_counts_equal_events",
        "lsm_runs_leave_queue2_as_their_tick_does",
    ],
    "update lsm_runs set queue_value_after = queue_value_after + 1 where tick = 3": [
        "lsm_runs_leave_queue2_as_their_tick_does"
    ],
    "update agent_days set lsm_releases = lsm_releases + 1 where agent = 'A' and day = 0": [
        "agent_day_counts_equal_events"
    ],
    "update agent_days set queue1_size_max = queue1_size_max + 1 where agent = 'A' and day = 0": [
        "agent_queue_peaks_follow_from_transactions"
    ],
    "update agent_days set queue2_size_end = queue2_size_end + 1 where agent = 'A' and day = 0": [
        "agent_day_counts_equal_events"
    ],
}
"""What is done to a raw table, and the laws that must fail then; a comment says what that rests on."""

RAW_BEHAVING = {
    "update collateral_events set posted_before = posted_before - 1, amount = amount + 1 where agent = 'A'": [
        "collateral_changes_follow_each_other"
    ],
    "update collateral_events set amount = amount + 1 where agent = 'A'": ["collateral_changes_follow_each_other"],
    "update collateral_events set event_seq = event_seq + 1 where agent = 'C'": [
        "collateral_changes_follow_each_other"
    ],
    # C's change, the second of the day, is of tick 1.
    "update collateral_events set tick = 2 where agent = 'A'": ["collateral_changes_follow_each_other"],
    # Credit for 1 is in use; A opened the day with 10, which are worth 5.
    "update collateral_events set posted_after = 11, amount = 1 where agent = 'A'": [
        "days_open_with_the_collateral_posted_before"
    ],
    "delete from collateral_events where agent = 'B'": ["days_open_with_the_collateral_posted_before"],
    # The first of the day's changes.
    "delete from collateral_events where agent = 'A'": [
        "collateral_changes_follow_each_other",
        "days_open_with_the_collateral_posted_before",
    ],
    "update agents set posted_collateral = posted_collateral + 1 where agent = 'A' and day = 2": [
        "days_open_with_the_collateral_posted_before"
    ],
    # The warehouse takes the day from the folder.
    "update collateral_events set day = 1 where agent = 'A'": ["folders_agree_with_their_rows"],
    # 12 are worth 6 after the haircut: what is posted within the day counts.
    "update agent_days set min_balance = -6 where agent = 'A' and day = 0": ["balances_follow_from_settlements"],
    "update agent_days set min_balance = -7 where agent = 'A' and day = 0": [
        "available_liquidity_is_never_negative",
        "balances_follow_from_settlements",
    ],
    # B closes day 1 without the 6 that it opened it with.
    "update agent_days set min_balance = -6 where agent = 'B' and day = 1": ["balances_follow_from_settlements"],
    "update lsm_cycles set lsm_pass = 1": [
        "cycle_transactions_settled_in_it",
        "offsets_on_entry_come_before_any_pass",
    ],
    "update lsm_cycles set cycle_length = 3": [
        "cycle_length_counts_agents",
        "cycle_type_follows_length",
        "offsets_on_entry_come_before_any_pass",
    ],
    # In its tick, 1, Queue 2 is empty when the LSM's turn comes: no run settled it.
    "update lsm_cycles set mechanism = 'bilateral', lsm_pass = 1": [
        "cycle_transactions_settled_in_it",
        "lsm_run_counts_equal_events",
    ],
    "update queue_snapshots set wait_reason = 'reservation' where transaction = 'limited' and day = 1": [
        "wait_reasons_are_kept"
    ],
    "update policy_snapshots set policy = 'receipt_reactive' where agent = 'A' and day = 2": ["policies_agree"],
}
"""The same for the run whose agents behave."""

DAY = "where run_id = 'worked' and day = 0"
PAIR = "where simulation_id = 'carried.lsm_on.s1' and day = 0"
ARM = "where run_id = 'carried' and metric = 'settled_value' and arm"
AGENT = "where run_id = 'carried' and metric = 'liquidity_used' and agent = 'A' and arm"
NETTED = "where run_id = 'cancelled' and agent = 'B'"
MECHANISMS = ("immediate", "queue", "bilateral", "ring", "gridlock", "entry_offset")
UNCOUNTED = ("lsm_runs", "collateral_events")
"""Raw tables whose rows no mart has one by one."""

MARTS = {
    f"update fct_lsm_effectiveness_days set liquidity_used = liquidity_used + 1 {DAY}": [
        "agent_cost_days_add_up_to_the_day",
        "agent_lsm_days_add_up_to_the_day",
        "liquidity_used_is_the_sum_over_agents",
    ],
    f"update fct_lsm_effectiveness_days set liquidity_lower_bound = liquidity_upper_bound + 1 {DAY}": [
        "liquidity_bounds_are_in_order"
    ],
    f"update fct_lsm_effectiveness_days set unsettled_count = unsettled_count + 1 {DAY}": [
        "outstanding_transactions_settle_or_do_not",
        "raw_rows_are_those_of_the_marts",
    ],
    f"update fct_lsm_effectiveness_days set settled_value = settled_value + 1 {DAY}": [
        "agent_lsm_days_add_up_to_the_day",
        "outstanding_transactions_settle_or_do_not",
        "settled_payments_equal_tick_sums",
        "ticks_add_up_to_the_day",
    ],
    f"update fct_lsm_effectiveness_days set queue2_delay_indicator = queue2_delay_indicator + 0.1 {DAY}": [
        "delays_of_both_queues_add_up"
    ],
    f"update fct_lsm_effectiveness_days set queue2_value_integral = queue2_value_integral + 1 {DAY}": [
        "queue_value_integral_is_value_weighted_delay",
        "ticks_add_up_to_the_day",
    ],
    f"update fct_lsm_effectiveness_days set queue_value_peak = queue_value_peak + 1 {DAY}": ["ticks_add_up_to_the_day"],
    f"update fct_lsm_effectiveness_days set lsm_value_share = 1.5 {DAY}": ["shares_lie_between_0_and_1"],
    f"update fct_cycle_type_days set cycles = cycles + 1 {DAY} and mechanism = 'ring'": [
        "cycle_days_add_up_to_the_cycles"
    ],
    f"update fct_cycle_length_days set net_value = net_value + 1 {DAY} and cycle_length = 3": [
        "cycle_days_add_up_to_the_cycles"
    ],
    "delete from fct_transactions where run_id = 'worked' and transaction = 'alone'": [
        "raw_rows_are_those_of_the_marts",
        "transactions_are_those_that_arrived",
    ],
    "delete from fct_lsm_cycle_transactions where run_id = 'worked' and transaction = 'ring_ac'": [
        "cycles_keep_all_their_transactions"
    ],
    f"update fct_lsm_cycles set netting_ratio = -0.1 {DAY} and mechanism = 'ring'": ["shares_lie_between_0_and_1"],
    **{
        f"update fct_agent_lsm_days set {measure} = {measure} + 1 {DAY} and agent = 'A'": [
            "agent_lsm_days_add_up_to_the_day"
        ]
        for measure in (
            "cycle_paid_count",
            "cycle_paid_value",
            "cycle_received_count",
            "cycle_received_value",
            "cycle_gross_share",
            "liquidity_provided",
            "liquidity_received",
            "liquidity_saved",
            "liquidity_used",
            "lsm_sent_count",
            "lsm_sent_value",
            "outstanding_count",
            "outstanding_value",
            "provision_relative_to_usage",
            "sent_count",
            "sent_value",
            "value_weighted_delay_ticks",
        )
    },
    f"update fct_liquidity_efficiency_days set system_wide_efficiency = 1 {DAY}": [
        "system_wide_efficiency_is_turnover"
    ],
    **{
        f"update fct_liquidity_efficiency_days set {wrong} {DAY}": ["liquidity_efficiency_lies_in_its_bounds"]
        for wrong in (
            "liquidity_cost_gini = 1.5",
            "provision_relative_to_usage = -0.1",
            "average_settlement_tick = 10",
            "settlement_decile_1_tick = -1",
            "settlement_decile_5_tick = 0",
            "settlement_decile_9_tick = 10",
        )
    },
    f"update fct_lsm_counterfactual set opening_liquidity = opening_liquidity + 1 {PAIR}": [
        "pairs_open_with_equal_liquidity"
    ],
    f"update fct_lsm_counterfactual set extra_settled_value = extra_settled_value + 1 {PAIR}": [
        "extra_settled_value_is_what_the_twin_left_unsettled"
    ],
    # The other seed's payments are drawn anew.
    (
        "update int_arms_paired set partner_simulation_id = 'carried.lsm_off.s2' "
        "where simulation_id = 'carried.lsm_on.s1' and comparison = 'lsm_off'"
    ): ["pairs_have_the_same_arrivals"],
    f"update fct_experiment_arms set paired_difference = paired_difference + 1 {ARM} = 'lsm_on'": [
        "paired_differences_are_differences_of_means"
    ],
    f"update fct_experiment_arms set paired_difference = 0 {ARM} = 'lsm_off'": [
        "paired_differences_are_differences_of_means"
    ],
    **{
        f"update fct_agent_cost_days set {measure} = {measure} + 1 {DAY} and agent = 'D'": [
            "agent_cost_days_add_up_to_the_day"
        ]
        for measure in (
            "cost_total",
            "cost_overdraft",
            "cost_delay",
            "cost_overdue",
            "cost_collateral",
            "cost_unsettled",
            "outstanding_value",
            "unsettled_value",
            "value_weighted_delay_ticks",
            "queue1_value_weighted_delay_ticks",
            "queue2_value_weighted_delay_ticks",
            "liquidity_used",
        )
    },
    f"update fct_experiment_agents set paired_difference = paired_difference + 1 {AGENT} = 'lsm_on'": [
        "agents_differ_by_differences_of_means"
    ],
    f"update fct_experiment_agents set paired_difference = 0 {AGENT} = 'lsm_off'": [
        "agents_differ_by_differences_of_means"
    ],
    # The arm is compared with none, so that only its sum over kinds is wrong.
    f"update fct_experiment_agents set mean = mean + 1 {NETTED} and metric = 'cost_delay'": [
        "agents_differ_by_differences_of_means"
    ],
    **{
        f"update fct_ticks set {measure} = {measure} + 1 {DAY} and tick = 2": ["ticks_add_up_to_the_day"]
        for measure in (
            "tick_of_day",
            "arrival_count",
            "arrival_value",
            "settled_count",
            "settled_value",
            "lsm_settled_count",
            "lsm_settled_value",
            *(f"settled_{mechanism}" for mechanism in MECHANISMS),
            *(f"settled_value_{mechanism}" for mechanism in MECHANISMS),
            "queue1_value",
            "queue2_value",
            "queue_value",
        )
    },
    # The ring's three, as if retries of Queue 2 had settled them: the sums are what they were.
    f"update fct_ticks set settled_ring = 0, settled_queue = settled_ring {DAY} and tick = 2": [
        "ticks_add_up_to_the_day"
    ],
    # Nothing arrives, settles or waits at tick 6: what it counts is its row.
    f"delete from fct_ticks {DAY} and tick = 6": ["raw_rows_are_those_of_the_marts", "ticks_add_up_to_the_day"],
    f"delete from fct_ticks {DAY}": ["raw_rows_are_those_of_the_marts", "ticks_add_up_to_the_day"],
    **{
        f"update fct_raw_table_days set row_count = row_count + 1 {DAY} and raw_table = '{table}'": [
            "raw_rows_are_those_of_the_marts"
        ]
        for table in CONTRACTS
        if table not in UNCOUNTED
    },
    f"delete from fct_raw_table_days {DAY} and raw_table = 'lsm_cycles'": ["raw_rows_are_those_of_the_marts"],
}
"""What is done to a mart, and the laws that must fail then."""

SETTLED = [
    # tick, settlement_seq, mechanism, transactions
    (0, 0, "immediate", ["alone"]),
    (2, 1, "ring", ["ring_ac", "ring_cd", "ring_da"]),
    (3, 2, "bilateral", ["pair_bd", "pair_db"]),
    (5, 3, "immediate", ["feeds"]),
    (5, 4, "queue", ["waits"]),
    (7, 5, "immediate", ["apart"]),
    (12, 0, "immediate", ["brings"]),
    (12, 1, "queue", ["overnight"]),
]


@pytest.fixture(scope="module")
def laws(built: tuple[Dbt, dict[str, str]]) -> dict[str, str]:
    """The compiled SQL of every law, by its name without `assert_`."""
    dbt, outcome = built
    folder = dbt.folder / "target" / "compiled" / "payment_sim" / "tests"
    compiled = {file.stem.removeprefix("assert_"): file.read_text() for file in folder.glob("assert_*.sql")}
    assert {f"assert_{law}" for law in compiled} == {node for node in outcome if node.startswith("assert_")}
    return compiled


def test_what_is_tampered_with_went_as_it_was_worked_out(built: tuple[Dbt, dict[str, str]]) -> None:
    steps = built[0].query("""
        select settlement_tick, settlement_seq, mechanism, list(transaction order by transaction) as transactions
        from stg_raw__settlements where run_id = 'worked' group by all order by 1, 2
    """)
    waiting = built[0].query("""
        select tick, queue2_size, intraday_credit_used from stg_raw__ticks
        where run_id = 'worked' and tick < 14 order by tick
    """)
    assert steps.rows() == SETTLED
    assert waiting["queue2_size"].to_list() == [0, 1, 0, 0, 1, 0, 0, 0, 1, 2, 2, 2, 1, 1]
    assert waiting["intraday_credit_used"].to_list() == [40, 40, 70, 70, 70, 10, 10, 10, 10, 10, 10, 10, 0, 0]


def test_what_behaves_went_as_it_was_worked_out(built: tuple[Dbt, dict[str, str]]) -> None:
    changes = built[0].query("""
        select tick, agent, posted_before, posted_after, reason
        from stg_raw__collateral_events where run_id = 'behaving' order by day, event_seq
    """)
    assert changes.rows() == [(0, "A", 10, 12, "on_need"), (1, "C", 3, 0, "idle"), (4, "B", 6, 0, "idle")]
    transactions = built[0].query("""
        select transaction, entry_tick, settlement_tick, mechanism, queue1_wait_reason, wait_reason, is_overdue
        from fct_transactions where run_id = 'behaving' order by arrival_seq
    """)
    assert transactions.rows() == [
        ("pressing", 0, 1, "entry_offset", None, "liquidity", False),
        ("held", 8, 8, "immediate", "policy", None, False),
        ("starved", 0, 1, "queue", None, "liquidity", False),
        ("offsets", 1, 1, "entry_offset", None, "liquidity", False),
        ("feeds", 1, 1, "immediate", None, None, False),
        ("limited", 2, None, None, None, "bilateral_limit", False),
        ("last", 7, 7, "immediate", None, None, False),
    ]
    closing = built[0].query("""
        select closing_balance, min_balance from stg_raw__agent_days
        where run_id = 'behaving' and agent in ('A', 'B', 'C') order by day, agent
    """)
    balances = [(-1, -1), (1, 0), (50, 50), (-1, -1), (1, 1), (50, 50), (-4, -4), (2, 1), (52, 50)]
    assert closing.rows() == balances
    policies = built[0].query("from stg_raw__agents where run_id = 'behaving' and agent = 'A' order by day")["policy"]
    assert policies.to_list() == ["receipt_reactive", "receipt_reactive", "deadline"]


def test_untampered_data_break_no_law(built: tuple[Dbt, dict[str, str]], laws: dict[str, str]) -> None:
    assert broken(built[0], laws) == []


@pytest.mark.parametrize("statement", RAW)
def test_tampered_raw_table_breaks(built: tuple[Dbt, dict[str, str]], laws: dict[str, str], statement: str) -> None:
    with tampered(built[0], WORKED, statement):
        assert broken(built[0], laws) == RAW[statement]


@pytest.mark.parametrize("statement", RAW_BEHAVING)
def test_tampered_behaviour_breaks(built: tuple[Dbt, dict[str, str]], laws: dict[str, str], statement: str) -> None:
    with tampered(built[0], BEHAVING, statement):
        assert broken(built[0], laws) == RAW_BEHAVING[statement]


@pytest.mark.parametrize("statement", MARTS)
def test_tampered_mart_breaks(built: tuple[Dbt, dict[str, str]], laws: dict[str, str], statement: str) -> None:
    assert broken(built[0], laws, statement) == MARTS[statement]


def test_every_law_is_broken_by_some_tampering(laws: dict[str, str]) -> None:
    noticed = {law for failing in [*RAW.values(), *RAW_BEHAVING.values(), *MARTS.values()] for law in failing}
    assert noticed == set(laws)


def test_dbt_names_the_broken_law_and_builds_no_mart_on_it(built: tuple[Dbt, dict[str, str]]) -> None:
    dbt, _ = built
    with tampered(dbt, WORKED, "update lsm_cycles set total_value = total_value + 1 where mechanism = 'ring'"):
        outcome = outcomes(dbt("build", "--exclude", "test_type:unit"))
    failing = {node for node, status in outcome.items() if status == "fail"}
    assert failing == {"assert_cycle_values_follow_from_amounts", "assert_lsm_run_counts_equal_events"}
    assert outcome["fct_lsm_cycles"] == "skipped"
    assert outcome["fct_cycle_type_days"] == "skipped"


def broken(dbt: Dbt, laws: dict[str, str], statement: str | None = None) -> list[str]:
    """The laws that do not hold once the statement has been carried out in the warehouse; it is rolled back."""
    with duckdb.connect(str(dbt.folder / "warehouse.duckdb")) as connection:
        connection.execute("set threads = 1")  # the tables are so small that sharing the work costs more than it saves
        connection.begin()
        for table in CONTRACTS:  # once here, what every law would else read from the files of all runs
            view = f"stg_raw__{table}"
            connection.execute(f"create table rows as from {view}; drop view {view}; alter table rows rename to {view}")
        if statement:
            connection.execute(statement)
        else:  # raw tables may have been tampered with: what is derived from them for the laws to read follows
            for model, sql in derived(dbt).items():
                connection.execute(f"delete from {model}")
                connection.execute(f"insert into {model} by name {sql}")
        failing = sorted(law for law, sql in laws.items() if connection.execute(sql).fetchall())
        connection.rollback()
    return failing


def derived(dbt: Dbt) -> dict[str, str]:
    """What intermediate tables are made of, one after the other."""
    folder = dbt.folder / "target" / "compiled" / "payment_sim" / "models" / "intermediate"
    return {name: (folder / f"{name}.sql").read_text() for name in DERIVED}


@contextmanager
def tampered(dbt: Dbt, run_id: str, statement: str) -> Iterator[None]:
    """A run's raw tables as they are after a statement that changes one of them, for a while.

    In the statement, tables bear their raw names; folder is the day of a row's folder.
    """
    store = RawStore(dbt.folder)
    days = store.days_stored(run_id)
    table = next(name for name in CONTRACTS if name in statement.split()[:3])
    with duckdb.connect() as connection:
        for name in CONTRACTS:
            parts = ", ".join(f"'{store.part(name, run_id, day)}'" for day in days)
            connection.sql(f"""
                create table {name} as
                select * exclude (filename), regexp_extract(filename, 'day=(\\d+)', 1)::int as folder
                from read_parquet([{parts}], hive_partitioning = false, filename = true)
            """)
        before = connection.sql(f"from {table}").pl()
        connection.sql(statement)
        after = connection.sql(f"from {table}").pl()
    assert not after.equals(before), "the statement changes nothing"
    true_bytes = {day: store.part(table, run_id, day).read_bytes() for day in days}
    try:
        for day in days:
            rows = after.filter(after["folder"] == day).drop("folder")
            rows.cast(dict(schema_of(table))).write_parquet(store.part(table, run_id, day))
        yield
    finally:
        for day, content in true_bytes.items():
            store.part(table, run_id, day).write_bytes(content)
