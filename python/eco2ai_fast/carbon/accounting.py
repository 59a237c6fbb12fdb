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


def embodied_g(embodied_kg: float, used_s: float, lifetime_s: float, share: float = 1.0) -> float:
    """The part of the hardware's making that a use of it bears, in gCO2e. M = TE x TS x RS (ISO/IEC 21031).

    Args:
        embodied_kg: emissions of making, moving and scrapping the hardware, in kgCO2e (TE).
        used_s: how long it was reserved, in s; over its expected life `lifetime_s` this is TS.
        share: part of the hardware that was reserved, 0 to 1 (RS).

    Never added to operational emissions here: report it on a line of its own.
    """
    life_s = _at_least(lifetime_s, 0.0, "lifetime_s")
    if life_s == 0 or _at_least(share, 0.0, "share") > 1:
        raise FactorError(f"lifetime_s = {lifetime_s!r}, share = {share!r}: must be > 0 and between 0 and 1")
    time_share = _at_least(used_s, 0.0, "used_s") / life_s
    return 1000 * _at_least(embodied_kg, 0.0, "embodied_kg") * time_share * share


def water_l(energy_j: float, wue_l_per_kwh: float, pue: float = 1.0, grid_l_per_kwh: float = 0.0) -> float:
    """Water in litres: what the site evaporates, and what the power plants do. W = E x WUE + E x PUE x grid.

    WUE is per kWh of computing hardware (ISO/IEC 30134-9), so PUE does not multiply it.
    """
    site_l = kwh(energy_j) * _at_least(wue_l_per_kwh, 0.0, "wue_l_per_kwh")
    grid_l = kwh(energy_j) * _at_least(pue, 1.0, "pue") * _at_least(grid_l_per_kwh, 0.0, "grid_l_per_kwh")
    return site_l + grid_l


def sci_g(operational_g: float, embodied_share_g: float, units: float) -> float:
    """Software carbon intensity in gCO2e per functional unit. SCI = (O + M) / R (ISO/IEC 21031:2024).

    Args:
        operational_g: O = E x I with a location-based intensity; the standard excludes market-based ones.
        E is
            the energy of all hardware reserved, idle time included.
        embodied_share_g: M, as `embodied_g` gives it; 0 leaves it out, which the report must say.
        units: R, how many functional units (tokens, requests, images) the same energy served, > 0.
    """
    if _at_least(units, 0.0, "units") == 0:
        raise FactorError("units = 0: there is no intensity per nothing")
    return (
        _at_least(operational_g, 0.0, "operational_g") + _at_least(embodied_share_g, 0.0, "embodied_share_g")
    ) / units


def _at_least(value: float, least: float, name: str) -> float:
    if not (math.isfinite(value) and value >= least):
        bound = "" if least == -math.inf else f" >= {least:g}"
        raise FactorError(f"{name} = {value!r}: must be a finite number{bound}")
    return float(value)
