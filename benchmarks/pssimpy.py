"""The same payments through PSSimPy 0.1.5 (See, Shobri, Garcia 2024), an open simulator in Python, and through ours.

Set up as far in its favour as its interface goes: `BasicSim` with `FIFOQueue`, no bank failures, no fees, and log files
switched off. Differences that stay: it settles in windows of whole minutes, has no liquidity-saving mechanism, keeps
its payments in sets, so that their order within a window is left to chance, and tests a window's queued payments one by
one before it books any, so that a bank can overdraw. Credit that a bank may draw is handed to it as balance: its own
credit facilities lend other amounts than ours.
"""

import csv
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim_engine import Scenario, parse_scenario
from sim_engine.arrivals import payments_of_day

MISSING = "PSSimPy is not installed; install it with: pip install '.[bench]' (or run: make bench)"

OPENS_AT_MINUTE = 8 * 60
MINUTES_IN_A_DAY = 24 * 60


def first_payments(scenario: Scenario, count: int, folder: Path) -> Scenario:
    """The scenario with nothing but the first payments of its first day, from a file that is written into the folder.

    Everything else stays, also the length of the day.
    """
    payments = payments_of_day(scenario, 0, 0)
    agent_ids = scenario.agent_ids
    columns = (
        column[:count].tolist() for column in (payments.senders, payments.receivers, payments.amounts, payments.ticks)
    )
    with (folder / "payments.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["transaction", "sender", "receiver", "amount", "tick"])
        for row, (sender, receiver, amount, tick) in enumerate(zip(*columns, strict=True)):
            writer.writerow([f"P{row:06d}", agent_ids[sender], agent_ids[receiver], amount, tick])
    mapping = scenario.stated.model_dump(mode="json", exclude={"generate", "arrivals", "arrivals_file"})
    return parse_scenario({**mapping, "arrivals_file": "payments.csv"}, source=folder / "slice.yaml")


@dataclass(frozen=True)
class PssimpyDay:
    """What a day of PSSimPy took and did.

    seconds_to_load: making its objects. seconds: running the day. settled: payments whose status it says is success.
    lowest_balance: at the end of the day, credit capacity included, minor units; below 0 is an overdraft.
    """

    window_minutes: int
    payments: int
    settled: int
    lowest_balance: int
    seconds_to_load: float
    seconds: float

    @property
    def payments_per_second(self) -> float:
        """Payments put in, by the time that running took."""
        return self.payments / self.seconds


def run_pssimpy(scenario: Scenario, window_minutes: int) -> PssimpyDay:
    """Runs a scenario's payments file through PSSimPy; a tick is a minute from 08:00 on.

    Raises SystemExit if PSSimPy is not installed, ValueError if the day does not end before midnight.
    """
    try:
        from PSSimPy import Transaction
        from PSSimPy.credit_facilities import SimpleCollateralized
        from PSSimPy.queues import FIFOQueue
        from PSSimPy.simulator import BasicSim
    except ImportError as error:
        raise SystemExit(MISSING) from error

    stated, payments = scenario.stated, scenario.payments_file
    assert payments is not None, "made by first_payments"
    if OPENS_AT_MINUTE + stated.ticks_per_day >= MINUTES_IN_A_DAY:
        raise ValueError(f"{stated.ticks_per_day} ticks of a minute from 08:00 on do not end before midnight")
    agent_ids = scenario.agent_ids
    Transaction.clear_instances()
    begin = time.perf_counter()
    sim = BasicSim(
        name="unused",
        banks={"name": list(agent_ids)},
        accounts={
            "id": list(agent_ids),
            "owner": list(agent_ids),
            "balance": [agent.opening_balance + agent.credit_capacity for agent in stated.agents],
        },
        transactions={
            "sender_account": [agent_ids[agent] for agent in payments.senders.tolist()],
            "recipient_account": [agent_ids[agent] for agent in payments.receivers.tolist()],
            "amount": payments.amounts.tolist(),
            "time": [_clock(tick) for tick in payments.ticks.tolist()],
        },
        open_time=_clock(0),
        close_time=_clock(stated.ticks_per_day),
        processing_window=window_minutes,
        queue=FIFOQueue(),
        credit_facility=SimpleCollateralized(),  # without collateral it lends nothing; the default lends without limit
    )
    for place in ("transaction", "transaction_fee", "queue_stats", "account_balance", "credit_facility"):
        setattr(sim, f"{place}_logger", _NoLog())
    loaded = time.perf_counter()
    sim.run()
    seconds = time.perf_counter() - loaded
    day = PssimpyDay(
        window_minutes=window_minutes,
        payments=len(payments.ids),
        settled=sum(payment.settle_day is not None for payment, _, _ in sim.transactions),
        lowest_balance=min(account.balance for account in sim.accounts.values()),
        seconds_to_load=loaded - begin,
        seconds=seconds,
    )
    Transaction.clear_instances()
    return day


def _clock(tick: int) -> str:
    hour, minute = divmod(OPENS_AT_MINUTE + tick, 60)
    return f"{hour:02d}:{minute:02d}"


class _NoLog:
    """Stands in for PSSimPy's loggers, which append to CSV files in the working folder."""

    def write(self, data: Sequence[Any]) -> None:
        """Drops the rows."""
