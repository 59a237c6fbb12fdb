"""The row of a run that may be killed: kept in a small file beside the CSV until it stands there.

A run keeps its journal locked while it lives. Who can lock one knows that its run was killed, puts its row into the CSV
and removes it. A row is written in turn into one of two places, each with a number and a checksum, so
that a whole one is there at every moment. The second place is far behind the first; the hole between takes no room.
"""
# os.path and os, since pathlib would cost the import more than this module does:
# ruff: noqa: PTH104, PTH108, PTH118, PTH208

from __future__ import annotations

import os
from binascii import crc32

from . import csvfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SUFFIX = ".journal"
_PLACES = (0, 1 << 20)
_LONGEST = _PLACES[1] - 64


class Journal:
    """The journal of one run. Raises OSError where it cannot be made."""

    __slots__ = ("_descriptor", "_number", "path")

    def __init__(self, csv_path: str, run_id: str, row: bytes) -> None:
        folder, name = os.path.split(csv_path)
        self.path = os.path.join(folder, f".{name}.{run_id}{SUFFIX}")
        self._number = 0
        # Nobody may find it before it is locked: it gets its name afterwards.
        draft = f"{self.path}.new"
        self._descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            csvfile.try_lock(self._descriptor)
            self.write(row)
            os.rename(draft, self.path)
        except BaseException:
            os.close(self._descriptor)
            os.unlink(draft)
            raise

    def write(self, row: bytes) -> None:
        """Keeps this row instead of the one before. A row of a megabyte is not kept."""
        if len(row) > _LONGEST:
            return
        self._number += 1
        text = b"%d %d %d\n%s" % (self._number, len(row), crc32(row), row)
        os.pwrite(self._descriptor, text, _PLACES[self._number % 2])

    def close(self) -> None:
        """Removes the journal: its row stands in the CSV, or shall not."""
        try:
            os.unlink(self.path)  # before it is let go, so that nobody takes it for a killed run's
        finally:
            os.close(self._descriptor)

    def leave(self) -> None:
        """Lets go of the journal: the next start puts its row into the CSV."""
        os.close(self._descriptor)


def pending(csv_path: str) -> Iterator[bytes]:
    """The rows of all journals of a CSV file."""
    for path in _journals(csv_path):
        try:
            with open(path, "rb") as file:
                row = _read(file.fileno())
        except OSError:
            continue
        if row:
            yield row


def recover(csv_path: str, append: Callable[[str, Sequence[str]], None]) -> list[str]:
    """Puts the rows of killed runs into their CSV file by `append(csv_path, cells)`; their ids.

    Raises OSError where that cannot be done.
    """
    recovered: list[str] = []
    for path in _journals(csv_path):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:  # its run has just ended, or it is another user's
            continue
        try:
            # A journal that its owner removed after we opened it has no link left.
            if csvfile.try_lock(descriptor) and os.fstat(descriptor).st_nlink:
                recovered += _recover_one(csv_path, path, _read(descriptor), append)
        finally:
            os.close(descriptor)
    return recovered


def _recover_one(
    csv_path: str, path: str, row: bytes, append: Callable[[str, Sequence[str]], None]
) -> Sequence[str]:
    if not row or csvfile.holds(csv_path, row):
        os.unlink(path)  # killed between adding its row and removing its journal
        return ()
    from csv import reader
    from io import StringIO

    cells = next(reader(StringIO(row.decode("utf-8"), newline="")))
    append(csv_path, cells)
    os.unlink(path)
    return cells[:1]


def _journals(csv_path: str) -> list[str]:
    folder, name = os.path.split(csv_path)
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return []
    begin = f".{name}."
    return [os.path.join(folder, one) for one in sorted(names) if one.startswith(begin) and one.endswith(SUFFIX)]


def _read(descriptor: int) -> bytes:
    """The newest whole row of a journal; empty if there is none."""
    found = [_read_place(descriptor, place) for place in _PLACES]
    return max(found)[1]


def _read_place(descriptor: int, place: int) -> tuple[int, bytes]:
    text = os.pread(descriptor, _PLACES[1], place)
    head, _, rest = text.partition(b"\n")
    fields = head.split(b" ")
    if len(fields) != 3 or not all(field.isdigit() for field in fields):
        return 0, b""
    number, length, checksum = map(int, fields)
    row = rest[:length]
    return (number, row) if len(row) == length and crc32(row) == checksum else (0, b"")
