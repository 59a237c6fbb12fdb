"""The intensity of a place: from its name to one value with its origin."""

from __future__ import annotations

import math

from .. import settings
from .errors import FactorError, NoDirectFactorError
from .factor import Intensity
from .names import WORLD, resolve_zone
from .tables import Table, table

BASES = ("life-cycle", "direct")


def intensity(zone: str | None = None, basis: str | None = None, *, origin: str | None = None) -> Intensity:
    """The yearly average intensity of a place, in gCO2e/kWh.

    Args:
        zone: ISO 3166-1 alpha-2 or alpha-3 code or a country's name; None is the world's average.
        basis: "life-cycle" or "direct"; None is life-cycle.
        origin: who named the zone, kept in `found_by`.

    Raises:
        UnknownZoneError: no table knows the place.
        NoDirectFactorError: the place has no factor of the direct basis.
        FactorError: an unknown basis.
    """
    _check_basis(basis)
    if zone is None:
        key, matched = WORLD, "no zone is set: the world's average"
        origin = origin or "default"
    else:
        origin = origin or "argument"
        key, matched = resolve_zone(zone, origin)
    if basis == "direct":
        raise NoDirectFactorError(f"no direct factor for {key}: the shipped table of countries is life-cycle")
    return _from_table(table("countries"), key, found_by=origin, matched_as=matched)


def own_factor(g_per_kwh: float, *, found_by: str = "argument") -> Intensity:
    """A factor that the user brings, e.g. of a supplier's contract, in g/kWh (finite, >= 0)."""
    if not (math.isfinite(g_per_kwh) and g_per_kwh >= 0):
        raise FactorError(f"intensity {g_per_kwh!r} g/kWh (from {found_by}): must be a finite number >= 0")
    return Intensity(
        float(g_per_kwh),
        year=None,
        zone="",
        zone_name="user's own factor",
        basis="unknown",
        method="unknown",
        source="user's own factor",
        licence="user's own",
        attribution="",
        dataset_version="",
        found_by=found_by,
        matched_as="intensity_g_per_kwh",
    )


def here(
    zone: str | None = None, *, intensity_g_per_kwh: float | None = None, basis: str | None = None
) -> Intensity:
    """The intensity that holds here: of the argument, `configure()`, environment or config file, or World.

    A factor of the user's own wins over a zone unless the zone was named closer to the call.
    """
    own, own_origin = settings.resolve("intensity_g_per_kwh", intensity_g_per_kwh)
    place, zone_origin = settings.resolve("zone", zone)
    if own is not None and settings.rank(own_origin) <= settings.rank(zone_origin):
        return own_factor(own, found_by=own_origin)
    wanted, _ = settings.resolve("basis", basis)
    return intensity(place, wanted, origin=zone_origin)


def _check_basis(basis: str | None) -> None:
    if basis is not None and basis not in BASES:
        raise FactorError(f"unknown basis {basis!r}: choose {' or '.join(BASES)}")


def _from_table(source: Table, key: str, *, found_by: str, matched_as: str) -> Intensity:
    row = source.row(key)
    meta = source.meta
    return Intensity(
        float(row["g_per_kwh"]),
        year=int(row["year"]),
        zone=key,
        zone_name=row["name"],
        basis=meta["basis"],
        method=meta["method"],
        source=meta["source"],
        licence=meta["licence"],
        attribution=meta["attribution"],
        dataset_version=meta["version"],
        found_by=found_by,
        matched_as=matched_as,
    )
