"""Scope 2: the grid's average and the user's contracts, side by side."""

from __future__ import annotations

import pytest

from eco2ai_fast.carbon import FactorError
from eco2ai_fast.carbon.scope2 import Instrument, scope2

KWH_J = 3.6e6


def test_without_instruments_both_ways_agree_and_the_fallback_is_named() -> None:
    both = scope2(100 * KWH_J, 300)
    assert (both.location_g, both.market_g) == (pytest.approx(30_000), pytest.approx(30_000))
    assert both.rest_factor == "grid average"


def test_instruments_cover_in_their_order_and_the_residual_mix_the_rest() -> None:
    wind, tariff = Instrument("wind PPA", 60, 0), Instrument("tariff", 30, 100)
    both = scope2(100 * KWH_J, 300, [wind, tariff], residual_g_per_kwh=450)
    assert both.location_g == pytest.approx(30_000)
    assert both.market_g == pytest.approx(30 * 100 + 10 * 450)
    assert (both.covered_kwh, both.rest_kwh) == (pytest.approx(90), pytest.approx(10))
    assert both.rest_factor == "residual mix"


def test_surplus_of_an_instrument_never_makes_emissions_negative() -> None:
    both = scope2(10 * KWH_J, 300, [Instrument("wind PPA", 1000, 0), Instrument("unused", 1000, 999)])
    assert both.market_g == 0 and both.covered_kwh == pytest.approx(10)


def test_pue_counts_before_the_instruments() -> None:
    both = scope2(100 * KWH_J, 300, [Instrument("wind PPA", 100, 0)], pue=1.5)
    assert both.energy_kwh == pytest.approx(150)
    assert both.market_g == pytest.approx(50 * 300)


@pytest.mark.parametrize(("kwh", "factor"), [(-1, 0), (1, -1), (float("nan"), 0), (1, float("inf"))])
def test_negative_instrument_is_refused(kwh: float, factor: float) -> None:
    with pytest.raises(FactorError, match="instrument 'x'"):
        Instrument("x", kwh, factor)
