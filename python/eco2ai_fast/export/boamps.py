"""BoAmps, the open form of Boavizta for the energy of AI tasks: Boavizta/BoAmps, model/report_schema.json.

What the form requires and a tracker cannot know (family, algorithms and data of the task) is left open, by `OPEN`.
"""

from __future__ import annotations

import json

from ..report.total import Total
from ..report.wording import J_PER_WH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    Record = Mapping[str, Any]

J_PER_KWH = 1000 * J_PER_WH
OPEN = "to be filled in"
# Of a record's own origin: nobody but its author may widen it.
CONFIDENTIALITY = "confidential"


def text(records: Sequence[Record]) -> str:
    """One report of one task; each run is a measure. Raises ValueError where no run holds an energy."""
    total = Total(records)
    known = [record for record in total.records if record["energy_j"] is not None]
    if not known:
        raise ValueError("no energy is known of these records, and BoAmps requires powerConsumption")
    document = {
        "header": _header(known),
        "task": {
            "taskStage": ", ".join(total.stages()) or OPEN,
            "taskFamily": OPEN,
            "algorithms": [],
            "dataset": [],
        },
        "measures": [_measure(record) for record in known],
        "infrastructure": _infrastructure(known[0]),
        "environment": _environment(known[0]),
        "quality": _quality(total),
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _header(records: Sequence[Record]) -> dict[str, Any]:
    first, last = records[0], records[-1]
    return _known(
        {
            "reportId": first["id"],
            "reportDatetime": last["t1_utc"] or last["t0_utc"],
            "reportStatus": "draft",
            "publisher": _known({"projectName": first["project"], "confidentialityLevel": CONFIDENTIALITY}),
        }
    )


def _measure(record: Record) -> dict[str, Any]:
    """One run. The calibration is the machine at rest, where somebody measured it."""
    idle = record["idle"] or {"energy_j": None, "duration_s": None}
    rest_kwh = None if idle["energy_j"] is None else idle["energy_j"] / J_PER_KWH
    return _known(
        {
            "measurementMethod": record["tool"]["name"],
            "version": record["tool"]["version"],
            "cpuTrackingMode": _modes(record, "package", "cpu"),
            "gpuTrackingMode": _modes(record, "gpu"),
            "powerCalibrationMeasurement": rest_kwh,
            "durationCalibrationMeasurement": idle["duration_s"],
            "powerConsumption": record["energy_j"] / J_PER_KWH,
            "measurementDuration": record["duration_s"],
            "measurementDateTime": record["t0_utc"],
        }
    )


def _modes(record: Record, *kinds: str) -> str | None:
    found = (one for one in record["domains"] if one["counted"] and one["kind"].partition("-")[0] in kinds)
    return ", ".join(dict.fromkeys(f"{one['source']} ({one['provenance']})" for one in found)) or None


def _infrastructure(record: Record) -> dict[str, Any]:
    machine, matched = record["hardware"], record["intensity"]["matched_as"] if record["intensity"] else ""
    cpu = {"componentName": machine["cpu"], "componentType": "cpu", "nbComponent": machine["packages"] or 1}
    gpus = [
        {"componentName": gpu, "componentType": "gpu", "nbComponent": machine["gpus"].count(gpu)}
        for gpu in dict.fromkeys(machine["gpus"])
    ]
    cloud = matched.removeprefix("cloud region ")
    provider = cloud.partition(":")[0] if cloud != matched else None
    kind = "publicCloud" if provider else "onPremise"
    return _known(
        {"infraType": kind, "cloudProvider": provider, "components": [*([cpu] if machine["cpu"] else []), *gpus]}
    )


def _environment(record: Record) -> dict[str, Any]:
    found = record["intensity"]
    if found is None:
        return {"country": OPEN}
    return {"country": found["zone_name"] or OPEN, "powerSourceCarbonIntensity": found["g_per_kwh"]}


def _quality(total: Total) -> str:
    """high: metered and without gaps; low: mostly modelled, or nobody tells; medium: between."""
    if total.measured_j is None or total.energy_j is None or 2 * total.measured_j < total.energy_j:
        return "low"
    gapless = all((record["coverage"] or 0.0) > 0.99 for record in total.records)
    return "high" if total.provenance == "measured" and gapless else "medium"


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    """What is unknown is absent, since the form has no word for it."""
    return {name: value for name, value in fields.items() if value is not None}
