"""A build over real data: every model is built, every unit test and every law holds, and none of them vacuously."""

from pathlib import Path

import polars as pl
import pytest

from pipelines.raw_store import RawStore
from tests.dbt.warehouse import Dbt, outcomes

pytestmark = pytest.mark.slow

MARTS = {
    "dim_simulations",
    "dim_agents",
    "fct_transactions",
    "fct_lsm_cycles",
    "fct_lsm_cycle_transactions",
    "fct_cycle_type_days",
    "fct_cycle_length_days",
    "fct_lsm_effectiveness_days",
    "fct_liquidity_efficiency_days",
    "fct_agent_lsm_days",
    "fct_lsm_counterfactual",
    "fct_experiment_arms",
    "fct_agent_cost_days",
    "fct_experiment_agents",
    "fct_ticks",
    "fct_raw_table_days",
    "fct_data_tests",
}


def test_build_of_real_runs_passes(built: tuple[Dbt, dict[str, str]]) -> None:
    _, outcome = built
    assert len(outcome) >= 130
    assert {node: status for node, status in outcome.items() if status not in ("success", "pass")} == {}


def test_runs_show_what_the_laws_speak_of(built: tuple[Dbt, dict[str, str]]) -> None:
    dbt, _ = built
    shown = dbt.query("""
        select
            (select count(distinct simulation_id) from stg_raw__simulations) as simulations,
            (select count(*) from stg_raw__queue_snapshots where outcome = 'carried') as carried,
            (select count(*) from stg_raw__queue_snapshots where outcome = 'cancelled') as cancelled,
            (select count(*) from stg_raw__lsm_cycles where mechanism = 'bilateral') as bilateral,
            (select count(*) from stg_raw__lsm_cycles where mechanism = 'ring') as rings,
            (select count(*) from stg_raw__lsm_cycles where mechanism = 'gridlock' and cycle_length > 2) as gridlock,
            (select count(*) from stg_raw__lsm_cycles where len(transactions) > cycle_length) as several_per_agent,
            (select sum(retry_settled) from stg_raw__lsm_runs) as retried,
            (select max(intraday_credit_used) from stg_raw__ticks) as credit_used,
            (select count(*) from stg_raw__settlements where wait_reason = 'behind_another') as blocked,
            (select count(*) from stg_raw__lsm_cycles where mechanism = 'entry_offset') as offset_on_entry,
            (select count(*) from stg_raw__collateral_events where action = 'posted') as posted,
            (select count(*) from stg_raw__collateral_events where action = 'withdrawn') as withdrawn,
            (select count(*) from stg_raw__queue_snapshots where queue = 1) as in_queue1,
            (select count(*) from fct_transactions where queue1_wait_reason = 'policy') as held,
            (select count(*) from fct_transactions where wait_reason = 'bilateral_limit') as limited,
            (select count(*) from fct_transactions where is_overdue) as overdue,
            (select count(*) from fct_transactions where status = 'settled' and nights > 0) as settled_later,
            (select count(*) from fct_transactions where nights > 1) as two_nights,
            (select count(*) from fct_lsm_counterfactual where delay_saved > 0) as twins,
            (select sum(cost_overdraft) from fct_agent_cost_days) as overdraft,
            (select sum(cost_delay) from fct_agent_cost_days) as delay,
            (select sum(cost_overdue) from fct_agent_cost_days) as overdue_cost,
            (select sum(cost_collateral) from fct_agent_cost_days) as collateral,
            (select sum(cost_unsettled) from fct_agent_cost_days) as unsettled,
            (
                select sum(cost_collateral) from fct_agent_cost_days
                inner join stg_raw__collateral_events using (simulation_id, day, agent)
            ) as changing_collateral,
            (select sum(overdue_value) from fct_agent_cost_days) as overdue_value,
            (select sum(abs(paired_difference)) from fct_experiment_agents where metric = 'cost_total') as payers
    """).row(0, named=True)
    assert shown["simulations"] == 11
    assert {what for what, count in shown.items() if not count} == set()


def test_tables_are_the_marts_and_what_they_are_made_of(built: tuple[Dbt, dict[str, str]]) -> None:
    dbt, _ = built
    tables = set(
        dbt.query("select table_name from information_schema.tables where table_type = 'BASE TABLE'")["table_name"]
    )
    assert {table for table in tables if table.startswith(("dim_", "fct_"))} == MARTS
    assert {table for table in tables - MARTS if not table.startswith("int_")} == {"t_quantiles"}


def test_every_table_but_the_quantiles_says_which_run_a_row_is_of(built: tuple[Dbt, dict[str, str]]) -> None:
    """By that a run's rows are replaced, and removed."""
    dbt, _ = built
    of_runs = dbt.query("select table_name from duckdb_columns() where column_name = 'run_id'")["table_name"]
    tables = set(dbt.query("select table_name from duckdb_tables()")["table_name"])
    assert len(tables) > len(MARTS)
    assert tables - set(of_runs) == {"t_quantiles"}


def test_a_typed_empty_store_builds(tmp_path: Path) -> None:
    RawStore(tmp_path).prepare()
    dbt = Dbt(tmp_path)
    outcome = outcomes(dbt("build", "--exclude", "test_type:unit"))
    assert {node: status for node, status in outcome.items() if status not in ("success", "pass")} == {}
    assert all(dbt.query(f"select count(*) from {mart}").item() == 0 for mart in MARTS)


def test_docs_are_one_static_page(built: tuple[Dbt, dict[str, str]]) -> None:
    dbt, _ = built
    assert dbt("docs", "generate", "--static").success
    page = (dbt.folder / "target" / "static_index.html").read_text()
    assert all(mart in page for mart in MARTS)


def test_a_second_build_gives_the_same_marts(built: tuple[Dbt, dict[str, str]]) -> None:
    dbt, _ = built
    before = {mart: _rows(dbt, mart) for mart in MARTS}
    assert dbt("run").success
    for mart in MARTS:
        assert before[mart].height > 0
        assert _rows(dbt, mart).equals(before[mart]), mart


def _rows(dbt: Dbt, mart: str) -> pl.DataFrame:
    return dbt.query(f"from {mart} order by all")
