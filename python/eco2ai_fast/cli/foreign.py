"""Rows of eco2AI's and CodeCarbon's CSV files as records; what they do not tell is unknown.

Both write energy with PUE. CodeCarbon's rows of one run are cumulative: the longest of them is the run. eco2AI's rows
of one id are epochs, each with an energy of its own.
"""

from __future__ import annotations

import csv
import math

from .. import footprint, record
from ..carbon import Intensity
from ..carbon.accounting import J_PER_KWH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    Row = Mapping[str, str]
    Numbered = tuple[int, Row]

LOCAL_TIME = "the file tells local time without its zone: begin and end are taken as UTC"
UNKNOWN_NUMBERS = dict.fromkeys(("measured_j", "modelled_j", "uncertainty_j", "sampling_j"))
_UNKNOWN: dict[str, Any] = {
    "t0_ns": None, "t1_ns": None, "clock_anchor": None, "code_commit": None, "config_hash": None, "bins": None,
    "idle": None, "functional_unit": None, "stage": None, "missing": [], "settings": {}, "coverage": None,
    "data": {"tables_sha256": None, "factors_file_sha256": None}, "pue_year": None, **UNKNOWN_NUMBERS,
}  # fmt: skip


class ForeignError(ValueError):
    """A file of another tracker cannot be read; the message names file, line and column."""


def read(path: str) -> list[dict[str, Any]]:
    """The records of a file. Raises ForeignError."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = [(reader.line_num, row) for row in reader]
            columns = set(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ForeignError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if {"run_id", "emissions", "energy_consumed", "duration"} <= columns:
        return [_codecarbon(path, *one) for one in _longest(path, rows)]
    if {"id", "power_consumption(kWh)", "CO2_emissions(kg)", "duration(s)"} <= columns:
        return [_eco2ai(path, *one) for one in rows]
    raise ForeignError(f"{path}: neither eco2AI's columns nor CodeCarbon's")


def _longest(path: str, rows: Iterable[Numbered]) -> list[Numbered]:
    """One row for each run of CodeCarbon: rows of one run each hold all of it so far."""
    longest: dict[str, Numbered] = {}
    for number, row in rows:
        before = longest.get(row["run_id"])
        if before is None or _number(path, number, row, "duration") >= _number(path, *before, "duration"):
            longest[row["run_id"]] = (number, row)
    return list(longest.values())


def _codecarbon(path: str, number: int, row: Row) -> dict[str, Any]:
    def value(column: str) -> float:
        return _number(path, number, row, column)

    tool = f"codecarbon {row.get('codecarbon_version') or ''}".strip()
    pue = max(1.0, value("pue")) if row.get("pue") else 1.0
    parts_kwh = {"cpu": value("cpu_energy"), "gpu": value("gpu_energy"), "ram": value("ram_energy")}
    used_j = {kind: kwh * J_PER_KWH / pue for kind, kwh in parts_kwh.items() if kwh or kind != "gpu"}
    place = ", ".join(filter(None, (row.get("region"), row.get("country_name"))))
    return _record(
        path,
        (number, row),
        {
            "id": row["run_id"],
            "project": row.get("project_name") or None,
            "t0_utc": None,
            "t1_utc": _utc(row.get("timestamp")),
            "duration_s": value("duration"),
            "energy_j": value("energy_consumed") * J_PER_KWH / pue,
            "pue": pue,
            "pue_source": f"column pue of {tool}" if row.get("pue") else f"{tool} tells none",
            "hardware": _hardware(row.get("cpu_model"), row.get("gpu_model")),
        },
        tool=tool,
        used_j=used_j,
        grams=1000 * value("emissions"),
        zone=(row.get("country_iso_code") or "", place),
    )


def _eco2ai(path: str, number: int, row: Row) -> dict[str, Any]:
    def value(column: str) -> float:
        return _number(path, number, row, column)

    # Our own rows in that form hold nan where no meter could be read.
    is_unknown = row["power_consumption(kWh)"] == "nan"
    energy_j = None if is_unknown else value("power_consumption(kWh)") * J_PER_KWH
    epoch = row.get("epoch") or "N/A"
    return _record(
        path,
        (number, row),
        {
            "id": f"{row['id']}/{epoch}",
            "project": row.get("project_name") or None,
            "t0_utc": _utc(row.get("start_time")),
            "t1_utc": None,
            "duration_s": value("duration(s)"),
            "energy_j": energy_j,
            "pue": 1.0,
            "pue_source": "eco2AI's file holds energy with PUE and does not tell which",
            "hardware": _hardware(_eco2ai_cpu(row), _eco2ai_gpu(row)),
        },
        tool="eco2AI",
        used_j={},
        grams=0.0 if is_unknown else 1000 * value("CO2_emissions(kg)"),
        zone=("", row.get("region/country") or ""),
    )


def _record(
    path: str,
    numbered: Numbered,
    known: dict[str, Any],
    *,
    tool: str,
    used_j: dict[str, float],
    grams: float,
    zone: tuple[str, str],
) -> dict[str, Any]:
    number, row = numbered
    energy_j = known["energy_j"]
    made = record.head("imported") | _UNKNOWN | known
    made |= {
        "host": {"hash": None, "boot_id": None},
        "name": None,
        "notes": [LOCAL_TIME],
        "domains": [_domain(kind, value_j, tool) for kind, value_j in used_j.items()],
        "boundary": _boundary(used_j, tool),
        "imported_from": {"tool": tool, "file": path.rpartition("/")[2], "line": number, "row": _texts(row)},
    }
    if not energy_j:
        return record.without_carbon(made, f"{tool} recorded no energy")
    return footprint.priced(made, _intensity(grams / (energy_j * made["pue"] / J_PER_KWH), zone, tool))


def _domain(kind: str, energy_j: float, tool: str) -> dict[str, Any]:
    unknown = (
        "parent", "sensor_rel", "tick_s", "resolution_s", "gap_s", "reason", "coverage", "fault",
    )  # fmt: skip
    return dict.fromkeys(unknown) | UNKNOWN_NUMBERS | {
        "id": kind, "kind": kind, "source": tool, "provenance": "unknown", "detail": "", "counted": True,
        "energy_j": energy_j, "resets": 0, "ambiguous": 0,
    }  # fmt: skip


def _boundary(used_j: dict[str, float], tool: str) -> dict[str, Any]:
    whole_j = sum(used_j.values())
    included = [
        {"domain": kind, "share": value_j / whole_j if whole_j else None, "provenance": "unknown", "method": tool}
        for kind, value_j in used_j.items()
    ]
    return {"included": included, "excluded": []}


def _intensity(g_per_kwh: float, zone: tuple[str, str], tool: str) -> Intensity:
    """What the file's own numbers amount to; neither its year nor its basis is told."""
    return Intensity(
        g_per_kwh,
        year=None,
        zone=zone[0],
        zone_name=zone[1],
        basis="unknown",
        method="unknown",
        source=f"{tool}: emissions over energy of its file",
        licence="unknown",
        attribution="",
        dataset_version="",
        found_by=f"{tool}'s file",
        matched_as="",
    )


def _eco2ai_cpu(row: Row) -> str:
    """The processor of `AMD EPYC/1 device(s), TDP:500.0`."""
    return (row.get("CPU_name") or "").rpartition("/")[0] or row.get("CPU_name") or ""


def _eco2ai_gpu(row: Row) -> str:
    """The first GPU of `NAME 2 device(s)`, the only one whose name is told; none of ` 0 device(s)`."""
    return (row.get("GPU_name") or "").partition(" device(s)")[0].rpartition(" ")[0]


def _hardware(cpu: str | None, gpu: str | None) -> dict[str, Any]:
    return {"cpu": cpu or None, "packages": None, "logical": None, "gpus": [gpu] if gpu else []}


def _number(path: str, number: int, row: Row, column: str) -> float:
    """An amount; an empty cell is 0 for CodeCarbon, which writes none where it saw no such hardware."""
    text = row.get(column) or "0"
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise ForeignError(f"{path}, line {number}: {column} = {text!r} is no amount")
    return value


def _utc(text: str | None) -> str | None:
    """`2026-11-23T07:40:49.000Z` from either tool's form; None for anything else."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(text or "").strftime("%Y-%m-%dT%H:%M:%S.000Z")
    except ValueError:
        return None


def _texts(row: Row) -> dict[str, str]:
    """The row as it stood; cells beyond the columns have no name and are left out."""
    return {name: cell or "" for name, cell in row.items() if isinstance(name, str)}
