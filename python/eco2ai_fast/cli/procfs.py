"""What /proc tells: how long the machine was busy, and which processes live below one."""

from __future__ import annotations

import os

from .. import attribution, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..attribution import Process

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def busy_s() -> float | None:
    """Busy time since boot, in seconds, summed over CPUs; None if /proc/stat cannot be read.

    Below a sysroot the machine is the one shown there, whose energy is read too.
    """
    prefix = settings.resolve("sysroot")[0] or ""
    try:
        return attribution.parse_busy_ticks(_text(f"{prefix}/proc/stat")) / _TICKS_PER_S
    except (OSError, ValueError):
        return None


def process(pid: int) -> Process | None:
    """One process; None when it is gone."""
    try:
        return attribution.parse_process(_text(f"/proc/{pid}/stat"))
    except (OSError, ValueError):
        return None


def is_below(pid: int, root: int) -> bool:
    """Whether a process descends from `root`; False when it is gone."""
    while pid > 1:
        found = process(pid)
        if found is None:
            return False
        if found.parent == root:
            return True
        pid = found.parent
    return False


def living_below(root: int) -> list[Process]:
    """All descendants of `root` that have not been waited for, zombies among them."""
    found = ((int(name), process(int(name))) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208
    processes = {pid: one for pid, one in found if one is not None}
    return [processes[pid] for pid in attribution.below(processes, root)]


def cpu_s(process: Process) -> float:
    """CPU time of a process and of the children it waited for, in seconds."""
    return process.cpu_ticks / _TICKS_PER_S


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()
