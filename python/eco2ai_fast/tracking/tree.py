"""How long this process and everything below it computed, beside how long the machine did."""
# os, since pathlib would cost the import more than this module does:
# ruff: noqa: PTH208

from __future__ import annotations

import os
import time

from .. import attribution, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class CpuTimes:
    """CPU seconds at one instant: of the process tree so far, and of all processors since boot."""

    __slots__ = ("busy_s", "tree_s")

    def __init__(self, tree_s: float, busy_s: float | None) -> None:
        self.tree_s = tree_s
        self.busy_s = busy_s


def cpu_times() -> CpuTimes:
    """CPU times now. `busy_s` is None where /proc/stat cannot be read."""
    return CpuTimes(_tree_s(), _busy_s())


def share_between(first: CpuTimes, last: CpuTimes) -> float | None:
    """The tree's share of the machine's busy time, 0 to 1; None where the machine does not tell its own.

    A process that is alone on the machine has all of it, the power at rest included. The tree is timed to the
    microsecond and the machine by ticks of 10 ms: where the tree exceeds the machine, it is the whole.
    """
    if first.busy_s is None or last.busy_s is None:
        return None
    tree_s = max(0.0, last.tree_s - first.tree_s)
    whole_s = max(last.busy_s - first.busy_s, tree_s)
    return tree_s / whole_s if whole_s else 1.0


def _tree_s() -> float:
    """Own and ended children's time, and that of the living ones with what they have waited for.

    A child that ends moves from the living to the ended ones with all its time, so that differences stay right.
    """
    own_s = time.process_time()  # to the nanosecond, where os.times() counts in ticks
    ended = os.times()
    ticks = sum(_ticks_below("self")) if _has_children() else 0
    return own_s + ended.children_user + ended.children_system + ticks / _TICKS_PER_S


def _has_children() -> bool:
    """Asks without waiting for any, and without taking an ended one away from whoever waits for it."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _ticks_below(pid: str) -> Iterator[int]:
    """CPU ticks of every living process below one. The kernel lists the children of each thread."""
    for child in _children(pid):
        try:
            yield attribution.parse_process(_text(f"/proc/{child}/stat")).cpu_ticks
        except (OSError, ValueError):  # it has ended meanwhile
            continue
        yield from _ticks_below(child)


def _children(pid: str) -> Iterator[str]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return
    for thread in threads:
        try:
            yield from _text(f"/proc/{pid}/task/{thread}/children").split()
        except OSError:
            continue


def _busy_s() -> float | None:
    """Below a sysroot the machine is the one shown there, whose energy is read too."""
    prefix = settings.resolve("sysroot")[0] or ""
    try:
        return attribution.parse_busy_ticks(_text(f"{prefix}/proc/stat")) / _TICKS_PER_S
    except (OSError, ValueError):
        return None


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()
