"""Whether a process stays as it is: its memory, threads and descriptors over time, and the slope of each."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from typing import NamedTuple

# By how much the fitted line may rise from its first to its last sample and still be called flat.
ALLOWED = {"rss_kib": 2048.0, "heap_kib": 1024.0, "blocks": 2000.0, "threads": 0.5, "descriptors": 0.5}
# The first samples are of a process that still fills its buffers and caches.
WARM_UP = 0.25


class Usage(NamedTuple):
    """What a process holds at a moment.

    Attributes:
        rss_kib: resident memory, after malloc was asked to give back what is free.
        heap_kib: what malloc has handed out and not got back: a leak shows here, not what lies between free blocks.
        blocks: the same of Python's own allocator, in blocks.
    """

    rss_kib: int
    heap_kib: int
    blocks: int
    threads: int
    descriptors: int


_NAMES = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class _Mallinfo(ctypes.Structure):
    """`struct mallinfo2` of glibc 2.33 and newer."""

    _fields_ = [(name, ctypes.c_size_t) for name in _NAMES]


_LIBC = ctypes.CDLL(None)
if hasattr(_LIBC, "mallinfo2"):
    _LIBC.mallinfo2.restype = _Mallinfo


def _heap_bytes() -> int:
    """0 where libc does not tell: that line is then flat whatever happens, and RSS alone speaks."""
    if not hasattr(_LIBC, "mallinfo2"):
        return 0
    told = _LIBC.mallinfo2()
    return int(told.uordblks + told.hblkhd)


def usage() -> Usage:
    """Of this process."""
    if hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    # Listing them opens one more.
    descriptors = _entries("/proc/self/fd") - 1
    rss_kib = pages * os.sysconf("SC_PAGE_SIZE") // 1024
    heap_kib, blocks = _heap_bytes() // 1024, sys.getallocatedblocks()
    return Usage(rss_kib, heap_kib, blocks, _entries("/proc/self/task"), descriptors)


def _entries(folder: str) -> int:
    return sum(1 for _ in Path(folder).iterdir())


def slope(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """The line through points by least squares: its slope, and the standard error of that."""
    count = len(xs)
    mean_x, mean_y = sum(xs) / count, sum(ys) / count
    spread = sum((x - mean_x) ** 2 for x in xs)
    rise = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
    rest = sum((y - mean_y - rise * (x - mean_x)) ** 2 for x, y in zip(xs, ys, strict=True))
    return rise, sqrt(rest / max(1, count - 2) / spread)


class Line(NamedTuple):
    """How one quantity went on: from where to where, and how steeply, once warm."""

    name: str
    first: float
    last: float
    per_unit: float
    error: float
    growth: float

    @property
    def is_flat(self) -> bool:
        return self.growth <= ALLOWED[self.name]


def lines(at: Sequence[float], samples: Sequence[Usage]) -> list[Line]:
    """One line for each quantity; `at` says when each sample was taken: cycles, or minutes."""
    warm = int(len(at) * WARM_UP)
    xs, found = at[warm:], []
    for index, name in enumerate(Usage._fields):
        ys = [float(sample[index]) for sample in samples[warm:]]
        rise, error = slope(xs, ys)
        found.append(Line(name, ys[0], ys[-1], rise, error, rise * (xs[-1] - xs[0])))
    return found


def shown(line: Line, per: float, unit: str) -> str:
    """A line to print, its slope for so many of a unit."""
    verdict = "flat" if line.is_flat else f"NOT FLAT: grew by {line.growth:.1f}, allowed {ALLOWED[line.name]:g}"
    rise = f"{line.per_unit * per:+.3f} (± {line.error * per:.3f}) per {unit}"
    return f"  {line.name:12} {line.first:10.0f} -> {line.last:10.0f}   {rise:40} {verdict}"
