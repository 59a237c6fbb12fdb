"""Who gets which energy: intervals on an energy curve, divided where they overlap. Arrays in, arrays out.

It knows neither meters nor files: spans, the inference helper and logs joined after the fact all come through here.
"""

from __future__ import annotations

import numpy as np

from . import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from .traces import Trace, TraceDomain

    Column = NDArray[Any]


class Curve:
    """Energy up to the instants that matter: every begin and end of an interval is one of them.

    Attributes:
        t_ns: the instants, ascending, each once (u8).
        energy_uj, modelled_uj: energy up to each, and the part of it that no meter read (u8); neither falls.
        sigma_uj: one sigma of energy_uj.
        grain_ns: distance of two readings: heights closer than that err together.
    """

    __slots__ = ("energy_uj", "grain_ns", "modelled_uj", "sigma_uj", "t_ns")

    def __init__(
        self, t_ns: Column, energy_uj: Column, modelled_uj: Column, sigma_uj: Column, grain_ns: int = 0
    ) -> None:
        """Instants in any order, also repeated; where the energy falls, it is taken as standing still."""
        self.t_ns, first = np.unique(np.asarray(t_ns, "u8"), return_index=True)
        self.energy_uj = np.maximum.accumulate(np.asarray(energy_uj, "u8")[first])
        self.modelled_uj = np.maximum.accumulate(np.asarray(modelled_uj, "u8")[first])
        self.sigma_uj = np.ascontiguousarray(np.asarray(sigma_uj, "f8")[first])
        self.grain_ns = grain_ns

    @classmethod
    def of_meter(cls, meter: _core.Meter | Trace, t_ns: Column, places: list[int] | None = None) -> Curve:
        """The curve of the counted domains of a meter or a trace, or of those at `places`; without a meter's GPUs
        (`gpucurves.add_to`). Raises HistoryLost."""
        t_ns = _each_once(np.asarray(t_ns, "u8"))
        energy_uj, modelled_uj, variance = np.zeros(len(t_ns), "u8"), np.zeros(len(t_ns), "u8"), np.zeros(len(t_ns))
        domains: Sequence[_core.Domain | TraceDomain] = meter.domains
        for place, domain in enumerate(domains):
            if domain.counted if places is None else place in places:
                total_uj, estimated_uj, sigma_uj, _ = meter.heights(place, t_ns)
                energy_uj += total_uj
                modelled_uj += total_uj if domain.provenance == "modelled" else estimated_uj
                variance += sigma_uj**2
        return cls(t_ns, energy_uj, modelled_uj, np.sqrt(variance))

    @property
    def whole_uj(self) -> int:
        """All energy from the first instant to the last."""
        return int(self.energy_uj[-1] - self.energy_uj[0]) if len(self.t_ns) else 0

    def between(self, t0_ns: Column, t1_ns: Column) -> Parts:
        """All the energy of each interval, whoever else is active."""
        first, last = (np.searchsorted(self.t_ns, np.asarray(ends, "u8")) for ends in (t0_ns, t1_ns))
        last = np.maximum(first, last)
        rise = [column[last] - column[first] for column in (self.energy_uj, self.modelled_uj)]
        return Parts(rise[0], rise[1], np.hypot(self.sigma_uj[first], self.sigma_uj[last]))


class Parts:
    """The energy of each interval, and what is left.

    Attributes:
        energy_uj, modelled_uj: whole microjoules (u8), and the part that was modelled; sigma_uj: one sigma of it.
        rest_uj: what was used while nobody was active: energy_uj.sum() + rest_uj is the curve's whole_uj.
        net_uj, idle_uj, net_rest_uj: the same beyond the idle power, and the idle energy: they add up to whole_uj too.
    """

    __slots__ = ("energy_uj", "idle_uj", "modelled_uj", "net_rest_uj", "net_uj", "rest_uj", "sigma_uj")

    def __init__(self, energy_uj: Column, modelled_uj: Column, sigma_uj: Column) -> None:
        self.energy_uj = energy_uj
        self.modelled_uj = np.minimum(modelled_uj, energy_uj)
        self.sigma_uj = sigma_uj
        self.net_uj = energy_uj
        self.rest_uj = self.idle_uj = self.net_rest_uj = 0

    def by_owner(self, owner: Column, owners: int) -> Parts:
        """The parts of intervals that belong to the same owner, added up."""

        def total(column: Column) -> Column:
            sums = np.zeros(owners, column.dtype)
            np.add.at(sums, owner, column)
            return sums

        parts = Parts(total(self.energy_uj), total(self.modelled_uj), np.sqrt(total(self.sigma_uj**2)))
        parts.net_uj = total(self.net_uj)
        parts.rest_uj, parts.idle_uj, parts.net_rest_uj = self.rest_uj, self.idle_uj, self.net_rest_uj
        return parts


def _each_once(t_ns: Column) -> Column:
    """Ascending. numpy.unique() does the same with a table of hashes, which takes ten times as long."""
    t_ns = np.sort(t_ns)
    once: Column = t_ns[np.concatenate([np.ones(min(len(t_ns), 1), bool), t_ns[1:] != t_ns[:-1]])]
    return once


def divide(
    curve: Curve, t0_ns: Column, t1_ns: Column, weights: Column | None = None, idle_w: float | None = None
) -> Parts:
    """Divides the curve's energy at each instant among the intervals then active, equally or by weight.

    t0_ns, t1_ns: begins and ends (n,), instants of the curve. weights: (n,), 0 or more. idle_w: power of the idle
    machine. Raises ValueError for an end that the curve has no height at.
    """
    starts, ends = np.ascontiguousarray(t0_ns, "u8"), np.ascontiguousarray(t1_ns, "u8")
    shares = None if weights is None else np.ascontiguousarray(weights, "f8")
    energy_uj, _, rest_uj = _core.shares(curve.t_ns, curve.energy_uj, starts, ends, shares)
    modelled_uj = np.zeros_like(energy_uj)
    if len(curve.t_ns) and curve.modelled_uj[-1] > curve.modelled_uj[0]:
        modelled_uj = _core.shares(curve.t_ns, curve.modelled_uj, starts, ends, shares)[0]
    sigma_uj = _core.share_sigmas(curve.t_ns, curve.sigma_uj, starts, ends, shares, curve.grain_ns)
    parts = Parts(energy_uj, modelled_uj, sigma_uj)
    parts.rest_uj = parts.net_rest_uj = rest_uj
    if idle_w is not None:
        parts.net_uj, parts.idle_uj, parts.net_rest_uj = _core.shares(
            curve.t_ns, curve.energy_uj, starts, ends, shares, idle_w
        )
    return parts


def own_time(
    curve: Curve,
    lanes: Column,
    t0_ns: Column,
    t1_ns: Column,
    weights: Column | None = None,
    idle_w: float | None = None,
) -> Parts:
    """As `divide`, but within a lane each instant belongs to the interval that began last and still lasts."""
    owner, starts, ends = _core.own_time(*(np.ascontiguousarray(column, "u8") for column in (lanes, t0_ns, t1_ns)))
    of_pieces = None if weights is None else np.asarray(weights, "f8")[owner]
    return divide(curve, starts, ends, of_pieces, idle_w).by_owner(owner, len(t0_ns))
