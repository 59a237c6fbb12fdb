"""Energy of many intervals at once, and power, from the recorded curves: numpy in, numpy out."""

from __future__ import annotations

import numpy as np

from ._core import HistoryLost
from .gpucurves import FORGOTTEN, places, settled
from .measurement import NS_PER_S, UJ_PER_J, Z_95

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from ._core import Domain
    from .gpucurves import Card
    from .meter import Meter
    from .traces import Trace, TraceDomain

FIELDS = np.dtype(
    [
        ("t0_ns", "u8"),
        ("t1_ns", "u8"),
        ("energy_j", "f8"),
        ("measured_j", "f8"),
        ("modelled_j", "f8"),
        ("sampling_j", "f8"),
        ("coverage", "f8"),
    ]
)


MOST_NS = 2**63


def energies(meter: Meter | Trace, t0_ns: ArrayLike, t1_ns: ArrayLike) -> NDArray[Any]:
    """Energy over the counted domains between t0_ns[i] and t1_ns[i]. Shapes: (n,), (n,) -> (n,) of FIELDS."""
    starts, ends = _instants(t0_ns), _instants(t1_ns)
    if starts.shape != ends.shape:
        raise ValueError(f"t0_ns and t1_ns must be of one length, not {len(starts)} and {len(ends)}")
    backwards = np.flatnonzero(ends < starts)
    if len(backwards):
        raise ValueError(f"t1_ns lies before t0_ns in row {backwards[0]}, and in {len(backwards)} rows in all")
    rows = np.zeros(len(starts), FIELDS)
    rows["t0_ns"], rows["t1_ns"], rows["coverage"] = starts, ends, 1.0
    energy_uj, modelled_uj = np.zeros(len(starts), "i8"), np.zeros(len(starts), "i8")
    variance = np.zeros(len(starts))
    domains: Sequence[Domain | TraceDomain] = meter.domains
    cards = settled(meter, int(starts.min()), int(ends.max())) if len(starts) else []
    for number in places(meter, cards):
        domain = domains[number]
        totals, estimated, sigma_uj, uncovered_ns = _differences(meter, number, starts, ends)
        energy_uj += totals
        modelled_uj += totals if domain.provenance == "modelled" else estimated
        variance += sigma_uj**2 + (0 if domain.provenance == "modelled" else (estimated / Z_95) ** 2)
        covered = 1 - uncovered_ns / np.maximum(ends - starts, 1)
        rows["coverage"] = np.minimum(rows["coverage"], covered)
    for card in cards:
        told = card.closed(starts, ends)
        if (told.rule == FORGOTTEN).any():
            raise HistoryLost(f"{card.id}: an instant lies before what is remembered of it")
        energy_uj += told.energy_uj.astype("i8")
        modelled_uj += told.estimated_uj.astype("i8")
        variance += told.sigma_uj**2
        rows["coverage"] = np.minimum(rows["coverage"], told.coverage)
    rows["energy_j"], rows["modelled_j"] = energy_uj / UJ_PER_J, modelled_uj / UJ_PER_J
    rows["measured_j"] = (energy_uj - modelled_uj) / UJ_PER_J
    rows["sampling_j"] = Z_95 * np.sqrt(variance) / UJ_PER_J
    return rows


def power(
    meter: Meter, width_s: float, number: int | None, card: Card | None = None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Mean power of bins of width_s over what is recorded: middles in ns, watts. Of a domain, a GPU, or the sum."""
    width_ns = round(width_s * NS_PER_S)
    if width_ns < 1:
        raise ValueError(f"width_s must be at least a nanosecond, not {width_s}")
    cards = [card] if card else _known(meter) if number is None else []
    numbers = [number] if number is not None else [] if card else places(meter, cards)
    ranges = [(int(t_ns[0]), int(t_ns[-1])) for t_ns in (meter.changes(one)[0] for one in numbers) if len(t_ns) > 1]
    if len(ranges) < len(numbers):
        return np.zeros(0, "u8"), np.zeros(0)
    # A GPU that was lost stands still from there on; the others go on.
    known = [(one, span) for one in cards if (span := one.span_ns)]
    ranges += [(span[0], span[1] if one.fault is None else np.iinfo("i8").max) for one, span in known]
    if not ranges:
        return np.zeros(0, "u8"), np.zeros(0)
    start, end = max(first for first, _ in ranges), min(last for _, last in ranges)
    edges = np.arange(start, max(end, start) + 1, width_ns, dtype="u8")
    total_uj = np.zeros(len(edges), "i8")
    for one in numbers:
        total_uj += np.asarray(meter.heights(one, edges)[0], "i8")
    for gpu in cards:
        heights = gpu.heights(edges, np.zeros(len(edges), bool))
        if heights is not None:
            total_uj += heights.energy_uj.astype("i8")
    watts = np.diff(total_uj) / UJ_PER_J / (width_ns / NS_PER_S)
    return edges[:-1] + np.uint64(width_ns // 2), watts


def _known(meter: Meter) -> list[Card]:
    """The GPUs whose meters moved, once the driver has started."""
    past = meter._gpu_past
    return [] if past is None else [card for card in past.started() if card.span_ns is not None]


def _instants(values: ArrayLike) -> NDArray[Any]:
    """Whole nanoseconds; floats are taken as nanoseconds and rounded, never as seconds."""
    array = np.atleast_1d(np.asarray(values))
    if array.dtype.kind not in "iuf" or array.ndim != 1:
        raise ValueError("instants must be a one-dimensional array of nanoseconds")
    if array.dtype.kind != "u" and not ((array >= 0) & (array < MOST_NS)).all():
        raise ValueError("instants must be nanoseconds of CLOCK_MONOTONIC, from 0 on")
    return np.ascontiguousarray(np.rint(array) if array.dtype.kind == "f" else array, dtype="u8")


def _differences(
    meter: Meter | Trace, number: int, starts: NDArray[Any], ends: NDArray[Any]
) -> tuple[NDArray[Any], ...]:
    """Energy, estimated part, sigma (all uJ) and uncovered ns of one domain over each interval."""
    heights = meter.heights(number, np.concatenate([starts, ends]))
    total, estimated, sigma_uj, uncovered_ns = (np.split(column, 2) for column in heights)
    rise = [np.asarray(pair[1], "i8") - np.asarray(pair[0], "i8") for pair in (total, estimated, uncovered_ns)]
    return rise[0], rise[1], np.hypot(*sigma_uj), rise[2]
