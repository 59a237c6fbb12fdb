"""What kind of machine this is, as far as the advice of `doctor` depends on it."""
# os.path: pathlib would cost the import
# ruff: noqa: PTH110, PTH208

from __future__ import annotations

import os
from contextlib import suppress

# What container runtimes leave behind: Docker, Podman; and names in the cgroup of the first process.
_CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")
_CONTAINER_CGROUPS = ("docker", "kubepods", "containerd", "libpod", "lxc")


class Host:
    """in_container, is_virtual; paranoid: kernel.perf_event_paranoid, None if unknown; status: /proc/self/status."""

    __slots__ = ("in_container", "is_virtual", "paranoid", "status")

    def __init__(self, *, in_container: bool, is_virtual: bool, paranoid: int | None, status: str) -> None:
        self.in_container = in_container
        self.is_virtual = is_virtual
        self.paranoid = paranoid
        self.status = status


def look(prefix: str = "") -> Host:
    """The machine below `prefix`; where nothing can be read, a plain one. Rights are always this process's own."""
    paranoid = _text(f"{prefix}/proc/sys/kernel/perf_event_paranoid").strip()
    return Host(
        in_container=_in_container(prefix),
        is_virtual=" hypervisor" in _text(f"{prefix}/proc/cpuinfo"),
        paranoid=int(paranoid) if paranoid.lstrip("-").isdecimal() else None,
        status=_text("/proc/self/status"),
    )


def _in_container(prefix: str) -> bool:
    cgroup = _text(f"{prefix}/proc/1/cgroup")
    return (
        any(os.path.exists(prefix + mark) for mark in _CONTAINER_MARKS)
        or any(name in cgroup for name in _CONTAINER_CGROUPS)
        or _has_dead_links(f"{prefix}/sys/class/powercap")
    )


def _has_dead_links(folder: str) -> bool:
    """Container runtimes hide what the links of the class point at, and leave the links."""
    with suppress(OSError):
        return any(not os.path.exists(f"{folder}/{name}") for name in os.listdir(folder))
    return False


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
