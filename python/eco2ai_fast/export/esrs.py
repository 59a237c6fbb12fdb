"""Lines for ESRS E1-5 (energy) and E1-6 (emissions) of the EU's sustainability reporting.

Delegated Regulation (EU) 2023/2772, E1 paragraphs 37 to 43 and 44 to 55. A tracker knows electricity: it fills what
follows from that, and names what the undertaking has to fill in. Scope 2 takes direct factors alone; a life-cycle
result is shown beside it under its own name.
"""

from __future__ import annotations

from ..quantity import plain
from ..report.total import Total
from ..report.wording import G_PER_T, line
from .eu_gpai import KWH_PER_MWH
from .method import OPEN, describe, factors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    Rows = list[tuple[str, str]]


def text(records: Sequence[Mapping[str, Any]]) -> str:
    """The lines, one datapoint each."""
    total = Total(records)
    rows = [*_energy(total), *_emissions(total), ("Method", describe(total))]
    rows += [("Factor", factor) for factor in factors(total)]
    rows += [("Attribution", line(one, 500)) for one in total.attribution]
    return "".join(f"{label}: {value}\n" for label, value in rows)


def _energy(total: Total) -> Rows:
    fossil, nuclear, renewable = (_mwh(kwh) for kwh in (total.fossil_kwh, total.nuclear_kwh, total.renewable_kwh))
    mix = " by the yearly mix of the grid" if total.fossil_kwh is not None else ""
    return [
        ("E1-5 electricity of the computing recorded here", _mwh(total.energy_kwh)),
        ("E1-5 of it from fossil sources", fossil + mix),
        ("E1-5 of it from nuclear sources", nuclear + mix),
        ("E1-5 of it from renewable sources", renewable + mix),
        ("E1-5 fuels, heat, steam, cooling and other electricity", OPEN),
        ("E1-5 energy intensity per net revenue", OPEN),
    ]


def _emissions(total: Total) -> Rows:
    market = _tonnes(total.market_g) if total.market_g is not None else f"{OPEN}: give the contracts by --instrument"
    embodied = _tonnes(total.embodied_g) if total.embodied_g is not None else OPEN
    return [
        ("E1-6 gross scope 1", OPEN),
        ("E1-6 gross scope 2, location-based", _location(total)),
        ("E1-6 gross scope 2, market-based", market),
        ("E1-6 scope 3 category 2, making of the hardware (share of use)", embodied),
        ("E1-6 scope 3 category 3, fuel- and energy-related activities", OPEN),
        ("E1-6 other scope 3 categories", OPEN),
        ("E1-6 total emissions and intensity per net revenue", OPEN),
        ("Beside it, not scope 2, the life-cycle result", _tonnes(total.life_cycle_g)),
        ("Whose scope", "scope 2 where the machines are the undertaking's own; in a cloud, scope 3 of its customer"),
    ]


def _location(total: Total) -> str:
    if total.direct_g is not None:
        return _tonnes(total.direct_g)
    if total.energy_j is None:
        return "unknown"
    own = "" if total.co2e_g is None else f" (by the factor in use, {_tonnes(total.co2e_g)})"
    return f"OPEN: no direct factor is known of every run's zone{own}; the setting factors_file takes one of your own"


def _mwh(kwh: float | None) -> str:
    return "unknown" if kwh is None else f"{plain(kwh / KWH_PER_MWH)} MWh"


def _tonnes(value_g: float | None) -> str:
    return "unknown" if value_g is None else f"{plain(value_g / G_PER_T)} tCO2e"
