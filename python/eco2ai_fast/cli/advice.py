"""What a person can do so that energy is measured and not modelled: the least right that does it comes first.

Text alone: nothing here runs anything.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .._core import Finding
    from .host import Host

NOT_PERMITTED = "not permitted"
# Why the kernel keeps the counters for root since 5.10.
SIDE_CHANNEL = (
    "Whoever may read these counters may learn about other people's programs on this machine (PLATYPUS, "
    "CVE-2020-8694): give the right to those you trust."
)
# The class directory shows every zone, nested ones too, beside each other.
_COUNTERS = "/sys/class/powercap/intel-rapl:*/energy_uj"
# Two lines, since a pattern does not reach into nested zones.
_TMPFILES = (
    "z /sys/devices/virtual/powercap/intel-rapl/intel-rapl:*/energy_uj 0440 root energy - -",
    "z /sys/devices/virtual/powercap/intel-rapl/intel-rapl:*/intel-rapl:*/energy_uj 0440 root energy - -",
)
_UDEV = (
    'SUBSYSTEM=="powercap", ACTION=="add", '
    "RUN+=\"/bin/sh -c 'chgrp energy /sys%p/energy_uj && chmod 0440 /sys%p/energy_uj'\""
)
# Docker masks /sys/devices/virtual/powercap, but only there.
_MOUNTS = (
    "docker run -v /sys/devices/virtual/powercap:/host/sys/devices/virtual/powercap:ro \\",
    "  -v /sys/devices/system/cpu:/host/sys/devices/system/cpu:ro -v /proc:/host/proc:ro \\",
    "  -e ECO2AI_FAST_SYSROOT=/host ...",
)
_OWN_FIGURES = "your own figures make the model better: eco2ai-fast config set cpu_idle_w W, cpu_max_w, ram_w"


class Remedy:
    """A title, the lines to type or to write down, and what it costs in safety."""

    __slots__ = ("lines", "risk", "title")

    def __init__(self, title: str, lines: Sequence[str], risk: str = "") -> None:
        self.title = title
        self.lines = tuple(lines)
        self.risk = risk


def remedies(findings: Iterable[Finding], measured: Sequence[str], host: Host) -> list[Remedy]:
    """What helps here, best first; nothing where every package is measured. `measured`: the ids of measured domains."""
    refused = {
        finding.source for finding in findings
        if finding.availability == NOT_PERMITTED and (finding.domain is None or finding.domain not in measured)
    }  # fmt: skip
    has_package = any(domain.startswith("package") for domain in measured)
    found = []
    if "powercap" in refused:
        found.append(_group(host))
    if "perf" in refused and not has_package:
        found.append(_paranoid(host))
    if not found and not has_package:
        found.append(_nothing_there(host))
    return found


def _group(host: Host) -> Remedy:
    """The counters, readable for the members of a group."""
    where = " (on the host, not in the container)" if host.in_container else ""
    lines = [
        "groupadd --system energy && usermod -aG energy $USER      # then log in again",
        f"chgrp energy {_COUNTERS} && chmod 0440 {_COUNTERS}",
    ]
    kept = []
    if host.has_systemd:
        kept += ["to keep it over a boot, in /etc/tmpfiles.d/energy.conf:", *_TMPFILES]
    if host.has_udev:
        kept += ["and when the driver is loaded later, in /etc/udev/rules.d/70-energy.rules:", _UDEV]
    if not kept:
        kept = ["sysfs forgets it at boot: run the second line in a start script"]
    return Remedy(f"Let a group read the counters of powercap, as root{where}", lines + kept, SIDE_CHANNEL)


def _paranoid(host: Host) -> Remedy:
    now = f" (now {host.paranoid})" if host.paranoid else ""
    return Remedy(
        "Or let everybody read CPU-wide perf events, as root: stronger than needed",
        [f"sysctl kernel.perf_event_paranoid=0{now}", "to keep it, the same line without `sysctl` in /etc/sysctl.d/"],
        "Every user may then count and sample what all others run on every CPU. " + SIDE_CHANNEL,
    )


def _nothing_there(host: Host) -> Remedy:
    if host.is_virtual:  # a container in it, too, can show only what the virtual machine has
        return Remedy(
            "This is a virtual machine: it has meters only if its host passes them on",
            ["QEMU from 9.1: -accel kvm,rapl=true,path=SOCKET, with qemu-vmsr-helper on the host", _OWN_FIGURES],
        )
    if host.in_container:
        return Remedy("Container runtimes hide the counters: show them at another path", _MOUNTS, SIDE_CHANNEL)
    return Remedy(
        "No driver shows counters",
        ["modprobe intel_rapl_msr      # Intel and AMD; intel_rapl_tpmi from Granite Rapids on", _OWN_FIGURES],
    )
