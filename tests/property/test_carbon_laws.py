"""Laws of the arithmetic from joules to grams and money."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco2ai_fast.carbon import co2e_g, cost, kwh

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
