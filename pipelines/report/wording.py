"""Numbers as a banker says them: three significant digits, millions and billions, minus signs that look like them."""

from math import floor, log10

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"
"""What stands where there is no number."""

MINOR_PER_MAJOR = 100
"""Cents of a unit of money."""

_DIGITS = 3
_CENTS_BELOW, _UNITS_BELOW = 1_000, 10_000
_SCALES = ((10**12, "tn"), (10**9, "bn"), (10**6, "M"), (10**3, "k"))


def money(minor: float | None) -> str:
    """An amount of minor units in units of money: `12.4 M`, `310 k`, `2,500`, `250.00`."""
    if minor is None:
        return NOTHING
    size = abs(minor) / MINOR_PER_MAJOR
    if size < _UNITS_BELOW:
        return _signed(f"{size:,.2f}" if size < _CENTS_BELOW else f"{size:,.0f}", minor)
    major = _rounded(minor / MINOR_PER_MAJOR, _DIGITS)
    scale, name = money_scale(major * MINOR_PER_MAJOR)
    return _signed(f"{_digits(abs(major) / scale)} {name}", minor)


def money_scale(largest_minor: float) -> tuple[int, str]:
    """The scale in units of money, and its name, by which amounts up to this one are shown; 1 and no name if small."""
    major = abs(largest_minor) / MINOR_PER_MAJOR
    return next(((scale, name) for scale, name in _SCALES if major >= scale), (1, ""))


def exact_money(minor: int | None) -> str:
    """An amount to the cent: `12,345.67`."""
    if minor is None:
        return NOTHING
    units, cents = divmod(abs(minor), MINOR_PER_MAJOR)
    return _signed(f"{units:,}.{cents:02d}", minor)


def count(value: float | None) -> str:
    """A number of things: whole numbers as they are, means with three significant digits, at least their units."""
    if value is None:
        return NOTHING
    if value == int(value):
        return _signed(f"{abs(int(value)):,}", value)
    return number(value)


def number(value: float | None) -> str:
    """A number with three significant digits, and none of its units lost."""
    if value is None:
        return NOTHING
    return _signed(_digits(abs(value)), value)


def share(value: float | None) -> str:
    """A ratio as a percentage: `46.8 %`."""
    if value is None:
        return NOTHING
    return _signed(f"{abs(value) * 100:.1f} %", round(value, 3))


def counted(value: float, one: str, several: str | None = None) -> str:
    """A number with its noun: `1 cycle`, `3 cycles`."""
    noun = one if value == 1 else several or f"{one}s"
    return f"{count(value)} {noun}"


def _rounded(value: float, digits: int) -> float:
    return round(value, digits - 1 - floor(log10(abs(value)))) if value else 0.0


def _digits(value: float) -> str:
    value = _rounded(value, _DIGITS) if value < 10 ** (_DIGITS - 1) else round(value)
    decimals = max(0, _DIGITS - 1 - floor(log10(value))) if value else 0
    return f"{value:,.{min(decimals, 4)}f}"


def _signed(shown: str, value: float) -> str:
    return f"{MINUS}{shown}" if value < 0 and any(digit in shown for digit in "123456789") else shown
