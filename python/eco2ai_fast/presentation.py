"""A measurement for a person: one line, or a small table for notebooks."""

from __future__ import annotations

from .quantity import percent, plain, si

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .measurement import DomainMeasurement, Measurement

ZONE_HINT = 'world average: set yours with eco2ai_fast.configure(zone="FR") or `eco2ai-fast config set zone FR`'


def line(measurement: Measurement) -> str:
    """The measurement in one line. Never raises, never waits."""
    name = f" {measurement.name!r}" if measurement.name else ""
    if measurement.is_open:
        return f"<Measurement{name}: open>"
    if measurement.energy_j != measurement.energy_j:
        reasons = "; ".join(f"{domain}: {reason}" for domain, reason in measurement.missing)
        return f"<Measurement{name}: energy unknown ({reasons})>"
    parts = [f"{energy(measurement)} in {si(measurement.duration_s, 's')}", carbon(measurement)]
    if measurement.coverage < 1:
        parts.append(f"coverage {percent(measurement.coverage)}")
    if measurement.provisional:
        parts.append("provisional")
    parts += [f"missing {domain} ({reason})" for domain, reason in measurement.missing]
    return f"<Measurement{name}: {', '.join(parts + list(measurement.notes))}>"


def energy(measurement: Measurement) -> str:
    """`12.3 J ± 0.5 J (measured 10.0 J, modelled 2.3 J)`: provenance always stands beside the sum."""
    total = f"{si(measurement.energy_j, 'J')} ± {si(measurement.uncertainty_j, 'J', 2)}"
    origins = {domain.provenance for domain in measurement.domains.values() if domain.counted}
    if len(origins) == 1 and "mixed" not in origins:  # and not by joules: 0 J of a model are no measurement
        return f"{total} ({origins.pop()})"
    return f"{total} (measured {si(measurement.measured_j, 'J')}, modelled {si(measurement.modelled_j, 'J')})"


def carbon(measurement: Measurement) -> str:
    """Grams with grid zone and year, or why there are none."""
    try:
        intensity = measurement.intensity
        grams = si(measurement.co2e_g, "gCO2e")
        pue = measurement.pue
    except ValueError as error:
        return f"CO2e unknown ({error})"
    year = f" {intensity.year}" if intensity.year else ""
    factor = "" if pue == 1 else f", PUE {pue:g}"
    return f"{grams} ({intensity.zone_name}{year}, {plain(intensity.g_per_kwh)} g/kWh{factor})"


def html(measurement: Measurement) -> str:
    """A table of the domains under the line of the sum; every text is escaped."""
    rows = "".join(_row(domain) for domain in measurement.domains.values())
    head = "".join(f"<th>{_escape(title)}</th>" for title in ("domain", "energy", "±", "provenance", "coverage"))
    return f"<p>{_escape(line(measurement))}</p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(domain: DomainMeasurement) -> str:
    known = domain.energy_j is not None
    cells = (
        domain.id if domain.counted else f"{domain.id} (not counted)",
        si(domain.energy_j, "J") if domain.energy_j is not None else f"unreadable: {domain.fault}",
        si(domain.uncertainty_j, "J", 2) if known else "",
        f"{domain.provenance} ({domain.source})",
        percent(domain.coverage),
    )
    return "<tr>" + "".join(f"<td>{_escape(cell)}</td>" for cell in cells) + "</tr>"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
