"""RAPL events of known power for machines without RAPL: a PMU directory that names a software event.

perf's cpu-wide CPU_CLOCK counts wall time in nanoseconds while it is enabled, on a busy CPU or an idle one,
so with the scale 1e-9 "Joules" each CPU that is opened draws exactly 1 W. Everything between the directory
and the number is then the real thing: perf_event_open, groups, permissions, the cost of another CPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

SOURCES = Path("sys/bus/event_source/devices")
CPUS = Path("sys/devices/system/cpu")

PERF_TYPE_SOFTWARE = 1  # include/uapi/linux/perf_event.h
CPU_CLOCK = "event=0x00"
# All domains of a package must name the same clock: in one group a software clock beside another one stays 0.
PACKAGE_AND_DRAM = {"energy-pkg": CPU_CLOCK, "energy-ram": CPU_CLOCK}


def write(
    root: Path,
    packages: Mapping[int, Sequence[int]],
    cpumask: str | None = None,
    events: Mapping[str, str] = PACKAGE_AND_DRAM,
) -> None:
    """A `power` PMU under root, 1 W per event and CPU opened, and the topology that goes with it.

    `packages` gives the CPUs of each package, which must exist on this host; `cpumask` is the first CPU of
    each package unless given: "0-1" for two CPUs of one package is the framework PMU of Linux 7.0, which a
    reader that opens every CPU in the mask takes for 2 W.
    """
    mask = ",".join(str(cpus[0]) for cpus in packages.values()) if cpumask is None else cpumask
    write_pmu(root, PERF_TYPE_SOFTWARE, mask, events, "1e-9")
    write_topology(root, packages)


def write_tsc(root: Path, packages: Mapping[int, Sequence[int]], tsc_hz: float) -> bool:
    """The same from the host's `msr` PMU, whose tsc event is a hardware count: 1 W if tsc_hz is right.

    False, and nothing written, where the host has no such PMU.
    """
    host = Path("/") / SOURCES / "msr"
    if not (host / "events/tsc").exists():
        return False
    code = (host / "events/tsc").read_text().strip()
    mask = ",".join(str(cpus[0]) for cpus in packages.values())
    write_pmu(root, int((host / "type").read_text()), mask, {"energy-pkg": code}, repr(1 / tsc_hz))
    write_topology(root, packages)
    return True


def write_pmu(root: Path, type_: int, cpumask: str, events: Mapping[str, str], scale: str) -> None:
    """sys/bus/event_source/devices/power as the kernel lays it out."""
    power = root / SOURCES / "power"
    (power / "events").mkdir(parents=True, exist_ok=True)
    (power / "format").mkdir(exist_ok=True)
    (power / "type").write_text(f"{type_}\n")
    (power / "cpumask").write_text(f"{cpumask}\n")
    (power / "format/event").write_text("config:0-7\n")
    for name, code in events.items():
        (power / "events" / name).write_text(f"{code}\n")
        (power / "events" / f"{name}.scale").write_text(f"{scale}\n")
        (power / "events" / f"{name}.unit").write_text("Joules\n")


def write_topology(root: Path, packages: Mapping[int, Sequence[int]]) -> None:
    """sys/devices/system/cpu: which CPU sits in which package."""
    cpus = sorted(cpu for own in packages.values() for cpu in own)
    (root / CPUS).mkdir(parents=True, exist_ok=True)
    (root / CPUS / "online").write_text(",".join(map(str, cpus)) + "\n")
    for package, own in packages.items():
        for core, cpu in enumerate(own):
            topology = root / CPUS / f"cpu{cpu}/topology"
            topology.mkdir(parents=True, exist_ok=True)
            (topology / "physical_package_id").write_text(f"{package}\n")
            (topology / "die_id").write_text("0\n")
            (topology / "core_id").write_text(f"{core}\n")
