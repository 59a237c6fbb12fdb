"""A table of factors of the user's own: DEFRA, NGA, CEA, a supplier's contract.

CSV in UTF-8 with a line of column names. Needed: `zone` (a name that this package knows, or an id of your
own), `g_per_kwh` (finite, >= 0), `year`, `basis` ("life-cycle" or "direct"), `source`. Optional: `name`,
`method`, `licence`, `version`. Several rows of one zone may differ in basis and year. Lines that begin with #
are skipped.
"""

from __future__ import annotations

import csv
import math

from .errors import FactorsFileError, NoDirectFactorError, NoFactorError, UnknownZoneError
from .factor import Intensity
from .names import Place, plain, resolve_zone

NEEDED = ("zone", "g_per_kwh", "year", "basis", "source")


def intensity_from(path: str, zone: str, basis: str | None, year: int | None, origin: str) -> Intensity:
    """The row of the file for a zone: life-cycle before direct and the newest year, unless told otherwise.

    The shipped tables are never asked for a value, so that a misspelt zone cannot slip into them.
    """
    rows = _read(path)
    place, of_zone = _rows_of_zone(rows, zone, origin)
    fitting = [row for row in of_zone if basis in (None, row["basis"]) and year in (None, int(row["year"]))]
    if not fitting:
        there = sorted({f"{row['basis']} of {row['year']}" for row in of_zone}) or ["no row for it"]
        asked = f"{basis or 'life-cycle or direct'} factor" + ("" if year is None else f" of {year}")
        message = f"{path} has no {asked} for {place.zone!r}; there is {', '.join(there)}"
        raise (NoDirectFactorError if basis == "direct" else NoFactorError)(message)
    chosen = max(fitting, key=_rank)
    values = {float(row["g_per_kwh"]): row["g_per_kwh"] for row in fitting if _rank(row) == _rank(chosen)}
    if len(values) > 1:
        both = " and ".join(values.values())
        which = f"{chosen['basis']} factor of {chosen['year']}"
        raise FactorsFileError(f"factors file {path}: {both} are both its {which} for {place.zone!r}")
    return Intensity(
        float(chosen["g_per_kwh"]),
        year=int(chosen["year"]),
        zone=place.zone,
        zone_name=chosen["name"] or place.zone,
        basis=chosen["basis"],
        method=chosen["method"] or "unknown",
        source=chosen["source"],
        licence=chosen["licence"] or "user's own",
        attribution=chosen["source"],
        dataset_version=chosen["version"] or path,
        found_by=origin,
        matched_as=place.matched_as,
    )


def _rank(row: dict[str, str]) -> tuple[bool, int]:
    return row["basis"] == "life-cycle", int(row["year"])


def _rows_of_zone(rows: list[dict[str, str]], zone: str, origin: str) -> tuple[Place, list[dict[str, str]]]:
    """The rows that mean the same place as `zone`, or bear it as an id of the user's own."""
    same = [row for row in rows if plain(row["zone"]) == plain(zone)]
    try:
        place = resolve_zone(zone, origin)
    except UnknownZoneError:
        if not same:
            raise
        own = same[0]["zone"]
        return Place(own, f"zone {own!r} of the factors file"), same
    return place, [row for row in rows if row in same or _canonical(row["zone"]) == place.zone]


def _canonical(zone: str) -> str:
    try:
        return resolve_zone(zone).zone
    except UnknownZoneError:
        return zone  # an id of the user's own


def _read(path: str) -> list[dict[str, str]]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader((line for line in file if not line.startswith("#")), strict=True)
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as why:
        raise FactorsFileError(f"cannot read the factors file {path}: {why}") from None
    missing = [column for column in NEEDED if column not in (reader.fieldnames or ())]
    if missing:
        raise FactorsFileError(
            f"factors file {path}: no column {', '.join(missing)}; needed: {', '.join(NEEDED)}"
        )
    return [_checked(row, f"factors file {path}, row {number}") for number, row in enumerate(rows, 1)]


def _checked(row: dict[str, str | None], where: str) -> dict[str, str]:
    cells = {
        column: (row.get(column) or "").strip()
        for column in (*NEEDED, "name", "method", "licence", "version")
    }
    try:
        good = math.isfinite(float(cells["g_per_kwh"])) and float(cells["g_per_kwh"]) >= 0
    except ValueError:
        good = False
    if not good:
        raise FactorsFileError(f"{where}: g_per_kwh is {cells['g_per_kwh']!r}, must be a finite number >= 0")
    if not cells["year"].isdecimal():
        raise FactorsFileError(f"{where}: year is {cells['year']!r}, must be a year")
    if cells["basis"] not in ("life-cycle", "direct"):
        raise FactorsFileError(f'{where}: basis is {cells["basis"]!r}, must be "life-cycle" or "direct"')
    if not cells["zone"] or not cells["source"]:
        raise FactorsFileError(f"{where}: zone and source must not be empty")
    return cells
