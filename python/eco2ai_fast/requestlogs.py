"""What a benchmark client wrote of its requests: vLLM's detailed results, JSON lines and CSV, as columns.

Read in pieces, so that a file with a hundred thousand requests and all their tokens' times needs little memory.
"""

from __future__ import annotations

import csv
import json
import os
from array import array
from math import nan

import numpy as np

from ._core import number_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TextIO

    from numpy.typing import NDArray

    Column = NDArray[Any]

CLOCKS = ("monotonic_ns", "seconds", "utc")
PIECE = 1 << 20
# Nanoseconds beyond that have no place in 64 bits.
MOST_S = 9e9
# How much of a number may be left behind when its begin already reads as one: ".", or "e-".
MOST_TAIL = 2
_NEEDED = ("start_times", "ttfts", "itls", "output_lens")
# What vLLM writes in any case.
_OF_SUMMARY = ("completed", "request_throughput", "total_output_tokens")
# Of vLLM's file we keep numbers of requests; texts are passed over one at a time.
_REDUCED: dict[str, Callable[[Any], float]] = {
    "start_times": float,
    "ttfts": float,
    "itls": sum,
    "output_lens": float,
    "input_lens": float,
    "errors": bool,
}
_SPACE = " \t\r\n"


class LogError(ValueError):
    """A file from which no requests can be read; the message says where and what is missing."""


class Log:
    """Requests as they were written down, in the order of the file.

    Attributes:
        start_ns, first_ns, end_ns: ns since the clock's zero (n,), i8; first_ns is 0 without a first output.
        units, input_units: f8, not-a-number where unknown. failed: bool.
        clock: one of CLOCKS: what the instants are read from. unit: what is put out.
        host_hash, boot_id: of the client, where it wrote them; finished: its local date at the end, as vLLM has it.
    """

    def __init__(self, start_ns: Column, first_ns: Column, end_ns: Column, clock: str, unit: str) -> None:
        self.start_ns, self.first_ns, self.end_ns = start_ns, first_ns, end_ns
        self.clock, self.unit = clock, unit
        self.units = self.input_units = np.full(len(start_ns), nan)
        self.failed = np.zeros(len(start_ns), bool)
        self.host_hash: str | None = None
        self.boot_id: str | None = None
        self.finished: str | None = None

    def __len__(self) -> int:
        return len(self.start_ns)


def read_log(path: str | os.PathLike[str], clock: str | None = None) -> Log:
    """The requests in a file. clock: one of CLOCKS; None: told from the size of the numbers, or by vLLM's own form.

    Raises LogError for a file without what is needed, OSError if it cannot be read.
    """
    path = os.fspath(path)
    if clock not in (None, *CLOCKS):
        raise LogError(f"the clock is one of {', '.join(CLOCKS)}, not {clock!r}")
    # Spreadsheets put a byte order mark at the begin.
    with open(path, encoding="utf-8-sig", newline="") as file:
        try:
            if path.lower().endswith(".csv"):
                return _of_rows(csv.DictReader(file, skipinitialspace=True), path, clock)
            return _of_json(file, path, clock)
        except UnicodeDecodeError as error:
            raise LogError(f"{path} is no text in UTF-8: {error}") from None


def _of_json(file: TextIO, path: str, clock: str | None) -> Log:
    try:
        stream = _Stream(file)
        if stream.peek() == "[":
            return _of_rows(_objects(stream), path, clock)
        first = _members(stream) if stream.peek() == "{" else {}
        if "start" not in first and set(_NEEDED + _OF_SUMMARY) & set(first):
            results = [first]
            while stream.peek():
                results.append(_members(stream))
            return _of_vllm(results, path)
        return _of_rows(_lines(first, stream), path, clock)
    except (json.JSONDecodeError, RecursionError) as error:
        raise LogError(f"{path} is no whole JSON: {error}") from None


def _objects(stream: _Stream) -> Iterator[dict[str, Any]]:
    """Of a list of them."""
    return map(_object, stream.elements())


def _object(one: Any) -> dict[str, Any]:
    if not isinstance(one, dict):
        raise json.JSONDecodeError(f"a request is an object, not {json.dumps(one)[:40]}", "", 0)
    return one


def _lines(first: dict[str, Any], stream: _Stream) -> Iterator[dict[str, Any]]:
    if first:
        yield first
    while stream.peek():
        yield _object(stream.value())


def _members(stream: _Stream) -> dict[str, Any]:
    """One JSON object; the long lists of vLLM's reduced to a number for each request, other lists left out."""
    found: dict[str, Any] = {}
    for key in stream.names():
        if stream.peek() != "[":
            found[key] = stream.value()
        elif key in _REDUCED:
            found[key] = _reduced(stream, key)
        else:
            for _ in stream.elements():
                pass
    return found


def _reduced(stream: _Stream, key: str) -> Column:
    """A number for each element of a list: plain ones in portions, any other by itself. Raises LogError."""
    reduce, column = _REDUCED[key], array("d")
    elements = stream.elements() if reduce is bool else stream.numbers(reduce is sum)
    for one in elements:
        try:
            if isinstance(one, np.ndarray):
                column.frombytes(one.tobytes())
            else:
                column.append(nan if one is None else reduce(one))
        except (TypeError, ValueError):
            what = "list of numbers" if reduce is sum else "number"
            raise LogError(
                f"request {len(column)}: in {key} stands {json.dumps(one)[:60]}, which is no {what}"
            ) from None
    return np.array(column)


class _Stream:
    """JSON read in pieces: one value of a long list at a time is in memory."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text, self._at = "", 0
        self._is_over = False
        self._decode = json.JSONDecoder().raw_decode

    def peek(self) -> str:
        """The next letter that is no space; "" at the end."""
        letter = self._text[self._at : self._at + 1]
        if letter and letter not in _SPACE:
            return letter
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def value(self) -> Any:
        self.peek()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
                # A number near the end of a piece may go on in the next: "1", "1.", "1e-".
                if end + MOST_TAIL < len(self._text) or not self._more():
                    self._at = end
                    return value
            except json.JSONDecodeError:
                if not self._more():
                    raise

    def names(self) -> Iterator[str]:
        """Of an object; the caller takes each one's value before the next."""
        self._take("{")
        while self.peek() != "}":
            key = self.value()
            self._take(":")
            yield str(key)
            if self.peek() == ",":
                self._at += 1
        self._at += 1

    def elements(self) -> Iterator[Any]:
        """Of a list; the caller takes nothing else before its end."""
        self._take("[")
        while self.peek() != "]":
            yield from self._plain_elements()
            yield self.value()
            if self.peek() == ",":
                self._at += 1
        self._at += 1

    def numbers(self, is_nested: bool) -> Iterator[Any]:
        """As `elements` of a list of numbers, or of lists of numbers: where these are plain, arrays of many at a time,
        the numbers or the sums; else the element itself."""
        self._take("[")
        while self.peek() != "]":
            if self._text.isascii():
                values, self._at = number_list(self._text, self._at, is_nested)
                yield values
            yield self.value()
            if self.peek() == ",":
                self._at += 1
        self._at += 1

    def _plain_elements(self) -> Iterator[Any]:
        """Those that are whole in this piece and end as json.dump() ends them: nearly all of them."""
        text, decode = self._text, self._decode
        while True:
            try:
                value, end = decode(text, self._at)
            except json.JSONDecodeError:
                return
            if not text.startswith(", ", end):
                return
            self._at = end + 2
            yield value

    def _take(self, letter: str) -> None:
        if self.peek() != letter:
            raise json.JSONDecodeError(f"expected {letter!r}", self._text, self._at)
        self._at += 1

    def _more(self) -> bool:
        # At least as much as is there already: a text of many pieces is not looked at once for each.
        piece = "" if self._is_over else self._file.read(max(PIECE, len(self._text) - self._at))
        self._is_over = not piece
        if piece:
            self._text, self._at = self._text[self._at :] + piece, 0
        return not self._is_over


def _of_vllm(results: list[dict[str, Any]], path: str) -> Log:
    """`vllm bench serve --save-result --save-detailed`: begins on time.perf_counter(), in seconds; the rest beside."""
    missing = [key for key in _NEEDED if any(key not in one for one in results)]
    if missing:
        raise LogError(
            f"{path} has no {', '.join(missing)}: run the benchmark with --save-result --save-detailed"
            " (and a vLLM that writes start_times)"
        )
    columns = {key: _joined(results, key) for key in _REDUCED}
    lengths = {key: len(columns[key]) for key in _NEEDED}
    if len(set(lengths.values())) > 1:
        raise LogError(f"{path} has columns of different lengths: {lengths}")
    if not lengths["start_times"]:
        raise LogError(f"{path} holds no requests")
    start_s, first_s = columns["start_times"], columns["start_times"] + columns["ttfts"]
    has_first, end_s = columns["ttfts"] > 0, first_s + columns["itls"]
    # Without a begin or an end that is a number it ends before it begins, which is flagged.
    is_known = (np.abs(start_s) < MOST_S) & (np.abs(end_s) < MOST_S)
    start_ns, first_ns, end_ns = (
        _whole_ns(np.where(mask, column, instead))
        for mask, column, instead in ((is_known, start_s, 0), (is_known & has_first, first_s, 0), (is_known, end_s, -1))
    )
    log = Log(start_ns, first_ns, end_ns, "seconds", "token")
    log.units = columns["output_lens"]
    log.input_units = _or_unknown(columns["input_lens"], len(log))
    log.failed = (_or_unknown(columns["errors"], len(log)) == 1) | ~has_first
    log.host_hash, log.boot_id, log.finished = (results[0].get(key) for key in ("host_hash", "boot_id", "date"))
    return log


def _joined(results: list[dict[str, Any]], key: str) -> Column:
    return np.concatenate([np.asarray(one.get(key, ()), "f8") for one in results])


def _or_unknown(column: Column, length: int) -> Column:
    return column if len(column) == length else np.full(length, nan)


def _of_rows(rows: Iterator[dict[str, Any]], path: str, clock: str | None) -> Log:
    """`start` and `end`; also `first_output`, `units`, `input_units`, `failed`, `unit`, `host_hash`, `boot_id`."""
    starts: list[int] = []
    firsts: list[int] = []
    ends: list[int] = []
    units: list[float] = []
    inputs: list[float] = []
    failed: list[bool] = []
    row: dict[str, Any] = {}
    for number, row in enumerate(rows, 1):
        try:
            start, end = _needed(row, "start"), _needed(row, "end")
            clock = clock or _clock_of(start)
            starts.append(_ns(start, clock))
            ends.append(_ns(end, clock))
            firsts.append(_ns(row["first_output"], clock) if row.get("first_output") else 0)
            units.append(_number(row.get("units")))
            inputs.append(_number(row.get("input_units")))
            failed.append(str(row.get("failed") or "").lower() not in ("", "0", "false", "no"))
        except KeyError as error:
            raise LogError(f"{path}, request {number}: there is no {error}; each needs `start` and `end`") from None
        except (ValueError, TypeError) as error:
            raise LogError(f"{path}, request {number}: {error}") from None
    if not starts:
        raise LogError(f"{path} holds no requests")
    start_ns, first_ns, end_ns = (np.array(one, "i8") for one in (starts, firsts, ends))
    log = Log(start_ns, first_ns, end_ns, str(clock), row.get("unit") or "unit")
    log.units, log.input_units, log.failed = np.array(units), np.array(inputs), np.array(failed)
    log.host_hash, log.boot_id = row.get("host_hash"), row.get("boot_id")
    return log


def _needed(row: dict[str, Any], name: str) -> Any:
    """Raises KeyError for what is missing or empty."""
    if row.get(name) in (None, ""):
        raise KeyError(name)
    return row[name]


def _clock_of(value: Any) -> str:
    """What a number of this size, or a word, must be read from. Seconds since boot stay below 30 years, ns above 100 s;
    Unix time is about 1.8e9 s, 1.8e12 ms or 1.8e18 ns."""
    try:
        size = float(value)
    except ValueError:
        return "utc"
    if size < 1e9:
        return "seconds"
    if size < 1e10 or size >= 1e18:
        return "utc"
    if 1e11 <= size < 1.2e12 or 2.5e12 <= size < 1e18:
        return "monotonic_ns"
    raise ValueError(f"the clock of {value} cannot be told from its size (UTC in ms?): say which one it is")


def _ns(value: Any, clock: str) -> int:
    """Without a detour over floats where the text is a whole number: UTC in ns has more digits than they hold."""
    text = str(value).strip()
    if clock == "utc" and not text.replace(".", "", 1).isdecimal():
        return _iso_ns(text)
    if text.isdecimal():
        whole = int(text)
        return whole if clock == "monotonic_ns" or (clock == "utc" and whole >= 10**17) else whole * 10**9
    number = float(text)
    if number != number or not 0 <= number < 1e19:
        raise ValueError(f"{text} is no instant")
    if clock == "monotonic_ns":
        return round(number)
    seconds, _, fraction = text.partition(".")
    if seconds.isdecimal() and fraction.isdecimal():
        return int(seconds) * 10**9 + int(fraction[:9].ljust(9, "0"))
    return round(number * 1e9)


def _iso_ns(text: str) -> int:
    from datetime import datetime, timezone

    # Before Python 3.11 fromisoformat() knows no Z.
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone: write UTC with a Z")
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


def _whole_ns(seconds: Column) -> Column:
    return np.rint(seconds * 1e9).astype("i8")


def _number(value: Any) -> float:
    return nan if value in (None, "") else float(value)
