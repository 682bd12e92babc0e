"""What the engine by itself takes: throughput, against others, by phase, and as days grow."""

import tempfile
from functools import partial
from pathlib import Path

from benchmarks.days import (
    payments_in,
    scenario_of,
    seconds_of_day,
    seconds_of_workload,
)
from benchmarks.phases import PHASES, kernel_seconds, phase_nanoseconds
from benchmarks.pssimpy import first_payments, run_pssimpy
from benchmarks.report import Section
from benchmarks.timing import Effort, Spread, timed
from benchmarks.workloads import WORKLOADS
from sim_engine import SystemState
from sim_engine.day import outstanding_in_day
from sim_engine.kernel.day import settle_day
from tests.oracle.day import settle_day as oracle_settle_day

_NO_LSM = {"bilateral": False, "ring": False, "gridlock": False}


def throughput(effort: Effort) -> Section:
    """Payments per second, by workload."""
    rows = []
    for name in effort.workloads:
        workload = WORKLOADS[name]
        seconds, facts = seconds_of_workload(name, effort)
        payments = [day.payments for day in facts] * effort.runs_per_seed
        in_kernel = _kernel_seconds_of_workload(name, effort)
        waits = Spread.of(100 * day.queued_share for day in facts)
        rows.append(
            (
                name,
                f"{workload.agents:,}",
                f"{workload.payments:,}",
                f"{workload.ticks:,}",
                waits.text(1),
                Spread.of(day.cycles for day in facts).text(),
                _millions_a_second(payments, in_kernel),
                _millions_a_second(payments, seconds),
            )
        )
    return Section(
        "Payments per second",
        "One settlement day, million payments a second: of the kernel, which settles, nets and records them, and of "
        "the whole day, which also generates them, makes the day's record and checks the laws. "
        f"{len(effort.seeds) * effort.runs_per_seed} runs over {len(effort.seeds)} seeds, one thread.",
        ("workload", "agents", "payments", "ticks", "% of value that waits", "LSM cycles", "kernel", "whole day"),
        rows,
    )


def _kernel_seconds_of_workload(workload: str, effort: Effort) -> list[float]:
    """As seconds_of_workload, of the kernel alone."""
    return [kernel_seconds(scenario_of(workload, seed)) for _ in range(effort.runs_per_seed) for seed in effort.seeds]


def _millions_a_second(payments: list[int], seconds: list[float]) -> str:
    return Spread.of(count / took / 1e6 for count, took in zip(payments, seconds, strict=True)).text(2)


def keeping_cycles(effort: Effort) -> Section:
    """What it costs the kernel to keep the details of every cycle."""
    rows = []
    for name in effort.workloads:
        kept: list[float] = []
        ratios: list[float] = []
        for turn in range(4 * effort.runs_per_seed):
            for seed in effort.seeds:
                # Each goes first in every other turn: who is second finds memory at hand.
                order = (True, False) if turn % 2 else (False, True)
                took = {keeps: kernel_seconds(scenario_of(name, seed), keeps_cycles=keeps) for keeps in order}
                kept.append(took[True])
                ratios.append(100 * (took[True] / took[False] - 1))
        rows.append((name, Spread.of(kept).text(4), f"{Spread.of(ratios).middle:.1f}"))
    return Section(
        "Keeping every cycle in the kernel",
        "Seconds of the kernel, and how much longer than when it only counts cycles, without noting the agents, net "
        "positions, values and transactions of each: the median over runs side by side.",
        ("workload", "seconds", "% more"),
        rows,
    )


def against_oracle(effort: Effort) -> Section:
    """The kernel beside the plain-Python engine, turn by turn on the same days."""
    rows = []
    for name in effort.against_oracle:
        ours: list[float] = []
        plain: list[float] = []
        payments: list[int] = []
        for _ in range(effort.runs_per_seed):
            for seed in effort.seeds:
                scenario = scenario_of(name, seed)
                opening = SystemState.opening(scenario)
                transactions = outstanding_in_day(scenario, opening)
                payments.append(len(transactions.ids))
                ours.append(timed(partial(settle_day, scenario, opening, transactions))[0])
                plain.append(timed(partial(oracle_settle_day, scenario, opening, transactions))[0])
        kernel, oracle = Spread.of(ours), Spread.of(plain)
        rates = Spread.of(count / took for count, took in zip(payments, plain, strict=True))
        rows.append((name, kernel.text(4), oracle.text(3), rates.text(), f"{oracle.middle / kernel.middle:,.0f}"))
    return Section(
        "Against the plain-Python engine",
        "The same payments by the engine in `tests/oracle`, which defines what the kernel must give: from the payments "
        "to the day's record and closing state, seconds a day, in turns.",
        ("workload", "kernel", "plain Python", "plain Python, payments/s", "times as fast"),
        rows,
    )


def against_pssimpy(effort: Effort) -> Section:
    """The kernel beside PSSimPy on the first payments of W2."""
    with tempfile.TemporaryDirectory() as folder:
        scenario = first_payments(scenario_of("W2", effort.seeds[0]), effort.slice, Path(folder))
    rows = []
    rates: list[float] = []
    runs = len(effort.seeds) * effort.runs_per_seed
    for label, rules in (("payment-sim, no LSM", scenario.with_rules(lsm=_NO_LSM)), ("payment-sim, LSM", scenario)):
        measured = [seconds_of_day(rules) for _ in range(runs)]
        rate = Spread.of(effort.slice / took for took, _ in measured)
        record = measured[0][1]
        rates.append(rate.middle)
        lowest = min(
            int(least) + agent.credit_capacity
            for least, agent in zip(record.agent_days.min_balances, scenario.stated.agents, strict=True)
        )
        rows.append(
            (label, f"{len(record.settlements.ticks):,}", f"{lowest:,}", rate.text(), _times(rates, rate.middle))
        )
    for minutes, repeats in ((15, effort.fresh_starts), (1, 1)):
        days = [run_pssimpy(scenario, minutes) for _ in range(repeats)]
        rate = Spread.of(day.payments_per_second for day in days)
        label = f"PSSimPy 0.1.5, {minutes}-minute windows"
        rows.append(
            (
                label,
                f"{days[0].settled:,}",
                f"{days[0].lowest_balance:,}",
                rate.text(),
                _times(rates, rate.middle),
            )
        )
    return Section(
        "Against PSSimPy",
        f"The first {effort.slice:,} payments of a W2 day, with its agents, liquidity and 600 ticks of a minute, given "
        "to both as a list. Loading is not counted on either side; PSSimPy writes no log, ours records everything. "
        "PSSimPy tests a window's payments before it books them, so that banks can overdraw and payments settle that "
        "wait with us: the lowest available liquidity of any bank (over the day with us, at its end with PSSimPy) "
        f"shows it. Runs: {runs} of ours, {effort.fresh_starts} of 15-minute windows, 1 of 1-minute windows.",
        ("engine", "settled", "lowest liquidity", "payments/s", "ours without LSM is x times as fast"),
        rows,
    )


def _times(rates: list[float], rate: float) -> str:
    """How much higher the first of the rates is."""
    return f"{rates[0] / rate:,.1f}"


def by_phase(effort: Effort) -> Section:
    """Nanoseconds per payment of each phase."""
    rows = []
    for name in effort.workloads:
        measured = []
        scenario = scenario_of(name, effort.seeds[0])
        payments = payments_in(seconds_of_day(scenario)[1])
        for _ in range(effort.runs_per_seed):
            measured.append(phase_nanoseconds(scenario))
        rows.append((name, *(_per_payment(phase, measured, payments) for phase in PHASES)))
    return Section(
        "By phase",
        "Nanoseconds per payment: generation of the payments; set-up of the kernel's arrays; the kernel's own phases, "
        "of which recording closes each tick and writes the settlements out; the day's record, and its laws.",
        ("workload", *PHASES),
        rows,
    )


def _per_payment(phase: str, measured: list[dict[str, float]], payments: int) -> str:
    values = [phases[phase] / payments for phases in measured if phase in phases]
    return f"{Spread.of(values).middle:,.0f}" if values else "-"


def growth(effort: Effort) -> Section:
    """What ten times the payments cost, at equal tightness."""
    rows = []
    for name in effort.growth:
        one, _ = seconds_of_workload(name, effort)
        ten, facts = seconds_of_workload(f"{name}x10", effort)
        one_in_kernel = Spread.of(_kernel_seconds_of_workload(name, effort))
        ten_in_kernel = Spread.of(_kernel_seconds_of_workload(f"{name}x10", effort))
        waits = Spread.of(100 * day.queued_share for day in facts)
        rows.append(
            (
                f"{name} and {name}x10",
                waits.text(1),
                one_in_kernel.text(4),
                ten_in_kernel.text(4),
                f"{ten_in_kernel.middle / one_in_kernel.middle:.1f}",
                Spread.of(one).text(3),
                Spread.of(ten).text(3),
                f"{Spread.of(ten).middle / Spread.of(one).middle:.1f}",
            )
        )
    return Section(
        "Ten times the payments",
        "The same agents, network and ticks with ten times the payments, liquidity tuned so that as much of the value "
        "waits; seconds of the kernel and of the whole day. 10 times as long would be growth in proportion.",
        (
            "workloads",
            "% of value that waits in x10",
            "kernel",
            "kernel of x10",
            "times as long",
            "whole day",
            "whole day of x10",
            "times as long",
        ),
        rows,
    )
