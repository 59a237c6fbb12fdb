"""One intensity with everything that must travel with it."""

from __future__ import annotations

UNIT = "gCO2e/kWh"


class Intensity:
    """Grams of CO2 equivalent per kWh of electricity at one place, immutable.

    Attributes:
        g_per_kwh: the value, in gCO2e/kWh.
        unit: always "gCO2e/kWh".
        year: the year the value describes; None for a factor of the user's own that names none.
        zone: the canonical id of the place ("FR", "CA-QC", "WORLD"); zone_name: its name.
        basis: "life-cycle" (fuel, plant and upstream), "direct" (the stack alone, for scope 2) or "unknown".
        method: "production" (what the place generates), "consumption" (flow-traced), "marginal" or "unknown".
        source, licence, attribution, dataset_version: where the value is from and on what terms.
        low_g_per_kwh, high_g_per_kwh: the least and the greatest value for this place and basis over the
            shipped data sets; both None when only one of them knows the place.
        found_by: who named the place: "argument", "configure", "environment ECO2AI_FAST_ZONE", "file ...",
            "guess: ..." or "default".
        matched_as: how the name was understood, e.g. "ISO 3166-1 alpha-3 code FRA".
    """

    __slots__ = (
        "g_per_kwh",
        "year",
        "zone",
        "zone_name",
        "basis",
        "method",
        "source",
        "licence",
        "attribution",
        "dataset_version",
        "low_g_per_kwh",
        "high_g_per_kwh",
        "found_by",
        "matched_as",
    )

    g_per_kwh: float
    year: int | None
    zone: str
    zone_name: str
    basis: str
    method: str
    source: str
    licence: str
    attribution: str
    dataset_version: str
    low_g_per_kwh: float | None
    high_g_per_kwh: float | None
    found_by: str
    matched_as: str

    def __init__(
        self,
        g_per_kwh: float,
        *,
        year: int | None,
        zone: str,
        zone_name: str,
        basis: str,
        method: str,
        source: str,
        licence: str,
        attribution: str,
        dataset_version: str,
        low_g_per_kwh: float | None = None,
        high_g_per_kwh: float | None = None,
        found_by: str = "argument",
        matched_as: str = "",
    ) -> None:
        values = locals()
        for name in Intensity.__slots__:
            object.__setattr__(self, name, values[name])

    @property
    def unit(self) -> str:
        return UNIT

    @property
    def is_guess(self) -> bool:
        """True when nobody named the place: a hint of the machine or the world's average was used."""
        return self.found_by == "default" or self.found_by.startswith("guess")

    def as_dict(self) -> dict[str, float | int | str | None]:
        """Every attribute by name, for a record."""
        return {"unit": UNIT} | {name: getattr(self, name) for name in self.__slots__}

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an Intensity is immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"an Intensity is immutable: cannot delete {name!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Intensity) and self.as_dict() == other.as_dict()

    def __hash__(self) -> int:
        return hash(tuple(self.as_dict().values()))

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.as_dict(),)

    def __repr__(self) -> str:
        place = self.zone if self.zone_name in ("", self.zone) else f"{self.zone} {self.zone_name}"
        year = "" if self.year is None else f" {self.year}"
        band = ""
        if self.low_g_per_kwh is not None and self.high_g_per_kwh is not None:
            band = f", data sets {self.low_g_per_kwh:g} to {self.high_g_per_kwh:g}"
        return (
            f"Intensity({self.g_per_kwh:g} {UNIT}, {place}{year}, {self.basis}, {self.method}{band}; "
            f"{self.source}, {self.licence}; zone from {self.found_by})"
        )


def _rebuild(values: dict[str, float | int | str | None]) -> Intensity:
    """For pickle: slots and immutability rule out the default way."""
    made: Intensity = object.__new__(Intensity)
    for name in Intensity.__slots__:
        object.__setattr__(made, name, values[name])
    return made
