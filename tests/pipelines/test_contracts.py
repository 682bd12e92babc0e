"""Every contract refuses what breaks it: each column's checks and each row law, broken one at a time."""

import pandera.polars
import polars as pl
import pytest

from pipelines.contracts import (
    CONTRACTS,
    Column,
    ContractBroken,
    columns_of,
    grain_of,
    primary_key_of,
    schema_of,
    validate,
)
from sim_engine import SystemState
from sim_engine.vocabulary import (
    COLLATERAL_ACTIONS,
    COLLATERAL_REASONS,
    HIT_LIMITS,
    MECHANISMS,
    OUTCOMES,
    PRIORITIES,
    WAIT_REASONS,
)
from tests.helpers.settling import scenario_of
from tests.helpers.tables import frames_of
from tests.oracle.day import run_days

LINES = """
    bank A 0 credit 3 collateral 10 haircut 5000   bank B 3   bank C 0   bank D 0 collateral 4
    pay A>B 30 urgent deadline 4   pay B>C 31 low   pay C>A 30   pay B>A 2
    pay C>D 7   pay D>C 7   pay A>C 99 @1
"""


@pytest.fixture(scope="module")
def frames() -> dict[str, pl.DataFrame]:
    """Two days with a ring, a pair, payments settled at once and one that is carried: rows in every table.

    A posts 2 more in tick 0, which is worth 1; D, which has nothing to pay after its pair, withdraws its 4 in tick 1.
    """
    behaviour = {
        "A": {"collateral": {"on_need": {"max": 12}}},
        "D": {"collateral": {"return_when_idle": {"ticks": 1}}},
    }
    scenario = scenario_of(LINES, ticks_per_day=2, days=2, behaviour=behaviour)
    return frames_of(scenario, [record for record, _ in run_days(scenario, SystemState.opening(scenario), 2)])


def failures(table: str, frame: pl.DataFrame) -> list[tuple[str, str]]:
    """Column and check of each failing value."""
    with pytest.raises(ContractBroken) as broken:
        validate(table, frame)
    assert broken.value.table == table
    return list(broken.value.cases.select("column", "check").iter_rows())


def with_first(frame: pl.DataFrame, **values: object) -> pl.DataFrame:
    """The frame with values of its first row replaced; the types stay."""
    is_first = pl.int_range(pl.len()) == 0
    changed = [
        pl.when(is_first).then(pl.lit(pl.Series([value], dtype=frame.schema[name])).first()).otherwise(pl.col(name))
        for name, value in values.items()
    ]
    return frame.with_columns(expression.alias(name) for name, expression in zip(values, changed, strict=True))


COLUMNS = [(table, column) for table in CONTRACTS for column in columns_of(table)]


def named(value: object) -> str | None:
    return value.name if isinstance(value, Column) else None


# Every table, every column


def test_the_engines_tables_keep_their_contracts(frames):
    assert set(frames) == set(CONTRACTS)
    for table, frame in frames.items():
        assert frame.height > 1
        validate(table, frame)


@pytest.mark.parametrize("table", CONTRACTS)
def test_every_column_is_described_with_its_unit(table):
    columns = columns_of(table)
    assert [column.name for column in columns[:2]] == ["simulation_id", "day"]
    units = {"tick", "sequence number", "minor units", "count", "", "basis points"}
    for column in columns:
        assert len(column.description) >= 4
        assert column.unit in units
        is_text = column.dtype == pl.String or column.dtype == pl.List(pl.String)
        assert not is_text or column.unit == ""
    assert grain_of(table).startswith("One row per ")
    assert set(primary_key_of(table)) <= {column.name for column in columns}
    assert primary_key_of(table)[0] == "simulation_id"


@pytest.mark.parametrize("table", CONTRACTS)
def test_money_is_in_minor_units(table):
    money = (
        "amount", "amounts", "value", "balance", "debit", "limit", "collateral", "positions", "credit_used",
        "posted_before", "posted_after",
    )  # fmt: skip
    stated = {column.name for column in columns_of(table) if column.unit == "minor units"}
    ends_like_money = {
        column.name for column in columns_of(table) if column.name.endswith(money) and column.name not in ("hit_limit",)
    }
    valued = {column.name for column in columns_of(table) if "_value_" in column.name or "value_bound" in column.name}
    costs = {column.name for column in columns_of(table) if column.name.startswith("cost_")}
    assert stated == ends_like_money | valued | costs


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table, column in COLUMNS if not column.nullable], ids=named
)
def test_a_null_is_refused_where_none_may_stand(frames, table, column):
    assert (column.name, "not_nullable") in failures(table, with_first(frames[table], **{column.name: None}))


NULLABLE = {
    "arrivals": ["deadline_tick", "parent"],
    "settlements": ["lsm_pass", "cycle_seq", "wait_reason"],
    "lsm_runs": ["value_bound"],
    "queue_snapshots": ["entry_tick", "entry_seq"],
}


@pytest.mark.parametrize("table", CONTRACTS)
def test_only_these_columns_may_be_null(table):
    assert [column.name for column in columns_of(table) if column.nullable] == NULLABLE.get(table, [])


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=named)
def test_another_type_is_refused(frames, table, column):
    other = {
        pl.Int64: pl.Int32,
        pl.String: pl.Categorical,
        pl.List(pl.String): pl.List(pl.Categorical),
        pl.List(pl.Int64): pl.List(pl.Int32),
    }[column.dtype]
    cast = frames[table].with_columns(pl.col(column.name).cast(other))
    assert (column.name, f"dtype('{column.dtype}')") in failures(table, cast)


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=named)
def test_a_missing_column_is_refused(frames, table, column):
    with pytest.raises(ContractBroken, match=f"'{column.name}' fails 'column_in_dataframe'"):
        validate(table, frames[table].drop(column.name))


@pytest.mark.parametrize("table", CONTRACTS)
def test_a_column_too_many_is_refused(frames, table):
    with pytest.raises(ContractBroken, match=rf"^{table}: 1 failing value; .* 'note' fails 'column_in_schema'"):
        validate(table, frames[table].with_columns(note=pl.lit("x")))


@pytest.mark.parametrize("table", CONTRACTS)
def test_columns_in_another_order_are_refused(frames, table):
    frame = frames[table]
    assert "column_ordered" in [check for _, check in failures(table, frame.select(frame.columns[::-1]))]


@pytest.mark.parametrize("table", CONTRACTS)
def test_a_second_row_of_the_same_key_is_refused(frames, table):
    twice = pl.concat([frames[table], frames[table].head(1)])
    assert [check for _, check in failures(table, twice)] == ["multiple_fields_uniqueness"] * 2


KEYS = {
    "simulations": ["simulation_id", "day"],
    "agents": ["simulation_id", "day", "agent"],
    "arrivals": ["simulation_id", "transaction"],
    "settlements": ["simulation_id", "transaction"],
    "lsm_cycles": ["simulation_id", "day", "cycle_seq"],
    "lsm_runs": ["simulation_id", "tick"],
    "ticks": ["simulation_id", "tick"],
    "agent_days": ["simulation_id", "day", "agent"],
    "queue_snapshots": ["simulation_id", "day", "transaction"],
    "policy_snapshots": ["simulation_id", "day", "agent"],
    "collateral_events": ["simulation_id", "day", "event_seq"],
}


@pytest.mark.parametrize("table", CONTRACTS)
def test_the_key_names_a_row(table):
    assert primary_key_of(table) == KEYS[table]


@pytest.mark.parametrize("table", CONTRACTS)
def test_lazy_frames_are_refused(frames, table):
    with pytest.raises(TypeError, match=f"{table}: contracts check eager frames; collect the LazyFrame first"):
        validate(table, frames[table].lazy())


@pytest.mark.parametrize("table", CONTRACTS)
def test_a_frame_without_rows_keeps_its_contract(table):
    validate(table, pl.DataFrame(schema=schema_of(table)))


# Numbers: the least that each column may hold; None: any

LEAST: dict[str, dict[str, int | None]] = {
    "simulations": {"day": 0, "rng_seed": 0, "ticks_per_day": 1, "num_days": 1, "num_agents": 2},
    "agents": {
        "day": 0, "agent_index": 0, "opening_balance": None, "credit_limit": 0, "posted_collateral": 0, "haircut_bp": 0,
    },
    "arrivals": {"day": 0, "amount": 1, "arrival_tick": 0, "arrival_seq": 0, "deadline_tick": 0},
    "settlements": {
        "day": 0, "tick": 0, "settlement_seq": 0, "entry_tick": 0, "entry_seq": 0, "lsm_pass": 0, "cycle_seq": 0,
    },
    "lsm_cycles": {
        "day": 0, "cycle_seq": 0, "tick": 0, "lsm_pass": 0, "cycle_length": 2, "min_amount": 1, "settled_value": 0,
        "total_value": 1,
    },
    "lsm_runs": {
        "day": 0, "tick": 0, "passes": 1, "bilateral_cycles": 0, "ring_cycles": 0, "gridlock_cycles": 0,
        "settled_transactions": 0, "total_value": 0, "settled_value": 0, "retry_settled": 0, "retry_value": 0,
        "queue_size_before": 1, "queue_size_after": 0, "queue_value_before": 1, "queue_value_after": 0,
        "value_bound": 0,
    },
    "ticks": {
        "day": 0, "tick": 0, "arrivals": 0, "arrival_value": 0,
        **{f"settled_{kind}{mechanism}": 0 for mechanism in MECHANISMS for kind in ("", "value_")},
        "queue1_size": 0, "queue1_value": 0, "queue2_size": 0, "queue2_value": 0, "intraday_credit_used": 0,
    },
    "agent_days": {
        "day": 0, "opening_balance": None, "closing_balance": None, "min_balance": None, "max_balance": None,
        "peak_net_debit": 0, "arrivals": 0, "arrival_value": 0, "sent": 0, "sent_value": 0, "received": 0,
        "received_value": 0, "lsm_releases": 0, "queue1_size_max": 0, "queue2_size_max": 0, "queue1_size_end": 0,
        "queue2_size_end": 0, "cost_overdraft": 0, "cost_delay": 0, "cost_overdue": 0, "cost_collateral": 0,
        "cost_unsettled": 0,
    },
    "queue_snapshots": {"day": 0, "queue": None, "position": 0, "entry_tick": 0, "entry_seq": 0},
    "policy_snapshots": {"day": 0},
    "collateral_events": {"day": 0, "event_seq": 0, "tick": 0, "amount": 1, "posted_before": 0, "posted_after": 0},
}  # fmt: skip


@pytest.mark.parametrize("table", CONTRACTS)
def test_every_number_has_its_least(table):
    assert set(LEAST[table]) == {column.name for column in columns_of(table) if column.dtype == pl.Int64}


@pytest.mark.parametrize(
    ("table", "column", "least"),
    [(table, column, least) for table in LEAST for column, least in LEAST[table].items() if least is not None],
)
def test_a_number_below_its_least_is_refused(frames, table, column, least):
    below = with_first(frames[table], **{column: least - 1})
    at_least = [check for name, check in failures(table, below) if name == column]
    assert len(at_least) == 1
    assert at_least[0] in (f"greater_than_or_equal_to({least})", "in_range(0, 10000)")


def test_a_haircut_above_the_whole_is_refused(frames):
    assert failures("agents", with_first(frames["agents"], haircut_bp=10_001)) == [
        ("haircut_bp", "less_than_or_equal_to(10000)")
    ]


@pytest.mark.parametrize("queue", [0, 3])
def test_there_are_two_queues(frames, queue):
    broken = failures("queue_snapshots", with_first(frames["queue_snapshots"], queue=queue))
    assert ("queue", "isin([1, 2])") in broken


# Words

VOCABULARIES = {
    ("arrivals", "priority"): PRIORITIES,
    ("settlements", "mechanism"): MECHANISMS,
    ("settlements", "wait_reason"): tuple(reason for reason in WAIT_REASONS if reason != "policy"),
    ("lsm_cycles", "mechanism"): ("bilateral", "ring", "gridlock", "entry_offset"),
    ("lsm_cycles", "cycle_type"): ("bilateral", "multilateral"),
    ("lsm_runs", "hit_limit"): HIT_LIMITS,
    ("queue_snapshots", "outcome"): OUTCOMES,
    ("queue_snapshots", "wait_reason"): WAIT_REASONS,
    ("collateral_events", "action"): COLLATERAL_ACTIONS,
    ("collateral_events", "reason"): COLLATERAL_REASONS,
}
DIGESTS = [("simulations", "scenario_hash"), ("policy_snapshots", "policy_hash")]
NAMES = [
    (table, column.name)
    for table, column in COLUMNS
    if column.dtype == pl.String and (table, column.name) not in [*VOCABULARIES, *DIGESTS]
]


@pytest.mark.parametrize(("table", "column"), NAMES)
def test_an_empty_name_is_refused(frames, table, column):
    assert (column, "str_length(1, None)") in failures(table, with_first(frames[table], **{column: ""}))


@pytest.mark.parametrize(("table", "column"), VOCABULARIES)
def test_a_word_outside_its_vocabulary_is_refused(frames, table, column):
    broken = failures(table, with_first(frames[table], **{column: "sometimes"}))
    assert (column, f"isin({list(VOCABULARIES[table, column])})") in broken


@pytest.mark.parametrize(("table", "column"), DIGESTS)
@pytest.mark.parametrize("text", ["", "abc", "g" * 64, "A" * 64, "0" * 65])
def test_what_is_no_digest_is_refused(frames, table, column, text):
    broken = failures(table, with_first(frames[table], **{column: text}))
    assert [(name, check.partition("(")[0]) for name, check in broken] == [(column, "str_matches")]


# Laws of a row

RING = {"cycle_seq": 9, "agents": ["A", "B", "C"], "transactions": ["T1", "T2", "T3"], "amounts": [30, 31, 30],
        "net_positions": [0, -1, 1], "cycle_type": "multilateral", "cycle_length": 3, "min_amount": 30,
        "settled_value": 1, "total_value": 91}  # fmt: skip
OFFSET = {"cycle_seq": 9, "agents": ["A", "B"], "transactions": ["T1", "T2"], "amounts": [30, 31],
          "net_positions": [1, -1], "cycle_type": "bilateral", "cycle_length": 2, "min_amount": 30,
          "settled_value": 1, "total_value": 61, "mechanism": "entry_offset", "lsm_pass": 0}  # fmt: skip


ROW_LAWS: list[tuple[str, str, dict[str, object]]] = [
    ("arrivals", "an agent never pays itself", {"sender": "A", "receiver": "A"}),
    ("settlements", "lsm_pass and cycle_seq are stated exactly when the LSM settled it",
     {"mechanism": "ring", "wait_reason": "liquidity", "lsm_pass": 1, "cycle_seq": None}),
    ("settlements", "lsm_pass and cycle_seq are stated exactly when the LSM settled it",
     {"mechanism": "ring", "wait_reason": "liquidity", "lsm_pass": None, "cycle_seq": 1}),
    ("settlements", "lsm_pass and cycle_seq are stated exactly when the LSM settled it",
     {"mechanism": "queue", "wait_reason": "liquidity", "lsm_pass": 1, "cycle_seq": 1}),
    ("settlements", "lsm_pass and cycle_seq are stated exactly when the LSM settled it", {"lsm_pass": 1}),
    ("settlements", "wait_reason is stated exactly when it waited in Queue 2", {"wait_reason": "liquidity"}),
    ("settlements", "wait_reason is stated exactly when it waited in Queue 2",
     {"mechanism": "queue", "wait_reason": None}),
    ("settlements", "lsm_pass is 0 exactly for an offset on entry",
     {"mechanism": "entry_offset", "wait_reason": "liquidity", "lsm_pass": 1, "cycle_seq": 1}),
    ("settlements", "lsm_pass is 0 exactly for an offset on entry",
     {"mechanism": "ring", "wait_reason": "liquidity", "lsm_pass": 0, "cycle_seq": 1}),
    ("settlements", "it settled no earlier than it was submitted", {"tick": 3, "entry_tick": 4}),
    ("lsm_cycles", "lists hold no nulls",
     RING | {"amounts": [30, 31, 30, None], "transactions": ["T1", "T2", "T3", "T4"]}),
    ("lsm_cycles", "lists hold no nulls", RING | {"transactions": ["T1", "T2", None]}),
    ("lsm_cycles", "lists hold no nulls", RING | {"agents": ["A", "B", None]}),
    ("lsm_cycles", "lists hold no nulls",
     RING | {"net_positions": [1, -1, None]}),
    ("lsm_cycles", "lists are aligned and cycle_length counts distinct agents", RING | {"agents": ["A", "B"]}),
    ("lsm_cycles", "lists are aligned and cycle_length counts distinct agents", RING | {"agents": ["A", "B", "B"]}),
    ("lsm_cycles", "lists are aligned and cycle_length counts distinct agents", RING | {"net_positions": [1, -1]}),
    ("lsm_cycles", "lists are aligned and cycle_length counts distinct agents", RING | {"transactions": ["T1", "T2"]}),
    ("lsm_cycles", "lists are aligned and cycle_length counts distinct agents",
     RING | {"transactions": ["T1", "T2", "T2"]}),
    ("lsm_cycles", "cycle_type is bilateral exactly when cycle_length is 2", RING | {"cycle_type": "bilateral"}),
    ("lsm_cycles", "cycle_type is bilateral exactly when cycle_length is 2",
     RING | {"agents": ["A", "B"], "net_positions": [-1, 1], "cycle_length": 2}),
    ("lsm_cycles", "lsm_pass is 0 exactly for an offset on entry", RING | {"lsm_pass": 0}),
    ("lsm_cycles", "lsm_pass is 0 exactly for an offset on entry", OFFSET | {"lsm_pass": 1}),
    ("lsm_cycles", "an offset on entry is bilateral", RING | {"mechanism": "entry_offset", "lsm_pass": 0}),
    ("lsm_cycles", "total_value and min_amount are those of the amounts", RING | {"total_value": 92}),
    ("lsm_cycles", "total_value and min_amount are those of the amounts", RING | {"min_amount": 29}),
    ("lsm_cycles", "net_positions sum to 0 and settled_value is what they move", RING | {"net_positions": [0, -1, 2]}),
    ("lsm_cycles", "net_positions sum to 0 and settled_value is what they move", RING | {"settled_value": 2}),
    ("lsm_cycles", "net_positions sum to 0 and settled_value is what they move",
     RING | {"net_positions": [0, -92, 92], "settled_value": 92}),
    ("lsm_runs", "what left the queue was settled by cycles or retries", {"queue_size_after": 1}),
    ("lsm_runs", "what left the queue was settled by cycles or retries", {"queue_value_after": 1}),
    ("lsm_runs", "net is at most gross", {"settled_value": 1_000}),
    ("agent_days", "balances agree with what was sent and received", {"sent_value": 1_000}),
    ("agent_days", "balances agree with what was sent and received", {"received_value": 1_000}),
    ("agent_days", "balances agree with what was sent and received", {"closing_balance": 1_000}),
    ("agent_days", "balances agree with what was sent and received", {"min_balance": 2, "peak_net_debit": -2}),
    ("agent_days", "balances agree with what was sent and received", {"max_balance": -1}),
    ("agent_days", "balances agree with what was sent and received", {"peak_net_debit": 1_000}),
    ("queue_snapshots", "entry is stated exactly in Queue 2", {"queue": 1}),
    ("queue_snapshots", "entry is stated exactly in Queue 2", {"entry_tick": None}),
    ("queue_snapshots", "entry is stated exactly in Queue 2", {"entry_seq": None}),
    ("queue_snapshots", "entry is stated exactly in Queue 2", {"queue": 1, "entry_tick": None}),
    ("queue_snapshots", "the policy is what it waits for exactly in Queue 1", {"wait_reason": "policy"}),
    ("queue_snapshots", "the policy is what it waits for exactly in Queue 1", {"queue": 1}),
    ("collateral_events", "posted_after is posted_before plus what was posted or less what was withdrawn",
     {"amount": 1}),
    ("collateral_events", "posted_after is posted_before plus what was posted or less what was withdrawn",
     {"action": "withdrawn", "reason": "idle"}),
    ("collateral_events", "agents post on need and withdraw when idle", {"reason": "idle"}),
    ("collateral_events", "agents post on need and withdraw when idle",
     {"action": "withdrawn", "posted_before": 2, "posted_after": 0}),
]  # fmt: skip


@pytest.mark.parametrize(("table", "law", "values"), ROW_LAWS)
def test_a_row_that_breaks_a_law_is_refused(frames, table, law, values):
    assert law in [check for _, check in failures(table, with_first(frames[table], **values))]


def test_every_law_of_a_row_is_broken_above():
    stated = {(table, check.name) for table, contract in CONTRACTS.items() for check in contract.to_schema().checks}
    assert stated == {(table, law) for table, law, _ in ROW_LAWS}
    assert len(stated) == 19


@pytest.mark.parametrize("cycle", [RING, OFFSET], ids=["ring", "offset_on_entry"])
def test_the_cycles_that_the_broken_ones_start_from_are_sound(frames, cycle):
    validate("lsm_cycles", with_first(frames["lsm_cycles"], **cycle))


def test_the_change_of_collateral_that_the_broken_ones_start_from_is_a_posting_of_2(frames):
    first = frames["collateral_events"].row(0, named=True)
    assert (first["agent"], first["action"], first["amount"], first["posted_before"], first["posted_after"]) == (
        "A", "posted", 2, 10, 12,
    )  # fmt: skip


def test_a_queue_1_row_is_sound(frames):
    row = {"queue": 1, "entry_tick": None, "entry_seq": None, "wait_reason": "policy"}
    validate("queue_snapshots", with_first(frames["queue_snapshots"], **row))


# What is said of it


def test_all_failing_values_are_told_at_once(frames):
    bad = with_first(frames["arrivals"], amount=0, priority="sometimes", sender="")
    assert len(failures("arrivals", bad)) == 3
    with pytest.raises(ContractBroken, match=r"^arrivals: 3 failing values; the first: "):
        validate("arrivals", bad)


def test_a_row_that_fails_is_told_under_its_contracts_name(frames):
    with pytest.raises(ContractBroken, match=r"^arrivals: 1 failing value; the first: Arrivals .*an agent never pays"):
        validate("arrivals", with_first(frames["arrivals"], sender="A", receiver="A"))


# Sound frames are passed without asking pandera


@pytest.mark.parametrize("table", CONTRACTS)
def test_a_sound_frame_is_not_put_to_pandera(frames, table, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("asked")

    monkeypatch.setattr(pandera.polars.DataFrameSchema, "validate", refuse)
    validate(table, frames[table])
    with pytest.raises(AssertionError, match="asked"):
        validate(table, frames[table].drop("day"))


@pytest.mark.parametrize("table", CONTRACTS)
def test_keys_that_share_no_more_than_a_hash_are_different(frames, table, monkeypatch):
    twice = pl.concat([frames[table], frames[table].head(1)])
    monkeypatch.setattr(
        pl.DataFrame, "hash_rows", lambda frame: pl.repeat(7, frame.height, dtype=pl.UInt64, eager=True)
    )
    validate(table, frames[table])
    assert [check for _, check in failures(table, twice)] == ["multiple_fields_uniqueness"] * 2


def test_a_law_that_cannot_be_told_for_a_null_passes_it_as_pandera_does(frames):
    """Null in a nullable column leaves the checks of its values open."""
    settlements = frames["settlements"]
    assert settlements["wait_reason"].null_count() > 0
    assert settlements["lsm_pass"].null_count() > 0
    CONTRACTS["settlements"].validate(settlements, lazy=True)
    validate("settlements", settlements)
