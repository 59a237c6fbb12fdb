"""What a machine's energy curves were: written down while a meter runs, and asked afterwards as the meter would be."""

from __future__ import annotations

import os
from array import array

import numpy as np

from . import _core
from .gpucurves import IN_A_MODULE, Heights, add_to
from .gputraces import GPU_KEYS, GpuRecorder, GpuTables, heights, is_lost
from .record import head as machine_head
from .shares import Curve
from .tracefile import COLUMNS, DATA, DONE, HEAD, Chunks, TraceError, Writer, anchor_of, changes_of
from .tracestore import FAR_NS, Descriptor, Rows, Survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from .meter import Meter

    Column = NDArray[Any]

# Of each domain in the head of a file, beside its number.
DOMAIN_KEYS = (
    "id", "kind", "package", "source", "provenance", "counted", "parent", "reason", "detail", "sensor_rel", "tick_s",
    "resolution_s", "max_power_w",
)  # fmt: skip
UNITS = {
    "t_ns": "ns of CLOCK_MONOTONIC",
    "half_ns": "ns",
    "uncovered_ns": "ns",
    "energy_uj": "uJ",
    "estimated_uj": "uJ",
}
GAPS = np.dtype([("domain", "U32"), ("t0_ns", "u8"), ("t1_ns", "u8"), ("kind", "U12")])
STEPS = np.dtype([("t0_ns", "i8"), ("t1_ns", "i8"), ("step_ns", "i8")])
# Two changes this far apart, in medians, and FAR_NS at least, leave the time in between without a shape.
FAR_MEDIANS = 20
# A height depends on so many changes on each side of its instant, and a few more (curve.rs, NEIGHBOURS).
MARGIN = 16
# A change of UTC beyond sleep of the machine that no slewing makes: adjtimex(2) turns the clock by one part in 2000.
UTC_STEP_NS, SLEW_PART = 10_000_000, 2000


class Recorder:
    """Writes what changes on a meter to a file, each time `flush()` is called; at least twice per history length."""

    def __init__(self, meter: Meter, path: str | os.PathLike[str], rate_hz: float | str | None = None) -> None:
        self._meter = meter
        self._numbers = [0] * len(meter.domains)
        self._writer = Writer(path, head(meter, rate_hz))
        self._gpus = GpuRecorder(meter, DOMAIN_KEYS)

    def flush(self) -> None:
        """Appends the changes since the last call. Raises OSError."""
        changes = [self._since(place) for place in range(len(self._numbers))]
        self._writer.data(_core.clock_anchor(), changes)
        self._gpus.flush(self._writer, _core.clock_anchor())

    def close(self) -> None:
        """Reads the meters once more, so that the curves reach until now, and ends the file."""
        self._meter.tick()
        self.flush()
        self._writer.done(_core.clock_anchor())

    def _since(self, place: int) -> tuple[int, Column]:
        first = self._numbers[place]
        self._numbers[place], rows = self._meter.changes_since(place, first)
        # What a new recorder finds gone was before its time.
        return (self._numbers[place] - first - len(rows) if first else 0), rows


def head(meter: Meter, rate_hz: float | str | None) -> dict[str, Any]:
    """The head of a file: the machine, its domains and what the columns mean."""
    domains = [{key: getattr(domain, key) for key in DOMAIN_KEYS} for domain in meter.domains]
    missing = [
        {"source": one.source, "domain": one.domain, "availability": one.availability, "detail": one.detail}
        for one in meter.findings
        if one.availability != "available"
    ]
    return machine_head("trace") | {
        "rate_hz": rate_hz,
        "domains": domains,
        "missing": missing,
        "columns": COLUMNS,
        "units": UNITS,
    }


def save_trace(meter: Meter, path: str | os.PathLike[str]) -> None:
    """Writes the recorded history of a meter. Raises OSError."""
    Recorder(meter, path).close()


class TraceDomain:
    """A domain as it was measured; the attributes of `meter.domains`."""

    __slots__ = (*DOMAIN_KEYS, *GPU_KEYS)
    id: str
    kind: str
    provenance: str
    counted: bool
    sensor_rel: float
    tick_s: float
    uuid: str | None
    is_module: bool | None

    def __init__(self, values: dict[str, Any]) -> None:
        for key in (*DOMAIN_KEYS, *GPU_KEYS):
            setattr(self, key, values.get(key))

    def __repr__(self) -> str:
        return f"<{self.id}: {self.provenance}, {'counted' if self.counted else 'not counted'}>"


class Trace:
    """Recorded energy curves. They stay in the file: memory goes with what is asked for, not with the trace's length.

    Attributes:
        domains: what was measured (`TraceDomain`). head: all that the file says of the machine and the recorder.
        curves: for each domain's id a mapping of columns (n,), u8, each read when it is asked for: t_ns, energy_uj
            (since the first reading), half_ns of the instant, estimated_uj (part of energy_uj), uncovered_ns (time up
            to there that no readings cover). `stretch()` gives a part of them.
        anchors: (m, 3), u8: monotonic, boottime and UTC of the same instants, in ns.
        start_ns, end_ns: from when to when all counted domains are known; instants in between have a height.
        is_complete: whether the recorder ended on purpose. lost: changes that were overwritten before it came.
        notes: what a reader must know, each a sentence.
    """

    def __init__(
        self, path: str, said: dict[str, Any], rows: list[Rows], surveys: list[Survey], anchors: Column
    ) -> None:
        self.path, self.head, self.anchors = path, said, anchors
        self.domains = [TraceDomain(one) for one in said["domains"]]
        self.curves: dict[str, Rows] = dict(zip((one.id for one in self.domains), rows, strict=True))
        self._surveys = surveys
        both = list(zip(self.domains, surveys, strict=True))
        latest_ns = max((int(one.last[0]) for one in surveys if one.last is not None), default=0)
        self.lost_gpus = {one.id: survey for one, survey in both if is_lost(one, survey, latest_ns)}
        known = [survey for one, survey in both if one.counted and one.id not in self.lost_gpus]
        ends = [(one.first[0], one.last[0]) for one in known if one.first is not None and one.last is not None]
        if not ends or len(ends) < len(known) or any(first == last for first, last in ends):
            raise TraceError(f"{path} ends before every counted domain changed twice: record for longer")
        self.start_ns = max(int(first) for first, _ in ends)
        self.end_ns = min(int(last) for _, last in ends)
        self.is_complete = False
        self.lost = 0
        self.notes: tuple[str, ...] = ()

    @property
    def host_hash(self) -> str | None:
        found: str | None = self.head["host"]["hash"]
        return found

    @property
    def boot_id(self) -> str | None:
        found: str | None = self.head["host"]["boot_id"]
        return found

    @property
    def pace_ns(self) -> int:
        """Usual distance of two changes of the slowest counted domain."""
        both = zip(self._surveys, self.domains, strict=True)
        return max(one.median_step_ns for one, domain in both if domain.counted)

    def stretch(self, domain: str, t0_ns: int, t1_ns: int) -> dict[str, Column]:
        """The changes of a domain from t0_ns to t1_ns, as columns. Raises KeyError for a domain there is not."""
        table = self.curves[domain].between(t0_ns, t1_ns)
        return dict(zip(COLUMNS, np.ascontiguousarray(table.T), strict=True))

    def total_uj(self, place: int) -> int:
        """Energy of the domain at `place` from its first change to its last."""
        survey, energy = self._surveys[place], COLUMNS.index("energy_uj")
        return 0 if survey.first is None or survey.last is None else int(survey.last[energy] - survey.first[energy])

    def heights(self, place: int, t_ns: Column) -> tuple[Column, Column, Column, Column]:
        """As `Meter.heights`: energy and estimated part in uJ, one sigma in uJ, uncovered ns, of the domain at `place`
        up to each instant. Raises HistoryLost for an instant before its first change."""
        domain = self.domains[place]
        t_ns = np.asarray(t_ns, "u8")
        if domain.kind == "gpu":
            each, back = np.unique(t_ns, return_inverse=True)
            return tuple(column[back] for column in heights(domain, self.curves[domain.id], each)[:4])  # type: ignore[return-value]
        order = np.argsort(t_ns, kind="stable")
        ascending = np.ascontiguousarray(t_ns[order])
        found = tuple(np.empty(len(t_ns), kind) for kind in ("u8", "u8", "f8", "u8"))
        for begin, end, rows in self.curves[domain.id].stretches(ascending, MARGIN):
            curve: Any = tuple(np.ascontiguousarray(rows.T))
            told = _core.recorded_heights(curve, round(domain.tick_s * 1e9), ascending[begin:end])
            for column, values in zip(found, told, strict=True):
                column[order[begin:end]] = values
        total_uj, estimated_uj, sigma_uj, uncovered_ns = found
        return total_uj, estimated_uj, sigma_uj, uncovered_ns

    def energy_between(self, t0_ns: ArrayLike, t1_ns: ArrayLike) -> Column:
        """As `Meter.energy_between` over arrays: a structured array (n,) with t0_ns, t1_ns, energy_j, measured_j,
        modelled_j, sampling_j and coverage over the counted domains.

        Raises HistoryLost for an instant that is not between start_ns and end_ns.
        """
        from .energies import energies

        ends = np.concatenate([np.atleast_1d(t0_ns), np.atleast_1d(t1_ns)])
        if len(ends) and not (self.start_ns <= ends.min() and ends.max() <= self.end_ns):
            raise _core.HistoryLost(f"{self.path} reaches from {self.start_ns} to {self.end_ns} ns: ask in between")
        return energies(self, t0_ns, t1_ns)

    @property
    def gaps(self) -> Column:
        """Where the curves say less, as rows of domain, t0_ns, t1_ns and kind: "unread" (no unbroken readings: the
        energy was estimated) or "unshaped" (energy known in total, but not when: nothing was read in between)."""
        rows = [
            (domain.id, *gap)
            for domain, survey in zip(self.domains, self._surveys, strict=True)
            for gap in survey.gaps(max(FAR_NS, FAR_MEDIANS * survey.median_step_ns))
        ]
        ends_ns = ((name, survey.last) for name, survey in self.lost_gpus.items())
        rows += [(name, int(last[0]), self.end_ns, "unread") for name, last in ends_ns if last is not None]
        return np.array(sorted(rows, key=lambda row: row[1]), GAPS)

    def monotonic_ns(self, utc_ns: Column) -> Column:
        """Instants of CLOCK_MONOTONIC from UTC, between the anchors and on at their ends (no rounding to floats)."""
        utc_ns = np.asarray(utc_ns, "i8")
        offset_ns = (self.anchors[:, 2] - self.anchors[:, 0]).astype("i8")
        place = np.searchsorted(self.anchors[:, 2], utc_ns.astype("u8"), side="right") - 1
        found: Column = utc_ns - offset_ns[np.clip(place, 0, len(offset_ns) - 1)]
        return found

    @property
    def utc_steps(self) -> Column:
        """Where UTC was set, by more than slewing can be, as rows of t0_ns, t1_ns (monotonic) and step_ns."""
        monotonic_ns, boottime_ns, utc_ns = self.anchors.astype("i8").T
        step_ns = np.diff(utc_ns - boottime_ns)
        is_set = np.flatnonzero(np.abs(step_ns) > UTC_STEP_NS + np.diff(boottime_ns) // SLEW_PART)
        steps = np.zeros(len(is_set), STEPS)
        steps["t0_ns"], steps["t1_ns"] = monotonic_ns[is_set], monotonic_ns[is_set + 1]
        steps["step_ns"] = step_ns[is_set]
        return steps

    def to_npz(self, path: str | os.PathLike[str]) -> None:
        """Writes `head` (JSON), `anchors` and for each domain `<id>/<column>` as numpy's .npz."""
        from .traceforms import write_npz

        write_npz(self, path)

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Writes one table of all changes with the domain's id as a column, and `head` as metadata "eco2ai_fast".

        Raises ImportError without pyarrow.
        """
        from .traceforms import write_parquet

        write_parquet(self, path)

    def __repr__(self) -> str:
        length_s = (self.end_ns - self.start_ns) / 1e9
        notes = "".join(f"; {note}" for note in self.notes)
        return f"<Trace of {length_s:.6g} s: {', '.join(self.curves)}{notes}>"


def with_gpus(trace: Trace, t_ns: Column, starts: Column, ends: Column) -> Curve:
    """The curve of all counted domains at instants; starts, ends: when somebody was active, who then has what exceeds
    the flat power of a GPU beside."""
    places = [place for place, one in enumerate(trace.domains) if one.counted and one.kind != "gpu"]
    cards = [_Written(trace, one) for one in trace.domains if one.kind == "gpu" and one.counted]
    return add_to(Curve.of_meter(trace, t_ns, places), cards, starts, ends)[0]


class _Written:
    """A GPU of a trace, in the form that `gpucurves.add_to` asks for."""

    def __init__(self, trace: Trace, domain: TraceDomain) -> None:
        self._trace, self._domain = trace, domain
        self.id, self.tick_s = domain.id, domain.tick_s

    def heights(self, t_ns: Column, is_active: Column) -> Heights | None:
        curve = self._trace.curves[self.id]
        return Heights(*heights(self._domain, curve, t_ns, is_active)) if curve.count > 1 else None


def load_trace(path: str | os.PathLike[str]) -> Trace:
    """Reads a trace up to its last whole chunk. Raises TraceError for what is none, OSError if it cannot be read."""
    chunks = Chunks(path)
    file = Descriptor(chunks.path)
    said: dict[str, Any] | None = None
    rows: list[Rows] = []
    surveys: list[Survey] = []
    anchors = array("Q")
    lost, is_complete = 0, False
    gpus = GpuTables(file)
    for kind, at, payload in chunks:
        gpus.take(kind, at, payload)
        if kind == HEAD:
            said = _head(payload, chunks.path)
            rows, surveys = [Rows(file) for _ in said["domains"]], [Survey() for _ in said["domains"]]
        elif kind in (DATA, DONE):
            anchors.extend(anchor_of(payload))
            is_complete = kind == DONE
        if kind == DATA:
            for index, survey, (missing, within, table) in zip(
                rows, surveys, changes_of(payload, len(rows)), strict=True
            ):
                index.add(at + within, table)
                survey.add(table)
                lost += missing
    if said is None or not anchors:
        raise TraceError(f"{chunks.path} holds no readings: {chunks.broken or 'the recorder was ended at its begin'}")
    for survey in surveys:
        survey.settle()
    cards = gpus.tables()
    said["domains"] = [*_beside(said["domains"], gpus.domains), *gpus.domains]
    rows, surveys = rows + [one for one, _ in cards], surveys + [one for _, one in cards]
    trace = Trace(chunks.path, said, rows, surveys, np.frombuffer(anchors, "u8").reshape(-1, 3))
    trace.is_complete, trace.lost = is_complete and chunks.broken is None, lost + gpus.lost
    trace.notes = tuple(_notes(trace, chunks.broken))
    return trace


def _beside(domains: list[dict[str, Any]], gpus: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The domains beside these GPUs: a module contains its processor and memory, which are then not added."""
    module = next((gpu["id"] for gpu in gpus if gpu["is_module"]), None)
    inside = {"counted": False, "parent": module}
    return [one | inside if module and one["kind"] in IN_A_MODULE else one for one in domains]


def _head(payload: bytes, path: str) -> dict[str, Any]:
    import json

    said: dict[str, Any] = json.loads(payload)
    if tuple(said["columns"]) != COLUMNS:
        raise TraceError(f"{path} has the columns {', '.join(said['columns'])}, which this package does not know")
    return said


def _notes(trace: Trace, broken: str | None) -> list[str]:
    notes = []
    if not trace.is_complete:
        seconds = (trace.end_ns - trace.start_ns) / 1e9
        why = broken or "its end was not written"
        notes.append(
            f"the recorder was stopped, or still runs: {why};"
            f" the trace is whole up to {trace.end_ns} ns, {seconds:.3f} s in"
        )
    if trace.lost:
        notes.append(f"{trace.lost} changes were overwritten before they were written: totals stand, detail is missing")
    for name in trace.lost_gpus:
        notes.append(f"{name} stopped answering: its energy is in the trace up to there")
    notes += [f"{one.id}: {remark}" for one in trace.domains for remark in getattr(one, "remarks", None) or ()]
    gaps = trace.gaps
    if len(gaps):
        longest = gaps[np.argmax(gaps["t1_ns"] - gaps["t0_ns"])]
        seconds = (int(longest["t1_ns"]) - int(longest["t0_ns"])) / 1e9
        notes.append(f"{len(gaps)} gaps, the longest of {seconds:.1f} s ({longest['domain']}, {longest['kind']})")
    asleep_s = float(np.ptp(trace.anchors[:, 1] - trace.anchors[:, 0])) / 1e9
    if asleep_s > 0.01:
        notes.append(f"the machine slept for {asleep_s:.1f} s, which is no part of the trace")
    steps_ns = trace.utc_steps["step_ns"]
    if len(steps_ns):
        notes.append(f"UTC was set {len(steps_ns)} times, by {steps_ns[np.argmax(abs(steps_ns))] / 1e9:+.3f} s at most")
    return notes
