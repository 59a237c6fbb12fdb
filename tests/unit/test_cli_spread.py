"""Statistics of repeated runs, against figures that can be checked by hand or in any table."""

from __future__ import annotations

from math import sqrt

import pytest

from eco2ai_fast.cli.spread import summary, t_975


def test_mean_deviation_and_interval_of_a_series() -> None:
    found = summary([10.0, 12.0, 14.0])
    assert found["n"] == 3
    assert (found["mean"], found["sd"], found["min"], found["max"]) == (12.0, 2.0, 10.0, 14.0)
    assert found["ci95"] == pytest.approx(4.3027 * 2.0 / sqrt(3))


def test_equal_values_have_no_spread() -> None:
    assert summary([5.0] * 4) == {"n": 4, "mean": 5.0, "sd": 0.0, "min": 5.0, "max": 5.0, "ci95": 0.0}


def test_one_value_tells_nothing_about_the_spread() -> None:
    found = summary([5.0])
    assert (found["sd"], found["ci95"]) == (None, None)


def test_no_value_is_an_error() -> None:
    with pytest.raises(ValueError):
        summary([])


# From printed tables of Student's t, two-sided 95 %.
@pytest.mark.parametrize(
    ("degrees", "quantile"), [(1, 12.706), (2, 4.303), (9, 2.262), (11, 2.201), (15, 2.131), (30, 2.042), (120, 1.980)]
)
def test_quantiles_are_those_of_the_tables(degrees: int, quantile: float) -> None:
    assert t_975(degrees) == pytest.approx(quantile, abs=6e-4)


def test_quantiles_fall_towards_the_normal_distribution() -> None:
    quantiles = [t_975(degrees) for degrees in range(1, 500)]
    assert quantiles == sorted(quantiles, reverse=True)
    assert quantiles[-1] > 1.959964
