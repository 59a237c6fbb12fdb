"""Which shipped data sets know a place, and which of them speaks first."""

from __future__ import annotations

from .factor import Intensity
from .names import Place
from .tables import Table, table

# By basis, the one that speaks first in front: production factors for a country, flow-traced ones for its
# parts; for scope 2 what the operator or the authority publishes, then the flow-traced ones.
DATASETS = {
    "life-cycle": ("countries", "odbl_life_cycle"),
    "direct": ("gcp_regions", "us_states", "cn_provinces", "odbl_direct"),
}


def find(place: Place, basis: str, year: int | None = None) -> list[tuple[Table, str, int, float]]:
    """(table, key, year, g per kWh) of each data set that knows the place; year None: the newest of each."""
    found = []
    for name in DATASETS[basis]:
        source = table(name)
        key = place.region if name == "gcp_regions" else place.zone
        if key in source:
            values = values_by_year(source.row(key))
            chosen = max(values) if year is None else year
            if chosen in values:
                found.append((source, key, chosen, values[chosen]))
    return found


def years(place: Place, basis: str) -> list[int]:
    """The years for which some data set has a value."""
    known: set[int] = set()
    for name in DATASETS[basis]:
        key = place.region if name == "gcp_regions" else place.zone
        if key in table(name):
            known.update(values_by_year(table(name).row(key)))
    return sorted(known)


def values_by_year(row: dict[str, str]) -> dict[int, float]:
    """A row holds either one value with its year, or a column per year."""
    if "g_per_kwh" in row:
        return {int(row["year"]): float(row["g_per_kwh"])}
    return {int(column): float(cell) for column, cell in row.items() if column.isdigit() and cell}


def make_intensity(found: list[tuple[Table, str, int, float]], place: Place, origin: str) -> Intensity:
    """The first of what `find` gave, with the band and the attribution of all of it."""
    source, key, year, value = found[0]
    values = [each[3] for each in found]
    alone = len(found) == 1
    meta = source.meta
    return Intensity(
        value,
        year=year,
        zone=place.zone,
        zone_name=source.row(key)["name"],
        basis=meta["basis"],
        method=meta["method"],
        source=meta["source"],
        licence=meta["licence"],
        attribution="; ".join(each[0].meta["attribution"] for each in found),
        dataset_version=meta["version"],
        low_g_per_kwh=None if alone else min(values),
        high_g_per_kwh=None if alone else max(values),
        found_by=origin,
        matched_as=place.matched_as,
    )
