"""Accounting: the arithmetic from joules to grams and money."""

from __future__ import annotations

import pytest

from eco2ai_fast.carbon import FactorError, co2e_g, cost, embodied_g, kwh, sci_g, water_l


def test_45_kwh_at_489_g_per_kwh_is_22_kg() -> None:
    assert co2e_g(45 * 3.6e6, 489) / 1000 == pytest.approx(22.005)


def test_300_w_over_10_h_is_3_kwh() -> None:
    assert kwh(300 * 10 * 3600) == 3.0


def test_pue_multiplies_carbon_and_cost() -> None:
    assert co2e_g(3.6e6, 100, pue=1.5) == pytest.approx(150)
    assert cost(3.6e6, 0.2, pue=1.5) == pytest.approx(0.3)


def test_price_may_be_negative() -> None:
    assert cost(3.6e6, -0.05) == pytest.approx(-0.05)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0])
def test_energy_that_is_no_energy_is_refused(bad: float) -> None:
    for call in (kwh, lambda energy_j: co2e_g(energy_j, 100), lambda energy_j: cost(energy_j, 0.1)):
        with pytest.raises(FactorError, match="energy_j"):
            call(bad)


@pytest.mark.parametrize("bad", [0.99, -1.0, float("nan")])
def test_pue_below_one_is_refused(bad: float) -> None:
    with pytest.raises(FactorError, match="pue"):
        co2e_g(1.0, 100, pue=bad)


def test_negative_intensity_is_refused() -> None:
    with pytest.raises(FactorError, match="g_per_kwh"):
        co2e_g(1.0, -1)


def test_embodied_share_of_an_accelerator_for_an_hour() -> None:
    three_years_s = 26_280 * 3600
    assert embodied_g(164, 3600, three_years_s) == pytest.approx(6.24, abs=0.01)
    assert embodied_g(164, 3600, three_years_s, share=0.5) == pytest.approx(3.12, abs=0.01)


@pytest.mark.parametrize(("lifetime_s", "share"), [(0, 1), (-1, 1), (1, 1.1), (1, -0.1), (float("nan"), 1)])
def test_embodied_share_of_no_life_or_more_than_the_whole_is_refused(lifetime_s: float, share: float) -> None:
    with pytest.raises(FactorError):
        embodied_g(164, 3600, lifetime_s, share)


def test_pue_multiplies_the_water_of_the_grid_but_not_of_the_site() -> None:
    assert water_l(10 * 3.6e6, 1.8) == pytest.approx(18)
    assert water_l(10 * 3.6e6, 1.8, pue=1.5, grid_l_per_kwh=2.0) == pytest.approx(18 + 30)


def test_sci_is_per_functional_unit() -> None:
    assert sci_g(90, 10, units=1000) == pytest.approx(0.1)
    with pytest.raises(FactorError, match="units = 0"):
        sci_g(90, 10, units=0)
