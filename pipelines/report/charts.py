"""The charts of a report, as Altair draws them. Each takes rows of its question and a width in pixels.

Axes have a title and a unit; what a colour says is said by a legend or label too. Whatever a chart counts, it counts
on a mean simulated day; with one day, that is the day.
"""

from math import cos, pi, sin
from typing import Any

import altair as alt
import polars as pl

from pipelines.report import wording
from pipelines.report.questions import Subject
from pipelines.report.theme import color

Chart = alt.Chart | alt.LayerChart | alt.FacetChart

WIDE, NARROW = 720, 272
"""Widths of a chart's plot on a page that is wide, and on a telephone's."""

PANEL = 250
"""Width of a plot that has others beside it."""

KINDS = {
    ("bilateral", "bilateral"): ("bilateral pair", "bilateral"),
    ("ring", "multilateral"): ("ring", "ring"),
    ("gridlock", "multilateral"): ("gridlock set", "gridlock"),
    ("gridlock", "bilateral"): ("gridlock set of two", "gridlock_pair"),
    ("entry_offset", "bilateral"): ("offset on entry", "entry_offset"),
}
"""Mechanism and cycle type: what a chart calls them, and their colour's role."""

NETWORK_AGENTS_MAX = 16
_LENGTHS = {6: "6 to 10", 11: "11 to 20", 21: "21 or more"}
_PAD = 0.35
_TICKS_NAMED_MAX = 10
"""Ticks of a day of which each has its label; of fewer than that, an axis would show halves."""


def kind_names() -> pl.DataFrame:
    """What charts and tables call each mechanism and cycle type, in the order in which they stand."""
    return pl.DataFrame(
        [(*kind, name, place) for place, (kind, (name, _)) in enumerate(KINDS.items())],
        schema={"mechanism": pl.String, "cycle_type": pl.String, "kind": pl.String, "kind_order": pl.Int64},
        orient="row",
    )


def named(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of mechanisms and cycle types, as they stand, with what charts call those."""
    return rows.join(kind_names(), on=["mechanism", "cycle_type"], how="left", maintain_order="left", validate="m:1")


def cycles_over_the_day(rows: pl.DataFrame, subject: Subject, width: int) -> Chart:
    """Number of cycles by stretch of the day, stacked by mechanism and type."""
    shown = named(rows).with_columns(_stretch(subject), said=_said(rows))
    chart: alt.Chart = (
        alt.Chart(shown)
        .mark_bar(orient="vertical", stroke=color("surface"), strokeWidth=0.5)
        .encode(
            x=_tick_axis(subject, "from_tick"),
            x2="to_tick:Q",
            y=alt.Y("cycles_a_day:Q", stack="zero", title=_a_day("cycles", subject)),
            color=alt.Color("kind:N", title=None, scale=kind_scale(shown), legend=alt.Legend(columns=2)),
            order="kind_order:Q",
            description="said:N",
        )
        .properties(width=width, height=200)
    )
    return chart


def _said(rows: pl.DataFrame) -> pl.Series:
    said = [
        f"{KINDS[row['mechanism'], row['cycle_type']][0]}, from tick {row['from_tick']}: "
        f"{wording.count(row['cycles_a_day'])} cycles, {wording.money(row['gross_value_a_day'])} gross"
        for row in rows.iter_rows(named=True)
    ]
    return pl.Series("said", said, pl.String)


def lengths_over_the_day(rows: pl.DataFrame, subject: Subject, width: int) -> Chart:
    """Number of cycles by length and stretch of the day: the stronger the colour, the more."""
    lengths = sorted(rows["length_from"].unique().to_list())
    names = [_LENGTHS.get(length, str(length)) for length in lengths]
    shown = rows.with_columns(
        _stretch(subject),
        length=pl.col("length_from").replace_strict(lengths, names, return_dtype=pl.String),
        said=pl.struct(pl.all()).map_elements(
            lambda row: (
                f"{_LENGTHS.get(row['length_from'], row['length_from'])} agents, from tick {row['from_tick']}: "
                f"{wording.count(row['cycles_a_day'])} cycles"
            ),
            return_dtype=pl.String,
        ),
    )
    chart: alt.Chart = (
        alt.Chart(shown)
        .mark_rect(color=color("on"), stroke=color("surface"), strokeWidth=0.5)
        .encode(
            x=_tick_axis(subject, "from_tick"),
            x2="to_tick:Q",
            y=alt.Y("length:O", title="agents (number)", sort=names[::-1]),
            opacity=alt.Opacity(
                "cycles_a_day:Q",
                title=_a_day("cycles", subject),
                scale=alt.Scale(domainMin=0, range=[0.08, 1]),
                legend=alt.Legend(symbolFillColor=color("on"), symbolStrokeWidth=0, orient="top", tickCount=4),
            ),
            description="said:N",
        )
        .properties(width=width, height=max(60, 26 * len(names)))
    )
    return chart


def gross_against_net(rows: pl.DataFrame, subject: Subject, width: int) -> Chart:
    """Gross and net value of each mechanism's cycles: what settled, and the liquidity that it took."""
    divisor, unit = _money_unit([*rows["gross_value"]], subject.days)
    shown = (
        named(rows)
        .sort("kind_order")
        .unpivot(["gross_value", "net_value"], index=["kind", "kind_order"], variable_name="measure")
        .with_columns(
            measure=pl.col("measure").replace({"gross_value": "gross, settled", "net_value": "net, moved"}),
            value=pl.col("value") / divisor,
            amount=pl.Series([wording.money(value / subject.days) for value in _unpivoted(rows)], dtype=pl.String),
        )
    )
    kinds = shown["kind"].unique(maintain_order=True).to_list()
    base = alt.Chart(shown).encode(
        y=alt.Y("kind:N", title="kind of cycle", sort=kinds, axis=alt.Axis(labelLimit=120)),
        yOffset=alt.YOffset("measure:N", sort=["gross, settled", "net, moved"]),
        x=alt.X("value:Q", title=_a_day("value", subject, unit), scale=_room_at_the_end(shown["value"])),
    )
    bars = base.mark_bar().encode(
        color=alt.Color(
            "measure:N",
            title=None,
            scale=alt.Scale(domain=["gross, settled", "net, moved"], range=[color("gross"), color("net")]),
        ),
        description="amount:N",
    )
    labels = base.mark_text(align="left", dx=4, color=color("ink"), aria=False).encode(text="amount:N")
    drawn: alt.LayerChart = bars + labels
    return drawn.properties(width=width - 90, height=44 * len(kinds))


def _unpivoted(rows: pl.DataFrame) -> list[int]:
    ordered = named(rows).sort("kind_order")
    return [*ordered["gross_value"], *ordered["net_value"]]


def queues_over_the_day(rows: pl.DataFrame, subject: Subject, width: int) -> Chart:
    """Value queued through the day with LSM and, where there is a twin, without: the mean, and most days."""
    largest = max(*rows["queue_value_decile_9"], *rows["queue_value"])
    divisor, unit = _money_unit([largest], 1)
    names = {subject.arm: _arm_name(subject, subject.arm)}
    if subject.twin_arm:
        names[subject.twin_arm] = _arm_name(subject, subject.twin_arm)
    shown = rows.with_columns(
        name=pl.col("arm").replace_strict(names, return_dtype=pl.String),
        at_tick=pl.col("from_tick") + subject.bin_ticks / 2,
        **{
            column: pl.col(column) / divisor
            for column in ("queue_value", "queue_value_decile_1", "queue_value_decile_9")
        },
        said=pl.struct("arm", "from_tick", "queue_value").map_elements(
            lambda row: f"{row['arm']}, from tick {row['from_tick']}: {wording.money(row['queue_value'])} queued",
            return_dtype=pl.String,
        ),
    )
    domain = list(names.values())
    colors = alt.Color(
        "name:N",
        title=None,
        scale=alt.Scale(domain=domain, range=[color("on"), color("off")][: len(domain)]),
        legend=alt.Legend(symbolType="stroke", symbolOpacity=1, symbolStrokeWidth=2, symbolSize=300, columns=1),
    )
    base = alt.Chart(shown).encode(x=_tick_axis(subject, "at_tick"), color=colors)
    layers = [
        base.mark_line(
            strokeWidth=2, aria=False, point={"size": 40} if rows["from_tick"].n_unique() == 1 else False
        ).encode(
            y=alt.Y(
                "queue_value:Q",
                title=f"value queued ({unit})",
                scale=alt.Scale(domainMin=0, domainMax=alt.Undefined if largest else 1),
            ),
            strokeDash=alt.StrokeDash(
                "name:N", title=None, scale=alt.Scale(domain=domain, range=[[1, 0], [5, 3]][: len(domain)])
            ),
        ),
        base.mark_point(opacity=0, size=60, filled=True).encode(y="queue_value:Q", description="said:N"),
    ]
    if subject.days > 1:
        range_of_days = base.mark_area(opacity=0.14, aria=False).encode(
            y="queue_value_decile_1:Q", y2="queue_value_decile_9:Q"
        )
        layers.insert(0, range_of_days)
    return alt.layer(*layers).properties(width=width, height=230)


def network(pairs: pl.DataFrame, agents: list[str], subject: Subject, size: int) -> Chart:
    """Who nets with whom: agents on a circle, a line for each pair, as wide as the value that settled in cycles."""
    spot = {
        agent: (cos(2 * pi * place / len(agents) - pi / 2), sin(2 * pi * place / len(agents) - pi / 2))
        for place, agent in enumerate(agents)
    }
    most = max(pairs["gross_value"], default=1)
    lines = pl.DataFrame(
        [
            {
                **dict(zip(("x", "y", "x2", "y2"), (*spot[row["agent"]], *spot[row["counterparty"]]), strict=True)),
                "share": row["gross_value"] / most,
                "said": f"{row['agent']} and {row['counterparty']}: {wording.money(row['gross_value'] / subject.days)}",
            }
            for row in pairs.reverse().iter_rows(named=True)  # the widest on top
        ]
    )
    points = pl.DataFrame(
        [
            {"x": x, "y": y, "number": str(place + 1), "said": agent}
            for place, (agent, (x, y)) in enumerate(spot.items())
        ]
    )
    scale = alt.Scale(domain=[-1.25, 1.25], nice=False)
    x = alt.X("x:Q", scale=scale, axis=None)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[1.25, -1.25], nice=False), axis=None)
    rules = (
        alt.Chart(lines)
        .mark_rule(color=color("on"), strokeCap="round")
        .encode(
            x=x,
            y=y,
            x2="x2:Q",
            y2="y2:Q",
            strokeWidth=alt.StrokeWidth("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.75, 12]), legend=None),
            strokeOpacity=alt.StrokeOpacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.35, 0.75]), legend=None),
            description="said:N",
        )
    )
    nodes = alt.Chart(points).mark_point(
        filled=True, size=460, color=color("surface"), stroke=color("ink"), strokeWidth=1.2, opacity=1
    )
    labels = alt.Chart(points).mark_text(color=color("ink"), fontSize=11, aria=False)
    return alt.layer(
        rules, nodes.encode(x=x, y=y, description="said:N"), labels.encode(x=x, y=y, text="number:N")
    ).properties(width=size, height=size)


def gives_and_gets(rows: pl.DataFrame, subject: Subject, width: int) -> Chart:
    """What each agent gives to cycles, to the left, and what it need not find because of them, to the right."""
    divisor, unit = _money_unit([*rows["liquidity_provided"], *rows["liquidity_saved"]], subject.days)
    gives, gets = "gives: liquidity that it brings", "gets: liquidity that it is spared"
    shown = pl.concat(
        [
            rows.select("agent", measure=pl.lit(gives), minor=pl.col("liquidity_provided"), sign=pl.lit(-1)),
            rows.select("agent", measure=pl.lit(gets), minor=pl.col("liquidity_saved"), sign=pl.lit(1)),
        ],
        how="vertical_relaxed",
    ).with_columns(
        value=pl.col("minor") * pl.col("sign") / divisor,
        said=pl.struct("agent", "measure", "minor").map_elements(
            lambda row: f"{row['agent']} {row['measure'].split(':')[0]} {wording.money(row['minor'] / subject.days)}",
            return_dtype=pl.String,
        ),
    )
    chart: alt.Chart = (
        alt.Chart(shown)
        .mark_bar()
        .encode(
            y=alt.Y("agent:N", title="agent", sort=rows["agent"].to_list()),
            x=alt.X(
                "value:Q",
                title=_a_day("value", subject, unit),
                axis=alt.Axis(labelExpr="format(abs(datum.value), '~')"),
            ),
            color=alt.Color(
                "measure:N",
                title=None,
                scale=alt.Scale(domain=[gives, gets], range=[color("gives"), color("gets")]),
                legend=alt.Legend(columns=1, orient="top"),
            ),
            description="said:N",
        )
        .properties(width=width - 130, height=20 * rows.height)
    )
    return chart


def arms_compared(rows: pl.DataFrame, title: str, unit: str, width: int = PANEL) -> Chart:
    """One metric of each arm: its mean over seeds, and the 95 % interval of the mean as a line.

    rows: arm, mean, ci95_low, ci95_high, in the metric's unit as it is shown, and said.
    """
    arms = rows["arm"].to_list()
    base = alt.Chart(rows).encode(y=alt.Y("arm:N", title="arm", sort=arms, axis=alt.Axis(labelLimit=110)))
    x: dict[str, Any] = {"title": f"{title} ({unit})", "scale": alt.Scale(zero=False, padding=12)}
    intervals = base.mark_rule(color=color("soft"), strokeWidth=2, aria=False).encode(
        x=alt.X("ci95_low:Q", **x), x2="ci95_high:Q"
    )
    means = base.mark_point(filled=True, size=70, color=color("on"), opacity=1)
    drawn: alt.LayerChart = intervals + means.encode(x=alt.X("mean:Q", **x), description="said:N")
    return drawn.properties(width=width, height=max(40, 22 * len(arms)))


def kind_scale(shown: pl.DataFrame) -> alt.Scale:
    """The colours of the kinds that there are, in the order in which they stand."""
    there = set(shown["kind"])
    kinds = [(name, role) for name, role in KINDS.values() if name in there]
    return alt.Scale(domain=[name for name, _ in kinds], range=[color(role) for _, role in kinds])


def _stretch(subject: Subject) -> pl.Expr:
    """The tick at which a stretch of the day ends."""
    end = pl.min_horizontal(pl.col("from_tick") + subject.bin_ticks, subject.ticks_per_day)
    return end.alias("to_tick")


def _tick_axis(subject: Subject, column: str) -> alt.X:
    return alt.X(
        f"{column}:Q",
        title="time of day (ticks from opening)",
        scale=alt.Scale(domain=[0, subject.ticks_per_day], nice=False),
        axis=alt.Axis(
            grid=False,
            format="d",
            values=[*range(subject.ticks_per_day + 1)] if subject.ticks_per_day <= _TICKS_NAMED_MAX else alt.Undefined,
        ),
    )


def _a_day(what: str, subject: Subject, unit: str = "number") -> str:
    return f"{what} ({unit})" if subject.days == 1 else f"{what}, mean day ({unit})"


def _money_unit(values: list[float], days: int) -> tuple[float, str]:
    """By what sums of minor units over so many days are divided to be drawn, and the unit that they are then in."""
    scale, name = wording.money_scale(max(values, default=0) / days)
    return scale * wording.MINOR_PER_MAJOR * days, name or "units of money"


def _room_at_the_end(values: pl.Series) -> alt.Scale:
    """Room beyond the longest bar for what is written there."""
    largest = max(values, default=1.0) or 1.0
    return alt.Scale(domain=[0, largest * (1 + _PAD)], nice=False)


def _arm_name(subject: Subject, arm: str) -> str:
    if subject.twin_arm is None:
        return arm
    return f"LSM on: {arm}" if arm == subject.arm else f"LSM off: {arm}"
