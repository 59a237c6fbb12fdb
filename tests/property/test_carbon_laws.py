"""Laws of the arithmetic from joules to grams and money."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco2ai_fast.carbon import co2e_g, cost, kwh
from eco2ai_fast.carbon.scope2 import Instrument, scope2
from eco2ai_fast.carbon.tariff import Tariff

energies_j = st.floats(min_value=0, max_value=1e15)
intensities = st.floats(min_value=0, max_value=2000)
pues = st.floats(min_value=1, max_value=3)


@given(a=energies_j, b=energies_j)
def test_kwh_of_a_sum_is_the_sum_of_kwh(a: float, b: float) -> None:
    assert kwh(a + b) == pytest.approx(kwh(a) + kwh(b))


@given(energy_j=energies_j, g_per_kwh=intensities, pue=pues, factor=st.floats(min_value=0, max_value=100))
def test_emissions_scale_with_energy_intensity_and_pue(
    energy_j: float, g_per_kwh: float, pue: float, factor: float
) -> None:
    whole = co2e_g(energy_j, g_per_kwh, pue)
    assert co2e_g(factor * energy_j, g_per_kwh, pue) == pytest.approx(factor * whole)
    assert co2e_g(energy_j, factor * g_per_kwh, pue) == pytest.approx(factor * whole)
    assert whole == pytest.approx(pue * co2e_g(energy_j, g_per_kwh))


@given(a=energies_j, b=energies_j, price=st.floats(min_value=-1, max_value=10))
def test_cost_of_a_sum_is_the_sum_of_costs(a: float, b: float, price: float) -> None:
    assert cost(a + b, price) == pytest.approx(cost(a, price) + cost(b, price))


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    """Any cut of the day into intervals, the last one over midnight."""
    minutes = sorted(draw(st.sets(st.integers(min_value=0, max_value=1439), min_size=1, max_size=8)))
    prices = draw(st.lists(st.floats(-1, 10), min_size=len(minutes), max_size=len(minutes)))
    clock = [f"{minute // 60}:{minute % 60:02d}" for minute in minutes]
    pairs = zip(clock, [*clock[1:], clock[0]], strict=True)
    return Tariff({f"{start}-{end}": price for (start, end), price in zip(pairs, prices, strict=True)})


times_s = st.integers(0, 10 * 86_400_000).map(lambda ms: ms / 1000)


@given(tariff=tariffs(), power_w=st.floats(0, 1e5), times=st.tuples(times_s, times_s, times_s))
def test_cost_of_a_time_is_the_sum_of_the_costs_of_its_parts(
    tariff: Tariff, power_w: float, times: tuple[float, float, float]
) -> None:
    start, middle, end = sorted(times)
    whole = tariff.cost(power_w * (end - start), start, end)
    first = tariff.cost(power_w * (middle - start), start, middle)
    second = tariff.cost(power_w * (end - middle), middle, end)
    dearest = power_w * (end - start) / 3.6e6 * 10
    assert whole == pytest.approx(first + second, rel=1e-9, abs=1e-9 * dearest + 1e-12)


@given(tariff=tariffs(), energy_j=energies_j, start_s=times_s, end_s=times_s, days=st.integers(0, 20_000))
def test_cost_is_the_same_on_every_day(
    tariff: Tariff, energy_j: float, start_s: float, end_s: float, days: int
) -> None:
    start, end = sorted((float(round(start_s)), float(round(end_s))))
    later = tariff.cost(energy_j, start + days * 86_400, end + days * 86_400)
    assert later == pytest.approx(
        tariff.cost(energy_j, start, end), rel=1e-9, abs=1e-9 * (1 + energy_j / 3.6e6)
    )


@given(price=st.floats(-1, 10), energy_j=energies_j, start_s=times_s, end_s=times_s)
def test_tariff_of_one_price_is_that_price(
    price: float, energy_j: float, start_s: float, end_s: float
) -> None:
    start, end = sorted((start_s, end_s))
    expected = cost(energy_j, price)
    assert Tariff({"0:00-24:00": price}).cost(energy_j, start, end) == pytest.approx(expected, rel=1e-6)


@given(
    energy_j=energies_j,
    grid=intensities,
    residual=intensities,
    pue=pues,
    contracts=st.lists(st.tuples(st.floats(0, 1e9), intensities), max_size=5),
)
def test_market_based_emissions_lie_between_the_cleanest_and_the_dirtiest_factor(
    energy_j: float, grid: float, residual: float, pue: float, contracts: list[tuple[float, float]]
) -> None:
    instruments = [Instrument("contract", energy_kwh, factor) for energy_kwh, factor in contracts]
    both = scope2(energy_j, grid, instruments, residual_g_per_kwh=residual, pue=pue)
    factors = [residual, *(factor for _, factor in contracts)]
    slack = 1e-9 * both.energy_kwh * 2000 + 1e-12
    assert min(factors) * both.energy_kwh - slack <= both.market_g <= max(factors) * both.energy_kwh + slack
    assert both.covered_kwh + both.rest_kwh == pytest.approx(both.energy_kwh)
    assert both.location_g == co2e_g(energy_j, grid, pue)
