"""Energy per bin of time and domain: what an intensity that changes with the hour will be multiplied with."""

from __future__ import annotations

from itertools import pairwise

from .measurement import NS_PER_S, UJ_PER_J

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ._core import Meter, Readout
    from .measurement import Measurement

# Half an hour and a quarter of one, in which grids publish their intensity, are whole multiples of it.
BIN_S = 60


def of(measurement: Measurement, laps: Sequence[Readout] = ()) -> dict[str, Any] | None:
    """The bins of a measurement; None where nothing could be read.

    From `laps`, readings in between of its own window, where there are some; from the curve where its meter was started
    and recorded one; else one bin, the window itself.
    """
    t0_ns, t1_ns = measurement.t0_ns, measurement.t1_ns
    totals_j = {domain.id: domain.energy_j for domain in measurement.domains.values()}
    if not totals_j or t1_ns <= t0_ns:
        return None
    if laps and measurement._meter is not None:
        ids = [domain.id for domain in measurement._meter.domains]
        return _of_laps(t0_ns, t1_ns, ids, laps, measurement)
    curve = _of_curve(measurement._meter, t0_ns, t1_ns) if t1_ns - t0_ns > BIN_S * NS_PER_S else None
    bin_s = measurement.duration_s
    return curve or _bins("window", bin_s, [t0_ns, t1_ns], {name: [total] for name, total in totals_j.items()})


def _of_laps(
    t0_ns: int, t1_ns: int, ids: Sequence[str], laps: Sequence[Readout], measurement: Measurement
) -> dict[str, Any]:
    """Differences of what the window showed: they add up to its energy exactly, in whole microjoules."""
    columns: dict[str, list[int | None]] = {
        name: [0, *(lap.domains[number].energy_uj for lap in laps), measurement.domains[name].energy_uj]
        for number, name in enumerate(ids)
    }
    columns |= _gpu_totals(laps, measurement)
    edges_ns = [t0_ns, *(lap.t1_ns for lap in laps), t1_ns]
    return _bins("laps", BIN_S, edges_ns, {name: _steps(totals) for name, totals in columns.items()})


def _gpu_totals(laps: Sequence[Readout], measurement: Measurement) -> dict[str, list[int | None]]:
    """Of each GPU the energy from the begin until each lap and the end: never falling, so that no bin is negative."""
    if len(measurement._gpu_laps) != len(laps):
        return {}
    told = [{one.id: one.energy_uj for one in lap.energies()} for lap in measurement._gpu_laps]
    found: dict[str, list[int | None]] = {}
    for name, domain in measurement.domains.items():
        if domain.kind == "gpu":
            last_uj, totals = domain.energy_uj, [lap.get(name) for lap in told]
            found[name] = [0, *_rising(totals, last_uj), last_uj]
    return found


def _rising(totals_uj: Sequence[int | None], most_uj: int | None) -> list[int | None]:
    """Each at least the one before and at most the last: the ends of laps are known to within a bound."""
    rising: list[int | None] = []
    least_uj = 0
    for total_uj in totals_uj:
        if total_uj is None or most_uj is None:
            rising.append(None)
        else:
            least_uj = min(max(total_uj, least_uj), most_uj)
            rising.append(least_uj)
    return rising


def _steps(totals_uj: Sequence[int | None]) -> list[float | None]:
    """Joules from each total to the next; unknown where one of the two is."""
    pairs = pairwise(totals_uj)
    return [None if first is None or last is None else (last - first) / UJ_PER_J for first, last in pairs]


def _of_curve(meter: Meter | None, t0_ns: int, t1_ns: int) -> dict[str, Any] | None:
    """From the history of a started meter; None where there is none, or it does not reach back far enough."""
    if meter is None:
        return None
    from ._core import HistoryLost

    edges_ns = [*range(t0_ns, t1_ns, BIN_S * NS_PER_S), t1_ns]
    try:
        readouts = [meter.readout_between(*pair) for pair in pairwise(edges_ns)]
    except HistoryLost:
        return None
    energies = {
        domain.id: [_joules(readout.domains[number].energy_uj) for readout in readouts]
        for number, domain in enumerate(meter.domains)
    }
    return _bins("curve", BIN_S, edges_ns, energies | _gpu_energies(meter, edges_ns))


def _gpu_energies(meter: Meter, edges_ns: list[int]) -> dict[str, list[float | None]]:
    """Of each GPU the differences of its one curve; unknown where an edge is before what is remembered."""
    from .gpucurves import FORGOTTEN, settled

    cards = settled(meter, edges_ns[0], edges_ns[-1])
    if not cards:
        return {}
    import numpy as np

    at_ns = np.asarray(edges_ns, "u8")
    found: dict[str, list[float | None]] = {}
    for card in cards:
        heights = card.heights(at_ns, np.zeros(len(at_ns), bool))
        if heights is not None:
            steps_j = np.diff(heights.energy_uj.astype("i8")) / UJ_PER_J
            is_known = heights.rule[:-1] != FORGOTTEN
            found[card.id] = [float(step) if known else None for step, known in zip(steps_j, is_known, strict=True)]
    return found


def _joules(energy_uj: int | None) -> float | None:
    return None if energy_uj is None else energy_uj / UJ_PER_J


def _bins(method: str, bin_s: float, edges_ns: list[int], energy_j: dict[str, Any]) -> dict[str, Any]:
    return {"method": method, "bin_s": bin_s, "edges_ns": edges_ns, "energy_j": energy_j}
