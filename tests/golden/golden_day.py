"""Digests of everything that fixed scenarios leave behind: a plain one, and one in which banks behave.

    python -m tests.golden.golden_day

writes them anew: for a change of the engine's semantics that is meant.
"""

import hashlib
import json
from pathlib import Path

import polars as pl

from sim_engine import load_scenario
from tests.helpers.tables import frames_of, run_all_days

FOLDER = Path(__file__).parent
DIGESTS = FOLDER / "digests.json"
SCENARIOS = ("golden_day", "golden_behaviour")

_DESCRIBES_THE_CODE = {"simulations": ("scenario_hash", "engine_version", "config")}
"""Columns that may change while nothing that is simulated does."""


def golden_frames(name: str) -> dict[str, pl.DataFrame]:
    """The raw tables of all days of a scenario."""
    scenario = load_scenario(FOLDER / f"{name}.yaml")
    return frames_of(scenario, [record for record, _ in run_all_days(scenario)])


def digests(name: str) -> dict[str, dict[str, object]]:
    """Of a scenario by table, the number of rows and the SHA-256 of the rows as canonical JSON, in order."""
    told: dict[str, dict[str, object]] = {}
    for table, frame in golden_frames(name).items():
        rows = frame.drop(_DESCRIBES_THE_CODE.get(table, ())).rows(named=True)
        text = json.dumps(rows, sort_keys=True, separators=(",", ":"))
        told[table] = {"rows": len(rows), "sha256": hashlib.sha256(text.encode()).hexdigest()}
    return told


if __name__ == "__main__":
    DIGESTS.write_text(json.dumps({name: digests(name) for name in SCENARIOS}, indent=2) + "\n", encoding="utf-8")
