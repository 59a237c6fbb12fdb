"""The spans of a meter as the core tells them: columns in a dict; choosing, ordering, and what they say."""

from __future__ import annotations

from math import nan

import numpy as np

from .shares import Curve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    Column = NDArray[Any]

# Of the states of a span, as the core counts them.
LOST, OPEN = 2, 3
# Columns of a table: one value for each span, and one at each end.
ONE_EACH = ("id", "name", "stage", "lane", "t0_ns", "t1_ns", "failed", "status", "coverage", "sensor_rel")
AT_BOTH_ENDS = ("measured_uj", "modelled_uj", "sigma_uj")


def named(table: dict[str, Any], name: str | Sequence[str] | None) -> dict[str, Any]:
    """The table with the spans of the given names alone. Raises ValueError for a name that no span has."""
    if name is None:
        return table
    wanted = [name] if isinstance(name, str) else list(name)
    unknown = [one for one in wanted if one not in table["names"]]
    if unknown:
        raise ValueError(f"no span is called {unknown[0]!r}: there are {', '.join(_used(table))}")
    codes = [table["names"].index(one) for one in wanted]
    return _selected(table, np.flatnonzero(np.isin(table["name"], codes)))


def in_order(table: dict[str, Any]) -> dict[str, Any]:
    """The table in the order of begins; of two at one instant, a thread's earlier one first."""
    return _selected(table, np.lexsort((table["id"], table["t0_ns"])))


def _selected(table: dict[str, Any], places: Column) -> dict[str, Any]:
    """The table with the rows at `places`, in their order."""
    now_at = np.full(len(table["name"]), -1)
    now_at[places] = np.arange(len(places))
    row = now_at[table["attribute_row"]]
    said = {key: table[key][row >= 0] for key in table if key.startswith("attribute_")}
    said["attribute_row"] = row[row >= 0]
    columns = {key: table[key][places] for key in ONE_EACH}
    pairs = {key: [column[places] for column in table[key]] for key in AT_BOTH_ENDS}
    return table | said | columns | pairs


def _used(table: dict[str, Any]) -> list[str]:
    return [table["names"][code] for code in np.unique(table["name"])]


def lane_name(number: int, names: list[str]) -> str:
    """The lane in words: see span.rs for the bits."""
    if not number >> 63:
        return f"thread {number}"
    number &= (1 << 63) - 1
    return f"{number & ~(1 << 62)}" if number >> 62 else names[number]


def numbers(table: dict[str, Any], attribute: str, missing: float) -> Column:
    """The numbers that spans gave as one attribute, `missing` for those that gave none."""
    column = np.full(len(table["name"]), float(missing))
    if attribute in table["names"]:
        is_key = (table["attribute_key"] == table["names"].index(attribute)) & ~table["attribute_is_word"]
        column[table["attribute_row"][is_key]] = table["attribute_value"][is_key]
    return column


def attributes(table: dict[str, Any], taken: set[str]) -> dict[str, Column]:
    """A column for each attribute: numbers, or words where a span gave one. A name that is taken gets an underscore."""
    columns: dict[str, Column] = {}
    names, count = table["names"], len(table["name"])
    for code in np.unique(table["attribute_key"]):
        is_key = table["attribute_key"] == code
        place, value = table["attribute_row"][is_key], table["attribute_value"][is_key]
        is_word = table["attribute_is_word"][is_key]
        if is_word.any():
            words = [names[int(one)] if word else f"{one:g}" for one, word in zip(value, is_word, strict=True)]
            column = np.zeros(count, f"U{max(map(len, words))}")
            column[place] = words
        else:
            column = np.full(count, nan)
            column[place] = value
        columns[f"{names[code]}_" if names[code] in taken else names[code]] = column
    return columns


def curve_of(table: dict[str, Any]) -> tuple[Curve, dict[str, Any]]:
    """The curve at all begins and ends that have a height, from the first closed span to the last; the table with open
    spans cut to that."""
    is_closed, is_known = table["status"] != OPEN, table["status"] != LOST
    told = is_closed & is_known
    if not told.any():
        empty = np.zeros(0, "u8")
        return Curve(empty, empty, empty, np.zeros(0)), table
    start_ns, end_ns = table["t0_ns"][told].min(), table["t1_ns"][told].max()
    t_ns = np.concatenate([table["t0_ns"], table["t1_ns"]])
    within = (t_ns >= start_ns) & (t_ns <= end_ns) & np.tile(is_known, 2)
    measured_uj, modelled_uj, sigma_uj = (np.concatenate(table[key])[within] for key in AT_BOTH_ENDS)
    curve = Curve(t_ns[within], measured_uj + modelled_uj, modelled_uj, sigma_uj, table["grain_ns"])
    cut = {key: np.clip(table[key], start_ns, end_ns) for key in ("t0_ns", "t1_ns")}
    return curve, table | cut
