"""What `payment-sim plan` shows a person, and a program."""

import json
from collections.abc import Iterator, Mapping, Sequence
from math import floor, log10

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from pipelines.plan import Estimate, PlannedArm, PlannedPayments, arms_of, payments_of, seeds_of
from pipelines.progress import duration
from pipelines.runs import Run
from pipelines.terminal import counted

_ARMS_FIRST, _ARMS_LAST = 8, 3
"""Of many arms, how many are shown."""

_SEEDS_SHOWN_MAX = 10
_WIDE = 10_000
_VALUE_LENGTH_MAX = 60
_PAYMENTS_ALIKE = 0.2
"""How far the trial's payments may be from the run's mean, as a share of it, before that is said."""


def print_plan(run: Run, estimate: Estimate) -> None:
    """Shows what a run would be and take."""
    console = Console(highlight=False)
    arms, payments = arms_of(run), payments_of(run)
    console.print()
    console.print(_title(run, len(arms)), markup=False)
    table = _arms_table(arms)
    if not console.is_terminal:  # one line an arm where nobody sees how wide it is
        console.width = max(console.width, Measurement.get(console, console.options.update(width=_WIDE), table).maximum)
    console.print(table, markup=False)
    for line in (_seeds_line(seeds_of(run)), _payments_line(payments), *_estimate_lines(run, payments, estimate)):
        console.print(line, markup=False, soft_wrap=True)
    console.print("Nothing was written.", style="dim")


def plan_as_dict(run: Run, estimate: Estimate) -> dict[str, object]:
    """The same as plain values: seconds and bytes of the estimate are rounded to two digits."""
    payments = payments_of(run)
    return {
        "run_id": run.run_id,
        "simulations": len(run.members),
        "days": run.days,
        "seeds": seeds_of(run),
        "arms": [
            {"arm": arm.name, "baseline_arm": arm.baseline_arm, "overrides": dict(arm.overrides)}
            for arm in arms_of(run)
        ],
        "payments": {
            "listed": payments.listed,
            "from_file": payments.from_file,
            "generated_expected": payments.generated,
            "total": payments.total,
            "is_exact": payments.is_exact,
        },
        "estimate": {
            "seconds_simulating": _two_digits(estimate.seconds_simulating),
            "seconds_marts": _two_digits(estimate.seconds_marts),
            "stored_bytes": int(_two_digits(estimate.stored_bytes)),
            "trial_days": estimate.trial.days,
            "trial_simulations": estimate.trial.members,
            "trial_payments": estimate.trial.payments,
        },
    }


def _title(run: Run, arms: int) -> str:
    each = " each" if len(run.members) > 1 else ""
    factors = f"{counted(arms, 'arm')} x {counted(len(run.members) // arms, 'seed')}"
    return f"{run.run_id}: {counted(len(run.members), 'simulation')} ({factors}) of {counted(run.days, 'day')}{each}"


def _arms_table(arms: Sequence[PlannedArm]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for header in ("Arm", "Compared with", "States in place of the scenario"):
        table.add_column(header, overflow="fold")
    left_out = len(arms) - _ARMS_FIRST - _ARMS_LAST
    if left_out <= 1:
        _add_arms(table, arms)
    else:
        _add_arms(table, arms[:_ARMS_FIRST])
        table.add_row(f"... {left_out:,} more ...", "", "")
        _add_arms(table, arms[-_ARMS_LAST:])
    return table


def _add_arms(table: Table, arms: Sequence[PlannedArm]) -> None:
    for arm in arms:
        compared_with = "(a baseline)" if arm.name == arm.baseline_arm else arm.baseline_arm
        table.add_row(arm.name, compared_with, _overrides_text(arm.overrides))


def _overrides_text(overrides: Mapping[str, object]) -> str:
    return ", ".join(f"{path}: {_shortened(_json(value))}" for path, value in overrides.items()) or "-"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _shortened(text: str) -> str:
    return text if len(text) <= _VALUE_LENGTH_MAX else f"{text[: _VALUE_LENGTH_MAX - 1]}…"


def _seeds_line(seeds: Sequence[int]) -> str:
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        said = f"{seeds[0]} to {seeds[-1]}"
    else:
        said = ", ".join(map(str, seeds[:_SEEDS_SHOWN_MAX]))
        said += f" and {len(seeds) - _SEEDS_SHOWN_MAX:,} more" if len(seeds) > _SEEDS_SHOWN_MAX else ""
    return f"Seeds: {said}"


def _payments_line(payments: PlannedPayments) -> str:
    parts = {"listed": payments.listed, "from a file": payments.from_file, "generated": round(payments.generated)}
    shares = ", ".join(f"{number:,} {part}" for part, number in parts.items() if number)
    expected = "" if payments.is_exact else " expected: how many are generated depends on the seeds"
    return f"Payments: {payments.total:,}{f' ({shares})' if shares else ''}{expected}"


def _estimate_lines(run: Run, payments: PlannedPayments, estimate: Estimate) -> Iterator[str]:
    trial, members = estimate.trial, len(run.members)
    yield (
        f"Time: about {duration(estimate.seconds_simulating)} to simulate and store; "
        f"payment-sim pipeline takes about {duration(estimate.seconds_marts)} more to build the marts"
    )
    yield f"Size: about {_size(estimate.stored_bytes)} of raw tables and closing states"
    tried = "day 0" if trial.days == 1 else f"days 0 to {trial.days - 1}"
    of_members = "it" if members == 1 else f"{trial.members:,} of the {members:,} simulations"
    yield (
        f"Both rest on {tried} of {of_members} ({counted(trial.payments, 'payment')}), simulated and stored just now "
        "on this machine once the engine was compiled."
    )
    of_trial = trial.payments / (trial.members * trial.days)
    of_run = payments.total / (members * run.days)
    if abs(of_trial - of_run) > _PAYMENTS_ALIKE * of_run:
        yield (
            f"Mind: on the days tried, {of_trial:,.0f} payments arrived in a simulation and day, and in the whole run "
            f"{of_run:,.0f} will on average. It may take more or less in that measure."
        )


def _two_digits(number: float) -> float:
    """The number rounded to two significant digits."""
    return round(number, 1 - floor(log10(number))) if number > 0 else 0.0


def _size(number: float) -> str:
    rounded = _two_digits(number)
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if rounded >= size:
            return f"{rounded / size:g} {unit}"
    return f"{rounded:g} bytes"
