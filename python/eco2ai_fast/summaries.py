"""Spans in groups: joules and seconds with their spread, and joules per unit of work, each with its bound."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .quantity import si
from .span_columns import LOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from numpy.typing import NDArray

    from .spans import Spans

PERCENTILES = (50, 95, 99)
CODED = ("name", "lane", "stage", "status")


class Summary:
    """Groups of spans, the greatest energy first; `summary["request"]` is a group's row.

    Fields of `rows`:
        key: what the spans of the group have in common. count: how many; lost: how many of them have no energy.
        energy_j, net_j, duration_s: totals. mean_j, p50_j, p95_j, p99_j, mean_s, p50_s, p95_s, p99_s: of one span.
        sampling_j, uncertainty_j: 95 % half-widths of energy_j, without and with the sensors' own error.
        mean_bound_j, p50_bound_j, ...: 95 % half-widths of the others, from the spans' own.
        units, per_unit_j, per_unit_bound_j: with a unit.
    """

    __slots__ = ("by", "rows", "unit")

    def __init__(self, rows: NDArray[Any], by: str, unit: str | None) -> None:
        self.rows = rows
        self.by = by
        self.unit = unit

    def __getitem__(self, key: object) -> Any:
        places = np.flatnonzero(self.rows["key"] == str(key))
        if not len(places):
            raise KeyError(f"no group is called {key!r}: there are {', '.join(self.rows['key'])}")
        return self.rows[places[0]]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def __repr__(self) -> str:
        return "\n".join(_line(row, self.unit) for row in self.rows) or "<no spans>"


def summarise(spans: Spans, by: str, unit: str | None) -> Summary:
    """Raises ValueError for a field that spans do not have."""
    for field in (by, unit):
        if field is not None and field not in (spans.dtype.names or ()):
            raise ValueError(f"spans have no field {field!r}: there are {', '.join(spans.dtype.names or ())}")
    values, group = np.unique(spans[by], return_inverse=True)
    words = spans.labels(by) if by in CODED else None
    rows = np.zeros(len(values), _fields())
    order = np.argsort(group, kind="stable")
    ends = np.searchsorted(group[order], np.arange(len(values) + 1))
    keys = []
    for place, (first, last) in enumerate(pairwise(ends)):
        members = spans[order[first:last]]
        keys.append(str(words[order[first]]) if words is not None else f"{values[place]}")
        _describe(rows[place], members, unit)
    rows = _with_keys(rows, keys)
    return Summary(rows[np.argsort(-rows["energy_j"], kind="stable")], by, unit)


def _fields() -> list[tuple[str, str]]:
    spread = [f"{what}_{unit}" for unit in ("j", "s") for what in ("mean", *(f"p{one}" for one in PERCENTILES))]
    bounds = [f"{what}_bound_j" for what in ("mean", *(f"p{one}" for one in PERCENTILES))]
    floats = ["energy_j", "net_j", "duration_s", "sampling_j", "uncertainty_j", *spread, *bounds]
    return [
        ("count", "i8"),
        ("lost", "i8"),
        *((field, "f8") for field in (*floats, "units", "per_unit_j", "per_unit_bound_j")),
    ]


def _with_keys(rows: NDArray[Any], keys: list[str]) -> NDArray[Any]:
    named = np.zeros(len(rows), [("key", f"U{max(map(len, keys), default=1) or 1}"), *_fields()])
    named["key"] = keys
    for field, _ in _fields():
        named[field] = rows[field]
    return named


def _describe(row: Any, members: Spans, unit: str | None) -> None:
    known = members[members["status"] != LOST]
    energy_j, sampling_j, seconds = known["energy_j"], known["sampling_j"], known["duration_s"]
    row["count"], row["lost"] = len(members), len(members) - len(known)
    row["energy_j"], row["net_j"], row["duration_s"] = energy_j.sum(), known["net_j"].sum(), seconds.sum()
    row["sampling_j"] = np.sqrt((sampling_j**2).sum())
    # The sensors err alike in every span: that part adds up.
    systematic_j = np.sqrt(np.maximum(known["uncertainty_j"] ** 2 - sampling_j**2, 0)).sum()
    row["uncertainty_j"] = np.hypot(row["sampling_j"], systematic_j)
    if not len(known):
        for field in row.dtype.names:
            row[field] = np.nan if row.dtype[field].kind == "f" else row[field]
        return
    row["mean_j"], row["mean_s"] = energy_j.mean(), seconds.mean()
    row["mean_bound_j"] = row["uncertainty_j"] / len(known)
    for one in PERCENTILES:
        row[f"p{one}_j"], row[f"p{one}_s"] = np.percentile(energy_j, one), np.percentile(seconds, one)
        row[f"p{one}_bound_j"] = percentile_bound(energy_j, known["uncertainty_j"], one)
    _per_unit(row, known, unit)


def percentile_bound(values: NDArray[Any], bounds: NDArray[Any], percent: float) -> float:
    """How far a percentile moves if all values err by their bounds to the same side."""
    middle, low, high = (np.percentile(one, percent) for one in (values, values - bounds, values + bounds))
    return float(max(middle - low, high - middle))


def _per_unit(row: Any, known: Spans, unit: str | None) -> None:
    """Over the spans that have the attribute."""
    row["units"] = row["per_unit_j"] = row["per_unit_bound_j"] = np.nan
    if unit is None:
        return
    counting = known[known[unit] > 0]
    row["units"] = counting[unit].sum()
    if row["units"] > 0:
        share = counting["energy_j"].sum() / row["energy_j"] if row["energy_j"] else 0.0
        row["per_unit_j"] = counting["energy_j"].sum() / row["units"]
        row["per_unit_bound_j"] = row["uncertainty_j"] * share / row["units"]


def _line(row: Any, unit: str | None) -> str:
    total = f"{si(row['energy_j'], 'J')} ± {si(row['uncertainty_j'], 'J', 2)} in {si(row['duration_s'], 's')}"
    mean = f"{si(row['mean_j'], 'J')} ± {si(row['mean_bound_j'], 'J', 2)}"
    percentiles = ", ".join(f"p{one} {si(row[f'p{one}_j'], 'J')}" for one in PERCENTILES)
    text = f"{row['key'] or '(none)'}: {row['count']} spans, {total}; each {mean} ({percentiles})"
    if unit is not None and row["units"] > 0:
        text += f"; {si(row['per_unit_j'], 'J')}/{unit} ± {si(row['per_unit_bound_j'], 'J', 2)}"
    return text + (f"; {row['lost']} without energy" if row["lost"] else "")
