"""Records from files: JSON, lines of JSON, or what `report --format json` wrote; `-` is the standard input."""

from __future__ import annotations

import json
import math
import sys

from ..record import SCHEMA_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    Record = dict[str, Any]

KINDS = ("measurement", "run", "series", "imported")
# Without these nothing can be said of a run.
NEEDED = (
    "id", "host", "name", "project", "stage", "t0_ns", "t1_ns", "duration_s", "energy_j", "domains", "boundary", "bins",
    "intensity", "emissions", "attribution", "hardware",
)  # fmt: skip


class RecordError(ValueError):
    """A file holds no record; the message names file and reason."""


def read(paths: Iterable[str]) -> list[Record]:
    """The records of all files, those of a series one by one. Raises RecordError."""
    return [run for path in paths for document in _documents(path) for run in _runs(document, path)]


def _documents(path: str) -> list[Any]:
    """One document, or one for each line."""
    text = _text(path)
    try:
        return [json.loads(text)]
    except ValueError as whole:
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        if len(lines) < 2:
            raise RecordError(f"{path}: not JSON: {whole}") from None
    return [_line(path, number, line) for number, line in lines]


def _line(path: str, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise RecordError(f"{path}, line {number}: not JSON: {error}") from None


def _text(path: str) -> str:
    try:
        if path == "-":
            return sys.stdin.read()
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def _runs(document: Any, path: str) -> Iterator[Record]:
    if isinstance(document, list):
        for one in document:
            yield from _runs(one, path)
        return
    if not isinstance(document, dict):
        raise RecordError(f"{path}: {type(document).__name__} instead of a record")
    if isinstance(document.get("records"), list) and "total" in document:
        yield from _runs(document["records"], path)
    elif document.get("kind") == "series":
        yield from _runs(document.get("runs"), path)
    else:
        yield _checked(document, path)


def _checked(document: Record, path: str) -> Record:
    version = document.get("schema_version")
    if document.get("kind") not in KINDS or version is None:
        raise RecordError(f"{path}: no record of eco2ai-fast; `eco2ai-fast import` reads files of other trackers")
    if version != SCHEMA_VERSION:
        raise RecordError(f"{path}: schema version {version!r}, and this program reads version {SCHEMA_VERSION}")
    missing = [key for key in NEEDED if key not in document]
    if missing:
        raise RecordError(f"{path}: the record has no {', '.join(missing)}")
    for name in ("energy_j", "duration_s"):
        amount = document[name]
        if not (amount is None or (isinstance(amount, (int, float)) and 0 <= amount < math.inf)):
            raise RecordError(f"{path}: {name} = {amount!r} is no amount")
    return document
