"""The software carbon intensity of ISO/IEC 21031:2024: SCI = (O + M) per R, O = E x I.

The standard wants location-based intensities, and the energy of all hardware reserved, at rest too: `energy_j` of a
record is that. The score is reported with boundary and method; what is left out of M is said.
"""

from __future__ import annotations

from ..quantity import plain, si
from ..report.total import Total
from ..report.wording import decimal, grams, line
from .method import describe, factors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


def text(records: Sequence[Mapping[str, Any]], unit: tuple[str, float] | None = None) -> str:
    """The score per functional unit; `unit`, for all records together, goes before what they hold.

    Raises ValueError where there is no unit, or none in common, or where energy or grams are unknown.
    """
    total = Total(records)
    name, count = unit or _unit(total)
    if total.co2e_g is None or total.energy_j is None:
        raise ValueError("energy or grams of these records are unknown, so is the score")
    embodied_g = total.embodied_g or 0.0
    score_g = (total.co2e_g + embodied_g) / count
    fields = [
        ("SCI", f"{decimal(score_g)} gCO2e per {line(name)}"),
        ("O, operational", f"{grams(total.co2e_g)} (location-based)"),
        ("M, embodied", grams(embodied_g) if total.embodied_g is not None else "0 g: left out, no figure was given"),
        ("R, functional units", f"{plain(count)} x {line(name)}"),
        ("Energy per unit", f"{si(total.energy_j / count, 'J')} (without PUE)"),
        ("Boundary and method", describe(total)),
        *(("Intensity", factor) for factor in factors(total)),
        *(("Attribution", line(one, 500)) for one in total.attribution),
    ]
    return "".join(f"{label}: {value}\n" for label, value in fields)


def _unit(total: Total) -> tuple[str, float]:
    units = [record["functional_unit"] for record in total.records]
    if not units or None in units:
        raise ValueError("not every record has a functional unit: give one for all by --unit token=128000")
    names = {one["unit"] for one in units}
    if len(names) > 1:
        raise ValueError(f"the records have several functional units ({', '.join(map(line, sorted(names)))}): choose")
    return names.pop(), sum(one["count"] for one in units)
