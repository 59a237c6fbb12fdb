"""Which rights this machine asks for so that its energy is measured, and how to give them: the least one first.

Pure text from what was found: nothing here reads, runs or changes anything.

Checked with setpriv of util-linux 2.38 on Linux 6.18: with CAP_PERFMON as an ambient capability an ordinary user opens
CPU-wide perf events at perf_event_paranoid 2, children of the command keep it, and the program runs unsecured
(AT_SECURE 0), so that LD_LIBRARY_PATH and virtual environments work. systemd-tmpfiles 252 applies both lines below,
each to its level of zones.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from .._core import Finding

REFUSED = "not permitted"
PERFMON = "perfmon"
# Bits of CapEff in /proc/PID/status: include/uapi/linux/capability.h.
_CAPABILITIES = {1: "dac_override", 2: "dac_read_search", 17: "sys_rawio", 21: "sys_admin", 38: PERFMON}
_SUPPORTED_SINCE = "Linux 5.8"
SIDE_CHANNEL = (
    "Risk: energy counters tell a little about what other programs compute (PLATYPUS, CVE-2020-8694): "
    "give the right only to people whom you would let watch the machine."
)
_ENERGY = "/sys/devices/virtual/powercap/{}/energy_uj"
# A pattern does not cross a slash: one line for the packages, one for the zones nested in them.
_PATTERNS = ("intel-rapl/intel-rapl:*", "intel-rapl/intel-rapl:*/intel-rapl:*")


def capabilities(status: str) -> frozenset[str]:
    """Those of the effective capabilities that matter here, from the text of /proc/self/status."""
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            try:
                bits = int(value, 16)
            except ValueError:
                return frozenset()
            return frozenset(one for bit, one in _CAPABILITIES.items() if bits >> bit & 1)
    return frozenset()


def advice(
    findings: Iterable[Finding],
    *,
    uid: int,
    paranoid: int | None,
    capabilities: Collection[str],
    in_container: bool,
    is_virtual: bool = False,
    measured: Collection[str] = (),
) -> list[str]:
    """What helps on this machine, least right first; empty where every package is measured already.

    findings: of a Meter. uid: the user's number. paranoid: kernel.perf_event_paranoid, None if unknown.
    capabilities: as `capabilities()` names them. measured: ids of the domains that a meter measures.
    Each answer is one remedy of several lines: its title, what to type or write where, and its risk.
    """
    found = list(findings)
    if _are_packages_measured(found, measured):
        return []
    refused = {one.source for one in found if one.availability == REFUSED}
    remedies: list[str] = []
    if "perf" in refused and PERFMON not in capabilities:
        remedies.append(_perfmon_in_container() if in_container else _perfmon())
    if "powercap" in refused and not in_container:
        remedies.append(_group(found))
    if in_container and not is_virtual:
        remedies.append(_mounts(uid))
    if "perf" in refused and paranoid is not None and paranoid > 0 and not in_container:
        remedies.append(_paranoid(paranoid))
    return remedies or [_nothing(is_virtual)]


def _are_packages_measured(findings: list[Finding], measured: Collection[str]) -> bool:
    """Whether no package stands in the findings that is not measured, and at least one is."""
    named = {one.domain for one in findings if one.domain is not None and one.domain.startswith("package")}
    return any(one.startswith("package") for one in measured) and named <= set(measured)


def _perfmon() -> str:
    return "\n".join(
        (
            f"Give one run the right to count on every CPU, CAP_PERFMON ({_SUPPORTED_SINCE}):",
            '  sudo env "PATH=$PATH" setpriv --reuid="$(id -u)" --regid="$(id -g)" --init-groups \\',
            "    --inh-caps=+perfmon --ambient-caps=+perfmon -- COMMAND",
            "for a systemd service, beside its User=:",
            "  AmbientCapabilities=CAP_PERFMON",
            "It ends with the run and reaches only the command and what that starts. Not by setcap on the Python",
            "interpreter: whoever runs it would have the right, and it would ignore LD_LIBRARY_PATH.",
            "Risk: the command may also sample what other programs execute. " + SIDE_CHANNEL.removeprefix("Risk: "),
        )
    )


def _perfmon_in_container() -> str:
    return "\n".join(
        (
            f"Start the container with the right to count on every CPU, CAP_PERFMON ({_SUPPORTED_SINCE}):",
            "  docker run --cap-add PERFMON ...        # Podman alike",
            "  securityContext: {capabilities: {add: [PERFMON]}}        # Kubernetes, in the container's spec",
            "Docker before 23.0 and Podman before 2026 also block the system call: --security-opt seccomp=FILE with",
            "a profile that allows perf_event_open.",
            SIDE_CHANNEL,
        )
    )


def _group(findings: list[Finding]) -> str:
    """Every zone that was refused by its name, now; by patterns that match every zone, over boots and reloads."""
    paths = [_path(one) for one in findings if one.source == "powercap" and one.availability == REFUSED]
    lines = [
        f"Let a group read the {len(paths)} counters of powercap, as root:",
        "  groupadd --system energy; usermod -aG energy USER        # USER then logs in again",
        *(f"  chgrp energy {path} && chmod 0440 {path}" for path in paths),
        "sysfs forgets this at boot. To keep it, in /etc/tmpfiles.d/energy.conf:",
        *(f"  z {_ENERGY.format(pattern)} 0440 root energy - -" for pattern in _PATTERNS),
        "and, since the driver may be loaded later, in /etc/udev/rules.d/70-energy.rules:",
        '  SUBSYSTEM=="powercap", ACTION=="add", RUN+="/bin/sh -c \'chgrp energy /sys%p/energy_uj'
        " && chmod 0440 /sys%p/energy_uj'\"",
        SIDE_CHANNEL,
    ]
    return "\n".join(lines)


def _path(finding: Finding) -> str:
    """The file in front of the reason: `/sys/.../energy_uj: Permission denied (os error 13)`."""
    return finding.detail.partition("/energy_uj")[0] + "/energy_uj"


def _mounts(uid: int) -> str:
    reader = "The container's root may read them."
    if uid != 0:
        reader = "Root may read them, or a group: run doctor on the host, and add --group-add energy here."
    return "\n".join(
        (
            "Container runtimes hide the counters behind /sys/class/powercap: show the devices at another path:",
            "  docker run -v /sys/devices/virtual/powercap:/host/sys/devices/virtual/powercap:ro \\",
            "    -v /sys/devices/system/cpu:/host/sys/devices/system/cpu:ro -v /proc:/host/proc:ro \\",
            "    -e ECO2AI_FAST_SYSROOT=/host ...",
            "Mounting /sys/class/powercap alone shows links to nothing.",
            reader,
            SIDE_CHANNEL,
        )
    )


def _paranoid(paranoid: int) -> str:
    return "\n".join(
        (
            f"Or let every user count on every CPU, as root: more than is needed (now {paranoid}):",
            "  sysctl kernel.perf_event_paranoid=0        # to keep it: in /etc/sysctl.d/",
            "Risk: every user may then sample what all others execute. " + SIDE_CHANNEL.removeprefix("Risk: "),
        )
    )


def _nothing(is_virtual: bool) -> str:
    if is_virtual:
        return "\n".join(
            (
                "A virtual machine has meters only if its host passes them on:",
                "  QEMU 9.1: -accel kvm,rapl=true,path=SOCKET with qemu-vmsr-helper on the host",
                "  Scaphandre: mount its directory of zones as /sys/class/powercap below ECO2AI_FAST_SYSROOT",
            )
        )
    return "\n".join(
        (
            "No right is missing: the kernel shows no counter. Load its driver, as root:",
            "  modprobe intel_rapl_msr        # Intel and AMD; intel_rapl_tpmi from Granite Rapids on",
        )
    )
