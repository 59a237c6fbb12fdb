"""What GPUs add to spans: energies by the rules of their windows, or shares of one curve, and what is said of both."""

from __future__ import annotations

import numpy as np

from .gpucurves import NO_ENERGY, add_to, notes, places, settled
from .gpus import missing
from .measurement import NS_PER_S
from .shares import Curve, Parts
from .span_columns import LOST, OPEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from .gpucurves import Card, Heights, Windows
    from .meter import Meter

    Column = NDArray[Any]

PROVISIONAL = 1
# Updates after a window that can still change how its end is found.
DECIDING = 4


def with_gpus(
    meter: Meter, wanted: Sequence[int] | None, cards: Sequence[Card] | None
) -> tuple[dict[str, Any], SpanGpus]:
    """The core's table of spans over the domains at the places `wanted`, or over those in the sum, and the GPUs beside
    them: those given, or all. Waits for a GPU's first update after the last span, at most one period."""
    past = meter._gpu_past
    found = [] if past is None else past.started()
    known = found if cards is None else list(cards)
    table = meter.span_table(places(meter, known) if wanted is None else list(wanted))
    ended = table["status"] != OPEN
    if known and ended.any():
        settled(meter, int(table["t0_ns"][ended].min()), int(table["t1_ns"][ended].max()))
    window = None if past is None or cards is not None else past.window
    return table, SpanGpus(known, () if window is None else missing(window))


class SpanGpus:
    """The GPUs of a table of spans."""

    def __init__(self, cards: Sequence[Card], gone: Sequence[tuple[str, str]]) -> None:
        self.cards = cards
        self._missing = gone
        self._heights: dict[str, Heights] = {}
        self._windows: dict[str, Windows] = {}
        self._rules: dict[str, Column] = {}

    def mark(self, table: dict[str, Any]) -> None:
        """Spans that began before what is remembered of a GPU are lost; those of which updates still decide are
        provisional."""
        status = table["status"]
        for card in self.cards:
            status[table["t0_ns"] < (card.forgotten_ns or 0)] = LOST
            if card.span_ns is not None and card.fault is None:
                decided_ns = card.span_ns[1] - DECIDING * round(card.tick_s * NS_PER_S)
                status[(status < PROVISIONAL) & (table["t1_ns"] > max(decided_ns, 0))] = PROVISIONAL

    def add_to(self, curve: Curve, table: dict[str, Any]) -> Curve:
        """The curve of everything: all that are known share it."""
        is_known = table["status"] != LOST
        total, self._heights = add_to(curve, self.cards, table["t0_ns"][is_known], table["t1_ns"][is_known])
        return total

    def tell(self, rows: Any, table: dict[str, Any], curve: Curve, *, is_by_curve: bool) -> None:
        """Coverage of the rows and the sensors' error of both, and by which rules their energies are found."""
        t0_ns, t1_ns = (np.ascontiguousarray(table[key], "u8") for key in ("t0_ns", "t1_ns"))
        is_known = rows["status"] != LOST
        first, last = (np.clip(np.searchsorted(curve.t_ns, ends), 0, len(curve.t_ns) - 1) for ends in (t0_ns, t1_ns))
        gpu_uj, error_uj2 = np.zeros(len(t0_ns)), np.zeros(len(t0_ns))
        for card in self.cards if len(curve.t_ns) else ():
            windows = card.closed(t0_ns, t1_ns)
            heights = self._heights.get(card.id)
            self._windows[card.id] = windows
            coverage, energy_uj = windows.coverage, windows.energy_uj.astype("f8")
            self._rules[card.id] = windows.rule
            if is_by_curve and heights is not None:
                uncovered_ns = heights.uncovered_ns.astype("i8")
                coverage = 1 - (uncovered_ns[last] - uncovered_ns[first]) / np.maximum(t1_ns - t0_ns, 1).astype("f8")
                self._rules[card.id] = np.maximum(heights.rule[first], heights.rule[last])
            elif is_by_curve:
                coverage = np.zeros(len(t0_ns))
            rows["coverage"][is_known] = np.minimum(rows["coverage"], np.clip(coverage, 0, 1))[is_known]
            gpu_uj += energy_uj
            error_uj2 += (card.sensor_rel * energy_uj) ** 2
        if self.cards and len(curve.t_ns):
            core_uj = np.maximum((curve.energy_uj[last] - curve.energy_uj[first]).astype("f8") - gpu_uj, 0.0)
            total_uj = np.maximum(core_uj + gpu_uj, 1.0)
            table["sensor_rel"] = np.sqrt((table["sensor_rel"] * core_uj) ** 2 + error_uj2) / total_uj

    def closed_with(self, parts: Parts, place: Column) -> Parts:
        """`parts` of the rows at `place`, with each GPU's energy of their whole time."""
        energy_uj, modelled_uj, variance = parts.energy_uj.copy(), parts.modelled_uj.copy(), parts.sigma_uj**2
        for windows in self._windows.values():
            energy_uj += windows.energy_uj[place]
            modelled_uj += windows.estimated_uj[place]
            variance += windows.sigma_uj[place] ** 2
        return Parts(energy_uj, modelled_uj, np.sqrt(variance))

    def notes(self, is_shown: Column) -> list[str]:
        """How ends were found, which GPUs have no energy in some spans, and which none at all."""
        said = notes(self.cards, {name: codes[is_shown] for name, codes in self._rules.items()})
        for name, windows in self._windows.items():
            without = int((windows.rule[is_shown] >= NO_ENERGY).sum())
            if without:
                said.append(f"{name}: {without} spans lack its energy, and their coverage is 0")
        return said + [f"{domain} is in no span: {reason}" for domain, reason in self._missing]
