"""From some steps to the whole run."""

from __future__ import annotations

import numpy as np
import pytest

import eco2ai_fast as eco
from eco2ai_fast.testing import ManualClock, ScriptedDomain

MS = 1_000_000


def test_the_worked_example_resnet_50() -> None:
    # 45 kWh over 450,000 steps are 360 J a step; at 489 g/kWh they emit 22 kg.
    joules = 360 + np.random.default_rng(0).normal(scale=20, size=200)
    joules += 360 - joules.mean()
    eco.configure(intensity_g_per_kwh=489)
    try:
        projection = eco.project(joules, 450_000)
        assert projection.kwh == pytest.approx(45, rel=1e-9)
        assert projection.co2e_g == pytest.approx(22_005, rel=1e-3)
        assert projection.low_g < projection.co2e_g < projection.high_g
        assert projection.high_kwh - projection.kwh == pytest.approx(1.97 * 20 / 200**0.5 / 360 * 45, rel=0.1)
        assert "450000 steps: 162 MJ = 45 kWh" in repr(projection)
    finally:
        eco.configure(intensity_g_per_kwh=None)


def test_the_band_holds_the_truth_in_about_95_of_100_runs() -> None:
    chance = np.random.default_rng(3)
    inside = 0
    for _ in range(400):
        run = chance.gamma(20, 0.5, size=2_000)
        projection = eco.project(run[:50], 2_000)
        inside += projection.low_j <= run.sum() <= projection.high_j
    assert 0.90 <= inside / 400 <= 0.99


def test_the_sensors_own_error_does_not_average_out() -> None:
    steps = np.tile([1.0, 1.01], 500)
    narrow, wide = eco.project(steps, 1e6), eco.project(steps, 1e6, sensor_rel=0.05)
    assert narrow.high_j / narrow.energy_j < 1.01
    assert wide.high_j / wide.energy_j == pytest.approx(1 + 1.96 * 0.05, rel=1e-2)


def test_spans_measurements_and_a_share_of_a_window_will_do() -> None:
    readings = [(k * MS, 50_000 * k) for k in range(2001)]
    clock = ManualClock()
    meter = eco.testing.meter([ScriptedDomain("package", readings, tick_s=1e-6, sensor_rel=0.03)], clock).start()
    measurements = []
    for _ in range(20):
        start_ns = clock.now_ns
        with meter.span("step"):
            for _ in range(50):
                clock.set(clock.now_ns + MS)
                meter.tick()
        measurements.append(meter.energy_between(start_ns, clock.now_ns))
    window = meter.energy_between(0, clock.now_ns)
    for given in (meter.spans(name="step"), measurements, window.per("step", 20)):
        projection = eco.project(given, 1_000)
        assert projection.energy_j == pytest.approx(2_500, rel=1e-2)
        assert projection.high_j == pytest.approx(2_500 * (1 + 1.96 * 0.03), rel=2e-2)
        assert projection.measured_steps == 20


def test_words_for_what_cannot_be_projected() -> None:
    with pytest.raises(ValueError, match="two steps at least"):
        eco.project([1.0], 100)
    with pytest.raises(ValueError, match="two steps at least"):
        eco.project([1.0, float("nan")], 100)
    with pytest.raises(ValueError, match="above 0"):
        eco.project([1.0, 2.0], 0)
