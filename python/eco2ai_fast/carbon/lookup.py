"""The intensity of a place: from its name to one value with its origin."""

from __future__ import annotations

import math

from .. import settings
from . import datasets
from .errors import FactorError, NoDirectFactorError, NoFactorError
from .factor import Intensity
from .location import locate
from .names import WORLD, Place, resolve_zone
from .tables import table

BASES = ("life-cycle", "direct")


def intensity(
    zone: str | None = None,
    basis: str | None = None,
    *,
    year: int | None = None,
    factors_file: str | None = None,
    origin: str | None = None,
) -> Intensity:
    """The yearly average intensity of a place, in gCO2e/kWh.

    Args:
        zone: an ISO code, a name, a zone id or a cloud region (the order is in carbon/names.py); None: World.
        basis: "life-cycle" or "direct" (scope 2); None is life-cycle, and direct for the places that have
            nothing else, which the answer's `basis` says.
        year: None is the newest there is.
        factors_file: a table of your own (carbon/own_table.py tells its columns); it alone is asked then.
        origin: who named the zone, kept in `found_by`.

    Raises:
        UnknownZoneError, AmbiguousZoneError: no place, or several, by this name.
        NoDirectFactorError, NoFactorError: the place is known, its factor of this basis and year is not.
        FactorsFileError: `factors_file` cannot be read.
        FactorError: an unknown basis.
    """
    if basis is not None and basis not in BASES:
        raise FactorError(f"unknown basis {basis!r}: choose {' or '.join(BASES)}")
    origin = origin or ("default" if zone is None else "argument")
    if factors_file is not None:
        from . import own_table  # needs the csv module

        return own_table.intensity_from(factors_file, zone or WORLD, basis, year, origin)
    place = Place(WORLD, "no zone is set") if zone is None else resolve_zone(zone, origin)
    for wanted in BASES if basis is None else (basis,):
        found = datasets.find(place, wanted, year)
        if found:
            return datasets.make_intensity(found, place, origin)
    raise _no_factor(place, basis, year)


def here(
    zone: str | None = None,
    *,
    intensity_g_per_kwh: float | None = None,
    basis: str | None = None,
    factors_file: str | None = None,
    detect: str | None = None,
    wait_s: float = 0.0,
) -> Intensity:
    """The intensity that holds for this process; `found_by` of the answer says who named the place.

    A factor of the user's own wins over a zone unless the zone was named closer to the call. `detect` and
    `wait_s` are those of `locate`, which tells the order in which a place is looked for.
    """
    own, own_origin = settings.resolve("intensity_g_per_kwh", intensity_g_per_kwh)
    _, zone_origin = settings.resolve("zone", zone)
    if own is not None and settings.rank(own_origin) <= settings.rank(zone_origin):
        return own_factor(own, found_by=own_origin)
    place = locate(zone, detect=detect, wait_s=wait_s)
    wanted, _ = settings.resolve("basis", basis)
    path, _ = settings.resolve("factors_file", factors_file)
    return intensity(place.zone, wanted, factors_file=path, origin=place.found_by)


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


def grid_mix(zone: str) -> dict[str, float | int | str]:
    """Carbon-free and renewable share (0..1) of a zone's electricity, with their year and origin.

    Raises UnknownZoneError, and NoFactorError where no shipped table knows the mix.
    """
    place = resolve_zone(zone)
    mix = table("odbl_mix")
    if place.zone not in mix:
        raise NoFactorError(f"the mix of {place.zone} is in no shipped table")
    row = mix.row(place.zone)
    return {
        "zone": place.zone,
        "carbon_free_share": float(row["carbon_free_pct"]) / 100,
        "renewable_share": float(row["renewable_pct"]) / 100,
        "year": int(row["year"]),
        "source": mix.meta["source"],
        "licence": mix.meta["licence"],
        "attribution": mix.meta["attribution"],
        "dataset_version": mix.meta["version"],
    }


def _no_factor(place: Place, basis: str | None, year: int | None) -> NoFactorError:
    """What there is instead of the factor asked for."""
    instead = [
        f"{other} of {', '.join(map(str, known))}"
        for other in BASES
        if (known := datasets.years(place, other))
    ]
    asked = f"{basis or 'life-cycle or direct'} factor" + ("" if year is None else f" of {year}")
    there_is = f"there is {' and '.join(instead)}" if instead else "no shipped table holds one of any kind"
    message = f"no {asked} for {place.zone}: {there_is}. A table of your own goes in by factors_file="
    return (NoDirectFactorError if basis == "direct" else NoFactorError)(message)
