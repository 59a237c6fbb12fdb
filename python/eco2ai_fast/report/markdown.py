"""A report as Markdown, in which every name from outside is text and no markup."""

from __future__ import annotations

from . import sections
from .total import Total

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

# Entities rather than backslashes for what makes HTML: they are text also where the reader's Markdown is no CommonMark.
_ESCAPES = {letter: f"\\{letter}" for letter in "\\`*_[]{}#|~$!^"} | {
    "<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "&#64;",
}  # fmt: skip
_ESCAPED = str.maketrans(_ESCAPES)


def text(records: Sequence[Mapping[str, Any]], by: str | None = None) -> str:
    """The report; `by` groups many records: "project", "stage", "host" or "month"."""
    total = Total(records)
    if len(total.records) == 1 and by is None:
        return "# Energy report\n\n" + _sections(sections.of_record(total.records[0]))
    head, *rows = sections.group_rows(total, by or "project")
    return f"# Energy report\n\n{_table(head, rows)}\n{_sections(sections.of_total(total))}"


def escaped(value: str) -> str:
    """The value as Markdown shows it letter by letter: no tag, no link, no table cell, no mention."""
    # GitHub makes links of these without being asked.
    return value.translate(_ESCAPED).replace("://", "&#58;//").replace("www.", "www&#46;")


def _sections(found: list[tuple[str, list[tuple[str, str]]]]) -> str:
    return "\n".join(f"## {escaped(title)}\n\n{_section(rows)}" for title, rows in found)


def _section(rows: list[tuple[str, str]]) -> str:
    if not any(label for label, _ in rows):
        return "".join(f"- {escaped(value)}\n" for _, value in rows)
    return _table(("", ""), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([escaped(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
