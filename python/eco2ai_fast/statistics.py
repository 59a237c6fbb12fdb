"""The few statistics that repeated measurements need, without scipy."""

from __future__ import annotations

import numpy as np

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

Z_95 = 1.959964
# Student's t, two-sided 95 %, for 1 to 5 degrees of freedom, where the series below is off by more than 0.1 %
# (any table of the distribution, e.g. NIST/SEMATECH e-Handbook, section 1.3.6.7.2).
FEW_DEGREES = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706)


def t_95(degrees: int) -> float:
    """Student's t for a two-sided 95 % interval.

    Expansion in 1/degrees about the normal quantile: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.
    """
    if degrees < 1:
        return float("nan")
    if degrees <= len(FEW_DEGREES):
        return FEW_DEGREES[degrees - 1]
    z = Z_95
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + g1 / degrees + g2 / degrees**2 + g3 / degrees**3


def effective_size(values: NDArray[Any]) -> float:
    """How many independent values say as much about the mean as these: fewer where neighbours are alike.

    n (1 - r) / (1 + r) with the correlation r of neighbours, for values that forget as a first-order process does
    (Zwiers and von Storch, J. Climate 8, 1995, 336-351). At least 2, at most n.
    """
    count = len(values)
    deviation = values - values.mean()
    variance = float((deviation**2).sum())
    if count < 4 or variance == 0:
        return float(count)
    r = float((deviation[1:] * deviation[:-1]).sum()) / variance
    # Below twice its standard error a correlation is not told from none.
    if r < 2 / count**0.5:
        return float(count)
    return min(float(count), max(2.0, count * (1 - r) / (1 + r)))


def settled_from(values: NDArray[Any]) -> int:
    """How many values at the begin belong to warming up: leaving them out makes the mean of the rest most certain.

    The marginal standard error rule (White, Simulation 69, 1997, 323-334): the cut d that minimises
    variance(values[d:]) / (n - d), among the first half. 0 for fewer than ten values.
    """
    count = len(values)
    if count < 10:
        return 0
    left = count - np.arange(count)
    backwards = np.asarray(values, "f8")[::-1] - values.mean()
    sums, squares = np.cumsum(backwards)[::-1], np.cumsum(backwards**2)[::-1]
    marginal = (squares - sums**2 / left) / left.astype("f8") ** 2
    # The first that is as good as the best, but for rounding.
    half = marginal[: count // 2]
    return int(np.argmax(half <= half.min() + 1e-9 * half.max()))
