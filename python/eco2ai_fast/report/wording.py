"""Texts and numbers as a report may show them: a stranger's name is text, a number has no exponent."""

from __future__ import annotations

from ..quantity import plain, si

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# Longer names are cut where a person reads them; files for machines hold them whole.
LONGEST_NAME = 120
UNKNOWN = "unknown"
S_PER_H = 3600.0
J_PER_WH = 3600.0
G_PER_T = 1e6


def line(text: object, longest: int = LONGEST_NAME) -> str:
    """Text on one line without control characters, cut to `longest`."""
    whole = str(text)
    safe = "".join(letter if letter.isprintable() else "?" for letter in whole[:longest])
    return safe if len(whole) <= longest else f"{safe}... ({len(whole)} characters)"


def decimal(value: float) -> str:
    """The number exactly as it is stored, without an exponent: "0.000012", never "1.2e-05"."""
    from decimal import Decimal

    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")


def energy(value_j: float | None) -> str:
    return UNKNOWN if value_j is None else f"{si(value_j, 'J')} ({si(value_j / J_PER_WH, 'Wh')})"


def grams(value_g: float | None) -> str:
    return UNKNOWN if value_g is None else si(value_g, "g")


def time(value_s: float | None) -> str:
    if value_s is None:
        return UNKNOWN
    return si(value_s, "s") if value_s < S_PER_H else f"{plain(value_s / S_PER_H)} h"


def share(value: float | None) -> str:
    from ..quantity import percent

    return UNKNOWN if value is None else percent(value)


def intensity(found: Mapping[str, Any] | None) -> str:
    """`41.4 gCO2e/kWh of France 2025, life-cycle, production (data sets 31.0 to 41.4)`."""
    if found is None:
        return UNKNOWN
    where = f" of {line(found['zone_name'])}" if found["zone_name"] else ""
    year = f" {found['year']}" if found["year"] else ""
    low, high = found["low_g_per_kwh"], found["high_g_per_kwh"]
    band = "" if low is None or high is None else f" (data sets {plain(low)} to {plain(high)})"
    kinds = f", {found['basis']}, {found['method']}" if found["basis"] != "unknown" else ", basis not told"
    return f"{plain(found['g_per_kwh'])} {found['unit']}{where}{year}{kinds}{band}"


def tool(record: Mapping[str, Any]) -> str:
    """Who measured: for an imported row the tool that wrote it, which we only read."""
    ours = f"{record['tool']['name']} {record['tool']['version']}"
    imported = record.get("imported_from")
    return f"{line(imported['tool'])}, read by {ours}" if imported else ours
