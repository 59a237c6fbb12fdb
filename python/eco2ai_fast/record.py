"""The record: a measurement as plain data, with what a reader needs to judge and to join it. docs/record.md explains.

Every key that bears a `Measurement`'s attribute's name holds that attribute. What is unknown is None, never 0.
"""

from __future__ import annotations

import os
import time

from . import attribution, bins, origin, settings
from ._core import __version__, clock_anchor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ._core import Domain, Readout
    from .footprint import Terms
    from .measurement import DomainMeasurement, Measurement

SCHEMA_VERSION = 2
NS_PER_MS = 1_000_000
# What no meter here sees. A PUE above 1 stands for cooling and the power supply of the building.
NEVER_MEASURED = ("storage", "network", "losses of the computer's power supply", "cooling and building")
IT_ONLY = "IT energy only: cooling and building are not in it"
_DOMAIN_KEYS = (
    "id", "kind", "parent", "source", "provenance", "detail", "counted", "energy_j", "measured_j", "modelled_j",
    "uncertainty_j", "sampling_j", "sensor_rel", "coverage", "resets", "ambiguous", "fault", "uuid",
    "cuda_index", "rule", "calibration",
)  # fmt: skip


class Run:
    """What is known of the run of a command beside its measurement.

    Attributes:
        argv, exit_code, signal: the command, and how it ended as a shell tells it.
        cpu_s: CPU time of its process tree; left_running: processes of it that live on.
        busy_s: busy time of all the machine's CPUs meanwhile; None if /proc/stat could not be read.
        own_cpu_s: our own CPU time meanwhile; own_total_cpu_s: since our start.
        notes: what a reader of the CPU times must know.
    """

    __slots__ = (
        "argv", "busy_s", "cpu_s", "exit_code", "left_running", "notes", "own_cpu_s", "own_total_cpu_s", "signal",
    )  # fmt: skip

    def __init__(
        self,
        argv: Sequence[str],
        *,
        exit_code: int = 0,
        signal: int | None = None,
        cpu_s: float = 0.0,
        left_running: int = 0,
        busy_s: float | None = None,
        own_cpu_s: float = 0.0,
        own_total_cpu_s: float = 0.0,
        notes: Sequence[str] = (),
    ) -> None:
        self.argv = list(argv)
        self.exit_code = exit_code
        self.signal = signal
        self.cpu_s = cpu_s
        self.left_running = left_running
        self.busy_s = busy_s
        self.own_cpu_s = own_cpu_s
        self.own_total_cpu_s = own_total_cpu_s
        self.notes = tuple(notes)


def of_measurement(
    measurement: Measurement, terms: Terms | None = None, laps: Sequence[Readout] = ()
) -> dict[str, Any]:
    """The record of a measurement; `laps` are readings of its window in between, for the bins.

    Raises FactorError for terms that cannot be.
    """
    return _completed(_measured(measurement, "measurement", laps), measurement, terms)


def of_run(
    measurement: Measurement, run: Run, terms: Terms | None = None, laps: Sequence[Readout] = ()
) -> dict[str, Any]:
    """The record of a command's run, the command's part and our own cost beside the machine's energy."""
    record = _measured(measurement, "run", laps) | _parts(measurement, run)
    record["notes"] += run.notes
    return _completed(record, measurement, terms)


def head(kind: str) -> dict[str, Any]:
    """What every record begins with: its form, its own id, the tool, and the machine."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "id": os.urandom(16).hex(),
        "tool": {"name": "eco2ai-fast", "version": __version__},
        "host": origin.host(),
    }


def _measured(measurement: Measurement, kind: str, laps: Sequence[Readout]) -> dict[str, Any]:
    """Everything that the machine and the settings tell: no grid, and nothing that only the user knows."""
    domains = measurement._meter.domains if measurement._meter else []
    in_use = origin.settings_in_use({"zone": measurement._zone, "pue": measurement._pue})
    return {
        **head(kind),
        **_clock(measurement),
        "project": None,
        "stage": None,
        "code_commit": origin.code_commit(),
        "hardware": origin.hardware(domains, [*measurement.domains.values()]),
        **_energy(measurement, {domain.id: domain for domain in domains}),
        "boundary": _boundary(measurement),
        "bins": bins.of(measurement, laps),
        "idle": None,
        "functional_unit": None,
        "settings": in_use,
        "config_hash": origin.config_hash(in_use),
        "data": origin.data(),
    }


def _completed(record: dict[str, Any], measurement: Measurement, terms: Terms | None) -> dict[str, Any]:
    """Grams, and what they were computed with; a setting that cannot be used leaves them unknown and says why."""
    from . import footprint

    try:
        record |= _pue(measurement)
        path = settings.resolve("factors_file")[0]
        record = footprint.priced(record, measurement.intensity, factors_file=path)
    except ValueError as error:
        record = without_carbon(record, str(error))
    return footprint.with_terms(record, terms) if terms else record


def _pue(measurement: Measurement) -> dict[str, Any]:
    value, found_by = settings.resolve("pue", measurement._pue)
    source = IT_ONLY if found_by == "default" else origin.without_home(found_by)
    return {"pue": value, "pue_source": source, "pue_year": None}


def without_carbon(record: dict[str, Any], reason: str) -> dict[str, Any]:
    """The record with everything that a grid would tell unknown, and why."""
    from .footprint import NO_EMISSIONS

    unknown = dict.fromkeys(("co2e_g", "pue", "pue_source", "pue_year", "intensity", "grid_mix"))
    emissions = {"energy_kwh": None, **NO_EMISSIONS}
    nothing = {"alternatives": [], "attribution": [], "emissions": emissions, "carbon_error": reason}
    return {**record, **unknown, **nothing}


def _clock(measurement: Measurement) -> dict[str, Any]:
    """The window on CLOCK_MONOTONIC, and an anchor that ties it to the other clocks."""
    anchor = dict(zip(("monotonic_ns", "boottime_ns", "utc_ns"), clock_anchor(), strict=True))
    start_ns = anchor["utc_ns"] - anchor["monotonic_ns"] + measurement.t0_ns
    known = measurement.t1_ns > 0
    return {
        "name": measurement.name,
        "t0_ns": measurement.t0_ns if known else None,
        "t1_ns": measurement.t1_ns if known else None,
        "t0_utc": _iso(start_ns) if known else None,
        "t1_utc": _iso(start_ns + measurement.t1_ns - measurement.t0_ns) if known else None,
        "clock_anchor": anchor,
        "duration_s": _number(measurement.duration_s),
        "suspended_s": measurement.suspended_s,
    }


def _energy(measurement: Measurement, meters: dict[str, Domain]) -> dict[str, Any]:
    keys = ("energy_j", "measured_j", "modelled_j", "uncertainty_j", "sampling_j", "coverage")
    numbers = {key: _number(getattr(measurement, key)) for key in keys}
    return numbers | {
        "domains": [
            _domain(domain, meters.get(domain.id), measurement.duration_s) for domain in measurement.domains.values()
        ],
        "missing": [{"domain": domain, "reason": reason} for domain, reason in measurement.missing],
        "notes": list(measurement.notes),
    }


def _domain(domain: DomainMeasurement, meter: Domain | None, duration_s: float) -> dict[str, Any]:
    """`meter` is None in a sum over two machines' measurements, where the domain is the other one's."""
    values = {key: getattr(domain, key) for key in _DOMAIN_KEYS}
    values |= {key: getattr(meter, key, None) for key in ("tick_s", "resolution_s", "reason")}
    if domain.kind == "gpu":
        values |= {"tick_s": domain.tick_s, "reason": "the driver's own meter"}
    values["gap_s"] = max(0.0, 1.0 - domain.coverage) * duration_s
    if domain.energy_j is None:  # its parts and its error are then as unknown as itself
        values |= dict.fromkeys(("measured_j", "modelled_j", "uncertainty_j", "sampling_j"))
    return values


def _boundary(measurement: Measurement) -> dict[str, Any]:
    """Which parts of the machine the energy is of, with their share of it, and which it leaves out."""
    counted = [domain for domain in measurement.domains.values() if domain.counted and domain.energy_j is not None]
    whole_j = sum(domain.energy_j or 0.0 for domain in counted)
    included = [
        {
            "domain": domain.id,
            "share": (domain.energy_j or 0.0) / whole_j if whole_j else None,
            "provenance": domain.provenance,
            "method": domain.source,
        }
        for domain in counted
    ]
    kinds = {domain.kind.partition("-")[0] for domain in counted}
    excluded = [name for name in ("gpu", *NEVER_MEASURED) if name not in kinds and "psys" not in kinds]
    return {"included": included, "excluded": [*(one[0] for one in measurement.missing), *excluded]}


def _parts(measurement: Measurement, run: Run) -> dict[str, Any]:
    """Who the energy is for: the command, ourselves, and the rest that nobody here claims. Grams come later."""
    shares = None if run.busy_s is None else attribution.shares(run.busy_s, (run.cpu_s, run.own_cpu_s))
    command_share, own_share = shares or (None, None)
    domains_j = None if command_share is None else _attributed(measurement, command_share)
    energy_j = sum(domains_j.values()) if domains_j else None
    at_rest_j = None if energy_j is None else _at_rest_j(measurement)
    static_j = None if at_rest_j is None or command_share is None else command_share * at_rest_j
    own_j = None if own_share is None else sum(_attributed(measurement, own_share).values())
    return {
        "command": {
            "argv": run.argv,
            "exit_code": run.exit_code,
            "signal": run.signal,
            "cpu_s": run.cpu_s,
            "busy_s": run.busy_s,
            "cpu_share": command_share,
            "share_error": _why_no_share(run),
            "energy_j": energy_j,
            "domains_j": domains_j,
            "static_j": static_j,
            "dynamic_j": None if static_j is None or energy_j is None else max(0.0, energy_j - static_j),
            "co2e_g": None,
            "left_running": run.left_running,
        },
        "own_cost": {"cpu_s": run.own_cpu_s, "energy_j": own_j, "total_cpu_s": run.own_total_cpu_s},
    }


def _attributed(measurement: Measurement, share: float) -> dict[str, float]:
    counted = ((domain.id, domain.kind, domain.energy_j) for domain in measurement.domains.values() if domain.counted)
    return attribution.attributed_j(counted, share)


def _at_rest_j(measurement: Measurement) -> float | None:
    """What the machine's part of the command's domains would have taken at rest, where a model or calibration knows."""
    meter = measurement._meter
    idle_w = dict(zip((one.id for one in meter.domains), meter.idle_powers_w, strict=True)) if meter else {}
    shared = (one for one in measurement.domains.values() if one.counted and one.kind in attribution.SHARED_KINDS)
    return attribution.at_rest_j(((one.energy_j, idle_w.get(one.id)) for one in shared), measurement.duration_s)


def _why_no_share(run: Run) -> str | None:
    if run.busy_s is None:
        return "/proc/stat cannot be read"
    if run.busy_s < attribution.RESOLUTION_S:
        return f"the machine was busy for less than {attribution.RESOLUTION_S:g} s, too short for /proc/stat to tell"
    return None


def _iso(utc_ns: int) -> str:
    """`2026-08-20T12:34:56.789Z`."""
    milliseconds, seconds = utc_ns // NS_PER_MS % 1000, utc_ns // (1000 * NS_PER_MS)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{milliseconds:03d}Z"


def _number(value: float) -> float | None:
    """JSON has no not-a-number."""
    return value if value == value else None
