"""From joules to grams: what the electricity of a place emits, and what a run therefore did."""

from __future__ import annotations

from .accounting import co2e_g, cost, kwh
from .errors import FactorError, NoDirectFactorError, NoFactorError, UnknownZoneError
from .factor import Intensity
from .lookup import here, intensity, own_factor

__all__ = [
    "intensity",
    "here",
    "own_factor",
    "Intensity",
    "kwh",
    "co2e_g",
    "cost",
    "FactorError",
    "UnknownZoneError",
    "NoFactorError",
    "NoDirectFactorError",
]
