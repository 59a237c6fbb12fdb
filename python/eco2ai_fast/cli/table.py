"""Texts in aligned columns, and the phrases that stand in more than one of them."""

from __future__ import annotations

from shlex import join

from ..quantity import plain, si

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

J_PER_WH = 3600.0
INDENT = "  "
GAP = "  "


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """One line per row, each column as wide as its widest cell; a row's last cell is free to be wider."""
    widths: dict[int, int] = {}
    for row in rows:
        for column, cell in enumerate(row[:-1]):
            widths[column] = max(widths.get(column, 0), len(cell))
    padded = ([cell.ljust(widths.get(column, 0)) for column, cell in enumerate(row)] for row in rows)
    return [(INDENT + GAP.join(row)).rstrip() for row in padded]


def labelled(label: str, lines: Sequence[str]) -> list[tuple[str, str]]:
    """Rows of which the first bears the label."""
    return [(label if number == 0 else "", line) for number, line in enumerate(lines)]


def joules(energy_j: float | None) -> str:
    return "unknown" if energy_j is None else si(energy_j, "J")


def watt_hours(energy_j: float | None) -> str:
    return "" if energy_j is None else si(energy_j / J_PER_WH, "Wh")


def duration(seconds: float | None) -> str:
    """`1.23 s`, and from two minutes on `1 h 2 min 3 s`."""
    if seconds is None:
        return "unknown"
    if seconds < 120:
        return si(seconds, "s")
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min {rest} s" if hours else f"{minutes} min {rest} s"


def command_line(argv: Sequence[str], limit: int = 80) -> str:
    """The command as a shell takes it, on one line and shortened."""
    safe = "".join(letter if letter.isprintable() else "?" for letter in join(argv))
    return safe if len(safe) <= limit else safe[: limit - 3] + "..."


def intensity_lines(intensity: Mapping[str, Any]) -> list[str]:
    """What grams are computed with, where it is from, and how to set one's own where nobody did."""
    value = f"{plain(intensity['g_per_kwh'])} {intensity['unit']}"
    if not intensity["zone"]:
        return [f"{value}, {intensity['source']}"]
    year = f" {intensity['year']}" if intensity["year"] else ""
    lines = [f"{value} of {intensity['zone_name']}{year}, {intensity['basis']}", intensity["source"]]
    if intensity["found_by"] == "default":
        lines.append("no zone is set, so the world's average: --zone FR, or `eco2ai-fast config set zone FR`")
    return lines
