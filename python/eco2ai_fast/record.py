"""The record: a measurement as plain data, with what a reader needs to judge and to join it. docs/record.md explains.

Every key that bears a `Measurement`'s attribute's name holds that attribute. What is unknown is None, never 0.
"""

from __future__ import annotations

import os
import time

from . import attribution, settings
from ._core import __version__, clock_anchor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .measurement import DomainMeasurement, Measurement

SCHEMA_VERSION = 1
NS_PER_MS = 1_000_000
_MACHINE_ID_PATHS = ("/etc/machine-id", "/var/lib/dbus/machine-id")
_DOMAIN_KEYS = (
    "id", "kind", "parent", "source", "provenance", "detail", "counted", "energy_j", "measured_j", "modelled_j",
    "uncertainty_j", "sampling_j", "sensor_rel", "coverage", "resets", "ambiguous", "fault",
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


def of_measurement(measurement: Measurement) -> dict[str, Any]:
    """The record of a measurement."""
    return head("measurement") | _clock(measurement) | _energy(measurement) | _carbon(measurement)


def of_run(measurement: Measurement, run: Run) -> dict[str, Any]:
    """The record of a command's run, the command's part and our own cost beside the machine's energy."""
    record = of_measurement(measurement) | {"kind": "run"}
    record["notes"] += run.notes
    gram_per_j = record["co2e_g"] / record["energy_j"] if record["co2e_g"] and record["energy_j"] else None
    return record | _parts(measurement, run, gram_per_j)


def head(kind: str) -> dict[str, Any]:
    """What every record begins with: its form, the tool, and the machine."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "tool": {"name": "eco2ai-fast", "version": __version__},
        "host": {"hash": _host_hash(), "boot_id": _line("/proc/sys/kernel/random/boot_id")},
    }


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
        "clock_anchor": anchor,
        "duration_s": _number(measurement.duration_s),
    }


def _energy(measurement: Measurement) -> dict[str, Any]:
    keys = ("energy_j", "measured_j", "modelled_j", "uncertainty_j", "sampling_j", "coverage")
    numbers = {key: _number(getattr(measurement, key)) for key in keys}
    return numbers | {
        "domains": [_domain(domain) for domain in measurement.domains.values()],
        "missing": [{"domain": domain, "reason": reason} for domain, reason in measurement.missing],
        "notes": list(measurement.notes),
    }


def _domain(domain: DomainMeasurement) -> dict[str, Any]:
    values = {key: getattr(domain, key) for key in _DOMAIN_KEYS}
    if domain.energy_j is None:  # its parts and its error are then as unknown as itself
        values |= dict.fromkeys(("measured_j", "modelled_j", "uncertainty_j", "sampling_j"))
    return values


def _carbon(measurement: Measurement) -> dict[str, Any]:
    """Grams, and what they were computed with; a setting that cannot be used leaves them unknown and says why."""
    carbon: dict[str, Any]
    try:
        carbon = {
            "co2e_g": _number(measurement.co2e_g),
            "pue": measurement.pue,
            "intensity": measurement.intensity.as_dict(),
            "carbon_error": None,
        }
    except ValueError as error:
        carbon = {"co2e_g": None, "pue": None, "intensity": None, "carbon_error": str(error)}
    return carbon | {"settings": _settings({"zone": measurement._zone, "pue": measurement._pue})}


def _settings(arguments: dict[str, Any]) -> dict[str, Any]:
    """Every setting that is not at its default, with its origin."""
    found: dict[str, Any] = {}
    for name in settings.SETTINGS:
        try:
            value, origin = settings.resolve(name, arguments.get(name))
        except ValueError as error:
            value, origin = None, f"refused: {error}"
        if origin != "default":
            found[name] = {"value": value, "origin": _without_home(origin)}
    return found


def _parts(measurement: Measurement, run: Run, gram_per_j: float | None) -> dict[str, Any]:
    """Who the energy is for: the command, ourselves, and the rest that nobody here claims."""
    shares = None if run.busy_s is None else attribution.shares(run.busy_s, (run.cpu_s, run.own_cpu_s))
    command_share, own_share = shares or (None, None)
    domains_j = None if command_share is None else _attributed(measurement, command_share)
    energy_j = sum(domains_j.values()) if domains_j else None
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
            "co2e_g": None if energy_j is None or gram_per_j is None else energy_j * gram_per_j,
            "left_running": run.left_running,
        },
        "own_cost": {"cpu_s": run.own_cpu_s, "energy_j": own_j, "total_cpu_s": run.own_total_cpu_s},
    }


def _attributed(measurement: Measurement, share: float) -> dict[str, float]:
    counted = ((domain.id, domain.kind, domain.energy_j) for domain in measurement.domains.values() if domain.counted)
    return attribution.attributed_j(counted, share)


def _why_no_share(run: Run) -> str | None:
    if run.busy_s is None:
        return "/proc/stat cannot be read"
    if run.busy_s < attribution.RESOLUTION_S:
        return f"the machine was busy for less than {attribution.RESOLUTION_S:g} s, too short for /proc/stat to tell"
    return None


def _host_hash() -> str | None:
    """A name for this machine that tells nothing about it: BLAKE2 keyed with the machine id, as machine-id(5) asks.

    None where the machine has no id, as in many containers.
    """
    from hashlib import blake2b

    machine_id = next(filter(None, map(_line, _MACHINE_ID_PATHS)), None)
    if machine_id is None:
        return None
    return blake2b(b"eco2ai-fast host", key=machine_id.encode()[:64], digest_size=16).hexdigest()


def _line(path: str) -> str | None:
    try:
        with open(path, encoding="ascii") as file:
            return file.readline().strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _iso(utc_ns: int) -> str:
    """`2026-08-20T12:34:56.789Z`."""
    milliseconds, seconds = utc_ns // NS_PER_MS % 1000, utc_ns // (1000 * NS_PER_MS)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{milliseconds:03d}Z"


def _without_home(origin: str) -> str:
    """A record may be published: the path of the home directory bears a person's name."""
    home = os.path.expanduser("~")  # noqa: PTH111 (pathlib would cost the import)
    return origin.replace(home, "~") if len(home) > 1 else origin


def _number(value: float) -> float | None:
    """JSON has no not-a-number."""
    return value if value == value else None
