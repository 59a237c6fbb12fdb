"""What spans cost: a structured array with the energies of all spans of a meter, divided as asked for."""

from __future__ import annotations

from math import nan

import numpy as np

from .measurement import NS_PER_S, UJ_PER_J, Z_95, Measurement
from .ranks import rank
from .shares import Curve, Parts, divide, own_time
from .span_columns import LOST, OPEN, attributes, curve_of, in_order, lane_name, named
from .span_gpus import with_gpus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from .gpucurves import Card
    from .meter import Meter
    from .ranks import Rank
    from .span_gpus import SpanGpus
    from .summaries import Summary

    Column = NDArray[Any]
    Array = np.ndarray[Any, Any]
else:
    Array = np.ndarray

SPLITS = ("whole", "share", "self")
# What `status` counts through; the first four are the core's.
STATUSES = ("resolved", "provisional", "history lost", "open", "below resolution")
BELOW = 4
FIELDS = (
    ("name", "u4"),
    ("lane", "u4"),
    ("stage", "u2"),
    ("status", "u1"),
    ("failed", "?"),
    ("t0_ns", "u8"),
    ("t1_ns", "u8"),
    ("duration_s", "f8"),
    ("energy_j", "f8"),
    ("measured_j", "f8"),
    ("modelled_j", "f8"),
    ("net_j", "f8"),
    ("sampling_j", "f8"),
    ("uncertainty_j", "f8"),
    ("coverage", "f8"),
)


class Spans(Array):
    """Spans as a structured numpy array, one row each.

    Fields:
        name, lane, stage: places in the tables `names`, `lanes` and `stages`; status: place in STATUSES.
        failed: whether an exception ended it.
        t0_ns, t1_ns: on CLOCK_MONOTONIC; duration_s.
        energy_j: its part, measured_j + modelled_j, not-a-number where the history was lost.
        net_j: its part of the energy beyond the idle power; not-a-number where none was given.
        sampling_j, uncertainty_j: 95 % half-widths without and with the sensors' own error.
        coverage: share of its time that unbroken readings cover.
        ... and a field for each attribute: numbers, not-a-number where a span has none; or words.

    "below resolution" is the word for a span whose energy is not greater than the half-width `sampling_j`.

    Attributes:
        split, whole_j: how the energy was divided, and all of it from the first begin to the last end.
        rest_j: what was used while no span was active; open_j: the part of spans that have not ended yet.
        idle_j, net_rest_j: with an idle power: that of the idle machine, and what nobody used beyond it, so that net_j,
            open_net_j, idle_j and net_rest_j add up to whole_j.
        lost, dropped, overwritten, unmatched, unusable_attributes: how many spans have no energy since the history was
            lost, were not recorded, made way for newer ones, ended without a begin, and how many attributes were no
            numbers or words or more than eight.
        rank: which of several processes on the host this is; None if no launcher said.
        notes: what a reader must know, each a sentence.
    A selection of rows keeps these, which then still speak of all spans.
    """

    about: About

    def __array_finalize__(self, origin: object) -> None:
        self.about = getattr(origin, "about", None) or About()

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        return part.view(np.ndarray) if isinstance(key, str) else part

    def __getattr__(self, name: str) -> Any:
        if name in About.__slots__:
            return getattr(self.about, name)
        raise AttributeError(f"spans have no attribute {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        """With what is said of them as a whole, for `pickle`."""
        parts: Any = super().__reduce__()
        made, arguments, state = parts
        return made, arguments, (*state, self.about)

    def __setstate__(self, state: Any) -> None:
        self.about = state[-1]
        super().__setstate__(state[:-1])

    def summary(self, by: str = "name", unit: str | None = None) -> Summary:
        """Joules and seconds by "name", "lane", "stage" or an attribute; with the name of a counting attribute such as
        "tokens" as `unit`, also joules per unit. Each with its bound."""
        from .summaries import summarise

        return summarise(self, by, unit)

    def labels(self, field: str) -> Column:
        """The words of a coded field: names, lanes, stages or states."""
        tables = {"name": self.about.names, "lane": self.about.lanes, "stage": self.about.stages, "status": STATUSES}
        values: Column = self[field]
        return np.asarray(tables[field], dtype=object)[values] if field in tables else values

    def to_arrow(self) -> Any:
        """A pyarrow Table, coded fields as dictionaries. Raises ImportError without pyarrow."""
        from importlib import import_module

        pyarrow: Any = import_module("pyarrow")

        def column(field: str) -> Any:
            words = {"name": self.about.names, "lane": self.about.lanes, "stage": self.about.stages, "status": STATUSES}
            if field not in words:
                return pyarrow.array(np.ascontiguousarray(self[field]))
            return pyarrow.DictionaryArray.from_arrays(self[field].astype("i4"), list(words[field]))

        return pyarrow.table({field: column(field) for field in self.dtype.names or ()})

    def __repr__(self) -> str:
        about = self.about
        notes = "".join(f"; {note}" for note in about.notes)
        return f"<{len(self)} spans, split={about.split!r}, of {about.whole_j:.6g} J{notes}>"


class About:
    """What is said of spans as a whole (see `Spans`)."""

    __slots__ = (
        "dropped",
        "idle_j",
        "lanes",
        "lost",
        "names",
        "net_rest_j",
        "notes",
        "open_j",
        "open_net_j",
        "overwritten",
        "rank",
        "rest_j",
        "split",
        "stages",
        "unmatched",
        "unusable_attributes",
        "whole_j",
    )

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self.lanes: tuple[str, ...] = ()
        self.stages: tuple[str, ...] = ()
        self.split = "whole"
        self.whole_j = self.rest_j = self.open_j = 0.0
        self.idle_j = self.net_rest_j = self.open_net_j = nan
        self.lost = self.dropped = self.overwritten = self.unmatched = self.unusable_attributes = 0
        self.rank: Rank | None = None
        self.notes: tuple[str, ...] = ()


def of_meter(
    meter: Meter,
    places: list[int] | None,
    cards: list[Card] | None,
    split: str,
    weights: str | Callable[[Spans], ArrayLike] | None,
    idle: float | Measurement | None,
    name: str | Sequence[str] | None,
) -> Spans:
    """The spans of a meter over the domains at `places` and some GPUs; None: over all in the sum.

    Raises ValueError for a split or an attribute there is not.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, not {split!r}")
    table, gpus = with_gpus(meter, places, cards)
    table = in_order(named(table, name))
    gpus.mark(table)
    rows = _rows(table)
    about = rows.about
    about.split = split
    idle_w = idle_power(idle)
    core, table = curve_of(table)
    curve = gpus.add_to(core, table)
    gpus.tell(rows, table, curve, is_by_curve=split != "whole")
    parts = _parts(rows, table, (core, curve), split, _weights(rows, weights), idle_w, gpus)
    _fill(rows, table, parts, idle_w)
    is_open = rows["status"] == OPEN
    about.whole_j = curve.whole_uj / UJ_PER_J
    about.rest_j, about.open_j = parts.rest_uj / UJ_PER_J, _joules(parts.energy_uj[is_open])
    if idle_w is not None:
        about.idle_j, about.net_rest_j = parts.idle_uj / UJ_PER_J, parts.net_rest_uj / UJ_PER_J
        about.open_net_j = _joules(parts.net_uj[is_open])
    closed: Spans = rows[~is_open]
    about.lost = int((closed["status"] == LOST).sum())
    about.notes = (*_notes(closed), *gpus.notes(~is_open))
    return closed


def _rows(table: dict[str, Any]) -> Spans:
    """Rows with everything but energies, and what is said of them as a whole."""
    codes, name = np.unique(table["name"], return_inverse=True)
    said = attributes(table, {field for field, _ in FIELDS})
    fields = [*FIELDS, *((field, column.dtype.str) for field, column in said.items())]
    rows: Spans = np.zeros(len(name), fields).view(Spans)
    rows.about = about = About()
    about.names = tuple(table["names"][code] for code in codes)
    lanes, lane = np.unique(table["lane"], return_inverse=True)
    about.lanes = tuple(lane_name(int(number), table["names"]) for number in lanes)
    about.stages = _stages(table)
    for field in ("dropped", "overwritten", "unmatched", "unusable_attributes"):
        setattr(about, field, table[field])
    about.rank = rank()
    rows["name"], rows["lane"] = name, lane
    for field in ("stage", "status", "failed", "t0_ns", "t1_ns", "coverage"):
        rows[field] = table[field]
    rows["duration_s"] = (table["t1_ns"].astype("i8") - table["t0_ns"].astype("i8")) / NS_PER_S
    for field, column in said.items():
        rows[field] = column
    return rows


def _stages(table: dict[str, Any]) -> tuple[str, ...]:
    if not table["stage"].any():
        return ("",)
    from .stages import stage_names

    return stage_names()


def _weights(rows: Spans, weights: str | Callable[[Spans], ArrayLike] | None) -> Column | None:
    if weights is None:
        return None
    if isinstance(weights, str):
        if weights not in (rows.dtype.names or ()):
            raise ValueError(f"no span has the attribute {weights!r}: give it as meter.span(name, {weights}=...)")
        if rows.dtype[weights].kind == "U":
            raise ValueError(f"{weights!r} is a word in some spans, and weights are numbers")
        column = np.asarray(rows[weights], "f8")
    else:
        column = np.asarray(weights(rows), "f8")
    if column.shape != rows.shape:
        raise ValueError(f"weights must be one number for each of {len(rows)} spans, not of shape {column.shape}")
    if (column < 0).any() or np.isinf(column).any():
        raise ValueError("weights must be numbers from 0 on; a span without one (not-a-number) takes nothing")
    return column


def idle_power(idle: float | Measurement | None) -> float | None:
    """The power of the idle machine in watts. Raises ValueError for what is none."""
    if isinstance(idle, Measurement):
        idle = idle.energy_j / idle.duration_s
    if idle is not None and not 0 <= idle < float("inf"):
        raise ValueError(f"idle must be a power in watts, or a Measurement of some length, not {idle!r}")
    return idle


def _parts(
    rows: Spans,
    table: dict[str, Any],
    curves: tuple[Curve, Curve],
    split: str,
    weights: Column | None,
    idle_w: float | None,
    gpus: SpanGpus,
) -> Parts:
    """The parts of all rows; those whose history is lost take none. curves: without GPUs, and with them."""
    core, curve = curves
    is_known = rows["status"] != LOST
    place = np.flatnonzero(is_known) if len(curve.t_ns) else np.zeros(0, "i8")
    t0_ns, t1_ns, lanes = (table[key][place] for key in ("t0_ns", "t1_ns", "lane"))
    chosen = None if weights is None else weights[place]
    if split == "self":
        parts = own_time(curve, lanes, t0_ns, t1_ns, chosen, idle_w)
    elif split == "share":
        parts = divide(curve, t0_ns, t1_ns, chosen, idle_w)
    else:
        parts = gpus.closed_with(core.between(t0_ns, t1_ns), place)
        # What nobody was active in is the same however the rest is divided.
        left = divide(curve, t0_ns, t1_ns, None, idle_w)
        parts.rest_uj, parts.idle_uj, parts.net_rest_uj = left.rest_uj, left.idle_uj, left.net_rest_uj
        if idle_w is not None:
            idle_uj = np.rint(idle_w * (t1_ns - t0_ns) / NS_PER_S * UJ_PER_J).astype("u8")
            parts.net_uj = parts.energy_uj - np.minimum(idle_uj, parts.energy_uj)
    return parts.by_owner(place, len(rows))


def _fill(rows: Spans, table: dict[str, Any], parts: Parts, idle_w: float | None) -> None:
    """Floats begin here."""
    rows["energy_j"] = parts.energy_uj / UJ_PER_J
    rows["modelled_j"] = parts.modelled_uj / UJ_PER_J
    rows["measured_j"] = (parts.energy_uj - parts.modelled_uj) / UJ_PER_J
    rows["net_j"] = nan if idle_w is None else parts.net_uj / UJ_PER_J
    rows["sampling_j"] = Z_95 * parts.sigma_uj / UJ_PER_J
    rows["uncertainty_j"] = np.hypot(rows["sampling_j"], Z_95 * table["sensor_rel"] * rows["energy_j"])
    is_lost = rows["status"] == LOST
    for field in ("energy_j", "measured_j", "modelled_j", "net_j", "sampling_j", "uncertainty_j", "coverage"):
        rows[field][is_lost] = nan
    rows["status"][(rows["status"] < LOST) & (rows["sampling_j"] >= rows["energy_j"])] = BELOW


def _joules(energy_uj: Column) -> float:
    return int(energy_uj.sum()) / UJ_PER_J


def _notes(rows: Spans) -> list[str]:
    about = rows.about
    notes = []
    energy_j = float(np.nansum(rows["energy_j"]))
    if about.split == "whole" and energy_j > about.whole_j - about.rest_j:
        notes.append(f"spans overlap: their sum of {energy_j:.6g} J exceeds what was used")
    counts = (
        (about.lost, "have no energy, since the history does not reach back to them"),
        (int((rows["status"] == BELOW).sum()), "are below resolution: their bound is as large as their energy"),
        (about.dropped, "were not recorded, since the memory for marks was full"),
        (about.overwritten, "made way for newer ones (meter.max_spans)"),
        (about.unmatched, "ended without a begin"),
    )
    notes += [f"{count} spans {what}" for count, what in counts if count]
    if about.unusable_attributes:
        notes.append(f"{about.unusable_attributes} attributes were neither numbers nor words, or more than eight")
    if about.rank is not None and about.rank.is_shared:
        notes.append(f"the meters are shared: {about.rank!r}")
    return notes
