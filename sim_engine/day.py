"""Running days: scenario and opening state in, day record and closing state out."""

from collections.abc import Iterator

from sim_engine.arrivals import payments_of_day
from sim_engine.laws import check_laws
from sim_engine.outstanding import transactions_of_day
from sim_engine.records import DayRecord, Transactions
from sim_engine.scenario import Scenario
from sim_engine.state import SystemState, check_state_fits


def run_day(scenario: Scenario, opening: SystemState) -> tuple[DayRecord, SystemState]:
    """Simulates the day that the state opens.

    Most of the time is spent in compiled code that lets other threads run. The first call in an installation compiles
    it, which takes some seconds.
    Returns what the day leaves behind and the state that the next day opens with.
    Raises InputError if the state does not belong to the scenario, or if the day's amounts exceed what int64 holds.
    """
    from sim_engine.kernel.day import settle_day  # here: loading the compiler takes as long as all the rest

    record, closing = settle_day(scenario, opening, outstanding_in_day(scenario, opening))
    check_laws(scenario, opening, record, closing)
    return record, closing


def outstanding_in_day(scenario: Scenario, opening: SystemState) -> Transactions:
    """What the state carries into its day and what arrives in it. Raises InputError as run_day does."""
    check_state_fits(opening, scenario)
    payments = payments_of_day(scenario, opening.day, opening.money_total)
    carried = sorted(opening.queued, key=lambda transaction: transaction.arrival_seq)
    return transactions_of_day(carried, payments, opening.arrivals_count)


def run_days(scenario: Scenario, opening: SystemState, days: int) -> Iterator[tuple[DayRecord, SystemState]]:
    """Simulates days one after the other from the state, each as run_day does."""
    state = opening
    for _ in range(days):
        record, state = run_day(scenario, state)
        yield record, state
