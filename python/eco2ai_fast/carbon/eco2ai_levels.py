"""eco2AI's published emission levels, for scripts that were written for them.

They name neither year nor source and mix bases (Quebec 1.2 g/kWh, Delaware 16.5): `intensity()` never
returns one.
"""

from __future__ import annotations

from .errors import UnknownZoneError
from .factor import Intensity
from .names import plain
from .tables import table


def eco2ai_level(alpha_2_code: str, region: str | None = None) -> Intensity:
    """The level of eco2AI 0.3.12 (1 kg/MWh = 1 g/kWh) for its country code and its name of a region.

    `zone` of the answer is the zone of ours that the name means, "" where there is none.
    Raises UnknownZoneError where eco2AI's table has no such row.
    """
    levels = table("eco2ai_levels")
    key = alpha_2_code.strip().upper()
    asked = key if region is None else f"{key}/{region}"
    if region is not None:
        key = _key_of(key, region)
    if key not in levels:
        raise UnknownZoneError(asked, "eco2AI's arguments", [])
    row = levels.row(key)
    meta = levels.meta
    return Intensity(
        float(row["g_per_kwh"]),
        year=None,
        zone=row["zone"],
        zone_name=key.partition("/")[2] or row["country"],
        basis=meta["basis"],
        method=meta["method"],
        source=meta["source"],
        licence=meta["licence"],
        attribution=meta["attribution"],
        dataset_version=meta["version"],
        matched_as=f"eco2AI's region {key}",
    )


def _key_of(country: str, region: str) -> str:
    """The row that a name of a region means: its own name, else one of its other names, in any language."""
    same = plain(region)
    begin = f"{country}/"
    for key in table("eco2ai_levels").lines:
        if key.startswith(begin) and plain(key[len(begin) :]) == same:
            return key
    for key, line in table("eco2ai_names").lines.items():
        if key.startswith(begin) and same in line.partition("\t")[2].split("|"):
            return key
    return ""
