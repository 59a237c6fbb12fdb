"""GPUs in trace files: their channels and curves, beside the domains of the head.

A driver is started while the recorder already writes, so that GPUs come later than the head: a chunk GPUS (JSON) names
those that were found so far, in the order of finding, and each chunk GDAT after it, laid out as DATA, has the updates
of their meters. Readers of older versions pass over both.
"""

from __future__ import annotations

import json

import numpy as np

from . import _core
from .tracefile import COLUMNS, changes_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from .gpucurves import Card
    from .meter import Meter
    from .tracefile import Writer

    Column = NDArray[Any]

GPUS, GPU_DATA = b"GPUS", b"GDAT"
# Of each GPU, beside the attributes of every domain.
GPU_KEYS = ("uuid", "cuda_index", "name", "is_module", "reach_ns", "calibration", "remarks")
# What its curve is, for whoever reads the file without this package.
RULE = (
    "energy at the updates of its meter; in between, stretches in which nobody is active beside flat power have that"
    " power (idle-anchored), else the line is straight (linear); half_ns is the bound of each update"
)
# A GPU whose curve ends so long before the others was lost.
LOST_NS = 5_000_000_000


class GpuRecorder:
    """Writes the updates of a meter's GPUs to its trace file, each time `flush()` is called."""

    def __init__(self, meter: Meter, keys: Sequence[str]) -> None:
        self._meter = meter
        self._keys = (*keys, *GPU_KEYS)
        self._numbers: dict[str, int] = {}
        self._said: list[dict[str, Any]] = []

    def flush(self, writer: Writer, anchor: tuple[int, int, int]) -> None:
        """Appends the changes since the last call. Raises OSError."""
        cards = self._meter.gpus
        if not cards:
            return
        said = [self._of(card) for card in cards]
        if said != self._said:
            writer.chunk(GPUS, json.dumps(said, allow_nan=False).encode())
            self._said = said
        writer.data(anchor, [self._since(card) for card in cards], GPU_DATA)

    def _of(self, card: Card) -> dict[str, Any]:
        return {key: getattr(card, key) for key in self._keys} | {"rule": RULE}

    def _since(self, card: Card) -> tuple[int, Column]:
        first = self._numbers.get(card.uuid, 0)
        self._numbers[card.uuid], rows = card.changes_since(first)
        return (self._numbers[card.uuid] - first - len(rows) if first else 0), rows


class GpuTables:
    """Collects the GPUs of a file from its chunks."""

    def __init__(self) -> None:
        self.domains: list[dict[str, Any]] = []
        self.lost = 0
        self._tables: dict[str, list[Column]] = {}

    def take(self, kind: bytes, payload: bytes) -> None:
        """Takes a chunk in, if it is of GPUs."""
        if kind == GPUS:
            self.domains = json.loads(payload)
        elif kind == GPU_DATA:
            for domain, (missing, rows) in zip(self.domains, changes_of(payload, len(self.domains)), strict=True):
                self._tables.setdefault(domain["uuid"], []).append(rows)
                self.lost += missing

    def tables(self) -> list[Column]:
        """The rows of each GPU, in the order of `domains`."""
        empty = np.zeros((0, len(COLUMNS)), "u8")
        return [np.concatenate([empty, *self._tables.get(one["uuid"], [])]) for one in self.domains]


def heights(domain: Any, curve: dict[str, Column], t_ns: Column, is_active: Column | None = None) -> tuple[Column, ...]:
    """As `Meter.heights`, of a GPU whose curve was written down, at ascending instants, each once, and the codes of the
    rules behind them. is_active: whether anybody is, from each to the next."""
    active = np.zeros(len(t_ns), bool) if is_active is None else is_active
    columns: Any = tuple(curve[name] for name in COLUMNS)
    found = _core.gpu_heights(columns, t_ns, active, reach_ns=domain.reach_ns or 0, limit_w=domain.max_power_w)
    if found is None:
        raise _core.HistoryLost(f"{domain.id}: its meter was not updated twice")
    return found


def is_lost(domain: Any, curve: dict[str, Column], end_ns: int) -> bool:
    """Whether a GPU stopped answering long before the end of the trace: it is then known up to there."""
    return domain.kind == "gpu" and (len(curve["t_ns"]) < 2 or int(curve["t_ns"][-1]) + LOST_NS < end_ns)
