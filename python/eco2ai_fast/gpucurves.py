"""The recorded energy of a started meter's GPUs: curves that outlive a stop, and what they say of windows and instants.

A GPU is looked at in walks: one from the meter's first start on, another after a stop of more than half a minute. Each
walk counts from its own begin; here they are one curve, which stands still in between and is not covered there.
"""

from __future__ import annotations

import numpy as np

from . import _core
from .measurement import NS_PER_S, UJ_PER_J, Z_95
from .shares import Curve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from ._core import GpuCurve, Gpus, GpuWindow
    from .meter import Meter
    from .traces import Trace

    Column = NDArray[Any]

# What a module's figure contains (Grace Hopper).
IN_A_MODULE = ("package", "dram")
# Codes of `_core.gpu_rules()` from which on a window has no energy, and of one whose begin is forgotten.
NO_ENERGY, FORGOTTEN = 5, 6
# Columns of `changes_since`.
T_NS, ENERGY_UJ, UNCOVERED_NS = 0, 1, 4


class Heights:
    """A GPU's curve at instants: whole microjoules that never fall, the estimated part, one sigma, uncovered ns, and
    the codes of the rules (`_core.gpu_rules`)."""

    __slots__ = ("energy_uj", "estimated_uj", "rule", "sigma_uj", "uncovered_ns")

    def __init__(
        self, energy_uj: Column, estimated_uj: Column, sigma_uj: Column, uncovered_ns: Column, rule: Column
    ) -> None:
        self.energy_uj, self.estimated_uj, self.sigma_uj = energy_uj, estimated_uj, sigma_uj
        self.uncovered_ns, self.rule = uncovered_ns, rule


class Windows:
    """A GPU's energy over windows, each closed by what suits its ends; 0 uJ with coverage 0 where there is none."""

    __slots__ = ("coverage", "energy_uj", "estimated_uj", "is_settled", "rule", "sigma_uj")

    def __init__(
        self,
        energy_uj: Column,
        estimated_uj: Column,
        bound_j: Column,
        coverage: Column,
        rule: Column,
        is_settled: Column,
    ) -> None:
        self.energy_uj, self.estimated_uj = energy_uj, estimated_uj
        self.sigma_uj = bound_j / Z_95 * UJ_PER_J
        self.coverage, self.rule, self.is_settled = coverage, rule, is_settled


class Card:
    """One GPU over all walks of its meter; the attributes of `meter.domains`, and those of a GPU (`_core.GpuCurve`)."""

    def __init__(self) -> None:
        self._begins_ns: list[int] = []
        self._curves: list[GpuCurve] = []

    def _add(self, begin_ns: int, curve: GpuCurve) -> None:
        self._begins_ns.append(begin_ns)
        self._curves.append(curve)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._curves[-1], name)

    def changes_since(self, number: int) -> tuple[int, Column]:
        """The number of the next update, and the rows since `number` that are still kept (`_core.GpuCurve`)."""
        first, energy_uj, uncovered_ns, end_ns = 0, 0, 0, 0
        found: list[Column] = []
        for curve in self._curves:
            count, rows = curve.changes_since(max(0, number - first))
            last = rows[-1:] if len(rows) else curve.changes_since(max(0, count - 1))[1]
            rows = rows.copy()
            if len(found) and len(last):
                uncovered_ns += int(curve.changes_since(0)[1][0][T_NS]) - end_ns
            rows[:, ENERGY_UJ] += np.uint64(energy_uj)
            rows[:, UNCOVERED_NS] += np.uint64(uncovered_ns)
            found.append(rows)
            if len(last):
                energy_uj += int(last[0][ENERGY_UJ])
                uncovered_ns += int(last[0][UNCOVERED_NS])
                end_ns = int(last[0][T_NS])
            first += count
        return first, np.concatenate(found)

    def heights(self, t_ns: Column, is_active: Column) -> Heights | None:
        """The curve at ascending instants, each once; is_active: whether anybody is from each to the next, who then
        has what exceeds the flat power beside. None before two updates of its meter."""
        told = [self._walked(place, t_ns, is_active) for place in range(len(self._curves))]
        known = [one for one in told if one is not None]
        if not known:
            return None
        sums: list[Any] = [sum(getattr(one, name) for one in known) for name in _SUMS]
        total = Heights(sums[0], sums[1], sums[2], sums[3], known[-1].rule.copy())
        for place, one in enumerate(told):
            if one is not None:
                within = t_ns >= self._begins_ns[place]
                total.rule[within] = one.rule[within]
        return total

    def _walked(self, place: int, t_ns: Column, is_active: Column) -> Heights | None:
        """What one walk adds; it knows nothing beyond its ends, and the time there is the other walks'."""
        curve = self._curves[place]
        is_only = len(self._curves) == 1
        start_ns = 0 if is_only or place == 0 else self._begins_ns[place]
        span_ns = None if place == len(self._curves) - 1 else curve.span_ns
        end_ns = int(np.iinfo("u8").max) if span_ns is None else span_ns[1]
        at_ns, back = np.unique(np.clip(t_ns, start_ns, end_ns), return_inverse=True)
        active = np.zeros(len(at_ns), bool)
        # Instants that were clipped into one are ascending: the last of them is the true one, or the end.
        active[back] = is_active
        found = curve.heights(at_ns.astype("u8"), active)
        if found is None:
            return None
        heights = Heights(*(column[back] for column in found))
        if not is_only and place < len(self._curves) - 1:
            # From its end to the next walk's begin nobody looked.
            gap_ns = np.clip(t_ns, end_ns, self._begins_ns[place + 1]) - np.uint64(end_ns)
            heights.uncovered_ns = heights.uncovered_ns + gap_ns
        return heights

    def closed(self, t0_ns: Column, t1_ns: Column) -> Windows:
        """The energy of windows (n,)."""
        t0_ns, t1_ns = (np.ascontiguousarray(ends, "u8") for ends in (t0_ns, t1_ns))
        place = np.searchsorted(np.asarray(self._begins_ns[1:], "u8"), t0_ns, "right")
        columns: list[Any] | None = None
        for walk in np.unique(place) if len(place) else []:
            mine = place == walk
            told = self._curves[walk].closed(t0_ns[mine], t1_ns[mine])
            if columns is None:
                columns = [np.zeros(len(t0_ns), column.dtype) for column in told]
            for column, part in zip(columns, told, strict=True):
                column[mine] = part
        return Windows(*(columns or self._curves[-1].closed(t0_ns, t1_ns)))


_SUMS = ("energy_uj", "estimated_uj", "sigma_uj", "uncovered_ns")


class GpuPast:
    """The GPUs of one meter: begun and ended with it, asked afterwards."""

    def __init__(self, keeper: Gpus) -> None:
        self._keeper = keeper
        self._walks: list[GpuWindow] = []

    def begin(self) -> GpuWindow | None:
        """From now on the GPUs are followed. Starts the driver's thread if need be and waits for nothing."""
        if self._walks and self._walks[-1].is_foreign:
            self._walks = []  # before a fork: the parent's to tell
        window = self._keeper.begin()
        if window is not None:
            window.remember()
            if self._walks and window.is_beside(self._walks[-1]):
                self._walks[-1] = window
            else:
                self._walks.append(window)
        return window

    def end(self) -> None:
        """They are not followed any more. What was recorded stays."""
        if self._walks:
            self._walks[-1].end()

    @property
    def window(self) -> GpuWindow | None:
        """The latest walk's; in a forked child one of its own."""
        if self._walks and self._walks[-1].is_foreign:
            self.begin()
        return self._walks[-1] if self._walks else None

    def cards(self) -> list[Card]:
        """The GPUs that were found so far, in the order of finding."""
        if self.window is None:
            return []
        found: dict[str, Card] = {}
        for walk in self._walks:
            for curve in walk.curves:
                found.setdefault(curve.uuid, Card())._add(walk.t0_ns, curve)
        return list(found.values())

    def started(self) -> list[Card]:
        """The GPUs once the driver has started, for which it waits some seconds at most."""
        if self.window is not None and self.window.stand[0] == "starting":
            self.settle(self.window.t0_ns, self.window.t0_ns)
        return self.cards()

    def between(self, t0_ns: int, t1_ns: int) -> GpuWindow | None:
        """A closed window between two instants of the walk in which it began."""
        if self.window is None:
            return None
        walks = [walk for walk in self._walks if walk.t0_ns <= t0_ns] or self._walks[:1]
        return walks[-1].between(t0_ns, t1_ns)

    def settle(self, t0_ns: int, t1_ns: int) -> None:
        """Waits for the first update after a time, and for a driver that is only being started: as a window would."""
        if self.window is not None:
            self.window.between(t0_ns, t1_ns).wait(False)


def settled(meter: object, t0_ns: int, t1_ns: int) -> list[Card]:
    """The GPUs of a meter once they have told what they can of a time; of a meter without any, none."""
    past: GpuPast | None = getattr(meter, "_gpu_past", None)
    if past is None:
        return []
    past.settle(t0_ns, t1_ns)
    return past.cards()


def add_to(curve: Curve, cards: Sequence[Any], t0_ns: Column, t1_ns: Column) -> tuple[Curve, dict[str, Heights]]:
    """A curve with the energy of GPUs added, at the same instants, and what each GPU's is there.

    t0_ns, t1_ns: when somebody was active (n,); who then has what exceeds the flat power beside.
    """
    starts, ends = np.sort(np.asarray(t0_ns, "u8")), np.sort(np.asarray(t1_ns, "u8"))
    active = np.searchsorted(starts, curve.t_ns, "right") - np.searchsorted(ends, curve.t_ns, "right")
    energy_uj, modelled_uj = curve.energy_uj.copy(), curve.modelled_uj.copy()
    variance, grain_ns = curve.sigma_uj**2, curve.grain_ns
    told: dict[str, Heights] = {}
    for card in cards if len(curve.t_ns) else ():
        heights = card.heights(curve.t_ns, active > 0)
        if heights is None:
            continue
        told[card.id] = heights
        energy_uj += heights.energy_uj
        modelled_uj += heights.estimated_uj
        variance += heights.sigma_uj**2
        grain_ns = max(grain_ns, round(card.tick_s * NS_PER_S))
    return Curve(curve.t_ns, energy_uj, modelled_uj, np.sqrt(variance), grain_ns), told


def places(meter: Meter | _core.Meter | Trace, cards: Sequence[Card]) -> list[int]:
    """The domains of the core that are in the sum beside these GPUs: a module contains its processor and memory."""
    has_module = any(card.is_module for card in cards)
    domains: Sequence[Any] = meter.domains
    counted = [place for place, one in enumerate(domains) if one.counted]
    return [place for place in counted if not (has_module and domains[place].kind in IN_A_MODULE)]


def notes(cards: Sequence[Card], rules: dict[str, Column]) -> list[str]:
    """How ends between two updates were found, each a sentence; rules: for each GPU's id the codes of all ends."""
    words = _core.gpu_rules()
    said = []
    for name, codes in rules.items():
        counts = [(int((codes == code).sum()), word) for code, word in enumerate(words)]
        if any(count for count, _ in counts):
            shares = (f"{100 * count / len(codes):.3g} % {word}" for count, word in counts if count)
            said.append(f"{name}: ends {'; '.join(shares)}")
    return said + [f"{card.id}: {remark}" for card in cards for remark in card.remarks]
