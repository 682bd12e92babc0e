"""Which arms a page draws, and what the shade in the chart of queues is."""

import polars as pl

from pipelines.report import charts
from pipelines.report.about_runs import _arms_drawn
from pipelines.report.questions import Subject


def test_of_many_arms_those_that_are_compared_are_drawn_and_numbers_in_names_count() -> None:
    arms = [f"credit_{credit}" for credit in range(1, 61)]
    rows = pl.DataFrame({"arm": ["off", *arms], "baseline_arm": "off"}).sample(fraction=1, shuffle=True, seed=1)
    drawn = _arms_drawn(rows, Subject("run", "credit_59", "off", ticks_per_day=1, days=1))
    assert drawn == [*(f"credit_{credit}" for credit in range(1, 23)), "credit_59", "off"]


def test_the_shade_holds_the_middle_eight_tenths_of_days() -> None:
    rows = pl.DataFrame(
        {
            "arm": ["on", "on"],
            "from_tick": [0, 1],
            "queue_value": [500.0, 700.0],
            "queue_value_decile_1": [100.0, 200.0],
            "queue_value_decile_9": [900.0, 1000.0],
            "queue2_value": [500.0, 700.0],
        }
    )
    drawn = charts.queues_over_the_day(rows, Subject("run", "on", None, ticks_per_day=2, days=3), 300).to_dict()
    areas = [layer["encoding"] for layer in drawn["layer"] if layer["mark"]["type"] == "area"]
    assert [(area["y"]["field"], area["y2"]["field"]) for area in areas] == [
        ("queue_value_decile_1", "queue_value_decile_9")
    ]
    (points,) = drawn["datasets"].values()
    assert [(point["queue_value_decile_1"], point["queue_value_decile_9"]) for point in points] == [
        (1.0, 9.0),
        (2.0, 10.0),
    ]
