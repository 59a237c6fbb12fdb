"""Requests that a client wrote down, joined with the energy that a trace wrote down: joules for each, afterwards."""

from __future__ import annotations

from math import inf, nan

import numpy as np

from .measurement import NS_PER_S, UJ_PER_J
from .requestlogs import Log, LogError, read_log
from .requests import Report, evaluate
from .shares import Curve
from .spans import idle_power
from .traces import Trace, load_trace, with_gpus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from typing import Any

    from numpy.typing import NDArray

    Column = NDArray[Any]
    Path = str | PathLike[str]

# What a request's flag counts through.
FLAGS = ("ok", "failed", "outside the trace", "bad times", "in a gap", "clock was set")
OK, FAILED, OUTSIDE, BAD, GAP, CLOCK = range(len(FLAGS))
# What vLLM writes as its date has no zone: time zones reach 14 h from UTC, and the file is written a little later.
MOST_ZONE_S = 15 * 3600
# Idle power from less time without requests than this says nothing.
LEAST_IDLE_S = 1.0


class Mismatch(ValueError):
    """The requests and the trace are not of one host, boot or time; the message says what speaks against it."""


class Joined:
    """Requests with their energies.

    Attributes:
        report: `Report` of all requests that could be joined; its whole_j is all of the trace.
        rows: one for each request in the order of the logs: the fields of `report.rows` (not-a-number where there is no
            energy), and flag: a place in FLAGS.
        trace: the Trace. notes: what a reader must know, each a sentence.
        co2e_g_per_1000: grams of CO2e for a thousand such requests; None if none counts.
        intensity, pue: what it was computed with.
    """

    def __init__(self, report: Report, rows: Column, trace: Trace, notes: Sequence[str]) -> None:
        self.report, self.rows, self.trace, self.notes = report, rows, trace, tuple(notes)
        self.co2e_g_per_1000: float | None = None
        self.intensity: Any = None
        self.pue = 1.0

    def flagged(self) -> dict[str, int]:
        """How many requests have each flag that any has, "ok" aside."""
        counts = np.bincount(self.rows["flag"], minlength=len(FLAGS))
        return {name: int(count) for name, count in zip(FLAGS, counts, strict=True) if count and name != "ok"}

    def __repr__(self) -> str:
        lines = [repr(self.report)]
        if self.co2e_g_per_1000 is not None:
            factors = f"{self.intensity!r}, PUE {self.pue:g}"
            lines.append(f"{self.co2e_g_per_1000:.4g} gCO2e per thousand requests ({factors})")
        lines += [f"{count} requests: {flag}" for flag, count in self.flagged().items()]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def join(
    logs: Path | Log | Sequence[Path | Log],
    trace: Path | Trace,
    *,
    split: str | tuple[float, float] = "equal",
    idle: float | str | None = None,
    zone: str | None = None,
    warmup: int = 0,
    clock: str | None = None,
) -> Joined:
    """What each request cost, from a client's log and a trace of the same machine and boot.

    logs: a vLLM detailed result, JSON lines or CSV, or several whose requests ran at the same time.
    split: how requests that overlap share the energy of each instant: "equal"; "tokens", by the tokens each put
        through per second, before and after its first output; or a pair of weights before and after it.
    idle: power of the idle machine in watts; "rest": that of the trace while no request ran.
    warmup: requests at the begin that the figures leave out. clock: of a generic log, see `read_log`.

    Raises Mismatch if host, boot or times do not match; LogError, TraceError and OSError for files.
    """
    trace = trace if isinstance(trace, Trace) else load_trace(trace)
    several: list[Any] = list(logs) if isinstance(logs, (list, tuple)) else [logs]
    if not several:
        raise LogError("there is no log to join")
    read = [one if isinstance(one, Log) else read_log(one, clock) for one in several]
    notes = [*trace.notes, *(note for log in read for note in _check(log, trace))]
    table = np.concatenate([_table(log, trace) for log in read])
    _flag(table, trace)
    report = _evaluate(table, trace, split, idle, read[0].unit, warmup)
    joined = Joined(report, _rows(table, report), trace, notes)
    _add_carbon(joined, zone)
    return joined


def _check(log: Log, trace: Trace) -> list[str]:
    """Raises Mismatch for what cannot be; what may be is a note."""
    is_utc = log.clock == "utc"
    for name, theirs, ours in (("host", log.host_hash, trace.host_hash), ("boot", log.boot_id, trace.boot_id)):
        if theirs and ours and theirs != ours:
            if not is_utc:
                raise Mismatch(
                    f"the requests are of another {name} ({theirs}) than the trace ({ours}): their clocks have nothing"
                    " in common; record on the machine of the client, or write the log in UTC"
                )
            return [f"the requests are of another {name}: their UTC is only as good as the clocks were set"]
    if is_utc and not log.host_hash:
        return ["the requests are in UTC and do not say of which host: right only as far as the clocks were set"]
    if log.finished:
        return _check_date(log, trace)
    if is_utc or log.boot_id:
        return []
    return ["the log does not say of which boot it is: only that its times fit those of the trace is known"]


def _check_date(log: Log, trace: Trace) -> list[str]:
    """vLLM's date, in whatever time zone, against UTC at the end of its last request by the trace's anchors."""
    from datetime import datetime, timezone

    try:
        local = datetime.strptime(str(log.finished), "%Y%m%d-%H%M%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return []
    monotonic_ns, _, utc_ns = (int(one) for one in trace.anchors[-1])
    ended_s = (int(log.end_ns.max()) - monotonic_ns + utc_ns) / NS_PER_S
    apart_s = local.timestamp() - ended_s
    if abs(apart_s) > MOST_ZONE_S:
        raise Mismatch(
            f"the log is dated {log.finished}, {apart_s / 3600:+.1f} h from where its times lie by the clocks of the"
            " trace: it is of another boot or host"
        )
    return []


FIELDS = np.dtype(
    [
        ("t0_ns", "i8"),
        ("first_ns", "i8"),
        ("t1_ns", "i8"),
        ("units", "f8"),
        ("input_units", "f8"),
        ("failed", "?"),
        ("is_utc", "?"),
        ("flag", "u1"),
    ]
)


def _table(log: Log, trace: Trace) -> Column:
    table = np.zeros(len(log), FIELDS)
    is_utc = log.clock == "utc"
    for field, column in (("t0_ns", log.start_ns), ("t1_ns", log.end_ns), ("first_ns", log.first_ns)):
        table[field] = trace.monotonic_ns(column) if is_utc else column
    table["first_ns"][log.first_ns == 0] = 0
    table["units"], table["input_units"], table["failed"] = log.units, log.input_units, log.failed
    table["is_utc"] = is_utc
    return table


def _flag(table: Column, trace: Trace) -> None:
    """What comes later here weighs more. Raises Mismatch if no request lies within the trace."""
    t0_ns, first_ns, t1_ns = (table[name] for name in ("t0_ns", "first_ns", "t1_ns"))
    flag = table["flag"]
    flag[_meets_gap(t0_ns, t1_ns, trace)] = GAP
    for step in trace.utc_steps:
        reach_ns = abs(int(step["step_ns"]))
        near = (t0_ns < step["t1_ns"] + reach_ns) & (t1_ns > step["t0_ns"] - reach_ns)
        flag[table["is_utc"] & near] = CLOCK
    flag[table["failed"]] = FAILED
    flag[(t1_ns < t0_ns) | (first_ns > t1_ns) | ((first_ns > 0) & (first_ns < t0_ns))] = BAD
    is_outside = (t0_ns < trace.start_ns) | (t1_ns > trace.end_ns)
    flag[is_outside & (flag != BAD)] = OUTSIDE
    if not (flag < OUTSIDE).any() and not (flag > BAD).any():
        raise Mismatch(
            f"no request lies within the trace: they ran from {t0_ns.min()} to {t1_ns.max()} ns, the trace from"
            f" {trace.start_ns} to {trace.end_ns} ns; another boot, another host or another time"
        )


def _meets_gap(t0_ns: Column, t1_ns: Column, trace: Trace) -> Column:
    """Which requests run over a gap of a counted domain."""
    counted = [one.id for one in trace.domains if one.counted]
    gaps = trace.gaps
    gaps = gaps[np.isin(gaps["domain"], counted)]
    # Of all gaps that begin before a request ends, the one that ends last decides.
    before = np.searchsorted(gaps["t0_ns"], np.maximum(t1_ns, 0).astype("u8"))
    reach_ns = np.concatenate([[0], np.maximum.accumulate(gaps["t1_ns"])]).astype("i8")
    meets: Column = reach_ns[before] > t0_ns
    return meets


def _evaluate(
    table: Column, trace: Trace, split: str | tuple[float, float], idle: float | str | None, unit: str, warmup: int
) -> Report:
    """Those within the trace get their energy; those that reach beyond it take their share and get none."""
    inside = table[_is_inside(table)]
    beyond = table[table["flag"] == OUTSIDE]
    beyond_ns = [np.clip(beyond[name], trace.start_ns, trace.end_ns).astype("u8") for name in ("t0_ns", "t1_ns")]
    t0_ns, first_ns, t1_ns = (inside[name].astype("u8") for name in ("t0_ns", "first_ns", "t1_ns"))
    ends = np.array([trace.start_ns, trace.end_ns], "u8")
    instants = np.concatenate([ends, t0_ns, t1_ns, first_ns[first_ns > 0], *beyond_ns])
    starts, closes = np.concatenate([t0_ns, beyond_ns[0]]), np.concatenate([t1_ns, beyond_ns[1]])
    curve = with_gpus(trace, instants, starts, closes)
    curve.grain_ns = trace.pace_ns
    if idle == "rest":
        idle = _rest_w(curve, t0_ns, t1_ns, beyond_ns)
    elif isinstance(idle, str):
        raise ValueError(f'idle is a power in watts, "rest" or None, not {idle!r}')
    return evaluate(
        curve,
        t0_ns,
        first_ns,
        t1_ns,
        inside["units"],
        weights=_weights(inside, split),
        unfinished=(beyond_ns[0], beyond_ns[1]),
        idle_w=idle_power(idle),
        sensor_rel=_sensor_rel(trace),
        failed=inside["failed"],
        unit=unit,
        warmup=warmup,
    )


def _is_inside(table: Column) -> Column:
    inside: Column = (table["flag"] != OUTSIDE) & (table["flag"] != BAD)
    return inside


def _weights(rows: Column, split: str | tuple[float, float]) -> tuple[Column, Column] | None:
    """Of each request before and after its first output."""
    if split == "equal":
        return None
    if split == "tokens":
        if np.isnan(rows["input_units"]).any() or np.isnan(rows["units"]).any():
            raise LogError('split="tokens" needs input_lens and output_lens (input_units and units) of every request')
        middle_ns = np.where(rows["first_ns"] > 0, rows["first_ns"], rows["t1_ns"])
        before, after = np.maximum(middle_ns - rows["t0_ns"], 1), np.maximum(rows["t1_ns"] - middle_ns, 1)
        # Its first token comes out of the prefill.
        return rows["input_units"] / before, np.maximum(rows["units"] - 1, 0) / after
    if isinstance(split, str) or len(split) != 2 or min(split) < 0 or not 0 < max(split) < inf:
        raise ValueError(f'split is "equal", "tokens" or a pair of weights, not {split!r}')
    return np.full(len(rows), float(split[0])), np.full(len(rows), float(split[1]))


def _rest_w(curve: Curve, t0_ns: Column, t1_ns: Column, beyond_ns: list[Column]) -> float:
    """Mean power of the trace while no request ran."""
    starts, ends = np.concatenate([t0_ns, beyond_ns[0]]), np.concatenate([t1_ns, beyond_ns[1]])
    active = np.searchsorted(np.sort(starts), curve.t_ns, "right") - np.searchsorted(np.sort(ends), curve.t_ns, "right")
    is_rest = active[:-1] == 0
    rest_s = float(np.diff(curve.t_ns)[is_rest].sum()) / NS_PER_S
    if rest_s < LEAST_IDLE_S:
        raise ValueError(f"no request ran for {rest_s:.3f} s of the trace only: record before or after, or give watts")
    return float(np.diff(curve.energy_uj)[is_rest].sum()) / UJ_PER_J / rest_s


def _sensor_rel(trace: Trace) -> float:
    """Of the whole: that of each counted domain by its energy."""
    energies = [(one, trace.total_uj(place)) for place, one in enumerate(trace.domains) if one.counted]
    total_uj = sum(energy_uj for _, energy_uj in energies)
    weighted = sum(one.sensor_rel * energy_uj for one, energy_uj in energies)
    return weighted / total_uj if total_uj else 0.0


def _rows(table: Column, report: Report) -> Column:
    """In the order of the logs; `report.rows` are in that of their begins."""
    fields = [(name, report.rows.dtype[name]) for name in report.rows.dtype.names or ()]
    rows = np.zeros(len(table), [*fields, ("flag", "u1")])
    for name in ("energy_j", "net_j", "prefill_j", "decode_j", "sampling_j"):
        rows[name] = nan
    for name in ("t0_ns", "first_ns", "t1_ns"):
        rows[name] = np.maximum(table[name], 0)
    for name in ("units", "failed", "flag"):
        rows[name] = table[name]
    inside = np.flatnonzero(_is_inside(table))
    order = inside[np.argsort(table["t0_ns"][inside], kind="stable")]
    for name in report.rows.dtype.names or ():
        rows[name][order] = report.rows[name]
    return rows


def _add_carbon(joined: Joined, zone: str | None) -> None:
    """A zone that was asked for must be known; without one, grams may stay unknown."""
    from . import carbon, settings

    joined.pue = float(settings.resolve("pue", None)[0])
    joined.intensity = carbon.here(zone)
    mean_j = joined.report.energy_j.mean
    if mean_j == mean_j:
        joined.co2e_g_per_1000 = carbon.co2e_g(1000 * mean_j, joined.intensity.g_per_kwh, joined.pue)
