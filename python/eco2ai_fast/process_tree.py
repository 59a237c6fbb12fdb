"""How much CPU time a process and its descendants took, those that ended included, and all the machine's CPUs.

A control group that holds nothing but us counts exactly and for ever; else our own clock, the children we waited for,
and what /proc says of the living. A child that ended while its own parent was gone, or whose parent ignores SIGCHLD, is
counted by a control group alone.
"""
# os.path and os.listdir, since pathlib would cost the import:
# ruff: noqa: PTH208

from __future__ import annotations

import os
import resource
import time

from . import attribution, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .attribution import Process

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_US_PER_S = 1_000_000


def busy_s() -> float | None:
    """Busy time of all the machine's CPUs since boot, in seconds; None if /proc/stat cannot be read.

    Below a sysroot the machine is the one shown there, whose energy is read too.
    """
    prefix = settings.resolve("sysroot")[0] or ""
    try:
        return attribution.parse_busy_ticks(_text(f"{prefix}/proc/stat")) / _TICKS_PER_S
    except (OSError, ValueError):
        return None


class Own:
    """This process and its descendants. `route` says how they are timed: "cgroup" or "processes"."""

    __slots__ = ("_cpu_stat", "route")

    def __init__(self, prefix: str = "") -> None:
        self._cpu_stat = own_cpu_stat(prefix)
        self.route = "processes" if self._cpu_stat is None else "cgroup"

    def cpu_s(self) -> float:
        """CPU time so far, in seconds; differences of two readings are what counts."""
        if self._cpu_stat is not None:
            try:
                return usage_s(_text(self._cpu_stat))
            except (OSError, ValueError):
                self._cpu_stat = None
        return own_s()


def own_s() -> float:
    """CPU time of this process, the children it waited for, and the living descendants with theirs, in seconds."""
    # The living first: a child that ends in between is counted twice at worst, and never lost.
    living_s = cpu_s(living_below(os.getpid())) if _has_children() else 0.0
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + living_s + children.ru_utime + children.ru_stime


def cpu_s(processes: Iterable[Process]) -> float:
    """CPU time of processes and of the children they waited for, in seconds."""
    return sum(one.cpu_ticks for one in processes) / _TICKS_PER_S


def living_below(pid: int) -> list[Process]:
    """The descendants that nobody has waited for, zombies among them; who is gone by now is counted by its parent."""
    found = (process(number) for number in descendants(pid))
    return [one for one in found if one is not None]


def process(pid: int, prefix: str = "") -> Process | None:
    """One process; None when it is gone."""
    try:
        return attribution.parse_process(_text(f"{prefix}/proc/{pid}/stat"))
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


def descendants(pid: int, prefix: str = "") -> set[int]:
    """The living descendants of a process."""
    found: set[int] = set()
    queue = [pid]
    while queue:
        children = _children(queue.pop(), prefix)
        if children is None:  # a kernel without CONFIG_PROC_CHILDREN
            return _descendants_by_list(pid, prefix)
        queue += [child for child in children if child not in found]
        found.update(children)
    return found


def own_cpu_stat(prefix: str = "") -> str | None:
    """The `cpu.stat` of the control group (version 2) that holds nothing but this process and its descendants."""
    try:
        lines = _text(f"{prefix}/proc/self/cgroup").splitlines()
        path = next(line[3:] for line in lines if line.startswith("0::")).rstrip("/")
        folder = f"{prefix}/sys/fs/cgroup{path}"
        members = _members(folder)
        if os.getpid() in members and members <= {os.getpid(), *descendants(os.getpid())}:
            usage_s(_text(f"{folder}/cpu.stat"))
            return f"{folder}/cpu.stat"
    except (OSError, ValueError, StopIteration):
        pass
    return None


def _members(folder: str) -> set[int]:
    """The processes of a control group and of all groups below it, whose time its `cpu.stat` holds too."""
    members = {int(pid) for pid in _text(f"{folder}/cgroup.procs").split()}
    with os.scandir(folder) as entries:
        for below in [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]:
            members |= _members(below)
    return members


def usage_s(text: str) -> float:
    """Seconds from the text of a `cpu.stat`. ValueError if there are none."""
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == "usage_usec":
            return int(value) / _US_PER_S
    raise ValueError("no usage_usec in cpu.stat")


def _has_children() -> bool:
    """Asks without waiting for any, and without taking an ended one away from whoever waits for it."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _children(pid: int, prefix: str) -> set[int] | None:
    """The children of all threads of a process; None if this kernel does not tell, none where the process is gone."""
    try:
        threads = os.listdir(f"{prefix}/proc/{pid}/task")
    except OSError:
        return set()
    children: set[int] = set()
    for thread in threads:
        try:
            children.update(map(int, _text(f"{prefix}/proc/{pid}/task/{thread}/children").split()))
        except FileNotFoundError:
            if thread == str(pid) and os.path.exists(f"{prefix}/proc/{pid}/stat"):  # noqa: PTH110
                return None
        except OSError:
            continue
    return children


def _descendants_by_list(pid: int, prefix: str) -> set[int]:
    found = ((int(name), process(int(name), prefix)) for name in os.listdir(f"{prefix}/proc") if name.isdigit())
    return attribution.below({number: one for number, one in found if one is not None}, pid)


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()
