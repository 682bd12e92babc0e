"""The engine does exactly what it did when the digests were written."""

import json

import polars as pl

from tests.golden.golden_day import DIGESTS, digests, golden_frames

WHAT_TO_DO = """
A simulated day has changed in: {tables}.
If that was not meant, the last change to sim_engine or pipelines/frames.py broke it.
If it was meant: say in CHANGELOG.md what changes for a researcher, raise __version__ in sim_engine/version.py so that
no stored state is continued under other rules, and write the digests anew with
    python -m tests.golden.golden_day
"""


def test_a_golden_day_is_what_it_was():
    expected, found = json.loads(DIGESTS.read_text(encoding="utf-8")), digests()
    changed = [table for table in {**expected, **found} if expected.get(table) != found.get(table)]
    assert not changed, WHAT_TO_DO.format(tables=", ".join(changed))


def test_the_golden_day_shows_what_its_head_says():
    frames = golden_frames()
    settlements, arrivals, snapshots = (frames[table] for table in ("settlements", "arrivals", "queue_snapshots"))
    assert frames["simulations"].height == 2
    assert frames["ticks"].height == 96
    assert set(arrivals["priority"]) == {"urgent", "normal", "low"}
    assert set(settlements["mechanism"]) == {"immediate", "queue", "bilateral", "ring", "gridlock"}
    assert set(settlements["wait_reason"].drop_nulls()) == {"liquidity", "behind_another"}
    assert snapshots.filter((pl.col("day") == 0) & (pl.col("outcome") == "carried")).height > 0
