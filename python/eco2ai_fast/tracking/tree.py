"""How long this process and everything below it computed, beside how long the machine did."""

from __future__ import annotations

from .. import process_tree


class CpuTimes:
    """CPU seconds at one instant: of the process tree so far, and of all processors since boot."""

    __slots__ = ("busy_s", "tree_s")

    def __init__(self, tree_s: float, busy_s: float | None) -> None:
        self.tree_s = tree_s
        self.busy_s = busy_s


def cpu_times() -> CpuTimes:
    """CPU times now. `busy_s` is None where /proc/stat cannot be read."""
    return CpuTimes(process_tree.own_s(), process_tree.busy_s())


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
