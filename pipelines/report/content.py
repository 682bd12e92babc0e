"""What stands on a run's page, in order: each section asks the marts and says what they answered."""

from dataclasses import dataclass

import polars as pl
from markupsafe import Markup

from pipelines.report import about_netting, about_runs, questions, wording
from pipelines.report.headline import headline
from pipelines.report.marts import Marts
from pipelines.report.parts import Section
from pipelines.report.questions import Subject


@dataclass(frozen=True)
class Content:
    """Everything that a page says of a run."""

    run_id: str
    facts: tuple[Markup, ...]
    headline: tuple[Markup, ...]
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Arm:
    """An arm of a run. twin_arm: the same without LSM, if the run has it."""

    name: str
    is_baseline: bool
    has_lsm: bool
    twin_arm: str | None


def arms_of(marts: Marts, run_id: str) -> list[Arm]:
    """The arms of a run, by name."""
    return [
        Arm(row["arm"], row["is_baseline"], row["has_lsm"], row["twin_arm"])
        for row in marts.ask(questions.lsm_switches(run_id)).iter_rows(named=True)
    ]


def arm_in_detail(arms: list[Arm]) -> Arm:
    """The arm to look at unless one is named: one with LSM, and a twin without, if there is; else not the baseline."""
    return min(arms, key=lambda arm: (arm.twin_arm is None, not arm.has_lsm, arm.is_baseline, arm.name))


def content_of(marts: Marts, run_id: str, arm: Arm, arms: list[Arm]) -> Content:
    """What is to be said of a run, with one of its arms in detail."""
    simulations = marts.ask(questions.simulations(run_id))
    of_arm = simulations.filter(pl.col("arm") == arm.name)
    subject = Subject(
        run_id, arm.name, arm.twin_arm, ticks_per_day=of_arm["ticks_per_day"][0], days=sum(of_arm["days_stored"])
    )
    kinds = marts.ask(questions.cycle_kinds(subject))
    has_cycles = kinds.height > 0
    sections = [
        about_netting.cycles(marts, subject, kinds) if has_cycles else about_netting.no_cycles(arm.has_lsm),
        *([about_netting.gross_and_net(marts, subject, kinds)] if has_cycles else []),
        about_runs.queues(marts, subject),
        *([about_netting.who_nets(marts, subject), about_netting.largest(marts, subject)] if has_cycles else []),
        *(
            [about_runs.arms(marts, subject, len(arms), sorted({*simulations["ticks_per_day"]}))]
            if len(arms) > 1 or of_arm.height > 1
            else []
        ),
        *about_runs.costs(marts, run_id),
        about_runs.quality(marts, run_id),
        about_runs.provenance(marts, subject, simulations),
    ]
    return Content(
        run_id, _facts(simulations, arm, arms), headline(marts, subject, arm.has_lsm, kinds), tuple(sections)
    )


def _facts(simulations: pl.DataFrame, arm: Arm, arms: list[Arm]) -> tuple[Markup, ...]:
    """What was simulated, in a line."""
    of_arm = simulations.filter(pl.col("arm") == arm.name)
    days, asked, ticks = max(of_arm["days_stored"]), max(of_arm["num_days"]), of_arm["ticks_per_day"][0]
    stored = wording.counted(days, "day") if days == asked else f"{days:,} of {wording.counted(asked, 'day')}"
    said = [
        f"scenario {', '.join(simulations['scenario'].unique(maintain_order=True))}",
        wording.counted(max(of_arm["num_agents"]), "bank"),
        wording.counted(of_arm["rng_seed"].n_unique(), "seed"),
        f"{stored} of {wording.counted(ticks, 'tick')}",
    ]
    if len(arms) > 1:
        said.append(f"{len(arms):,} arms, of which {arm.name} in detail")
    return tuple(Markup("{}").format(fact) for fact in said)
