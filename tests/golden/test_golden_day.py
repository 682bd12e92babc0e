"""The engine does exactly what it did when the digests were written."""

import json

import polars as pl
import pytest

from sim_engine.vocabulary import COLLATERAL_REASONS, MECHANISMS, POLICY, WAIT_REASONS
from tests.golden.golden_day import DIGESTS, SCENARIOS, digests, golden_frames

WHAT_TO_DO = """
The days of {name} have changed in: {tables}.
If that was not meant, the last change to sim_engine or pipelines/frames.py broke it.
If it was meant: say in CHANGELOG.md what changes for a researcher, raise __version__ in sim_engine/version.py so that
no stored state is continued under other rules, and write the digests anew with
    python -m tests.golden.golden_day
"""


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_golden_day_is_what_it_was(name):
    expected, found = json.loads(DIGESTS.read_text(encoding="utf-8"))[name], digests(name)
    changed = [table for table in {**expected, **found} if expected.get(table) != found.get(table)]
    assert not changed, WHAT_TO_DO.format(name=name, tables=", ".join(changed))


def test_the_golden_day_shows_what_its_head_says():
    frames = golden_frames("golden_day")
    settlements, arrivals, snapshots = (frames[table] for table in ("settlements", "arrivals", "queue_snapshots"))
    assert frames["simulations"].height == 2
    assert frames["ticks"].height == 96
    assert set(arrivals["priority"]) == {"urgent", "normal", "low"}
    assert set(settlements["mechanism"]) == {"immediate", "queue", "bilateral", "ring", "gridlock"}
    assert set(settlements["wait_reason"].drop_nulls()) == {"liquidity", "behind_another"}
    assert snapshots.filter((pl.col("day") == 0) & (pl.col("outcome") == "carried")).height > 0


def test_the_golden_day_of_behaviour_shows_every_rule_at_work():
    frames = golden_frames("golden_behaviour")
    settlements, snapshots, costs = (frames[table] for table in ("settlements", "queue_snapshots", "agent_days"))
    assert frames["simulations"].height == 2
    assert set(settlements["mechanism"]) == set(MECHANISMS)
    waits = {*settlements["wait_reason"].drop_nulls(), *snapshots["wait_reason"]}
    assert waits == {*WAIT_REASONS} - {"behind_another", "entry_rule"}
    assert WAIT_REASONS[POLICY] in set(snapshots["wait_reason"])
    assert set(frames["collateral_events"]["reason"]) == set(COLLATERAL_REASONS)
    assert set(frames["policy_snapshots"]["policy"]) == {
        "fifo", "deadline", "liquidity_aware", "receipt_reactive", "scheduled",
    }  # fmt: skip
    kinds = [column for column in costs.columns if column.startswith("cost_")]
    assert len(kinds) == 5
    assert all(costs[kind].sum() > 0 for kind in kinds)
