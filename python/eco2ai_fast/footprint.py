"""What a record's energy comes to on a grid and by the user's own terms: record in, new record out, energy untouched.

`priced` puts the energy of a record on a grid; `with_terms` adds what only the user knows: the functional unit, the
instruments of a contract, the making of the hardware, the machine's power at rest. Nothing here measures.
"""

from __future__ import annotations

from . import carbon
from .carbon.scope2 import Instrument, scope2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from .carbon import Intensity

    Record = Mapping[str, Any]

_CLOUD = "cloud region "
_OTHER_BASIS = {"life-cycle": "direct", "direct": "life-cycle"}
# Without a grid: what is then unknown.
NO_EMISSIONS = dict.fromkeys(("life_cycle_g", "direct_g", "low_g", "high_g", "market_based", "embodied"))


class Terms:
    """What a record cannot find out by itself. Everything is optional.

    Attributes:
        project, stage: labels that reports add up by; a stage is "training", "inference", ...
        functional_unit: name and how many the energy served: ("token", 128_000).
        instruments, residual_g_per_kwh: what the market-based result of scope 2 is computed from.
        embodied_kg, lifetime_s, embodied_share: emissions of making the hardware, its life, the part of it in use.
        idle_energy_j, idle_duration_s, idle_source: what the machine drew at rest, over how long, and who says so.
        pue_source, pue_year: where the PUE is from, and of which year.
    """

    __slots__ = (
        "project", "stage", "functional_unit", "instruments", "residual_g_per_kwh", "embodied_kg", "lifetime_s",
        "embodied_share", "idle_energy_j", "idle_duration_s", "idle_source", "pue_source", "pue_year",
    )  # fmt: skip

    def __init__(
        self,
        *,
        project: str | None = None,
        stage: str | None = None,
        functional_unit: tuple[str, float] | None = None,
        instruments: Sequence[Instrument] = (),
        residual_g_per_kwh: float | None = None,
        embodied_kg: float | None = None,
        lifetime_s: float | None = None,
        embodied_share: float = 1.0,
        idle_energy_j: float | None = None,
        idle_duration_s: float | None = None,
        idle_source: str = "given by the user",
        pue_source: str | None = None,
        pue_year: int | None = None,
    ) -> None:
        if (embodied_kg is None) is not (lifetime_s is None):
            raise ValueError("embodied_kg and lifetime_s go together")
        if (idle_energy_j is None) is not (idle_duration_s is None):
            raise ValueError("idle_energy_j and idle_duration_s go together")
        if functional_unit and not functional_unit[1] > 0:
            raise ValueError(f"functional_unit = {functional_unit!r}: the count must be above 0")
        values = locals()
        for name in Terms.__slots__:
            setattr(self, name, values[name])

    project: str | None
    stage: str | None
    functional_unit: tuple[str, float] | None
    instruments: Sequence[Instrument]
    residual_g_per_kwh: float | None
    embodied_kg: float | None
    lifetime_s: float | None
    embodied_share: float
    idle_energy_j: float | None
    idle_duration_s: float | None
    idle_source: str
    pue_source: str | None
    pue_year: int | None


def priced(record: Record, intensity: Intensity, *, factors_file: str | None = None) -> dict[str, Any]:
    """The record with its energy put on a grid: grams on each basis that is known, their band, the grid's mix.

    Results of `with_terms` that depend on the grid are unknown again. Raises FactorError for a PUE below 1.
    """
    energy_j, pue = record["energy_j"], record["pue"]
    other = _other_basis(intensity, factors_file)
    mix = _mix(intensity.zone)
    texts = [intensity.attribution, other.attribution if other else "", mix["attribution"] if mix else ""]
    grams = {one.basis: _grams(energy_j, one, pue) for one in (intensity, other) if one}
    new = {
        "co2e_g": _grams(energy_j, intensity, pue),
        "intensity": intensity.as_dict() | {"time_resolution": "year" if intensity.year else "unknown"},
        "alternatives": [other.as_dict() | {"time_resolution": "year"}] if other else [],
        "grid_mix": mix,
        "carbon_error": None,
        "attribution": list(dict.fromkeys(part for text in texts for part in str(text).split("; ") if part)),
    }
    emissions = NO_EMISSIONS | {
        "energy_kwh": None if energy_j is None else carbon.kwh(energy_j) * pue,
        "life_cycle_g": grams.get("life-cycle"),
        "direct_g": grams.get("direct"),
        **_band(record, intensity),
    }
    return {**record, **new, "emissions": emissions, **_command_grams(record, intensity)}


def with_terms(record: Record, terms: Terms) -> dict[str, Any]:
    """The record with what the user knows of it. Terms that are not given change nothing."""
    new = {name: getattr(terms, name) for name in ("project", "stage", "pue_source", "pue_year")}
    made = {**record, **{name: value for name, value in new.items() if value is not None}}
    if terms.idle_energy_j is not None and terms.idle_duration_s is not None:
        made["idle"] = _idle(record, terms.idle_energy_j, terms.idle_duration_s, terms.idle_source)
    emissions = dict(record["emissions"])
    if terms.instruments or terms.residual_g_per_kwh is not None:
        emissions["market_based"] = _market_based(record, terms.instruments, terms.residual_g_per_kwh)
    if terms.embodied_kg is not None and terms.lifetime_s is not None:
        emissions["embodied"] = _embodied(record, terms.embodied_kg, terms.lifetime_s, terms.embodied_share)
    made["emissions"] = emissions
    if terms.functional_unit:
        unit, count = terms.functional_unit
        made["functional_unit"] = {"unit": unit, "count": count}
    return made


def _grams(energy_j: float | None, intensity: Intensity, pue: float) -> float | None:
    return None if energy_j is None else carbon.co2e_g(energy_j, intensity.g_per_kwh, pue)


def _other_basis(intensity: Intensity, factors_file: str | None) -> Intensity | None:
    """The place's factor of the basis that was not asked for; None where nobody knows it."""
    wanted = _OTHER_BASIS.get(intensity.basis)
    if wanted is None or not intensity.zone:
        return None
    region = intensity.matched_as.removeprefix(_CLOUD)
    asked = intensity.zone if region == intensity.matched_as else region  # Google has factors of its own regions
    try:
        return carbon.intensity(asked, wanted, factors_file=factors_file, origin=intensity.found_by)
    except carbon.FactorError:
        return None


def _mix(zone: str) -> dict[str, Any] | None:
    try:
        return carbon.grid_mix(zone) if zone else None
    except carbon.FactorError:
        return None


def _band(record: Record, intensity: Intensity) -> dict[str, float | None]:
    """Least and greatest grams: the 95 % interval of the energy on the least and greatest of the data sets."""
    energy_j, half_j, pue = record["energy_j"], record["uncertainty_j"], record["pue"]
    if energy_j is None or half_j is None:
        return {"low_g": None, "high_g": None}
    value = intensity.g_per_kwh
    low = value if intensity.low_g_per_kwh is None else intensity.low_g_per_kwh
    high = value if intensity.high_g_per_kwh is None else intensity.high_g_per_kwh
    return {
        "low_g": carbon.co2e_g(max(0.0, energy_j - half_j), low, pue),
        "high_g": carbon.co2e_g(energy_j + half_j, high, pue),
    }


def _command_grams(record: Record, intensity: Intensity) -> dict[str, Any]:
    command = record.get("command")
    return {"command": command | {"co2e_g": _grams(command["energy_j"], intensity, record["pue"])}} if command else {}


def _idle(record: Record, energy_j: float, duration_s: float, source: str) -> dict[str, Any]:
    """The machine at rest, and what the run took on top of it."""
    power_w = energy_j / duration_s
    window_j = None if record["duration_s"] is None else power_w * record["duration_s"]
    net_j = None if window_j is None or record["energy_j"] is None else record["energy_j"] - window_j
    return {
        "energy_j": energy_j,
        "duration_s": duration_s,
        "power_w": power_w,
        "source": source,
        "window_j": window_j,
        "net_j": net_j,
    }


def _market_based(record: Record, instruments: Sequence[Instrument], residual: float | None) -> dict[str, Any] | None:
    """Scope 2 by contracts; what no contract covers goes by the residual mix, else by the grid's direct average.

    Raises FactorError where that average is needed and no source knows it: a life-cycle factor is none of scope 2.
    """
    if record["energy_j"] is None:
        return None
    both = (record["intensity"], *record["alternatives"])
    grid = next((one["g_per_kwh"] for one in both if one and one["basis"] == "direct"), residual)
    if grid is None:
        raise carbon.NoDirectFactorError(
            "market-based emissions need the residual mix here (--residual G): this zone has no direct factor"
        )
    found = scope2(record["energy_j"], grid, instruments, residual_g_per_kwh=residual, pue=record["pue"])
    return {
        "g": found.market_g,
        "covered_kwh": found.covered_kwh,
        "rest_kwh": found.rest_kwh,
        "rest_factor": found.rest_factor,
        "instruments": [{name: getattr(one, name) for name in Instrument.__slots__} for one in instruments],
    }


def _embodied(record: Record, total_kg: float, lifetime_s: float, share: float) -> dict[str, Any]:
    used_s = record["duration_s"]
    grams = None if used_s is None else carbon.embodied_g(total_kg, used_s, lifetime_s, share)
    return {"g": grams, "total_kg": total_kg, "lifetime_s": lifetime_s, "share": share}
