"""What the command line shows of an experiment: each arm beside the one that it is compared with."""

import polars as pl
import pytest

from pipelines.terminal import print_arm_differences, print_payers

COLUMNS = {
    "arm": pl.String,
    "baseline_arm": pl.String,
    "metric": pl.String,
    "unit": pl.String,
    "pairing": pl.String,
    "mean": pl.Float64,
    "paired_difference": pl.Float64,
    "paired_difference_ci95_low": pl.Float64,
    "paired_difference_ci95_high": pl.Float64,
    "pairs": pl.Int64,
}


def shown(capsys: pytest.CaptureFixture[str], *rows: tuple[object, ...]) -> list[str]:
    print_arm_differences(pl.DataFrame(list(rows), schema=COLUMNS, orient="row"))
    lines = (" ".join(line.split()) for line in capsys.readouterr().out.splitlines())
    return [line for line in lines if line and "─" not in line]


HEADER = "Mean of a day Mean Difference 95 % interval Seeds"
FOOT = "From the mart fct_experiment_arms: paired by seed, 95 % by Student's t; ticks, minor units."


def test_an_arm_is_shown_with_its_differences_and_their_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(
        capsys,
        ("lsm_on", "lsm_off", "delay_saved", "ticks", "paired", 15.3156, 15.3156, 7.04119, 23.58991, 20),
        ("lsm_on", "lsm_off", "settled_value", "minor units", "paired", 12345678.4, 1000.6, -999.96, 2999.6, 20),
    ) == [
        "lsm_on, compared with lsm_off",
        HEADER,
        "delay saved 15.32 15.32 7.041 to 23.59 20",
        "settled value 12,345,678 1,001 -1000 to 3,000 20",
        FOOT,
    ]


def test_one_seed_has_no_interval_and_a_missing_value_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(
        capsys,
        ("lsm_on", "lsm_off", "delay_saved", "ticks", "paired", 2.0, 2.0, None, None, 1),
        ("lsm_on", "lsm_off", "turnover", "ratio", "paired", None, None, None, None, 0),
    )[2:4] == ["delay saved 2 2 - 1", "turnover - - - 0"]


def test_arms_that_cannot_be_paired_say_why(capsys: pytest.CaptureFixture[str]) -> None:
    refused = ("busier", "base", "delay_saved", "ticks", "arrivals_differ", 2.0, None, None, None, 0)
    assert shown(capsys, refused) == [
        "busier, compared with base",
        "Not comparable seed by seed: arrivals differ.",
        FOOT,
    ]


def test_of_many_arms_the_first_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(f"arm_{n}", "base", "turnover", "ratio", "paired", 1.0, 0.0, 0.0, 0.0, 2) for n in range(9)]
    lines = shown(capsys, *rows)
    assert [line for line in lines if "compared with" in line] == [f"arm_{n}, compared with base" for n in range(6)]
    assert "and 3 more arms." in lines


def test_without_another_arm_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys) == []


# Who pays

PAYERS = {
    "arm": pl.String,
    "baseline_arm": pl.String,
    "agent": pl.String,
    "policy": pl.String,
    "mean": pl.Float64,
    "paired_difference": pl.Float64,
    "paired_difference_ci95_low": pl.Float64,
    "paired_difference_ci95_high": pl.Float64,
}


def payers_shown(capsys: pytest.CaptureFixture[str], *rows: tuple[object, ...]) -> list[str]:
    print_payers(pl.DataFrame(list(rows), schema=PAYERS, orient="row"))
    lines = (" ".join(line.split()) for line in capsys.readouterr().out.splitlines())
    return [line for line in lines if line and "─" not in line]


def test_who_pays_is_shown_with_the_difference_and_its_interval(capsys: pytest.CaptureFixture[str]) -> None:
    assert payers_shown(
        capsys,
        ("wait", "base", "BANK_A", "receipt_reactive", 2000.4, -1500.0, -1600.0, -1400.0),
        ("wait", "base", "BANK_B", "deadline, fifo", 12.0, 7.5, None, None),
        ("worse", "base", "BANK_A", "fifo", 1.0, 1.0, 0.5, 1.5),
    ) == [
        "Who pays for wait, compared with base",
        "Cost of a day Policy Mean Difference 95 % interval",
        "BANK_A receipt_reactive 2,000 -1,500 -1,600 to -1,400",
        "BANK_B deadline, fifo 12 7.5 -",
        "Who pays for worse, compared with base",
        "Cost of a day Policy Mean Difference 95 % interval",
        "BANK_A fifo 1 1 0.5 to 1.5",
        "From the mart fct_experiment_agents, which has each cost; booked, not debited; minor units.",
    ]


def test_of_many_agents_and_arms_the_first_are_shown_and_the_rest_counted(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("wait", "base", f"BANK_{n}", "fifo", 1.0, 1.0, 1.0, 1.0) for n in range(13)]
    rows += [(f"wait_{n}", "base", "BANK_1", "fifo", 1.0, 1.0, 1.0, 1.0) for n in range(6)]
    lines = payers_shown(capsys, *rows)
    assert len([line for line in lines if line.startswith("Who pays for")]) == 6
    assert [line.split()[0] for line in lines[2:14]] == [f"BANK_{n}" for n in range(12)]
    assert lines[14] == "and 1 more agent with smaller differences."
    assert lines[-2] == "and 1 more arms."


def test_nothing_is_shown_where_nobody_pays(capsys: pytest.CaptureFixture[str]) -> None:
    assert payers_shown(capsys) == []
