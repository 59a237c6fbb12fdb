"""Which zone a name means.

The order, first match wins, letter case and surrounding space never matter:
1. the id of a zone (ISO 3166-1 alpha-2 for a country: `NA` is Namibia, `CA` is Canada),
2. ISO 3166-1 alpha-3,
3. the name of a country.
"""

from __future__ import annotations

from .errors import UnknownZoneError
from .tables import table

WORLD = "WORLD"

# Codes that people write although ISO 3166-1 gives the place another one: UK is exceptionally reserved there
# for the United Kingdom, EL is how the European Union writes Greece.
_RESERVED = {"UK": "GB", "EL": "GR"}

_by_iso3: dict[str, str] = {}
_by_name: dict[str, str] = {}


def resolve_zone(asked: str, origin: str = "argument") -> tuple[str, str]:
    """The canonical id of the zone that `asked` names, and how it was understood.

    Raises UnknownZoneError, which names close matches; `origin` (who asked) stands in its message.
    """
    code = asked.strip().upper()
    if code in table("countries"):
        return code, f"zone id {code}"
    if code in _RESERVED:
        return _RESERVED[code], f"reserved code {code}"
    _fill_indexes()
    if code in _by_iso3:
        return _by_iso3[code], f"ISO 3166-1 alpha-3 code {code}"
    name = plain(asked)
    if name in _by_name:
        return _by_name[name], f"name {asked.strip()!r}"
    raise UnknownZoneError(asked, close_names(asked), origin)


def plain(name: str) -> str:
    """A name as it is compared: letters and digits only, case folded."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def close_names(asked: str, limit: int = 5) -> list[str]:
    """Up to `limit` known names and codes that look like `asked`."""
    import difflib  # only on the way to an error

    countries = table("countries")
    known: dict[str, str] = {}
    for zone in countries.lines:
        row = countries.row(zone)
        text = f"{row['name']} ({zone})"
        known.update({plain(zone): text, plain(row["iso3"]): text, plain(row["name"]): text})
    near = difflib.get_close_matches(plain(asked), known, n=limit, cutoff=0.6)
    return list(dict.fromkeys(known[key] for key in near))


def _fill_indexes() -> None:
    if _by_name:
        return
    for line in table("countries").lines.values():
        zone, iso3, name = line.split("\t", 3)[:3]
        _by_iso3[iso3] = zone
        _by_name[plain(name)] = zone
