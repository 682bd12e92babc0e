"""Runs that are stored as `payment-sim run` stores them, from scenarios that are told in lines."""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from pipelines.raw_store import RawStore
from pipelines.run_days import run_and_store_days
from pipelines.runs import load_run

SWAP = """
name: swap
ticks_per_day: 2
num_days: 3
agents:
  - {id: A, opening_balance: 0}
  - {id: B, opening_balance: 0}
arrivals:
  - {id: T1, sender: A, receiver: B, amount: 5, tick: 0}
  - {id: T2, sender: B, receiver: A, amount: 5, tick: 3}
  - {id: T3, sender: B, receiver: A, amount: 7, tick: 4}
"""
"""Two banks without money. T1 waits over night; at tick 3, on day 1, T2 nets it out; T3 waits to the end of day 2."""

TWO_ARMS = """
run_id: {run_id}
scenario: swap.yaml
days: {days}
seeds: [1, 2]
arms:
  lsm_on: {{}}
  lsm_off: {{baseline: true, set: {{lsm: {{bilateral: false, ring: false, gridlock: false}}}}}}
"""
"""Four simulations of the swap: with the LSM and without."""


def store_swap(store: RawStore, folder: Path, run_id: str = "swap", *, days: int = 3, text: str = SWAP) -> None:
    """Stores the swap as a run of one simulation."""
    file = folder / f"{run_id}.yaml"
    file.write_text(text.replace("name: swap", f"name: {run_id}"))
    _store(store, file, days)


def store_two_arms(
    store: RawStore, folder: Path, run_id: str = "two_arms", *, days: int = 3, text: str = TWO_ARMS
) -> None:
    """Stores the run of four simulations."""
    (folder / "swap.yaml").write_text(SWAP)
    file = folder / f"{run_id}.yaml"
    file.write_text(text.format(run_id=run_id, days=days))
    _store(store, file, days)


def _store(store: RawStore, file: Path, days: int) -> None:
    run = load_run(file)
    assert len(list(run_and_store_days(run, store, 0, days - 1))) == days


def tamper(store: RawStore, table: str, run_id: str, day: int, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Puts what a change makes of a stored table in its place."""
    change(store.read_table(table, run_id, day)).write_parquet(store.part(table, run_id, day))


def files_below(folder: Path) -> dict[str, bytes]:
    """Content of every file by its place."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
