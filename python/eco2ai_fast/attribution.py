"""Whose energy: the CPU time of a process tree, as a share of what all processors did. Arithmetic only.

The share of a tree is its CPU time over the machine's busy time, and it gets that share of all the energy of
processors and memory, what they draw at rest included: alone on the machine, it pays for the machine. What no tree
claims is the rest, so that the parts add up to the whole.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# /proc/stat moves in ticks of 10 ms, each of its five busy columns by itself: below ten ticks a share is noise.
RESOLUTION_S = 0.1
# The kinds of domains whose work follows CPU time.
SHARED_KINDS = ("package", "dram")


class Process:
    """What `/proc/PID/stat` says that matters here. `cpu_ticks` holds its own and its waited-for children's."""

    __slots__ = ("cpu_ticks", "parent", "state")

    def __init__(self, parent: int, state: str, cpu_ticks: int) -> None:
        self.parent = parent
        self.state = state
        self.cpu_ticks = cpu_ticks


def parse_process(text: str) -> Process:
    """One process from the text of its `stat` file (`man 5 proc_pid_stat`). ValueError if it is none.

    The name stands in brackets and may hold anything, brackets and spaces too: fields are counted from the last one.
    """
    fields = text.rpartition(")")[2].split()
    if len(fields) < 15:
        raise ValueError(f"not a /proc/PID/stat line: {text[:80]!r}")
    # Fields 3 state, 4 ppid, 14 utime, 15 stime, 16 cutime, 17 cstime.
    return Process(int(fields[1]), fields[0], sum(int(ticks) for ticks in fields[11:15]))


def parse_busy_ticks(text: str) -> int:
    """Busy ticks since boot of all CPUs, from the text of `/proc/stat`. ValueError if it is none.

    Busy is user, nice, system, irq and softirq; idle, iowait and what a hypervisor stole are not (guest time is inside
    user).
    """
    fields = text.partition("\n")[0].split()
    if len(fields) < 8 or fields[0] != "cpu":
        raise ValueError(f"not a /proc/stat: {text[:80]!r}")
    return sum(int(fields[column]) for column in (1, 2, 3, 6, 7))


def below(processes: Mapping[int, Process], root: int) -> set[int]:
    """The ids of all descendants of `root`, without itself."""
    children: dict[int, list[int]] = {}
    for pid, process in processes.items():
        children.setdefault(process.parent, []).append(pid)
    found: set[int] = set()
    queue = [root]
    while queue:
        new = [pid for pid in children.get(queue.pop(), ()) if pid not in found and pid != root]
        found.update(new)
        queue += new
    return found


def shares(busy_s: float, parts_cpu_s: Sequence[float]) -> list[float] | None:
    """The share of the machine's busy time that each part took: 0 to 1, together at most 1.

    None where the busy time is too short to divide. The parts are timed to the microsecond and the machine by ticks:
    where they exceed it, they are the whole.
    """
    if busy_s < RESOLUTION_S:
        return None
    whole_s = max(busy_s, sum(parts_cpu_s))
    return [cpu_s / whole_s for cpu_s in parts_cpu_s]


def attributed_j(domains_j: Iterable[tuple[str, str, float | None]], share: float) -> dict[str, float]:
    """Joules by domain for a share of CPU time; domains are (id, kind, energy), unreadable ones None."""
    return {
        domain: share * energy_j
        for domain, kind, energy_j in domains_j
        if kind in SHARED_KINDS and energy_j is not None
    }
