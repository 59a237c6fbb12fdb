"""Repeated runs: mean, spread, and the interval that holds the mean in 95 of 100 cases."""

from __future__ import annotations

from math import sqrt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# Quantiles 0.975 of Student's t for 1 to 10 degrees of freedom, computed from its distribution function.
_T_975 = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281)
_Z_975 = 1.959964


def summary(values: Sequence[float]) -> dict[str, float | int | None]:
    """n, mean, sd (of the sample), min, max, and ci95: half-width of the 95 % interval of the mean (Student's t).

    sd and ci95 are None for one value, which tells nothing about the spread. ValueError for none at all.
    """
    count = len(values)
    if not count:
        raise ValueError("no value to summarise")
    mean = sum(values) / count
    sd = sqrt(sum((value - mean) ** 2 for value in values) / (count - 1)) if count > 1 else None
    ci95 = None if sd is None else t_975(count - 1) * sd / sqrt(count)
    return {"n": count, "mean": mean, "sd": sd, "min": min(values), "max": max(values), "ci95": ci95}


def t_975(degrees: int) -> float:
    """Quantile 0.975 of Student's t: a table, then the expansion in 1/degrees (Abramowitz and Stegun 26.7.5)."""
    if degrees <= len(_T_975):
        return _T_975[degrees - 1]
    z, n = _Z_975, degrees
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / n + second / n**2 + third / n**3
