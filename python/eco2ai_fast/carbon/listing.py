"""Every place that is known, for people who look for its name."""

from __future__ import annotations

from .datasets import DATASETS
from .names import ZONE_TABLES, plain
from .tables import table

UNKNOWN_FEED = "unknown: no source says which grid feeds it"


class Zone:
    """One place: `id` is what `intensity()` takes, `bases` which factors it has.

    `kind` is "aggregate", "country", "grid zone", "state", "province" or "cloud region".
    """

    __slots__ = ("bases", "id", "kind", "name")

    def __init__(self, zone_id: str, name: str, kind: str, bases: tuple[str, ...]) -> None:
        self.id = zone_id
        self.name = name
        self.kind = kind
        self.bases = bases

    def __repr__(self) -> str:
        return f"Zone({self.id!r}, {self.name!r}, {self.kind}, {' and '.join(self.bases)})"


def zones(query: str | None = None) -> list[Zone]:
    """All places whose id or name contains `query`, whatever its case and accents; None gives all.

    A zone whose id is the query comes first, then countries; cloud regions come last. A cloud region bears
    the name of the zone that feeds it; one whose zone no source names says so and has no factor.
    """
    wanted = plain(query or "")
    found: dict[str, Zone] = {}
    for name in ZONE_TABLES:
        source = table(name)
        for key in source.lines:
            if key not in found:
                found[key] = Zone(key, source.row(key)["name"], _kind(key, name), _bases(key))
    everything = sorted(found.values(), key=lambda zone: (zone.kind not in ("country", "aggregate"), zone.id))
    for region in table("cloud_regions").lines:
        feeding = found.get(table("cloud_regions").row(region)["zone"])
        name, bases = (f"{feeding.name} ({feeding.id})", feeding.bases) if feeding else (UNKNOWN_FEED, ())
        everything.append(Zone(region, name, "cloud region", bases))
    matching = [zone for zone in everything if wanted in plain(zone.id) or wanted in plain(zone.name)]
    return sorted(matching, key=lambda zone: plain(zone.id) != wanted)


def _kind(zone: str, table_name: str) -> str:
    if "-" in zone:
        return {"us_states": "state", "cn_provinces": "province"}.get(table_name, "grid zone")
    return "country" if len(zone) == 2 else "aggregate"


def _bases(zone: str) -> tuple[str, ...]:
    return tuple(basis for basis, names in DATASETS.items() if any(zone in table(name) for name in names))
