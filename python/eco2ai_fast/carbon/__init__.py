"""From joules to grams: what the electricity of a place emits, and what a run therefore did."""

from __future__ import annotations

from .accounting import co2e_g, cost, embodied_g, kwh, sci_g, water_l
from .errors import (
    AmbiguousZoneError,
    FactorError,
    FactorsFileError,
    NoDirectFactorError,
    NoFactorError,
    UnknownZoneError,
)
from .factor import Intensity
from .location import Location, locate
from .lookup import grid_mix, here, intensity, own_factor

__all__ = [
    "intensity",
    "here",
    "locate",
    "Location",
    "own_factor",
    "grid_mix",
    "Intensity",
    "kwh",
    "co2e_g",
    "cost",
    "embodied_g",
    "water_l",
    "sci_g",
    "FactorError",
    "UnknownZoneError",
    "AmbiguousZoneError",
    "NoFactorError",
    "NoDirectFactorError",
    "FactorsFileError",
]
