"""Real data for dbt, and dbt itself in this process; every file that it writes stands in a temporary folder."""

import os
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import pytest
import yaml
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner, dbtRunnerResult

from pipelines.raw_store import RawStore
from pipelines.run_days import run_and_store_days
from pipelines.runs import load_run

REPO = Path(__file__).parents[2]
PROJECT = REPO / "dbt_project"

FIVE_BANKS = """
name: five_banks
ticks_per_day: 30
num_days: 3
rng_seed: 7
agents:
  - {id: A, opening_balance: 60000, credit_limit: 20000}
  - {id: B, opening_balance: 50000}
  - {id: C, opening_balance: 40000, posted_collateral: 40000, haircut_bp: 1500}
  - {id: D, opening_balance: 0, credit_limit: 20000}
  - {id: E, opening_balance: 30000}
arrivals:
  - {id: T1, sender: A, receiver: B, amount: 900000, tick: 3, deadline: 10}
  - {id: T2, sender: B, receiver: A, amount: 700000, tick: 5, priority: urgent}
generate:
  default: {payments_per_day: 25, amount: {median: 20000, sigma: 1.0}}
costs: {overdraft_bp: 70, delay_bp: 300, overdue_bp: 550, collateral_bp: 110, unsettled_bp: 200}
"""
"""Five banks that are short of money: three days of rings, bilateral nettings and queues over night."""

WORKED = """
name: worked
ticks_per_day: 10
num_days: 3
agents:
  - {id: A, opening_balance: 0, credit_limit: 100}
  - {id: B, opening_balance: 100}
  - {id: C, opening_balance: 0}
  - {id: D, opening_balance: 0}
  - {id: E, opening_balance: 0}
  - {id: F, opening_balance: 5}
arrivals:
  - {id: alone,     sender: A, receiver: B, amount:   40, tick:  0}
  - {id: ring_ac,   sender: A, receiver: C, amount:  500, tick:  1}
  - {id: ring_cd,   sender: C, receiver: D, amount:  490, tick:  2}
  - {id: ring_da,   sender: D, receiver: A, amount:  470, tick:  2}
  - {id: pair_bd,   sender: B, receiver: D, amount:  300, tick:  3}
  - {id: pair_db,   sender: D, receiver: B, amount:  280, tick:  3}
  - {id: waits,     sender: C, receiver: A, amount:   60, tick:  4}
  - {id: feeds,     sender: B, receiver: C, amount:   50, tick:  5}
  - {id: apart,     sender: F, receiver: E, amount:    5, tick:  7}
  - {id: overnight, sender: D, receiver: A, amount:  100, tick:  8}
  - {id: stuck,     sender: E, receiver: B, amount: 1000, tick:  9}
  - {id: brings,    sender: B, receiver: D, amount:   60, tick: 12}
"""
"""Three days that are worked out by hand; nothing in them is drawn. What settles, and the balances after it:

| day | tick | step | what | by | A | B | C | D | E | F |
|---|---|---|---|---|---|---|---|---|---|---|
| 0 | 0 | 0 | alone | immediate | -40 | 140 | 0 | 0 | 0 | 5 |
| 0 | 2 | 1 | ring_ac, ring_cd, ring_da | ring, cycle 0 | -70 | 140 | 10 | 20 | 0 | 5 |
| 0 | 3 | 2 | pair_bd, pair_db | bilateral, cycle 1 | -70 | 120 | 10 | 40 | 0 | 5 |
| 0 | 5 | 3 | feeds | immediate | -70 | 70 | 60 | 40 | 0 | 5 |
| 0 | 5 | 4 | waits | queue | -10 | 70 | 0 | 40 | 0 | 5 |
| 0 | 7 | 5 | apart | immediate | -10 | 70 | 0 | 40 | 5 | 0 |
| 1 | 12 | 0 | brings | immediate | -10 | 10 | 0 | 100 | 5 | 0 |
| 1 | 12 | 1 | overnight | queue | 90 | 10 | 0 | 0 | 5 | 0 |

`overnight` is carried into day 1, `stuck` to the end. One payment waits at the end of ticks 1, 4 and 8 each, two at the
end of ticks 9 to 11, one from then on.
"""

BEHAVING = """
name: behaving
ticks_per_day: 3
num_days: 3
agents:
  - id: A
    opening_balance: 0
    posted_collateral: 10
    haircut_bp: 5000
    policy: {receipt_reactive: {allowance: 0}}
    policy_changes: [{day: 2, policy: {deadline: {urgency_ticks: 0}}}]
    collateral: {on_need: {max: 12}}
  - {id: B, opening_balance: 0, posted_collateral: 6, collateral: {return_when_idle: {ticks: 2}}}
  - id: C
    opening_balance: 50
    posted_collateral: 3
    limits: {bilateral: {A: 10}}
    collateral: {return_when_idle: {ticks: 2}}
  - {id: D, opening_balance: 0}
  - {id: E, opening_balance: 0}
  - {id: F, opening_balance: 5}
arrivals:
  - {id: pressing, sender: A, receiver: B, amount:  8, tick: 0, priority: urgent}
  - {id: held,     sender: A, receiver: B, amount:  1, tick: 0}
  - {id: starved,  sender: D, receiver: E, amount:  5, tick: 0}
  - {id: offsets,  sender: B, receiver: A, amount:  7, tick: 1}
  - {id: feeds,    sender: F, receiver: D, amount:  5, tick: 1}
  - {id: limited,  sender: C, receiver: A, amount: 50, tick: 2}
  - {id: last,     sender: A, receiver: C, amount:  2, tick: 7, deadline: 7}
lsm: {ring: false, gridlock: false, entry_offset: true}
"""
"""Three days of agents that behave, worked out by hand. What changes, and what there is after it (balances, posted):

| day | tick | what | A | B | C | A posted | B posted | C posted |
|---|---|---|---|---|---|---|---|---|
| 0 | 0 | A posts 2 for `pressing`, and has 6; it joins Queue 2 | 0 | 0 | 50 | 12 | 6 | 3 |
| 0 | 1 | C, idle in 2 ticks, withdraws its 3 | 0 | 0 | 50 | 12 | 6 | 0 |
| 0 | 1 | B has 6: `offsets` is offset on entry against `pressing` | -1 | 1 | 50 | 12 | 6 | 0 |
| 0 | 2 | `limited` joins Queue 2: C sends A no more than 10 net | -1 | 1 | 50 | 12 | 6 | 0 |
| 1 | 4 | B, idle in 2 ticks, withdraws its 6 | -1 | 1 | 50 | 12 | 0 | 0 |
| 2 | 7 | `last` is due and settles | -3 | 1 | 52 | 12 | 0 | 0 |
| 2 | 7 | `limited` cannot be offset against it any more | -3 | 1 | 52 | 12 | 0 | 0 |
| 2 | 8 | `held` is due on the last tick of the day | -4 | 2 | 52 | 12 | 0 | 0 |

`held` waits for what A receives on the day: at tick 2 that is 7, less than the 8 it has released. In tick 1, after the
offset, `feeds` settles at once and `starved` by the retry; Queue 2 is empty then, so that no LSM runs.
"""

RUNS = {
    "carried": {
        "days": 3,
        "seeds": [1, 2],
        "arms": {
            "lsm_on": {},
            "lsm_off": {"baseline": True, "set": {"lsm": {"bilateral": False, "ring": False, "gridlock": False}}},
        },
    },
    "cancelled": {
        "days": 2,
        "arms": {
            "base": {
                "set": {
                    "end_of_day": "cancel",
                    "queue2": {"discipline": "fifo"},
                    "agents": {"A": {"collateral": {"on_need": {"max": 5000}, "return_when_idle": {"ticks": 2}}}},
                }
            }
        },
    },
    "netted": {
        "days": 2,
        "arms": {
            "each_tick": {"baseline": True, "set": {"queue2": {"entry": "queue"}}},
            "twice_a_day": {"set": {"queue2": {"entry": "queue"}, "lsm": {"every_ticks": 15}}},
            "lsm_off": {"set": {"lsm": {"bilateral": False, "ring": False, "gridlock": False}}},
        },
    },
}
"""What is run on the five banks, by run_id."""


def store_runs(folder: Path) -> RawStore:
    """Simulates the runs above, the days worked by hand and the smallest ring; their tables stand below folder/raw."""
    store = RawStore(folder)
    store.prepare()
    (folder / "five_banks.yaml").write_text(FIVE_BANKS)
    (folder / "worked.yaml").write_text(WORKED)
    (folder / "behaving.yaml").write_text(BEHAVING)
    files = [REPO / "scenarios" / "three_bank_ring.yaml", folder / "worked.yaml", folder / "behaving.yaml"]
    for run_id, run in RUNS.items():
        files.append(folder / f"{run_id}.yaml")
        files[-1].write_text(yaml.safe_dump({"run_id": run_id, "scenario": "five_banks.yaml", **run}))
    for file in files:
        run = load_run(file)
        assert len(list(run_and_store_days(run, store, 0, run.days - 1))) == run.days
    return store


@dataclass(frozen=True)
class Dbt:
    """dbt on the raw tables below a folder, its warehouse and everything else that it writes in that folder too."""

    folder: Path
    project: Path = PROJECT

    def __call__(self, *arguments: str) -> dbtRunnerResult:
        here = Path.cwd()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PAYMENT_SIM_RAW", str(self.folder / "raw"))
            patch.setenv("PAYMENT_SIM_WAREHOUSE", str(self.folder / "warehouse.duckdb"))
            patch.setenv("DBT_TARGET_PATH", str(self.folder / "target"))
            patch.setenv("DBT_LOG_PATH", str(self.folder / "logs"))
            try:
                return dbtRunner().invoke(
                    [*arguments, "--quiet", "--project-dir", str(self.project), "--profiles-dir", str(self.project)]
                )
            finally:
                os.chdir(here)  # dbt moves into its project
                DuckDBConnectionManager.close_all_connections()

    def query(self, sql: str) -> pl.DataFrame:
        """What a query of the warehouse gives."""
        with duckdb.connect(str(self.folder / "warehouse.duckdb"), read_only=True) as connection:
            return connection.sql(sql).pl()


def outcomes(result: dbtRunnerResult) -> dict[str, str]:
    """The outcome of every node by its name."""
    assert result.exception is None, result.exception
    return {run.node.name: str(run.status) for run in result.result.results}
