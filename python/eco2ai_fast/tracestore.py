"""Where the changes of a domain lie in a trace file, so that any stretch of them is read when it is asked for.

Of a chunk an index keeps three numbers for each domain: a day at 100 Hz, 350 MB for each domain, needs 2 MB of memory.
"""

from __future__ import annotations

import os
import weakref
from array import array
from collections.abc import Mapping

import numpy as np

from .tracefile import COLUMNS, ROW_BYTES, TraceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from numpy.typing import NDArray

    Column = NDArray[Any]

# Rows that are in memory at once: 2.6 MB.
BLOCK_ROWS = 1 << 16
# Rows that are looked at together while a file is gone through, for each domain: 0.3 MB.
SURVEY_ROWS = 1 << 13
# A change this long after the one before may be without a shape: gaps are told from these.
FAR_NS = 2_000_000_000
# Steps are counted in 128 classes for each power of two: their median is right within 0.4 %.
_CLASS_SHIFT, _FIRST_CLASS, _CLASSES = 52 - 7, 0x3FF << 7, (64 << 7) + 1
_T_NS, _UNCOVERED_NS = COLUMNS.index("t_ns"), COLUMNS.index("uncovered_ns")


class Descriptor:
    """A file that stays open for reading as long as somebody holds this."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self.number)

    def read_into(self, table: Column, at: int) -> None:
        """Fills the table from byte `at` on. Raises TraceError where the file has become shorter, OSError."""
        view = table.reshape(-1).view("u1").data
        while view:
            count = os.preadv(self.number, [view], at)
            if not count:
                raise TraceError(f"{self.path} has become shorter since it was loaded")
            view, at = view[count:], at + count


class Rows(Mapping[str, "Column"]):
    """The changes of one domain, as they lie in the file. As a mapping: its columns, each read when it is asked for."""

    def __init__(self, file: Descriptor) -> None:
        self._file = file
        self._at, self._number, self._first_ns = array("Q"), array("Q"), array("Q")
        self.count = 0

    def add(self, at: int, table: Column) -> None:
        """Rows that lie at byte `at`."""
        if len(table):
            self._at.append(at)
            self._number.append(self.count)
            self._first_ns.append(int(table[0, _T_NS]))
            self.count += len(table)

    def read(self, first: int, last: int) -> Column:
        """The rows from number `first` until before `last`, (n, 5)."""
        first, last = max(first, 0), min(last, self.count)
        table = np.empty((max(last - first, 0), len(COLUMNS)), "<u8")
        place = self._place(first)
        while first < last:
            until = min(self._end(place), last)
            done = len(table) - (last - first)
            self._file.read_into(
                table[done : done + until - first], self._at[place] + (first - self._number[place]) * ROW_BYTES
            )
            first, place = until, place + 1
        return table

    def blocks(self) -> Iterator[Column]:
        """All rows in portions, (n, 5)."""
        return (self.read(first, first + BLOCK_ROWS) for first in range(0, self.count, BLOCK_ROWS))

    def stretches(self, at_ns: Column, margin: int) -> Iterator[tuple[int, int, Column]]:
        """For ascending instants: which of them (from place, to place) some rows tell of, and those rows with `margin`
        more on both sides. Instants before the first row come with the first rows."""
        if not self.count:
            yield 0, len(at_ns), self.read(0, 0)
            return
        first_ns, number = np.frombuffer(self._first_ns, "u8"), np.frombuffer(self._number, "u8")
        chunk = np.maximum(np.searchsorted(first_ns, at_ns, "right").astype("i8") - 1, 0)
        block = number[chunk] // np.uint64(BLOCK_ROWS)
        ends = [*(np.flatnonzero(np.diff(block)) + 1).tolist(), len(at_ns)]
        begin = 0
        for end in ends if len(at_ns) else ():
            rows = self.read(int(number[chunk[begin]]) - margin, self._end(int(chunk[end - 1])) + margin)
            yield begin, end, rows
            begin = end

    def between(self, t0_ns: int, t1_ns: int) -> Column:
        """The rows from t0_ns to t1_ns, both included, (n, 5)."""
        if not self.count:
            return self.read(0, 0)
        first_ns = np.frombuffer(self._first_ns, "u8")
        begin, end = (int(np.searchsorted(first_ns, max(at, 0), "right")) - 1 for at in (t0_ns, t1_ns))
        rows = self.read(self._number[max(begin, 0)], self._end(end) if end >= 0 else 0)
        chosen: Column = rows[(rows[:, _T_NS] >= max(t0_ns, 0)) & (rows[:, _T_NS] <= max(t1_ns, 0))]
        return chosen

    def __getitem__(self, name: str) -> Column:
        if name not in COLUMNS:
            raise KeyError(name)
        column, at = np.empty(self.count, "u8"), 0
        for rows in self.blocks():
            column[at : at + len(rows)] = rows[:, COLUMNS.index(name)]
            at += len(rows)
        return column

    def __iter__(self) -> Iterator[str]:
        return iter(COLUMNS)

    def __len__(self) -> int:
        return len(COLUMNS)

    def _place(self, number: int) -> int:
        return int(np.searchsorted(np.frombuffer(self._number, "u8"), number, "right")) - 1 if self.count else 0

    def _end(self, place: int) -> int:
        """Number of the row behind the last one of a chunk."""
        return self._number[place + 1] if place + 1 < len(self._number) else self.count


class Survey:
    """What is learned of a domain while its rows pass by once: both ends, how far apart changes are, and gaps.

    Attributes:
        first, last: the rows at both ends (5,); None where there is none.
    """

    def __init__(self) -> None:
        self.first: Column | None = None
        self.last: Column | None = None
        self._waiting: list[Column] = []
        self._count = 0
        self._steps = np.zeros(_CLASSES, "i8")
        self._far: list[tuple[int, int, bool]] = []

    def add(self, table: Column) -> None:
        if len(table):
            self.first = table[0].copy() if self.first is None else self.first
            self._waiting.append(table)
            self._count += len(table)
            if self._count >= SURVEY_ROWS:
                self.settle()

    def settle(self) -> None:
        """Looks at the rows that wait; to be called at the end."""
        if not self._waiting:
            return
        before = [] if self.last is None else [self.last[None]]
        table = np.concatenate([*before, *self._waiting])
        self._waiting, self._count = [], 0
        self.last = table[-1].copy()
        t_ns, uncovered_ns = table[:, _T_NS], table[:, _UNCOVERED_NS]
        step_ns, is_unread = np.diff(t_ns), np.diff(uncovered_ns) > 0
        self._steps += np.bincount(_classes(step_ns), minlength=_CLASSES)
        for place in np.flatnonzero(is_unread | (step_ns > FAR_NS)):
            self._note(int(t_ns[place]), int(t_ns[place + 1]), bool(is_unread[place]))

    def _note(self, t0_ns: int, t1_ns: int, is_unread: bool) -> None:
        """Times without readings that follow one another are one."""
        if is_unread and self._far and self._far[-1][1:] == (t0_ns, True):
            t0_ns = self._far.pop()[0]
        self._far.append((t0_ns, t1_ns, is_unread))

    @property
    def median_step_ns(self) -> int:
        """Usual distance of two changes; 0 with less than two."""
        steps = int(self._steps.sum())
        if not steps:
            return 0
        place = int(np.searchsorted(np.cumsum(self._steps), (steps + 1) // 2))
        low, high = np.array([place, place + 1], "u8") + np.uint64(_FIRST_CLASS) << np.uint64(_CLASS_SHIFT)
        return int((low.view("f8") + high.view("f8")) / 2)

    def gaps(self, far_ns: int) -> list[tuple[int, int, str]]:
        """Times without readings, and such of more than far_ns without a change."""
        return [
            (t0_ns, t1_ns, "unread" if is_unread else "unshaped")
            for t0_ns, t1_ns, is_unread in self._far
            if is_unread or t1_ns - t0_ns > far_ns
        ]


def _classes(step_ns: Column) -> Column:
    """Exponent and the first seven binary places."""
    bits = np.maximum(step_ns, 1).astype("f8").view("u8") >> np.uint64(_CLASS_SHIFT)
    classes: Column = bits.astype("i8") - _FIRST_CLASS
    return classes
