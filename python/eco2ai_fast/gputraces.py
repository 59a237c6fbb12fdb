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
from .tracestore import Rows, Survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from .gpucurves import Card
    from .meter import Meter
    from .tracefile import Writer
    from .tracestore import Descriptor

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

    def __init__(self, file: Descriptor) -> None:
        self.domains: list[dict[str, Any]] = []
        self.lost = 0
        self._file = file
        self._tables: dict[str, tuple[Rows, Survey]] = {}

    def take(self, kind: bytes, at: int, payload: bytes) -> None:
        """Takes a chunk in whose payload begins at byte `at`, if it is of GPUs."""
        if kind == GPUS:
            self.domains = json.loads(payload)
        elif kind == GPU_DATA:
            changes = changes_of(payload, len(self.domains))
            for domain, (missing, within, table) in zip(self.domains, changes, strict=True):
                rows, survey = self._of(domain)
                rows.add(at + within, table)
                survey.add(table)
                self.lost += missing

    def tables(self) -> list[tuple[Rows, Survey]]:
        """Of each GPU where its rows lie and what was learned of them, in the order of `domains`."""
        found = [self._of(domain) for domain in self.domains]
        for _, survey in found:
            survey.settle()
        return found

    def _of(self, domain: dict[str, Any]) -> tuple[Rows, Survey]:
        return self._tables.setdefault(domain["uuid"], (Rows(self._file), Survey()))


def heights(
    domain: Any, curve: Mapping[str, Column], t_ns: Column, is_active: Column | None = None
) -> tuple[Column, ...]:
    """As `Meter.heights`, of a GPU whose curve was written down, at ascending instants, each once, and the codes of the
    rules behind them. is_active: whether anybody is, from each to the next."""
    active = np.zeros(len(t_ns), bool) if is_active is None else is_active
    columns: Any = tuple(curve[name] for name in COLUMNS)
    found = _core.gpu_heights(columns, t_ns, active, reach_ns=domain.reach_ns or 0, limit_w=domain.max_power_w)
    if found is None:
        raise _core.HistoryLost(f"{domain.id}: its meter was not updated twice")
    return found


def is_lost(domain: Any, survey: Survey, end_ns: int) -> bool:
    """Whether a GPU stopped answering long before the end of the trace: it is then known up to there."""
    if domain.kind != "gpu":
        return False
    is_short = survey.first is None or survey.last is None or survey.first[0] == survey.last[0]
    return is_short or int(survey.last[0]) + LOST_NS < end_ns  # type: ignore[index]
