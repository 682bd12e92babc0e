"""Small queues whose answers were found by exhaustive search; see README.md beside this file."""

import json
from pathlib import Path

import pytest

from tests.helpers.settling import settle_story

CASES = json.loads((Path(__file__).parent / "small_queues.json").read_text(encoding="utf-8"))

MODES = {
    "no_lsm_fifo": {"discipline": "fifo", "lsm": ""},
    "no_lsm_bypass": {"discipline": "bypass", "lsm": ""},
    "fifo_optimum": {"discipline": "fifo", "lsm": "gridlock"},
}


def lines_of(case: dict) -> str:
    banks = zip(case["agents"], case["opening_balances"], strict=True)
    payments = [f"pay {payment['sender']}>{payment['receiver']} {payment['amount']}" for payment in case["queue"]]
    return " ".join([*(f"bank {name} {balance}" for name, balance in banks), *payments])


def test_all_cases_are_there():
    assert len(CASES) == 19


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_exactly_what_must_settle_does(case, mode):
    expected = case["expect"][mode]
    story = settle_story(lines_of(case), **MODES[mode])
    assert sorted(story.settled_ids) == sorted(expected["settled"])
    amounts = {f"T{place}": payment["amount"] for place, payment in enumerate(case["queue"], start=1)}
    assert sum(amounts[name] for name in story.settled_ids) == expected["value"]
    assert list(story.balances.values()) == expected["final"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_the_optimum_settles_the_stated_number(case):
    story = settle_story(lines_of(case), **MODES["fifo_optimum"])
    assert len(story.settled_ids) == case["expect"]["fifo_optimum"]["count"]
