"""How the energy was measured, in the hundred words or so that official forms ask for."""

from __future__ import annotations

from ..quantity import plain
from ..report.wording import intensity, line, share, tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..report.total import Total

# What stands where a form asks for something that no energy tracker can know.
OPEN = "OPEN, not known to an energy tracker"


def describe(total: Total) -> str:
    """The method of these records in sentences."""
    tools = ", ".join(dict.fromkeys(tool(record) for record in total.records))
    parts = [
        f"Energy was recorded with {tools} over {len(total.records)} run(s) as the energy of "
        "the whole machines while they ran, power at rest included.",
        _boundary(total),
        _quality(total),
    ]
    if total.overlapping:
        parts.append(f"{total.overlapping} runs overlapped another on their host; shared energy is counted once.")
    if total.unknown:
        parts.append(f"{total.unknown} of the runs hold no energy and are not included.")
    return " ".join(parts)


def factors(total: Total) -> list[str]:
    """The intensities in use, each once, both bases."""
    found = [one for record in total.records for one in (record["intensity"], *record["alternatives"]) if one]
    return list(dict.fromkeys(f"{intensity(one)}; {line(one['source'])}" for one in found))


def _boundary(total: Total) -> str:
    methods = {
        f"{line(one['domain'])} ({one['provenance']}, {line(one['method'])})": None
        for record in total.records
        for one in record["boundary"]["included"]
    }
    excluded = {line(name): None for record in total.records for name in record["boundary"]["excluded"]}
    text = f"Included: {', '.join(methods) or 'what the original file does not tell'}."
    return f"{text} Not included: {', '.join(excluded)}." if excluded else text


def _quality(total: Total) -> str:
    if total.energy_j is None or total.measured_j is None:
        return "Which part was measured and which estimated is not known."
    text = f"{share(total.measured_j / total.energy_j) if total.energy_j else 'None'} of it was metered"
    if total.uncertainty_j is not None and total.energy_j:
        text += f"; the 95 % interval is +- {plain(100 * total.uncertainty_j / total.energy_j, 2)} %"
    pues = sorted({record["pue"] for record in total.records if record["pue"] is not None})
    return f"{text}. PUE applied: {', '.join(plain(pue) for pue in pues) or 'unknown'}."
