"""Totals by project of a file of rows."""

from __future__ import annotations

from csv import DictReader
from math import fsum

from .errors import FileDoesNotExistsError
from .row import line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# eco2AI's column of each total, and the column of the rows that it sums.
TOTALS = {
    "total duration(s)": "duration(s)",
    "total power_consumption(kWh)": "power_consumption(kWh)",
    "total CO2_emissions(kg)": "CO2_emissions(kg)",
    "total electricity cost": "cost",
}
ALL = "All the projects"


def by_project(path: str) -> list[dict[str, str | float]]:
    """One record for each project, in the order of their names, and a last one for all of them.

    A cell that holds no number counts for nothing. Raises FileDoesNotExistsError.
    """
    projects: dict[str, list[Mapping[str, str]]] = {}
    try:
        with open(path, newline="", encoding="utf-8-sig", errors="replace") as file:
            for row in DictReader(file):
                projects.setdefault(row.get("project_name") or "", []).append(row)
    except FileNotFoundError:
        raise FileDoesNotExistsError(f"there is no file {path!r} to summarise") from None
    records = [_record(name, rows) for name, rows in sorted(projects.items())]
    return [*records, _record(ALL, [row for rows in projects.values() for row in rows])]


def write(records: Iterable[dict[str, str | float]], path: str) -> None:
    """The records as CSV, with their number in a first column without a name, as pandas writes them."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        file.write(line(["", "project_name", *TOTALS]))
        file.writelines(line([str(number), *map(str, record.values())]) for number, record in enumerate(records))


def _record(name: str, rows: list[Mapping[str, str]]) -> dict[str, str | float]:
    return {"project_name": name} | {
        total: fsum(_number(row.get(column)) for row in rows) for total, column in TOTALS.items()
    }


def _number(text: str | None) -> float:
    try:
        number = float(text or 0)
    except ValueError:
        return 0.0
    return number if number == number else 0.0
