"""The picture of a day's cycles: what is counted where, what it says, and how large it is."""

import base64
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Sequence

import polars as pl
import pytest

from pipelines.report import day_chart, theme
from pipelines.report.day_chart import NO_CYCLES, cycles_as_markdown, cycles_by_stretch, repacked, stretch_of

KINDS = [
    ("bilateral", "bilateral"),
    ("entry_offset", "bilateral"),
    ("gridlock", "bilateral"),
    ("gridlock", "multilateral"),
    ("ring", "multilateral"),
]
"""Every mechanism with the types of what it finds (SPEC 5)."""


def cycles(*rows: tuple[str, int, tuple[str, str]], day: int = 0) -> pl.DataFrame:
    """Cycles of a day: simulation, tick, and mechanism with type."""
    return pl.DataFrame(
        [(simulation, day, tick, *kind) for simulation, tick, kind in rows],
        schema={
            "simulation_id": pl.String,
            "day": pl.Int64,
            "tick": pl.Int64,
            "mechanism": pl.String,
            "cycle_type": pl.String,
        },
        orient="row",
    )


def picture_of(markdown: str) -> bytes:
    (inside,) = re.findall(r"\(data:image/png;base64,(.*)\)$", markdown)
    return base64.b64decode(inside)


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Kind and data of each part of a PNG, whose check sums are right."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, found = 8, []
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert png[at + 8 + length : at + 12 + length] == struct.pack(">I", zlib.crc32(kind + data))
        found.append((kind, data))
        at += length + 12
    return found


def pixels(parts: Sequence[tuple[bytes, bytes]]) -> bytes:
    return zlib.decompress(b"".join(data for kind, data in parts if kind == b"IDAT"))


PAIR, OFFSET, PAIR_SET, SET, RING = KINDS


def test_cycles_are_counted_by_the_stretch_of_their_own_day() -> None:
    """Day 2. Of `long`, with 10 ticks a day, it begins at tick 20; of `short`, with 4, at tick 8."""
    day = cycles(
        ("long", 20, RING),
        ("long", 24, RING),
        ("long", 25, RING),
        ("long", 29, PAIR),
        ("short", 8, RING),
        ("short", 11, SET),
        day=2,
    )
    counted = cycles_by_stretch(day, {"long": 10, "short": 4}, stretch=5)
    assert counted.columns == ["mechanism", "cycle_type", "from_tick", "cycles"]
    assert counted.rows() == [
        ("bilateral", "bilateral", 5, 1),
        ("gridlock", "multilateral", 0, 1),
        ("ring", "multilateral", 0, 3),
        ("ring", "multilateral", 5, 1),
    ]


@pytest.mark.parametrize(
    ("ticks_per_day", "stretch"),
    [(1, 1), (48, 1), (49, 2), (96, 2), (97, 5), (240, 5), (241, 10), (1440, 50), (86_400, 2000)],
)
def test_a_day_has_at_most_48_bars_of_a_round_number_of_ticks(ticks_per_day: int, stretch: int) -> None:
    assert stretch_of(ticks_per_day) == stretch


def test_the_picture_says_in_words_how_many_cycles_of_which_day_it_shows() -> None:
    one = cycles_as_markdown(cycles(("a", 3, RING), day=0), {"a": 20})
    assert one.startswith("![1 LSM cycle over day 0, by mechanism and type](data:image/png;base64,")
    many = cycles_as_markdown(cycles(*[("a", 65, PAIR)] * 1234, day=3), {"a": 20})
    assert many.startswith("![1,234 LSM cycles over day 3, by mechanism and type](data:image/png;base64,")


def test_a_day_without_cycles_says_so() -> None:
    assert cycles_as_markdown(cycles(), {"a": 20}) == NO_CYCLES == "No cycle settled."


def test_every_cycle_of_every_kind_is_drawn_under_its_name() -> None:
    day = cycles(*[("a", tick, kind) for tick, kind in enumerate(KINDS)], ("b", 7, RING))
    drawn = day_chart._chart(day, {"a": 10, "b": 10}).to_dict()
    (rows,) = drawn["datasets"].values()
    assert len(rows) == 6
    assert sum(row["cycles"] for row in rows) == 6
    legend = drawn["encoding"]["color"]["scale"]
    assert len(legend["domain"]) == len(legend["range"]) == len(set(legend["range"])) == 5
    assert set(legend["domain"]) == {row["kind"] for row in rows}


def test_axes_say_what_they_measure_and_in_what_unit() -> None:
    of_one = day_chart._chart(cycles(("a", 3, RING)), {"a": 20}).to_dict()["encoding"]
    assert of_one["x"]["title"] == "time of day (ticks from opening)"
    assert of_one["x"]["scale"]["domain"] == [0, 20]
    assert of_one["y"]["title"] == ["cycles", "in a tick (number)"]
    of_two = day_chart._chart(cycles(("a", 3, RING)), {"a": 20_000, "b": 100}).to_dict()["encoding"]
    assert of_two["x"]["scale"]["domain"] == [0, 20_000]
    assert of_two["y"]["title"] == ["cycles of 2 simulations", "in 500 ticks (number)"]


def test_a_picture_takes_at_most_30_kilobytes_however_much_is_in_it() -> None:
    rows = [
        (f"s{tick % 7}", tick, kind)
        for tick in range(48)
        for place, kind in enumerate(KINDS)
        for _ in range(place + tick)
    ]
    markdown = cycles_as_markdown(cycles(*rows), {f"s{n}": 48 for n in range(7)})
    assert len(markdown) < 30_000


def test_packing_again_keeps_every_pixel() -> None:
    drawn = theme.png(day_chart._chart(cycles(("a", 3, RING), ("a", 4, PAIR)), {"a": 20}), scale=1)
    packed = repacked(drawn)
    before, after = chunks(drawn), chunks(packed)
    assert [part for part in before if part[0] != b"IDAT"] == [part for part in after if part[0] != b"IDAT"]
    assert [kind for kind, _ in after] == list(dict.fromkeys(kind for kind, _ in before))
    assert pixels(before) == pixels(after)
    assert len(packed) < len(drawn) / 2
    assert picture_of(cycles_as_markdown(cycles(("a", 3, RING), ("a", 4, PAIR)), {"a": 20})) == packed


def test_a_picture_that_cannot_be_drawn_is_said_and_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> bytes:
        raise ValueError("Vega-Lite to PNG conversion failed:\nand much more")

    monkeypatch.setattr(theme, "png", refuse)
    said = cycles_as_markdown(cycles(("a", 3, RING)), {"a": 20})
    assert said == (
        "1 LSM cycle over day 0, by mechanism and type. "
        "The picture could not be drawn: Vega-Lite to PNG conversion failed:"
    )


def test_nothing_that_draws_is_imported_before_something_is_drawn() -> None:
    code = "import sys, pipelines.assets; print({'altair', 'vl_convert'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
