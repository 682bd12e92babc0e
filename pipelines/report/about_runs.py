"""What a page says of a run: what waits, how arms compare, what it costs, whether to trust it, where it comes from."""

import json
import re

import altair as alt
import polars as pl
from markupsafe import Markup

from pipelines.report import charts, questions, wording
from pipelines.report.marts import Marts
from pipelines.report.parts import Listing, Panels, Section, Text, drawn, figure, table
from pipelines.report.questions import Subject
from pipelines.report.theme import svg

_ARMS_SHOWN_MAX = 24
"""Arms that a chart has room for."""

_ARM_NAME_CHARACTERS_MAX = 16
"""Of an arm's name beside a chart; where one is longer, arms stand there as numbers of a list."""


def queues(marts: Marts, subject: Subject) -> Section:
    """What is queued through the day, with LSM and without, and what each day did."""
    asked, of_days = questions.queues_over_the_day(subject), questions.days(subject)
    rows = marts.ask(asked)
    said = [
        Markup("What waits in the banks' own queues (Queue 1) and in the system's (Queue 2), at the end of a tick.")
    ]
    if subject.twin_arm:
        said.append(
            Markup("{} has the same banks, payments and liquidity, and no LSM.").format(subject.twin_arm),
        )
    caption = "Mean over ticks of a stretch" + (
        " and over days; the shade holds the middle eight tenths of the days." if subject.days > 1 else "."
    )
    return Section(
        "queues",
        "What waits",
        tuple(said),
        (
            drawn(
                "Value queued over the day" + (", with LSM and without" if subject.twin_arm else ""),
                lambda width: charts.queues_over_the_day(rows, subject, width),
                Markup("{} From the mart fct_ticks.").format(caption),
                table("queues_over_the_day", rows, asked),
            ),
            Listing(
                "Day by day" if subject.days > 1 else "The day",
                table("days", marts.ask(of_days), of_days, turnover="number", day="count"),
                Markup("Means over the arm's simulations. From the mart fct_lsm_effectiveness_days."),
            ),
        ),
    )


def arms(marts: Marts, subject: Subject, arms: int, ticks_per_day: list[int]) -> Section:
    """How the arms compare, over seeds. arms: how many. ticks_per_day: of the run's days, each number once."""
    run_id = subject.run_id
    asked = questions.arms(run_id)
    rows = marts.ask(asked)
    shown = _arms_drawn(rows, subject)
    is_numbered = any(len(arm) > _ARM_NAME_CHARACTERS_MAX for arm in shown)
    marks = {arm: str(place) if is_numbered else arm for place, arm in enumerate(shown, 1)}
    panels = []
    for metric in questions.METRICS:
        of_metric = rows.filter(
            (pl.col("metric") == metric) & pl.col("mean").is_not_null() & pl.col("arm").is_in(shown)
        ).sort(pl.col("arm").replace_strict(shown, range(len(shown)), default=None), maintain_order=True)
        if of_metric.height:
            chart, title = _arm_panel(of_metric, marks)
            panels.append((title, Markup(svg(chart, f"arms-{metric}", title))))
    said = [
        Markup(
            "Each measure is the mean of a day; the line is the 95 % interval of that mean over seeds, by Student's t."
        )
    ]
    if arms > _ARMS_SHOWN_MAX:
        said.append(
            Markup("Of {} arms {} are drawn, {} and what it is compared with among them; the table has all.").format(
                arms, len(shown), subject.arm
            )
        )
    if len(ticks_per_day) > 1:
        said.append(
            Markup("Days have {} ticks: a tick is not as long in one arm as in another.").format(
                " or ".join(f"{ticks:,}" for ticks in ticks_per_day)
            )
        )
    compared = rows.filter(pl.col("arm") != pl.col("baseline_arm"))
    if compared.height:
        said.append(
            Markup(
                "Arms with the same seed see the same payments, so that differences to the baseline are taken seed by "
                "seed. An interval that holds 0 says that these seeds cannot tell the arms apart."
            )
        )
    return Section(
        "arms",
        "Arms compared" if arms > 1 else "Over seeds",
        tuple(said),
        (
            Panels(
                tuple(panels),
                Markup("From the mart fct_experiment_arms."),
                table("arms_drawn", rows, asked),
                legend=tuple((mark, arm) for arm, mark in marks.items()) if is_numbered else (),
            ),
            *_differences(marts, run_id),
        ),
    )


def _arms_drawn(rows: pl.DataFrame, subject: Subject) -> list[str]:
    """The arms that there is room for, by name with numbers in their order; first of all those that are compared."""
    baseline_of = dict(rows.select("arm", "baseline_arm").iter_rows())
    compared = {subject.arm, subject.twin_arm, baseline_of.get(subject.arm)}
    by_name = sorted(baseline_of, key=_with_numbers_in_order)
    kept = sorted(by_name, key=lambda arm: arm not in compared)[:_ARMS_SHOWN_MAX]
    return sorted(kept, key=_with_numbers_in_order)


def _with_numbers_in_order(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]


def _arm_panel(rows: pl.DataFrame, marks: dict[str, str]) -> tuple[alt.TopLevelMixin, str]:
    metric, unit = rows["metric"][0], rows["unit"][0]
    title = metric.replace("_", " ")
    divisor, shown_unit = 1.0, unit
    if unit == "minor units":
        largest = max(abs(value) for column in ("mean", "ci95_low", "ci95_high") for value in rows[column].drop_nulls())
        scale, name = wording.money_scale(largest)
        divisor, shown_unit = scale * wording.MINOR_PER_MAJOR, name or "units of money"
    say = wording.money if unit == "minor units" else wording.number
    shown = rows.select(
        pl.col("arm").replace_strict(marks, return_dtype=pl.String),
        pl.col("mean") / divisor,
        pl.coalesce("ci95_low", "mean") / divisor,
        pl.coalesce("ci95_high", "mean").alias("ci95_high") / divisor,
        said=pl.Series(
            [f"{arm}: {say(mean)}" for arm, mean in rows.select("arm", "mean").iter_rows()], dtype=pl.String
        ),
    )
    return charts.arms_compared(shown, title, shown_unit), title


def _differences(marts: Marts, run_id: str) -> list[Listing]:
    """What sets each arm apart from its baseline, seed by seed."""
    asked = questions.differences(run_id)
    rows = marts.ask(asked)
    if rows.is_empty():
        return []
    return [
        Listing(
            "What sets the arms apart from their baseline",
            table("differences", rows, asked),
            Markup("Paired by seed, 95 % by Student's t. From the mart fct_experiment_arms."),
        )
    ]


def costs(marts: Marts, run_id: str) -> list[Section]:
    """What days cost the banks; nothing if they cost nothing."""
    asked = questions.costs(run_id)
    rows = marts.ask(asked)
    if not any(rows["cost_total"]):
        return []
    listing = Listing("A mean day", table("costs", rows, asked), Markup("From the mart fct_agent_cost_days."))
    return [Section("costs", "What it costs the banks", (Markup("Costs are booked, never debited."),), (listing,))]


def quality(marts: Marts, run_id: str) -> Section:
    """What the stored tables were held against, and what was found."""
    asked_rows, asked_laws, asked_tests = (
        questions.stored_rows(run_id),
        questions.laws(run_id),
        questions.other_tests(run_id),
    )
    rows, laws, tests = marts.ask(asked_rows), marts.ask(asked_laws), marts.ask(asked_tests)
    stored = Markup("{} rows are stored; each met its table's contract, or its day would not have been.").format(
        figure("count", sum(rows["row_count"]), "stored_rows")
    )
    held = laws.filter(pl.col("status") == "pass").height
    said = Markup("{} of {} laws of settlement hold on what is stored.").format(
        figure("count", held, "laws_held"), figure("count", laws.height, "laws")
    )
    return Section(
        "quality",
        "Data quality",
        (stored, said),
        (
            Listing(
                "Laws",
                table("laws", laws, asked_laws),
                Markup(
                    "What the last build of these marts found. Runs that are built together are tested together: a "
                    "failure may be another's. From the mart fct_data_tests."
                ),
            ),
            Listing(
                "Keys, references and values",
                table("other_tests", tests, asked_tests),
                Markup("From the mart fct_data_tests."),
            ),
            Listing(
                "Contracts",
                table("stored_rows", rows, asked_rows),
                Markup("From the mart fct_raw_table_days."),
            ),
        ),
    )


def provenance(marts: Marts, subject: Subject, simulations: pl.DataFrame) -> Section:
    """What the run was made from, and by what."""
    versions = simulations["engine_version"].unique(maintain_order=True).to_list()
    days = max(simulations["days_stored"])
    said = Markup(
        "Made by payment-sim {}. The same scenario, seed and version give the same bytes. Partitions: run {}, days "
        "d001 to d{}; in the tables they are days 0 to {}."
    ).format(", ".join(versions), subject.run_id, f"{days:03d}", days - 1)
    asked = questions.simulations(subject.run_id)
    config = marts.ask(questions.config(subject))["config"][0]
    return Section(
        "provenance",
        "Where it comes from",
        (said,),
        (
            Listing(
                "Simulations",
                table("simulations", simulations, asked, rng_seed="text"),
                Markup("From the mart dim_simulations, which has every configuration."),
            ),
            Text(f"Configuration of {subject.arm}, first seed", _indented(config)),
        ),
    )


def _indented(config: str) -> str:
    return json.dumps(json.loads(config), indent=2, ensure_ascii=False)
