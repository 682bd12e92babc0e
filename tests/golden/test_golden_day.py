"""The engine does exactly what it did when the digests were written."""

import json

from tests.golden.golden_day import DIGESTS, digests

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


def test_every_rule_takes_part_in_the_golden_day():
    rows = {table: told["rows"] for table, told in json.loads(DIGESTS.read_text(encoding="utf-8")).items()}
    assert rows["simulations"] == 2
    assert rows["ticks"] == 96
    assert rows["arrivals"] > 250
    assert rows["lsm_cycles"] > 10
    assert rows["queue_snapshots"] > 5
