"""Statistics of repeats, against the literature."""

from __future__ import annotations

import numpy as np
import pytest

from eco2ai_fast.statistics import effective_size, settled_from, t_95


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [
        (1, 12.7062),
        (2, 4.3027),
        (5, 2.5706),
        (6, 2.4469),
        (8, 2.3060),
        (10, 2.2281),
        (20, 2.0860),
        (30, 2.0423),
        (120, 1.9799),
    ],
)
def test_students_t_is_that_of_the_tables(degrees: int, expected: float) -> None:
    assert t_95(degrees) == pytest.approx(expected, rel=1e-3)


def test_alike_neighbours_count_for_less() -> None:
    chance = np.random.default_rng(1)
    noise = chance.normal(size=20_000)
    assert effective_size(noise) > 0.9 * len(noise)
    persistent = np.zeros(20_000)
    for step in range(1, len(persistent)):
        persistent[step] = 0.9 * persistent[step - 1] + noise[step]
    assert effective_size(persistent) == pytest.approx(len(noise) * 0.1 / 1.9, rel=0.2)
    assert effective_size(np.ones(50)) == 50


def test_warming_up_is_cut_off_and_a_steady_series_is_not() -> None:
    chance = np.random.default_rng(2)
    steady = 10 + chance.normal(scale=0.2, size=200)
    assert settled_from(steady) < 20
    warming = steady.copy()
    warming[:30] += np.linspace(15, 0.5, 30)
    assert 25 <= settled_from(warming) <= 45
    assert settled_from(steady[:5]) == 0
