"""A report as plain text: one run in full, or many as a table of groups."""

from __future__ import annotations

from . import sections
from .total import Total

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


def text(records: Sequence[Mapping[str, Any]], by: str | None = None) -> str:
    """The report; `by` groups many records: "project", "stage", "host" or "month"."""
    total = Total(records)
    if len(total.records) == 1 and by is None:
        return _sections(sections.of_record(total.records[0]))
    # Not at the begin of a line, where a spreadsheet takes "=" for a formula.
    rows = [(f"  {name}", *cells) for name, *cells in sections.group_rows(total, by or "project")]
    return "\n".join(_aligned(rows)) + "\n\n" + _sections(sections.of_total(total))


def _sections(found: list[tuple[str, list[tuple[str, str]]]]) -> str:
    blocks = ["\n".join([title, *_aligned([(f"  {label}", value) for label, value in rows])]) for title, rows in found]
    return "\n\n".join(blocks) + "\n"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """One line per row; a row's last cell is free to be wider than its column."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    padded = ([cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)] for row in rows)
    return ["  ".join(row).rstrip() for row in padded]
