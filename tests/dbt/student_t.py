"""Quantiles of Student's t distribution, exact to 40 digits: where dbt's seed `t_quantiles` comes from.

    python -m tests.dbt.student_t      writes dbt_project/seeds/reference/t_quantiles.csv

For whole degrees of freedom the distribution function is a finite sum (Abramowitz & Stegun 26.7.3 and 26.7.4), so that
Newton's method in decimal arithmetic finds the quantile.
"""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path

SEED = Path(__file__).parents[2] / "dbt_project" / "seeds" / "reference" / "t_quantiles.csv"

TABULATED_UP_TO = 200
"""Degrees of freedom; above them the warehouse expands the quantile in their inverse."""

_DIGITS = 40
_WRITTEN = Decimal("1e-15")


def quantile(probability: Decimal, degrees_of_freedom: int) -> Decimal:
    """The t whose distribution function is the probability, which is above 1/2."""
    with localcontext() as context:
        context.prec = _DIGITS + 10
        scale = _density_at_0(degrees_of_freedom)
        t = Decimal(2)
        while True:
            density = scale * _power(1 + t * t / degrees_of_freedom, -(degrees_of_freedom + 1))
            step = (cdf(t, degrees_of_freedom) - probability) / density
            # It rises and bends down, so that whatever the first step does, all others near the quantile from below.
            t -= step
            if abs(step) < Decimal(10) ** -(_DIGITS // 2):
                return t


def cdf(t: Decimal, degrees_of_freedom: int) -> Decimal:
    """The distribution function at t > 0."""
    cosine_squared = 1 / (1 + t * t / degrees_of_freedom)
    is_odd = degrees_of_freedom % 2
    term = cosine_squared.sqrt() if is_odd else Decimal(1)
    total = Decimal(0)
    for power in range(1 + is_odd, degrees_of_freedom, 2):
        total += term
        term = term * cosine_squared * power / (power + 1)
    total *= (1 - cosine_squared).sqrt()
    if is_odd:
        total = 2 / _pi() * (_arctan(t / Decimal(degrees_of_freedom).sqrt()) + total)
    return (1 + total) / 2


def csv() -> str:
    """The seed's content."""
    lines = ["degrees_of_freedom,quantile_0_975"]
    for degrees_of_freedom in range(1, TABULATED_UP_TO + 1):
        rounded = quantile(Decimal("0.975"), degrees_of_freedom).quantize(_WRITTEN, ROUND_HALF_EVEN)
        lines.append(f"{degrees_of_freedom},{rounded}")
    return "\n".join(lines) + "\n"


def _density_at_0(degrees_of_freedom: int) -> Decimal:
    """Gamma((n + 1) / 2) / (Gamma(n / 2) sqrt(n pi)), by the recursion that leads from n to n + 2."""
    scale = 1 / _pi() if degrees_of_freedom % 2 else 1 / Decimal(8).sqrt()
    for n in range(2 - degrees_of_freedom % 2, degrees_of_freedom, 2):
        scale *= Decimal(n + 1) / n * (Decimal(n) / (n + 2)).sqrt()
    return scale


def _power(base: Decimal, twice_the_exponent: int) -> Decimal:
    return base.sqrt() ** twice_the_exponent


def _arctan(x: Decimal) -> Decimal:
    """The series, on an argument that halving the angle four times has made small."""
    for _ in range(4):
        x /= 1 + (1 + x * x).sqrt()
    total, power, n = Decimal(0), x, 1
    while abs(power) > Decimal(10) ** -(_DIGITS + 10):
        total += power / n if n % 4 == 1 else -power / n
        power, n = power * x * x, n + 2
    return 16 * total


def _pi() -> Decimal:
    return 4 * _arctan(Decimal(1))


if __name__ == "__main__":
    SEED.write_text(csv())
