"""Payments of a CSV or Parquet file: what they become, and what is said of those that cannot be used."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from sim_engine import InputError, Scenario, load_scenario
from sim_engine.arrivals import payments_of_day
from sim_engine.payments_file import read_payments_file
from sim_engine.vocabulary import PRIORITIES

SCENARIO = """
name: filed
ticks_per_day: 10
num_days: 2
agents: [{id: A, opening_balance: 1000}, {id: B, opening_balance: 1000}]
arrivals_file: payments.csv
"""
CLOCK = SCENARIO.replace("payments.csv", "{path: payments.csv, opens_at: '07:00', tick_seconds: 60}")
HEADER = "transaction,sender,receiver,amount,tick"


def scenario(folder: Path, payments: str, text: str = SCENARIO) -> Scenario:
    """The scenario with a payments file of these lines, blanks beside commas left out."""
    lines = [",".join(part.strip() for part in line.split(",")) for line in payments.strip().splitlines()]
    (folder / "payments.csv").write_text("\n".join(lines) + "\n")
    (folder / "filed.yaml").write_text(text)
    return load_scenario(folder / "filed.yaml")


def day(scenario: Scenario, number: int) -> list[str]:
    """The payments of a day in order of arrival, as "P1 A>B 100 @3 normal", a deadline behind <=."""
    payments = payments_of_day(scenario, number, 0)
    names = scenario.agent_ids
    return [
        f"{name} {names[sender]}>{names[receiver]} {amount} @{tick} {PRIORITIES[priority]}"
        + (f" <={deadline}" if deadline >= 0 else "")
        for name, sender, receiver, amount, tick, priority, deadline in zip(
            payments.ids,
            payments.senders,
            payments.receivers,
            payments.amounts,
            payments.ticks,
            payments.priorities,
            payments.deadlines,
            strict=True,
        )
    ]


def test_a_csv_gives_each_day_its_payments_by_tick_and_within_a_tick_in_the_order_of_the_file(tmp_path: Path) -> None:
    filed = scenario(
        tmp_path,
        f"""
        {HEADER}, priority, deadline
        P1, A, B, 100,  7,        ,
        P2, B, A, 200,  3, urgent , 12
        P3, A, B, 300, 10, low    ,
        P4, B, A, 400,  3,        , 3
        """,
    )
    assert day(filed, 0) == ["P2 B>A 200 @3 urgent <=12", "P4 B>A 400 @3 normal <=3", "P1 A>B 100 @7 normal"]
    assert day(filed, 1) == ["P3 A>B 300 @10 low"]


def test_listed_payments_come_before_those_of_the_file_in_the_same_tick(tmp_path: Path) -> None:
    listed = SCENARIO + "arrivals: [{id: L1, sender: A, receiver: B, amount: 5, tick: 3}]\n"
    filed = scenario(tmp_path, f"{HEADER}\nP1, A, B, 100, 3\nP2, A, B, 200, 2", listed)
    assert day(filed, 0) == ["P2 A>B 200 @2 normal", "L1 A>B 5 @3 normal", "P1 A>B 100 @3 normal"]


def test_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    filed = scenario(tmp_path, "tick, amount, receiver, sender, transaction\n4, 7, A, B, P1")
    assert day(filed, 0) == ["P1 B>A 7 @4 normal"]


def test_a_file_of_no_payments_is_a_quiet_day(tmp_path: Path) -> None:
    assert day(scenario(tmp_path, HEADER), 0) == []


def test_timestamps_become_ticks_and_each_date_a_day(tmp_path: Path) -> None:
    filed = scenario(
        tmp_path,
        """
        transaction, sender, receiver, amount, timestamp, deadline
        P1, A, B, 1, 2026-01-05 07:00:00,
        P2, A, B, 2, 2026-01-05 07:00:59.999999, 2026-01-05 07:04:30
        P3, A, B, 3, 2026-01-05T07:01,
        P4, A, B, 4, 2026-01-05 07:09:59, 2026-01-05 18:00:00
        P5, A, B, 5, 2026-01-07 07:02:00, 2026-01-07 07:02:00
        P6, A, B, 6, 2026-01-05 07:03:00, 2026-01-06 12:00:00
        """,
        CLOCK,
    )
    assert day(filed, 0) == [
        "P1 A>B 1 @0 normal",
        "P2 A>B 2 @0 normal <=4",
        "P3 A>B 3 @1 normal",
        "P6 A>B 6 @3 normal <=9",  # a date between the file's settlement days: the end of the day before
        "P4 A>B 4 @9 normal <=9",  # a deadline after the close: the day's last tick
    ]
    assert day(filed, 1) == ["P5 A>B 5 @12 normal <=12"]


def parquet(folder: Path, text: str = SCENARIO, **changes: list[Any]) -> Scenario:
    columns: dict[str, list[Any]] = {
        "transaction": ["P1", "P2"],
        "sender": ["A", "B"],
        "receiver": ["B", "A"],
        "amount": [100, 200],
    }
    pa.parquet.write_table(pa.table(columns | changes), folder / "payments.parquet")
    (folder / "filed.yaml").write_text(text.replace(".csv", ".parquet"))
    return load_scenario(folder / "filed.yaml")


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    filed = parquet(tmp_path, tick=[3, 12], priority=["urgent", None], deadline=[None, 15])
    assert day(filed, 0) == ["P1 A>B 100 @3 urgent"]
    assert day(filed, 1) == ["P2 B>A 200 @12 normal <=15"]


def test_parquet_times_become_ticks(tmp_path: Path) -> None:
    filed = parquet(tmp_path, CLOCK, timestamp=[datetime(2026, 1, 5, 7, 1), datetime(2026, 1, 6, 7, 9, 59)])
    assert day(filed, 0) == ["P1 A>B 100 @1 normal"]
    assert day(filed, 1) == ["P2 B>A 200 @19 normal"]


def test_the_scenario_is_known_by_the_content_of_its_payments_file(tmp_path: Path) -> None:
    first = scenario(tmp_path, f"{HEADER}\nP1, A, B, 100, 3").scenario_hash
    assert scenario(tmp_path, f"{HEADER}\nP1, A, B, 101, 3").scenario_hash != first
    assert scenario(tmp_path, f"{HEADER}\nP1, A, B, 100, 3").scenario_hash == first


def refusal(folder: Path, payments: str, text: str = SCENARIO) -> str:
    """What is said of the file, its folder left out."""
    with pytest.raises(InputError) as caught:
        scenario(folder, payments, text)
    return str(caught.value).replace(f"{folder}/", "")


def test_every_bad_row_is_named_with_its_column_value_and_remedy(tmp_path: Path) -> None:
    said = refusal(
        tmp_path,
        f"""
        {HEADER}, priority, deadline
        P1, A, B, 100.5,  3,      ,
        P2, X, B, 100  ,  3, high ,
        P3, A, A, -100 ,  3,      ,
        P3, A, B, 100  , 1.5,     ,
        L1, A, B, 0    ,  x,      ,
        gen:1, A, B,   ,  3,      , 2
        , A, B, 1e3    , -1,      ,
        """,
        SCENARIO + "arrivals: [{id: L1, sender: A, receiver: B, amount: 5, tick: 3}]\n",
    )
    assert said == (
        "payments.csv: 17 problems\n"
        "  row 7, transaction: found ''; needs a name of at most 128 characters, none of them a blank or a "
        "control character\n"
        "  row 3, transaction: found 'P3'; duplicate transaction; give each its own name\n"
        "  row 4, transaction: found 'P3'; duplicate transaction; give each its own name\n"
        "  row 5, transaction: found 'L1'; duplicate: the scenario lists it already; rename one\n"
        "  row 6, transaction: found 'gen:1'; 'gen:' and 'listed:' are reserved for derived ids; name it otherwise\n"
        "  row 2, sender: found 'X'; no such agent; known are: A, B\n"
        "  row 3, receiver: found 'A'; an agent cannot pay itself; name another receiver\n"
        "  row 1, amount: found '100.5'; must be whole minor units (cents), above 0\n"
        "  row 3, amount: found '-100'; must be whole minor units (cents), above 0\n"
        "  row 5, amount: found '0'; must be whole minor units (cents), above 0\n"
        "  row 6, amount: found ''; must be whole minor units (cents), above 0\n"
        "  row 7, amount: found '1e3'; must be whole minor units (cents), above 0\n"
        "  row 2, priority: found 'high'; must be one of urgent, normal, low\n"
        "  row 4, tick: found '1.5'; must be a tick, 0 or above\n"
        "  row 5, tick: found 'x'; must be a tick, 0 or above\n"
        "  row 7, tick: found '-1'; must be a tick, 0 or above\n"
        "  row 6, deadline: found '2'; lies before the payment's arrival; move one of them"
    )


def test_many_rows_with_one_problem_are_counted_after_the_first_five(tmp_path: Path) -> None:
    rows = "\n".join(f"P{row}, A, Z, 1, 1" for row in range(1, 8))
    assert refusal(tmp_path, f"{HEADER}\n{rows}") == (
        "payments.csv: 6 problems\n"
        + "".join(f"  row {row}, receiver: found 'Z'; no such agent; known are: A, B\n" for row in range(1, 6))
        + "  column receiver: 2 more rows have the same problem"
    )


def test_a_row_refused_for_one_reason_hides_no_other_row_refused_for_another(tmp_path: Path) -> None:
    said = refusal(tmp_path, f"{HEADER}\ngen:1, A, B, 1, 1\ngen:1, A, B, 1, 1\nlisted:1, A, B, 1, 1")
    assert said == (
        "payments.csv: 3 problems\n"
        "  row 1, transaction: found 'gen:1'; duplicate transaction; give each its own name\n"
        "  row 2, transaction: found 'gen:1'; duplicate transaction; give each its own name\n"
        "  row 3, transaction: found 'listed:1'; 'gen:' and 'listed:' are reserved for derived ids; name it otherwise"
    )


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (
            "transaction,sender,receiver,amount",
            "column tick: exactly one of the columns 'tick' and 'timestamp' is needed",
        ),
        (f"{HEADER},timestamp", "column tick: exactly one of the columns 'tick' and 'timestamp' is needed"),
        (f"{HEADER},tick", "column tick: stands twice; keep one of them"),
        (f"{HEADER},deadlin", "column deadlin: unknown column; did you mean 'deadline'?"),
        (HEADER.replace("sender,", ""), "column sender: missing; this column is needed"),
        (
            HEADER.replace("tick", "timestamp"),
            "column timestamp: needs 'opens_at' and 'tick_seconds' under the scenario's arrivals_file",
        ),
    ],
)
def test_wrong_columns_are_named(header: str, said: str, tmp_path: Path) -> None:
    problems = refusal(tmp_path, header).splitlines()
    assert f"  {said}" in problems[1:]
    assert problems[0] == f"payments.csv: {len(problems) - 1} problem{'s' if len(problems) > 2 else ''}"


def test_times_outside_the_day_or_of_another_form_are_refused(tmp_path: Path) -> None:
    said = refusal(
        tmp_path,
        """
        transaction, sender, receiver, amount, timestamp, deadline
        P1, A, B, 1, 2026-01-05 06:59:59,
        P2, A, B, 1, 2026-01-05 07:10:00,
        P3, A, B, 1, 05.01.2026 07:00,
        P4, A, B, 1, 2026-02-30 07:00:00,
        P5, A, B, 1, 2026-01-05T07:05:00Z,
        P6, A, B, 1, 2026-01-05 07:05:00, 2026-01-05 07:04:59
        """,
        CLOCK,
    )
    assert said == (
        "payments.csv: 6 problems\n"
        "  row 3, timestamp: found '05.01.2026 07:00'; must be a local time such as 2026-01-05 09:30:00\n"
        "  row 4, timestamp: found '2026-02-30 07:00:00'; must be a local time such as 2026-01-05 09:30:00\n"
        "  row 5, timestamp: found '2026-01-05T07:05:00Z'; must be a local time such as 2026-01-05 09:30:00\n"
        "  row 1, timestamp: found '2026-01-05 06:59:59'; outside the day, which has 10 ticks from 07:00\n"
        "  row 2, timestamp: found '2026-01-05 07:10:00'; outside the day, which has 10 ticks from 07:00\n"
        "  row 6, deadline: found '2026-01-05 07:04:59'; lies before the payment's arrival; move one of them"
    )


def test_a_payment_after_the_run_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, f"{HEADER}\nP1, A, B, 1, 19\nP2, A, B, 1, 20") == (
        "filed.yaml: 1 problem\n"
        "  arrivals_file (payments.csv) row 2, tick: found 20; outside the run, whose ticks are 0..19; "
        "move it or raise num_days"
    )


def test_money_beyond_int64_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, f"{HEADER}\nP1, A, B, 9223372036854775807, 1") == (
        "filed.yaml: 1 problem\n"
        "  opening balances plus all amounts come to 9223372036854777807; "
        "scale them down to 9223372036854775807 or less"
    )


def test_a_ragged_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, f"{HEADER}\nP1, A, B, 1") == (
        "payments.csv: 1 problem\n"
        "  not a valid csv file: CSV parse error: Row #2: Expected 5 columns, got 4: P1,A,B,1; it must be UTF-8 text "
        "with commas, a header, and as many values in every row"
    )


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "filed.yaml").write_text(SCENARIO)
    with pytest.raises(InputError) as caught:
        load_scenario(tmp_path / "filed.yaml")
    assert str(caught.value) == (
        f"{tmp_path / 'payments.csv'}: 1 problem\n"
        "  arrivals_file: found 'payments.csv'; cannot be read: No such file or directory; "
        "name a readable file, from the scenario's folder"
    )


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("amount", [1.0, 2.0], "found 'double'; must be a column of integers: whole minor units (cents)"),
        ("tick", [[1], [2]], "found 'list<element: int64>'; must be a column of texts, numbers or times"),
    ],
)
def test_parquet_columns_of_the_wrong_type_are_refused(
    column: str, values: list[Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        parquet(tmp_path, **({"tick": [1, 2]} | {column: values}))
    assert str(caught.value) == f"{tmp_path / 'payments.parquet'}: 1 problem\n  column {column}: {said}"


def test_parquet_times_in_nanoseconds_and_numbers_with_gaps_are_read(tmp_path: Path) -> None:
    stamps = pa.array([np.datetime64("2026-01-05T07:00:30", "ns"), np.datetime64("2026-01-05T07:02:00", "ns")])
    shared = {"transaction": ["P1", "P2"], "sender": ["A", "B"], "receiver": ["B", "A"], "amount": [5, 6]}
    pa.parquet.write_table(pa.table(shared | {"timestamp": stamps}), tmp_path / "stamps.parquet")
    gaps = pa.array([float("nan"), 3.0])
    pa.parquet.write_table(pa.table(shared | {"tick": [1, 2], "deadline": gaps}), tmp_path / "gaps.parquet")
    rules = {"agent_ids": ("A", "B"), "ticks_per_day": 10, "reserved_ids": frozenset()}
    by_time = read_payments_file(tmp_path / "stamps.parquet", opens_at="07:00", tick_seconds=60, **rules)
    assert by_time.ticks.tolist() == [0, 2]
    by_tick = read_payments_file(tmp_path / "gaps.parquet", opens_at=None, tick_seconds=None, **rules)
    assert by_tick.deadlines.tolist() == [-1, 3]
