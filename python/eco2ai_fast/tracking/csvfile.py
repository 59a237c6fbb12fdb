"""One CSV file, many writers: a row is added whole, once, by one process at a time, and the file is never rewritten.

A write of one row is stopped halfway only by a full disk, which is undone at once, or by SIGKILL between two pages of
it, which leaves the beginning of a row without its end. The next writer finds that beginning, knows the row from its
journal, and takes the torn beginning away before it goes on.
"""
# os.path, since pathlib would cost the import more than this module does:
# ruff: noqa: PTH116, PTH120

from __future__ import annotations

import errno
import fcntl
import os
import time

from .row import COLUMNS, HEADER, line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# A writer holds the lock for some 100 us. One that is stopped in between must not stop everybody else for ever.
LOCK_TIMEOUT_S = 10.0
_FIRST_PAUSE_S = 0.0005
_LONGEST_PAUSE_S = 0.05
SMALLEST_PAGE = 4096
# Longest row that is looked for at the end of a file when it is torn.
_LONGEST_ROW = 1 << 20


class FileBusyError(OSError):
    """Another process kept the file locked for too long."""


class OtherColumnsError(OSError):
    """The file holds something else than rows of eco2AI."""


def append(
    path: str, cells: Iterable[str], pending: Callable[[], Iterable[bytes]] = tuple, *, durable: bool = False
) -> None:
    """Adds one row to the file at `path`, and makes the file with its header where there is none.

    `pending` tells the rows that other runs have begun to write or will write: what a torn beginning is known by.
    `durable` waits until the disk has the row, the lock given back.

    Raises OSError: FileBusyError if another process keeps the file locked, OtherColumnsError if it is another table.
    """
    descriptor = _open_locked(path)
    try:
        size = _mend(descriptor, pending)
        header = _first_line(descriptor) if size else ""
        text = line(cells) if size else HEADER + line(cells)
        if header and header != HEADER.rstrip("\n"):
            text = _in_order_of(header, tuple(cells), path)
        _write_whole(descriptor, encoded(text), size)
        _unlock(descriptor)
        if durable:
            _force(descriptor, path, is_new=not size)
    finally:
        _unlock(descriptor)
        os.close(descriptor)


def holds(path: str, row: bytes) -> bool:
    """Whether the row stands in the file already."""
    try:
        with open(path, "rb") as file:
            return b"\n" + row in file.read()
    except FileNotFoundError:
        return False


def encoded(text: str) -> bytes:
    """The bytes of a text that may hold what UTF-8 cannot."""
    return text.encode("utf-8", "backslashreplace")


def _open_locked(path: str) -> int:
    """The file, locked. A file that was replaced while we waited is opened anew."""
    deadline_s = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            _lock(descriptor, path, deadline_s)
            if _is_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, path: str, deadline_s: float) -> None:
    pause_s = _FIRST_PAUSE_S
    while try_lock(descriptor) is False:
        if time.monotonic() > deadline_s:
            raise FileBusyError(errno.EAGAIN, f"another process has kept it locked for {LOCK_TIMEOUT_S:g} s", path)
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def try_lock(descriptor: int) -> bool | None:
    """Locks an open file against every other opening of it, in this process or another.

    False if it is locked, None where the file system has no locks: there a single write with O_APPEND must do.
    flock, and not the locks of POSIX, since those are lost with any other descriptor of the file that a process closes.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES, errno.EINTR):
            return False
        if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
            return None
        raise
    return True


def _unlock(descriptor: int) -> None:
    """Closing is not enough: a child that was forked meanwhile has the same opening, and would keep the lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    except OSError:  # a file system without locks
        return


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _mend(descriptor: int, pending: Callable[[], Iterable[bytes]]) -> int:
    """Ends the last line of the file, or takes it away where it is the beginning of a pending row; the size then."""
    size = os.fstat(descriptor).st_size
    ends_line = size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"
    # A kill tears a row between two pages. Its beginning may end with a newline of a cell.
    if ends_line and size % SMALLEST_PAGE:
        return size
    start = max(0, size - _LONGEST_ROW)
    tail = os.pread(descriptor, size - start, start)
    cuts = [len(tail) - shared for row in pending() if (shared := _torn_length(tail, row))]
    if cuts or (HEADER.encode().startswith(tail) and not ends_line):
        size = start + min(cuts, default=0)
        os.ftruncate(descriptor, size)
        return size
    if ends_line:
        return size
    _write_whole(descriptor, b"\n", size)  # a file that an editor left without its last newline
    return size + 1


def _torn_length(tail: bytes, row: bytes) -> int:
    """How many bytes at the end of `tail` are the beginning of `row` on a line of its own; 0 if none are.

    A row may hold newlines, in quotes: its beginning need not be the last line. A whole row is no beginning: its run
    has just not removed its journal yet.
    """
    at = tail.find(row[:37])  # the id and its comma
    while at != -1:
        length = len(tail) - at
        if length < len(row) and row.startswith(tail[at:]) and (at == 0 or tail[at - 1 : at] == b"\n"):
            return length
        at = tail.find(row[:37], at + 1)
    last = tail.rpartition(b"\n")[2]
    return len(last) if last and row.startswith(last) else 0


def _force(descriptor: int, path: str, *, is_new: bool) -> None:
    """What a file system cannot force stays as it is: the row stands in the file already."""
    from contextlib import suppress  # seldom, and dearer than this module

    with suppress(OSError):
        os.fdatasync(descriptor)
        if is_new:
            folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _first_line(descriptor: int) -> str:
    return os.pread(descriptor, 65536, 0).partition(b"\n")[0].decode("utf-8-sig", "replace").rstrip("\r")


def _in_order_of(header: str, cells: tuple[str, ...], path: str) -> str:
    """The row for a file with the same columns in another order, or with more of them."""
    from csv import reader

    columns = next(reader([header.replace("\0", "\ufffd")]), [])  # Python 3.10 stops at a NUL
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        raise OtherColumnsError(errno.EINVAL, f"it has no column {', '.join(missing)}", path)
    values = dict(zip(COLUMNS, cells, strict=True))
    return line(values.get(column, "") for column in columns)


def _write_whole(descriptor: int, row: bytes, size: int) -> None:
    """One write; what a full disk cuts short is taken back."""
    written = os.write(descriptor, row)
    if written != len(row):
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, "no space left for a row")
