"""Charts of a report against the tables beside them: each mark stands where, and says, what its row's numbers say.

What a mark stands for is worked out from the SVG alone: the axis' labels give the scale, its title the unit.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.browser.test_report import value_of
from tests.helpers.browser import Browser, Page
from tests.helpers.built_reports import Reports

pytestmark = pytest.mark.slow

PAGES = ("carried", "netted", "three_bank_ring")
OFF_MAX = 0.75
"""By how many pixels a mark may be off: half of one by which Vega moves axes, and what its rounding leaves."""

BASELINE = 3
"""By how many pixels a label's baseline lies below the middle of its text."""

UNITS = {"tn": 1e14, "bn": 1e11, "M": 1e8, "k": 1e5, "units of money": 1e2, "number": 1.0, "ticks": 1.0, "ratio": 1.0}
"""Minor units, or ones, in the unit of an axis."""

KINDS = {
    "bilateral pair": ("bilateral", "bilateral", "var(--bilateral)"),
    "ring": ("ring", "multilateral", "var(--ring)"),
    "gridlock set": ("gridlock", "multilateral", "var(--gridlock)"),
    "gridlock set of two": ("gridlock", "bilateral", "var(--gridlock-pair)"),
    "offset on entry": ("entry_offset", "bilateral", "var(--entry-offset)"),
}

DRAWN = """
(svg) => {
    const at = (element, x = 0, y = 0) => {
        const point = new DOMPoint(x, y).matrixTransform(element.getCTM());
        return [point.x, point.y];
    };
    const texts = (within, role) => [...within.querySelectorAll(`.role-${role} text`)].map(
        (text) => [text.textContent, ...at(text)]);
    const axes = [...svg.querySelectorAll(".mark-group.role-axis")].map((axis) => ({
        labels: texts(axis, "axis-label"), title: texts(axis, "axis-title").map(([text]) => text).join(" "),
    })).filter((axis) => axis.labels.length);
    const marks = [...svg.querySelectorAll("title")].map(({textContent, parentElement: mark}) => {
        const box = mark.getBBox();
        const style = (name) => mark.getAttribute(name);
        return {
            says: textContent, tag: mark.tagName, fill: style("fill"), opacity: Number(style("opacity") ?? 1),
            stroke: style("stroke"), strokeWidth: Number(style("stroke-width")),
            start: at(mark, box.x, box.y), end: at(mark, box.x + box.width, box.y + box.height),
            ends: mark.tagName === "line" ? [at(mark, 0, 0), at(mark, +(style("x2") ?? 0), +(style("y2") ?? 0))] : null,
        };
    });
    const rules = [...svg.querySelectorAll(".layer_0_marks line")].map((mark) =>
        [at(mark), at(mark, +(mark.getAttribute("x2") ?? 0), +(mark.getAttribute("y2") ?? 0))]);
    const symbols = [...svg.querySelectorAll(".role-legend-symbol path")].map((mark) =>
        [mark.getAttribute("fill"), mark.getAttribute("stroke")]);
    const legend = texts(svg, "legend-label").map(([text], place) => [text, ...(symbols[place] ?? [])]);
    const written = texts(svg, "mark");
    return {axes, marks, rules, legend, written};
}
"""


@dataclass(frozen=True)
class Drawn:
    """A chart as it is drawn, and the rows of the table beside it."""

    axes: list[dict[str, Any]]
    marks: list[dict[str, Any]]
    rules: list[list[list[float]]]
    legend: list[list[str]]
    written: list[list[Any]]
    rows: list[dict[str, Any]]

    def pixel(self, way: int, says: str) -> Callable[[float], float]:
        """Where a value stands on the axis with such a title: across (way 0) or down (1), in minor units or ones."""
        (axis,) = (axis for axis in self.axes if re.fullmatch(says, axis["title"]))
        unit = UNITS.get(re.search(r"\(([^()]*)\)$", axis["title"]).group(1), 1.0)
        known = sorted(
            (float(text.replace("−", "-").replace(",", "")) * unit, spot[way] - BASELINE * way)
            for text, *spot in axis["labels"]
        )
        (low, low_at), (high, high_at) = known[0], known[-1]
        assert low < high, known
        return lambda value: low_at + (value - low) / (high - low) * (high_at - low_at)

    def band(self, title: str, down: float) -> str:
        """What the axis with such a title calls the band at a place down the chart."""
        (axis,) = (axis for axis in self.axes if axis["title"] == title)
        return min(axis["labels"], key=lambda label: abs(label[2] - BASELINE - down))[0]

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]


def drawn(page: Page, figure: str, table: str, svg: str = "svg") -> list[Drawn]:
    """The charts of a figure as the page shows them at its width, with the rows of a table, by column."""
    charts = page.evaluate(
        f"[...document.querySelectorAll('{figure} {svg}')].filter((svg) => svg.checkVisibility()).map({DRAWN})"
    )
    columns, rows = page.evaluate(
        f"""(() => {{
            const table = document.querySelector('table[data-question="{table}"]');
            return [[...table.tHead.querySelectorAll("th")].map((cell) => cell.textContent.replaceAll(" ", "_")),
                    [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) =>
                        cell.querySelector("data") ? Number(cell.querySelector("data").value) : cell.textContent))];
        }})()"""
    )
    assert rows
    return [Drawn(**chart, rows=[dict(zip(columns, row, strict=True)) for row in rows]) for chart in charts]


def near(pixels: float, expected: float) -> bool:
    return abs(pixels - expected) <= OFF_MAX


def says(shown: str, exact: float) -> bool:
    """Whether a text says an amount of minor units or a number of things to three digits."""
    value, off = value_of(shown)
    return any(abs(value - exact / per) <= off * 1.0001 for per in (1, 100))


AT_BOTH_WIDTHS = [(run, width) for run in PAGES for width in (1400, 400)]


def unfolded(browser: Browser, reports: Reports, run_id: str, width: int) -> Iterator[Page]:
    with browser.page() as page:
        page.resize(width, 900)
        page.open(reports.page(run_id).as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((details) => details.open = true)")
        yield page


@pytest.fixture(scope="module", params=AT_BOTH_WIDTHS, ids=lambda at: f"{at[0]}-{at[1]}")
def opened(request: pytest.FixtureRequest, reports: Reports, browser: Browser) -> Iterator[Page]:
    """Pages that are only read; each is opened once for all tests."""
    yield from unfolded(browser, reports, *request.param)


@pytest.fixture(
    scope="module",
    params=[at for at in AT_BOTH_WIDTHS if at[0] != "three_bank_ring"],
    ids=lambda at: f"{at[0]}-{at[1]}",
)
def compared(request: pytest.FixtureRequest, reports: Reports, browser: Browser) -> Iterator[Page]:
    """Those of runs of more than one simulation."""
    yield from unfolded(browser, reports, *request.param)


def simulated(page: Page) -> tuple[int, int]:
    """Ticks of a day, and days of all simulations of the arm that is looked at, by the page's own tables."""
    (of_days,) = drawn(page, "#queues_over_the_day", "days")
    (of_simulations,) = drawn(page, "#queues_over_the_day", "simulations")
    return int(of_simulations.rows[0]["ticks_per_day"]), int(sum(of_days.column("simulations")))


def test_bars_of_cycles_are_as_high_and_stand_when_their_rows_say(opened: Page) -> None:
    ticks, _ = simulated(opened)
    (chart,) = drawn(opened, "#cycles_over_the_day", "cycles_over_the_day")
    across, down = chart.pixel(0, re.escape("time of day (ticks from opening)")), chart.pixel(1, "cycles.*")
    assert len(chart.marks) == len(chart.rows)
    assert {(name, fill) for name, fill, _ in chart.legend} == {
        (name, fill) for name, (mechanism, kind, fill) in KINDS.items()
        if any((row["mechanism"], row["cycle_type"]) == (mechanism, kind) for row in chart.rows)
    }  # fmt: skip
    bars = {}
    for mark in chart.marks:
        told = re.fullmatch(r"(.+), from tick (\d+): (\S+) cycles, (.+) gross", mark["says"])
        name, tick, count, gross = told.groups()
        bars[*KINDS[name][:2], int(tick)] = (mark, KINDS[name][2], count, gross)
    assert set(bars) == {(row["mechanism"], row["cycle_type"], row["from_tick"]) for row in chart.rows}
    stretch = min(mark["end"][0] - mark["start"][0] for mark in chart.marks)
    for row in chart.rows:
        mark, fill, count, gross = bars[row["mechanism"], row["cycle_type"], row["from_tick"]]
        assert mark["fill"] == fill
        assert says(count, row["cycles_a_day"])
        assert says(gross, row["gross_value_a_day"])
        assert near(mark["start"][0], across(row["from_tick"])), row
        assert near(mark["end"][1] - mark["start"][1], down(0) - down(row["cycles_a_day"])), row
        # No bar reaches into the next stretch, which the next bar says, or out of the day.
        later = [other for other in chart.column("from_tick") if other > row["from_tick"]]
        assert mark["end"][0] <= across(min(later, default=ticks)) + OFF_MAX
        assert mark["end"][0] - mark["start"][0] == pytest.approx(stretch, abs=OFF_MAX) or near(
            mark["end"][0], across(ticks)
        )
    stacks = {tick: [bar for (*_, at), (bar, *_) in bars.items() if at == tick] for tick in chart.column("from_tick")}
    for tick, stack in stacks.items():
        high = sum(row["cycles_a_day"] for row in chart.rows if row["from_tick"] == tick)
        assert near(min(bar["start"][1] for bar in stack), down(high)), tick
        assert near(max(bar["end"][1] for bar in stack), down(0)), tick


def test_lengths_stand_when_and_as_strong_as_their_rows_say(opened: Page) -> None:
    (chart,) = drawn(opened, "#lengths_over_the_day", "lengths_over_the_day")
    across = chart.pixel(0, re.escape("time of day (ticks from opening)"))
    assert len(chart.marks) == len(chart.rows)
    named = {6: "6 to 10", 11: "11 to 20", 21: "21 or more"}
    cells = {}
    for mark in chart.marks:
        length, tick, count = re.fullmatch(r"(.+) agents, from tick (\d+): (\S+) cycles", mark["says"]).groups()
        cells[length, int(tick)] = (mark, count)
    by_strength = []
    for row in chart.rows:
        length = named.get(row["length_from"], str(row["length_from"]))
        mark, count = cells[length, row["from_tick"]]
        assert says(count, row["cycles_a_day"])
        assert near(mark["start"][0], across(row["from_tick"]))
        assert chart.band("agents (number)", (mark["start"][1] + mark["end"][1]) / 2) == length
        by_strength.append((row["cycles_a_day"], round(mark["opacity"], 6)))
    assert [strength for _, strength in sorted(by_strength)] == sorted(strength for _, strength in by_strength)


def test_bars_of_gross_and_net_are_as_long_as_their_rows_say(opened: Page) -> None:
    _, days = simulated(opened)
    (chart,) = drawn(opened, "#gross_against_net", "gross_against_net")
    across = chart.pixel(0, "value.*")
    assert [(name, fill) for name, fill, _ in chart.legend] == [
        ("gross, settled", "var(--gross)"), ("net, moved", "var(--net)"),
    ]  # fmt: skip
    bars = {
        (chart.band("kind of cycle", (mark["start"][1] + mark["end"][1]) / 2), mark["fill"]): mark
        for mark in chart.marks
    }
    written = [(down, text) for text, _, down in chart.written]
    assert len(bars) == len(chart.marks) == len(written) == 2 * len(chart.rows)
    for row in chart.rows:
        (name,) = (name for name, kind in KINDS.items() if kind[:2] == (row["mechanism"], row["cycle_type"]))
        for fill, value in (("var(--gross)", row["gross_value"]), ("var(--net)", row["net_value"])):
            bar = bars[name, fill]
            assert near(bar["start"][0], across(0))
            assert near(bar["end"][0], across(value / days)), (row, fill)
            middle = (bar["start"][1] + bar["end"][1]) / 2
            beside = min(written, key=lambda text: abs(text[0] - BASELINE - middle))[1]
            assert says(bar["says"], value / days)
            assert beside == bar["says"]


def test_points_of_queues_stand_where_their_rows_say(opened: Page) -> None:
    ticks, _ = simulated(opened)
    (chart,) = drawn(opened, "#queues_over_the_day", "queues_over_the_day")
    across, down = chart.pixel(0, re.escape("time of day (ticks from opening)")), chart.pixel(1, r"value queued \(.*\)")
    points = {}
    for mark in chart.marks:
        arm, tick, value = re.fullmatch(r"(.+), from tick (\d+): (.+) queued", mark["says"]).groups()
        points[arm, int(tick)] = (mark, value)
    assert len(points) == len(chart.marks) == len(chart.rows)
    from_ticks = sorted(set(chart.column("from_tick")))
    ends = dict(zip(from_ticks, [*from_ticks[1:], ticks], strict=True))
    colors = {}
    for row in chart.rows:
        mark, value = points[row["arm"], row["from_tick"]]
        x, y = ((mark["start"][way] + mark["end"][way]) / 2 for way in (0, 1))
        assert near(y, down(row["queue_value"])), row
        assert across(row["from_tick"]) < x < across(ends[row["from_tick"]]), row
        assert says(value, row["queue_value"])
        colors[row["arm"]] = mark["fill"]
    said = [("LSM on" in label, "LSM off" in label, stroke) for label, _, stroke in chart.legend]
    if len(colors) == 1:
        assert (said, {*colors.values()}) == ([(False, False, "var(--on)")], {"var(--on)"})
    else:
        assert said == [(True, False, "var(--on)"), (False, True, "var(--off)")]
        (in_detail,) = (arm for arm, color in colors.items() if color == "var(--on)")
        assert opened.texts(".facts")[0].endswith(f"of which {in_detail} in detail")


def test_lines_of_the_network_join_the_banks_of_their_rows(opened: Page) -> None:
    _, days = simulated(opened)
    (chart,) = drawn(opened, "#netting_pairs", "netting_pairs")
    named = dict(text.split(None, 1) for text in opened.texts("#netting_pairs .legend li"))
    banks = {named[text]: (x, y - BASELINE) for text, x, y in chart.written}
    assert len(banks) == len(named)
    lines = [mark for mark in chart.marks if mark["tag"] == "line"]
    assert 0 < len(lines) == len(chart.rows)  # a run with more pairs than a circle holds is not among PAGES
    nearest = lambda spot: min(banks, key=lambda bank: abs(banks[bank][0] - spot[0]) + abs(banks[bank][1] - spot[1]))  # noqa: E731
    joined = {tuple(sorted(map(nearest, line["ends"]))): line for line in lines}
    assert set(joined) == {(row["agent"], row["counterparty"]) for row in chart.rows}
    widths = []
    for row in chart.rows:
        line = joined[row["agent"], row["counterparty"]]
        names, value = line["says"].rsplit(": ", 1)
        assert names == f"{row['agent']} and {row['counterparty']}"
        assert says(value, row["gross_value"] / days)
        widths.append((row["gross_value"], line["strokeWidth"]))
    most = max(value for value, _ in widths)
    assert [width for _, width in widths] == pytest.approx([0.75 + 11.25 * value / most for value, _ in widths])
    (widest,) = opened.attributes("#netting_pairs figcaption data")
    assert float(widest["value"]) == pytest.approx(most / days)


def test_banks_give_to_the_left_and_get_to_the_right_what_their_rows_say(opened: Page) -> None:
    _, days = simulated(opened)
    (chart,) = drawn(opened, "#agents", "agents")
    (axis,) = (axis for axis in chart.axes if axis["title"].startswith("value"))
    axis["labels"].sort(key=lambda label: label[1])
    zero = next(place for place, (text, *_) in enumerate(axis["labels"]) if float(text) == 0)
    axis["labels"][:zero] = [[f"-{text}", *spot] for text, *spot in axis["labels"][:zero]]  # it shows both ways alike
    across = chart.pixel(0, "value.*")
    bars = {(chart.band("agent", (mark["start"][1] + mark["end"][1]) / 2), mark["fill"]): mark for mark in chart.marks}
    assert len(bars) == len(chart.marks) == 2 * len(chart.rows)
    assert [(name.split(":")[0], fill) for name, fill, _ in chart.legend] == [
        ("gives", "var(--gives)"), ("gets", "var(--gets)"),
    ]  # fmt: skip
    for row in chart.rows:
        gives, gets = bars[row["agent"], "var(--gives)"], bars[row["agent"], "var(--gets)"]
        assert near(gives["start"][0], across(-row["liquidity_provided"] / days)), row
        assert near(gets["end"][0], across(row["liquidity_saved"] / days)), row
        assert near(gives["end"][0], across(0))
        assert near(gets["start"][0], across(0))
        for bar, what, value in ((gives, "gives", "liquidity_provided"), (gets, "gets", "liquidity_saved")):
            assert bar["says"].startswith(f"{row['agent']} {what} ")
            assert says(bar["says"].removeprefix(f"{row['agent']} {what} "), row[value] / days)


def test_what_is_a_sum_says_over_how_many_days(opened: Page) -> None:
    _, days = simulated(opened)
    notes = [note for note in opened.texts(".note, figcaption") if "over" in note and "simulated days" in note]
    assert all(f" over {days:,} simulated days. " in note for note in notes)
    assert bool(notes) == (days > 1)


def test_cycles_are_said_as_they_stand_in_their_table(opened: Page) -> None:
    (chart, *_) = drawn(opened, "#cycles_over_the_day", "largest_cycles")
    said = opened.evaluate(
        """[...document.querySelectorAll("article.cycle")].map((cycle) => [
            cycle.querySelector("h3").textContent,
            [...cycle.querySelectorAll(":scope > p data")].map((data) => Number(data.value)),
            [...cycle.querySelectorAll(".arrow")].length - [...cycle.querySelectorAll("text.amount")].length,
            Number(/^(\\d+) of \\d+ arrows have no room/
                .exec(cycle.querySelector(".members .note").textContent)?.[1] ?? 0),
        ])"""
    )
    assert len(said) == len(chart.rows)
    for (title, figures, unlabelled, noted), row in zip(said, chart.rows, strict=True):
        names = [name for name, kind in KINDS.items() if kind[:2] == (row["mechanism"], row["cycle_type"])]
        assert title.startswith(f"{names[0].capitalize()}: day {row['day']}, tick {row['tick']}")
        assert figures == [row[name] for name in ("transaction_count", "cycle_length", "total_value", "settled_value")]
        assert noted == unlabelled


def test_arms_have_their_mean_and_interval_where_their_rows_say(compared: Page) -> None:
    charts = drawn(compared, ".panel", "arms_drawn")
    metrics = list(dict.fromkeys(charts[0].column("metric")))
    assert len(charts) == len(metrics)
    for metric, chart in zip(metrics, charts, strict=True):
        across = chart.pixel(0, re.escape(metric.replace("_", " ")) + r" \(.*\)")
        rows = {row["arm"]: row for row in chart.rows if row["metric"] == metric}
        arms = {chart.band("arm", (mark["start"][1] + mark["end"][1]) / 2): mark for mark in chart.marks}
        intervals = {chart.band("arm", ends[0][1]): ends for ends in chart.rules}
        assert set(arms) == set(intervals) == set(rows)
        for arm, row in rows.items():
            mark = arms[arm]
            assert near((mark["start"][0] + mark["end"][0]) / 2, across(row["mean"])), row
            said_arm, value = mark["says"].rsplit(": ", 1)
            assert said_arm == arm
            assert says(value, row["mean"])
            low, high = (row[end] if row[end] != "–" else row["mean"] for end in ("ci95_low", "ci95_high"))
            ends = sorted(spot[0] for spot in intervals[arm])
            assert near(ends[0], across(low)), row
            assert near(ends[1], across(high)), row
