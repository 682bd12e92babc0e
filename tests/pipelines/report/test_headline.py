"""What the first sentences say of savings: which way, and how sure."""

from typing import Any

import pytest

from pipelines.report.headline import _beside_the_twin, _how_sure


@pytest.mark.parametrize(
    ("delay", "said"),
    [
        ({"mean": 3.0, "ci95_low": 1.0, "ci95_high": 5.0, "seeds": 4}, " (95 % interval 1.00 to 5.00, 4 seeds)"),
        ({"mean": -3.0, "ci95_low": -5.0, "ci95_high": -1.0, "seeds": 4}, " (95 % interval 1.00 to 5.00, 4 seeds)"),
        (
            {"mean": 2.69, "ci95_low": -1.0, "ci95_high": 6.38, "seeds": 3},
            " (95 % interval −1.00 to 6.38, which 3 seeds cannot tell from none)",
        ),
        (
            {"mean": -2.69, "ci95_low": -6.38, "ci95_high": 1.0, "seeds": 3},
            " (95 % interval −1.00 to 6.38, which 3 seeds cannot tell from none)",
        ),
        ({"mean": 3.0, "ci95_low": None, "ci95_high": None, "seeds": 1}, " (1 seed: no interval)"),
    ],
)
def test_an_interval_is_of_what_the_sentence_says_and_admits_doubt(delay: dict[str, Any], said: str) -> None:
    assert _how_sure(delay).striptags() == said.strip()


@pytest.mark.parametrize(
    ("twin", "said"),
    [
        ({"transactions": 3, "never_settled": 0, "ticks_later": 5.0}, ", 5.00 ticks earlier than without LSM"),
        ({"transactions": 3, "never_settled": 0, "ticks_later": -4.0}, ", 4.00 ticks later than without LSM"),
        (
            {"transactions": 3, "never_settled": 2, "ticks_later": 5.0},
            "; without LSM 2 of them do not settle, and the others 5.00 ticks later",
        ),
        (
            {"transactions": 3, "never_settled": 1, "ticks_later": -5.0},
            "; without LSM 1 of them does not settle, and the others 5.00 ticks earlier",
        ),
        ({"transactions": 3, "never_settled": 3, "ticks_later": None}, "; without LSM none of them settles"),
    ],
)
def test_a_cycle_beside_its_twin_says_when_its_payments_settle_there(twin: dict[str, Any], said: str) -> None:
    assert _beside_the_twin(twin).striptags() == said
