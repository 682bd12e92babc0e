"""Numbers as a banker says them."""

import pytest

from pipelines.report import wording


@pytest.mark.parametrize(
    ("minor", "said"),
    [
        (0, "0.00"),
        (1, "0.01"),
        (-1, "−0.01"),
        (99_999, "999.99"),
        (100_000, "1,000"),
        (-250_060, "−2,501"),
        (999_900, "9,999"),
        (1_234_567, "12.3 k"),
        (99_949_999, "999 k"),
        (99_950_000, "1.00 M"),
        (1_240_000_000, "12.4 M"),
        (123_456_789_012, "1.23 bn"),
        (99_999_999_999_999, "1.00 tn"),
        (2**63 - 1, "92,200 tn"),
        (None, "–"),
    ],
)
def test_amounts_are_said_in_units_of_money(minor: int | None, said: str) -> None:
    assert wording.money(minor) == said


@pytest.mark.parametrize(
    ("minor", "said"), [(0, "0.00"), (5, "0.05"), (-123_456_789, "−1,234,567.89"), (100, "1.00"), (None, "–")]
)
def test_single_amounts_are_exact_to_the_cent(minor: int | None, said: str) -> None:
    assert wording.exact_money(minor) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"),
        (1234567, "1,234,567"),
        (-3, "−3"),
        (12.0, "12"),
        (0.375, "0.375"),
        (505.58, "506"),
        (9774.4, "9,774"),
        (None, "–"),
    ],
)
def test_means_of_counts_keep_three_digits_and_all_their_units(value: float | None, said: str) -> None:
    assert wording.count(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(15.321, "15.3"), (-7.041, "−7.04"), (0.0012345, "0.0012"), (99.96, "100"), (0.0, "0"), (1e-9, "0.0000")],
)
def test_numbers_have_three_digits(value: float, said: str) -> None:
    assert wording.number(value) == said


@pytest.mark.parametrize(
    ("ratio", "said"), [(0.4687, "46.9 %"), (1.0, "100.0 %"), (-0.0004, "0.0 %"), (-0.25, "−25.0 %"), (None, "–")]
)
def test_ratios_are_said_as_percentages(ratio: float | None, said: str) -> None:
    assert wording.share(ratio) == said


@pytest.mark.parametrize(("number", "said"), [(1, "1 cycle"), (0, "0 cycles"), (1.5, "1.50 cycles")])
def test_one_is_not_said_in_the_plural(number: float, said: str) -> None:
    assert wording.counted(number, "cycle") == said
