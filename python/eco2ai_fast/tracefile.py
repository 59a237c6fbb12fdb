"""How a trace lies in a file: a stream of checked chunks that is whole up to the last one, whatever ends the writer.

    file  = MAGIC, version u32, then chunks
    chunk = kind (4 letters), length u32, CRC-32 of kind, length and payload u32, payload
    HEAD  = JSON: machine, domains, and the units of all columns
    DATA  = clock anchor (3 u64: monotonic, boottime, UTC in ns), then for each domain of HEAD in its order: rows u32,
            changes that were lost before them u32, and the rows, each of COLUMNS as u64
    GPUS, GDAT = GPUs that were found meanwhile, and their DATA (gputraces.py)
    DONE  = clock anchor; the writer ended on purpose
All integers are little-endian.
"""

from __future__ import annotations

import json
import os
import struct
import zlib

import numpy as np

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, BinaryIO

    from numpy.typing import NDArray

MAGIC = b"eco2trc\n"
VERSION = 1
COLUMNS = ("t_ns", "energy_uj", "half_ns", "estimated_uj", "uncovered_ns")
HEAD, DATA, DONE = b"HEAD", b"DATA", b"DONE"
# A chunk that says it is longer is damaged: a second of 64 domains at 10 kHz is 26 MB.
MOST_BYTES = 1 << 28
ROW_BYTES = 8 * len(COLUMNS)
_START = struct.Struct("<8sI")
_CHUNK = struct.Struct("<4sII")
_ANCHOR = struct.Struct("<QQQ")
_ROWS = struct.Struct("<II")


class TraceError(ValueError):
    """A file that is no trace, or of a version that this package does not know; the message says which."""


class Writer:
    """Appends chunks to a new file, each with one system call: what was written survives the process."""

    def __init__(self, path: str | os.PathLike[str], head: dict[str, Any]) -> None:
        """Raises OSError if the file cannot be written."""
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115 (it stays open)
        self._append(_START.pack(MAGIC, VERSION))
        self.chunk(HEAD, json.dumps(head, allow_nan=False).encode())

    def data(
        self, anchor: tuple[int, int, int], changes: Sequence[tuple[int, NDArray[Any]]], kind: bytes = DATA
    ) -> None:
        """`changes`: for each domain how many were lost, and the rows (n, 5)."""
        parts = [_ANCHOR.pack(*anchor)]
        for lost, rows in changes:
            parts += [_ROWS.pack(len(rows), min(lost, 0xFFFF_FFFF)), np.ascontiguousarray(rows, "<u8").tobytes()]
        self.chunk(kind, b"".join(parts))

    def done(self, anchor: tuple[int, int, int]) -> None:
        self.chunk(DONE, _ANCHOR.pack(*anchor))
        self._file.close()

    def chunk(self, kind: bytes, payload: bytes) -> None:
        """Appends a chunk of any kind; a reader passes over kinds that it does not know."""
        self._append(_CHUNK.pack(kind, len(payload), _check(kind, payload)) + payload)

    def _append(self, data: bytes) -> None:
        """A full disk may take a part: the reader then finds the last chunk cut."""
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) or 0 :]


class Chunks:
    """The whole chunks of a file in order, as (kind, byte at which the payload begins, payload).

    Attributes:
        broken: where and why reading ended before the end of the file, in words; None if it did not.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self.broken: str | None = None

    def __iter__(self) -> Iterator[tuple[bytes, int, bytes]]:
        with open(self.path, "rb") as file:
            self._check_start(file)
            while (chunk := self._next(file)) is not None:
                yield chunk

    def _check_start(self, file: BinaryIO) -> None:
        start = file.read(_START.size)
        if len(start) < _START.size or start[: len(MAGIC)] != MAGIC:
            raise TraceError(f"{self.path} is no trace: make one with `eco2ai-fast record --out FILE`")
        version = _START.unpack(start)[1]
        if version != VERSION:
            raise TraceError(f"{self.path} is a trace of version {version}, and this package reads version {VERSION}")

    def _next(self, file: BinaryIO) -> tuple[bytes, int, bytes] | None:
        at = file.tell()
        head = file.read(_CHUNK.size)
        if not head:
            return None
        if len(head) == _CHUNK.size:
            kind, length, check = _CHUNK.unpack(head)
            payload = file.read(length) if length <= MOST_BYTES else b""
            if len(payload) == length and _check(kind, payload) == check:
                return kind, at + _CHUNK.size, payload
            if len(payload) == length or length > MOST_BYTES:
                self.broken = f"the chunk at byte {at} is damaged"
                return None
        self.broken = f"the last chunk, at byte {at}, is cut off"
        return None


def anchor_of(payload: bytes) -> tuple[int, int, int]:
    """The clock anchor at the begin of a DATA or DONE chunk: monotonic, boottime and UTC in ns."""
    monotonic_ns, boottime_ns, utc_ns = _ANCHOR.unpack_from(payload)
    return monotonic_ns, boottime_ns, utc_ns


def changes_of(payload: bytes, domains: int) -> list[tuple[int, int, NDArray[Any]]]:
    """For each domain of a DATA chunk how many changes were lost, where in it its rows lie, and these (n, 5)."""
    at, found = _ANCHOR.size, []
    for _ in range(domains):
        rows, lost = _ROWS.unpack_from(payload, at)
        at += _ROWS.size
        table = np.frombuffer(payload, "<u8", rows * len(COLUMNS), at).reshape(rows, len(COLUMNS))
        found.append((lost, at, table))
        at += rows * ROW_BYTES
    return found


def _check(kind: bytes, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(kind + struct.pack("<I", len(payload))))
