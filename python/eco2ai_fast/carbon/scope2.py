"""Scope 2 of the GHG Protocol, both ways: by the grid one stands on, and by the contracts one holds."""

from __future__ import annotations

import math

from .accounting import J_PER_KWH, co2e_g
from .errors import FactorError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Instrument:
    """Electricity bought with its attributes: a guarantee of origin, a power purchase agreement, a tariff."""

    __slots__ = ("energy_kwh", "g_per_kwh", "name")

    def __init__(self, name: str, energy_kwh: float, g_per_kwh: float) -> None:
        if not (energy_kwh >= 0 and 0 <= g_per_kwh < math.inf):  # endless energy covers whatever is drawn
            raise FactorError(f"instrument {name!r}: energy and factor must be numbers >= 0")
        self.name = name
        self.energy_kwh = float(energy_kwh)
        self.g_per_kwh = float(g_per_kwh)

    def __repr__(self) -> str:
        return f"Instrument({self.name!r}, {self.energy_kwh:g} kWh, {self.g_per_kwh:g} gCO2e/kWh)"


class Scope2:
    """The two results that the guidance of 2015 wants side by side.

    Attributes:
        energy_kwh: electricity drawn, PUE included.
        location_g: gCO2e by the average factor of the grid.
        market_g: gCO2e by the instruments, the rest by `rest_factor`.
        covered_kwh, rest_kwh: energy with and without an instrument; they sum to energy_kwh.
        rest_factor: "residual mix", or "grid average" where no residual mix was given, which the guidance
        allows
            (table 6.3) and wants to be disclosed.
    """

    __slots__ = ("covered_kwh", "energy_kwh", "location_g", "market_g", "rest_factor", "rest_kwh")

    def __init__(
        self, energy_kwh: float, location_g: float, market_g: float, covered_kwh: float, rest_factor: str
    ) -> None:
        self.energy_kwh = energy_kwh
        self.location_g = location_g
        self.market_g = market_g
        self.covered_kwh = covered_kwh
        self.rest_kwh = energy_kwh - covered_kwh
        self.rest_factor = rest_factor

    def __repr__(self) -> str:
        return (
            f"Scope2({self.energy_kwh:g} kWh: location-based {self.location_g:g} gCO2e, market-based "
            f"{self.market_g:g} gCO2e, {self.covered_kwh:g} kWh covered, the rest by {self.rest_factor})"
        )


def scope2(
    energy_j: float,
    grid_g_per_kwh: float,
    instruments: Iterable[Instrument] = (),
    *,
    residual_g_per_kwh: float | None = None,
    pue: float = 1.0,
) -> Scope2:
    """Location- and market-based scope 2 emissions of an amount of energy.

    Args:
        energy_j: energy of the computing hardware, in J.
        grid_g_per_kwh: average factor of the grid, gCO2e/kWh; direct, as scope 2 wants.
        instruments: used in the order given until the energy is covered; what is left of them is left.
        residual_g_per_kwh: the residual mix of the grid, for the energy that no instrument covers.
        pue: as in `co2e_g`.
    """
    location_g = co2e_g(energy_j, grid_g_per_kwh, pue)
    energy_kwh = co2e_g(energy_j, 1.0, pue)  # 1 g/kWh: the kWh behind the meter of the building
    market_g = covered_kwh = 0.0
    for instrument in instruments:
        used_kwh = min(instrument.energy_kwh, energy_kwh - covered_kwh)
        covered_kwh += used_kwh
        market_g += used_kwh * instrument.g_per_kwh
    rest = grid_g_per_kwh if residual_g_per_kwh is None else residual_g_per_kwh
    market_g += co2e_g((energy_kwh - covered_kwh) * J_PER_KWH, rest)
    label = "grid average" if residual_g_per_kwh is None else "residual mix"
    return Scope2(energy_kwh, location_g, market_g, covered_kwh, label)
