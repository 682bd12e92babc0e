"""The LSM cycles of a stored day as a small picture, for whoever watches work go on; drawn from the day's raw table.

Altair is imported when there is something to draw: whoever loads the assets should not wait for it.
"""

import base64
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    import altair as alt

NO_CYCLES = "No cycle settled."

_BARS_MAX = 48
_PNG_HEAD = 8
_WIDTH, _HEIGHT = 480, 140
"""Of the plot, in pixels: 10 for each of 48 bars, whose edges are sharp so and take little room."""


def cycles_as_markdown(cycles: pl.DataFrame, ticks_per_day: Mapping[str, int]) -> str:
    """The cycles of a day over its ticks, stacked by mechanism and type, as a PNG within Markdown, at most 30 kB.

    cycles: the day's lsm_cycles, of all simulations of the run; they are counted together. ticks_per_day: by
    simulation. Where no cycle settled, or the picture could not be drawn, says so.
    """
    if cycles.is_empty():
        return NO_CYCLES
    from pipelines.report import theme

    try:
        png = theme.png(_chart(cycles, ticks_per_day), scale=1)
    except ValueError as error:  # whatever goes wrong in vl-convert: a picture is no reason for a stored day to fail
        return f"{_said(cycles)}. The picture could not be drawn: {str(error).splitlines()[0]}"
    return f"![{_said(cycles)}](data:image/png;base64,{base64.b64encode(repacked(png)).decode()})"


def stretch_of(ticks_per_day: int) -> int:
    """Into how many ticks a bar of a day's chart falls: 1, 2 or 5, or ten, a hundred ... times that."""
    stretches = (digit * 10**zeros for zeros in range(len(str(ticks_per_day))) for digit in (1, 2, 5))
    found: int = next(stretch for stretch in stretches if stretch * _BARS_MAX >= ticks_per_day)
    return found


def cycles_by_stretch(cycles: pl.DataFrame, ticks_per_day: Mapping[str, int], stretch: int) -> pl.DataFrame:
    """How many cycles of each mechanism and type settled in each stretch of the day that has any.

    Columns: mechanism, cycle_type, from_tick (of the day, its first is 0), cycles; in this order.
    """
    ticks = pl.DataFrame({"simulation_id": ticks_per_day.keys(), "ticks_per_day": ticks_per_day.values()})
    tick_of_day = pl.col("tick") - pl.col("day") * pl.col("ticks_per_day")
    return (
        cycles.join(ticks, on="simulation_id", validate="m:1")
        .group_by("mechanism", "cycle_type", from_tick=tick_of_day // stretch * stretch)
        .agg(cycles=pl.len())
        .sort("mechanism", "cycle_type", "from_tick")
    )


def _chart(cycles: pl.DataFrame, ticks_per_day: Mapping[str, int]) -> "alt.Chart":
    import altair as alt

    from pipelines.report.charts import kind_scale, named

    last = max(ticks_per_day.values())
    stretch = stretch_of(last)
    shown = named(cycles_by_stretch(cycles, ticks_per_day, stretch)).with_columns(
        to_tick=pl.min_horizontal(pl.col("from_tick") + stretch, last)
    )
    assert not shown["kind"].has_nulls(), "a mechanism or type has no name"
    chart: alt.Chart = (
        alt.Chart(shown)
        .mark_bar(orient="vertical")
        .encode(
            x=alt.X(
                "from_tick:Q",
                title="time of day (ticks from opening)",
                scale=alt.Scale(domain=[0, last], nice=False),
                axis=alt.Axis(tickMinStep=1, grid=False, format="d"),
            ),
            x2="to_tick:Q",
            y=alt.Y(
                "cycles:Q", stack="zero", title=_count_title(len(ticks_per_day), stretch), axis=alt.Axis(tickMinStep=1)
            ),
            color=alt.Color("kind:N", title=None, scale=kind_scale(shown)),
            order="kind_order:Q",
        )
        .properties(width=_WIDTH, height=_HEIGHT)
    )
    return chart


def repacked(png: bytes) -> bytes:
    """The same picture, pixel by pixel, in a quarter of the bytes: vl-convert packs fast rather than well."""
    chunks = list(_chunks(png))
    pixels = zlib.compress(zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT")), level=9)
    first = next(place for place, (kind, _) in enumerate(chunks) if kind == b"IDAT")
    others = [chunk for chunk in chunks if chunk[0] != b"IDAT"]
    packed = [*others[:first], (b"IDAT", pixels), *others[first:]]
    return png[:_PNG_HEAD] + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in packed
    )


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data of each part of a PNG: length, kind, data and a check sum follow one another."""
    at = _PNG_HEAD
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


def _count_title(simulations: int, stretch: int) -> list[str]:
    ticks = "a tick" if stretch == 1 else f"{stretch:,} ticks"
    of = f" of {simulations:,} simulations" if simulations > 1 else ""
    return [f"cycles{of}", f"in {ticks} (number)"]


def _said(cycles: pl.DataFrame) -> str:
    noun = "LSM cycle" if cycles.height == 1 else "LSM cycles"
    return f"{cycles.height:,} {noun} over day {cycles['day'][0]}, by mechanism and type"
