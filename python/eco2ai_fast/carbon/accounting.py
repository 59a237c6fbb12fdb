"""From joules to kWh, grams and money: pure functions, no table and no setting read here."""

from __future__ import annotations

import math

from .errors import FactorError

J_PER_KWH = 3_600_000.0  # 1 kWh = 1000 W x 3600 s, exact


def kwh(energy_j: float) -> float:
    """Energy in kWh. E = P x t: 1 kWh is 3.6 MJ.

    `kwh(300 * 10 * 3600)` is 3.0: 300 W over 10 h.
    """
    return _at_least(energy_j, 0.0, "energy_j") / J_PER_KWH


def co2e_g(energy_j: float, g_per_kwh: float, pue: float = 1.0) -> float:
    """Emissions in grams of CO2 equivalent. CO2 = E x intensity, E = measured energy x PUE.

    Args:
        energy_j: energy of the computing hardware, in J.
        g_per_kwh: intensity of the electricity, in gCO2e/kWh.
        pue: energy of the whole data centre over that of its computing hardware, >= 1 (ISO/IEC 30134-2);
            1.0 means that cooling and conversion are left out.
    """
    return kwh(energy_j) * _at_least(pue, 1.0, "pue") * _at_least(g_per_kwh, 0.0, "g_per_kwh")


def cost(energy_j: float, price_per_kwh: float, pue: float = 1.0) -> float:
    """Money for the energy, in the currency of the price. cost = E x PUE x price.

    A price may be negative, as on a power exchange.
    """
    return kwh(energy_j) * _at_least(pue, 1.0, "pue") * _at_least(price_per_kwh, -math.inf, "price_per_kwh")


def _at_least(value: float, least: float, name: str) -> float:
    if not (math.isfinite(value) and value >= least):
        bound = "" if least == -math.inf else f" >= {least:g}"
        raise FactorError(f"{name} = {value!r}: must be a finite number{bound}")
    return float(value)
