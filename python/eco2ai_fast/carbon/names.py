"""Which zone a name means.

The order, first match wins; letter case, accents and punctuation never matter:
1. `provider:region` is a cloud region (`aws:eu-west-3`), `CC/name` a part of a country (`RU/Moscow`);
2. the id of a zone: ISO 3166-1 alpha-2 (`NA` is Namibia, `CA` Canada), Electricity Maps (`US-CAL-CISO`), ISO
   3166-2 for US states, Canadian provinces, Australian states and Chinese provinces (`US-CA`). The ids of
   Electricity Maps win where both mean something: `IT-SO` is South Italy, not Sondrio;
3. another ISO 3166-2 code whose grid is known (`RU-MOW`), ISO 3166-1 alpha-3, a reserved code (`UK`);
4. the name of a country (`Georgia` is the country), then of a state, province or grid zone.
"""

from __future__ import annotations

from .errors import AmbiguousZoneError, UnknownZoneError
from .tables import table

WORLD = "WORLD"

# Tables whose keys are zones, the most common first.
ZONE_TABLES = ("countries", "odbl_life_cycle", "us_states", "cn_provinces")

# Codes that people write although ISO 3166-1 gives the place another one: UK is exceptionally reserved there
# for the United Kingdom, EL is how the European Union writes Greece.
_RESERVED = {"UK": "GB", "EL": "GR"}

_ASCII_REST = {code: None for code in range(128) if not chr(code).isalnum()}


class Place:
    """A resolved name: the zone, how the name was understood, and the cloud region, if it was one."""

    __slots__ = ("matched_as", "region", "zone")

    def __init__(self, zone: str, matched_as: str, region: str = "") -> None:
        self.zone = zone
        self.matched_as = matched_as
        self.region = region


def resolve_zone(asked: str, origin: str = "argument") -> Place:
    """The place that `asked` names; `origin` (who asked) stands in the message of an error.

    Raises UnknownZoneError, which names close matches, or AmbiguousZoneError, which names all matches.
    """
    if not isinstance(asked, str):
        raise UnknownZoneError(repr(asked), origin, [])
    text = asked.strip()
    if ":" in text:
        return _cloud_region(text.lower().replace(" ", ""), asked, origin)
    country, slash, part = text.partition("/")
    if slash:
        return _part_of_country(country.strip().upper(), part.strip(), asked, origin)
    place = _by_code(text.upper()) or _by_name(text, asked, origin)
    if place is None:
        raise UnknownZoneError(asked, origin, close_names(text))
    return place


def plain(name: str) -> str:
    """A name as it is compared: letters and digits only, without accents, case folded."""
    folded = name.casefold()
    if folded.isascii():
        return folded.translate(_ASCII_REST)
    import unicodedata  # a shared object of its own, needed for few names

    return "".join(letter for letter in unicodedata.normalize("NFKD", folded) if letter.isalnum())


def close_names(asked: str, limit: int = 5) -> list[str]:
    """Up to `limit` known places whose name or code looks like `asked`."""
    import difflib  # only on the way to an error

    known: dict[str, str] = {}
    for name in ZONE_TABLES:
        for zone, title in zip(table(name).lines, table(name).column("name"), strict=True):
            text = f"{title} ({zone})"
            known.setdefault(plain(title), text)
            known.setdefault(plain(zone), text)
    near = difflib.get_close_matches(plain(asked), known, n=limit, cutoff=0.6)
    return list(dict.fromkeys(known[key] for key in near))


def _by_code(code: str) -> Place | None:
    if any(code in table(name) for name in ZONE_TABLES):
        return Place(code, f"zone id {code}")
    if code in table("subdivisions"):
        return Place(table("subdivisions").row(code)["zone"], f"ISO 3166-2 code {code}")
    if code in _RESERVED:
        return Place(_RESERVED[code], f"reserved code {code}")
    zone = _alpha3().get(code)
    return Place(zone, f"ISO 3166-1 alpha-3 code {code}") if zone else None


def _by_name(name: str, asked: str, origin: str, country: str = "") -> Place | None:
    """The place of a name; with `country`, only among the parts of that country."""
    key = plain(name)
    nations, parts = _names()
    if not country and key in nations:
        return Place(nations[key], f"name {name!r}")
    found = sorted({zone for code, zone in parts.get(key, ()) if not country or code[:2] == country})
    if len(found) > 1:
        raise AmbiguousZoneError(asked, origin, found, "the name of several places")
    return Place(found[0], f"name {name!r}") if found else None


def _part_of_country(country: str, part: str, asked: str, origin: str) -> Place:
    place = _by_code(f"{country}-{part.upper()}") or _by_name(part, asked, origin, country)
    if place is None:
        raise UnknownZoneError(asked, origin, close_names(part), f"no part of {country} by that name")
    return place


def _cloud_region(region: str, asked: str, origin: str) -> Place:
    regions = table("cloud_regions")
    if region not in regions:
        import difflib  # only on the way to an error

        raise UnknownZoneError(
            asked, origin, difflib.get_close_matches(region, regions.lines, n=5), "no such region"
        )
    zone = regions.row(region)["zone"]
    if not zone:
        raise UnknownZoneError(
            asked, origin, [], "no source says which grid feeds this region; name a zone instead"
        )
    return Place(zone, f"cloud region {region}", region)


_alpha3_index: dict[str, str] = {}
# Plain name -> zone of a country; plain name -> (code, zone) of the parts of countries that bear it.
_name_index: tuple[dict[str, str], dict[str, list[tuple[str, str]]]] | None = None


def _alpha3() -> dict[str, str]:
    if not _alpha3_index:
        for name in ("country_names", "countries"):
            _alpha3_index.update(zip(table(name).column("iso3"), table(name).lines, strict=True))
    return _alpha3_index


def _names() -> tuple[dict[str, str], dict[str, list[tuple[str, str]]]]:
    global _name_index
    if _name_index is None:
        _name_index = _index_names()
    return _name_index


def _index_names() -> tuple[dict[str, str], dict[str, list[tuple[str, str]]]]:
    named: list[tuple[str, str, str]] = []  # the code that bears the name, the zone it leads to, the name
    for table_name in ZONE_TABLES:
        zones = table(table_name)
        named += zip(zones.lines, zones.lines, zones.column("name"), strict=True)
    for table_name in ("country_names", "subdivisions"):
        other = table(table_name)
        for code, zone, names in zip(other.lines, other.column("zone"), other.column("names"), strict=True):
            named += [(code, zone, name) for name in names.split("|")]
    nations: dict[str, str] = {}
    parts: dict[str, list[tuple[str, str]]] = {}
    for code, zone, name in named:
        if "-" in code:
            parts.setdefault(plain(name), []).append((code, zone))
        else:
            nations.setdefault(plain(name), zone)
    nations.pop("", None)
    parts.pop("", None)
    return nations, parts
