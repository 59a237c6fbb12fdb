"""How much CPU time this process and its descendants took, those that ended included.

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

from . import attribution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_US_PER_S = 1_000_000


def busy_s(prefix: str = "") -> float | None:
    """Busy time of all the machine's CPUs since boot; None if /proc/stat cannot be read."""
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
        # The living first: a child that ends in between is counted twice at worst, and never lost.
        living_s = _living_s(descendants(os.getpid()))
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + living_s + children.ru_utime + children.ru_stime


def tree_s(pid: int) -> float:
    """CPU time of another process and its descendants, each with the children it waited for."""
    return _living_s({pid, *descendants(pid)})


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
        members = {int(pid) for pid in _text(f"{folder}/cgroup.procs").split()}
        if members <= {os.getpid(), *descendants(os.getpid())}:
            usage_s(_text(f"{folder}/cpu.stat"))
            return f"{folder}/cpu.stat" if os.getpid() in members else None
    except (OSError, ValueError, StopIteration):
        pass
    return None


def usage_s(text: str) -> float:
    """Seconds from the text of a `cpu.stat`. ValueError if there are none."""
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == "usage_usec":
            return int(value) / _US_PER_S
    raise ValueError("no usage_usec in cpu.stat")


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
    found = ((int(name), _process(int(name), prefix)) for name in os.listdir(f"{prefix}/proc") if name.isdigit())
    return attribution.below({number: process for number, process in found if process is not None}, pid)


def _living_s(pids: Iterable[int]) -> float:
    """CPU time of processes and of the children they waited for; who is gone by now is counted by its parent."""
    processes = [_process(pid, "") for pid in pids]
    return sum(process.cpu_ticks for process in processes if process is not None) / _TICKS_PER_S


def _process(pid: int, prefix: str) -> attribution.Process | None:
    try:
        return attribution.parse_process(_text(f"{prefix}/proc/{pid}/stat"))
    except (OSError, ValueError):
        return None


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()
