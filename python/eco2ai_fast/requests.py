"""Joules per request and per unit of output, from instants and an energy curve: of live requests and of logs alike."""

from __future__ import annotations

from math import ceil, nan

import numpy as np

from .measurement import NS_PER_S, UJ_PER_J, Z_95
from .quantity import plain, si
from .shares import Curve, divide
from .statistics import effective_size, settled_from, t_95
from .summaries import percentile_bound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    Column = NDArray[Any]

# Fields of `Report.rows`: times as in spans; first_ns is 0 without a first output.
FIELDS = [
    ("t0_ns", "u8"),
    ("first_ns", "u8"),
    ("t1_ns", "u8"),
    ("units", "f8"),
    ("energy_j", "f8"),
    ("net_j", "f8"),
    ("prefill_j", "f8"),
    ("decode_j", "f8"),
    ("sampling_j", "f8"),
    ("failed", "?"),
]


def evaluate(
    curve: Curve,
    t0_ns: Column,
    first_ns: Column,
    t1_ns: Column,
    units: Column,
    *,
    weights: tuple[Column, Column] | None = None,
    unfinished: tuple[Column, Column] | None = None,
    idle_w: float | None = None,
    sensor_rel: float = 0.0,
    failed: Column | None = None,
    unit: str = "unit",
    warmup: int | None = None,
) -> Report:
    """What requests cost that may overlap: at each instant they share the energy.

    All columns are (n,), the times instants of the curve; first_ns is that of the first output, 0 without one.
    weights: of each request before and after its first output; without, all count the same.
    unfinished: begins and ends of others that took their share meanwhile, with the mean weight.
    idle_w: power of the idle machine. sensor_rel: the sensors' own relative error, one sigma.
    warmup: requests at the begin that do not count; None: found from the energies. In the order of t0_ns.
    """
    order = np.argsort(t0_ns, kind="stable")
    rows = np.zeros(len(order), FIELDS)
    for field, column in (("t0_ns", t0_ns), ("first_ns", first_ns), ("t1_ns", t1_ns), ("units", units)):
        rows[field] = np.asarray(column)[order]
    rows["failed"] = False if failed is None else np.asarray(failed)[order]
    others = (np.zeros(0, "u8"), np.zeros(0, "u8")) if unfinished is None else unfinished
    chosen = None if weights is None else [np.asarray(one, "f8")[order] for one in weights]
    whole_j = _divide(rows, curve, others, chosen, idle_w)
    return Report(rows, whole_j, idle_w, sensor_rel, unit, warmup)


def _divide(
    rows: Column, curve: Curve, others: tuple[Column, Column], weights: list[Column] | None, idle_w: float | None
) -> tuple[float, ...]:
    """Fills in the energies; returns whole, rest, unfinished, idle, net rest and net unfinished in joules.

    Each request makes two claims, before and after its first output, and each unfinished one a third.
    """
    count, has_first = len(rows), rows["first_ns"] > 0
    middle_ns = np.where(has_first, rows["first_ns"], rows["t1_ns"])
    starts, ends = (
        np.concatenate([rows["t0_ns"], middle_ns, others[0]]),
        np.concatenate([middle_ns, rows["t1_ns"], others[1]]),
    )
    if weights is not None:
        weights = [*weights, np.full(len(others[0]), np.mean(weights) if count else 0.0)]
    parts = divide(curve, starts, ends, None if weights is None else np.concatenate(weights), idle_w)
    owner = np.concatenate([np.arange(count), np.arange(count), np.full(len(others[0]), count)])
    owned = parts.by_owner(owner, count + 1)
    rows["energy_j"], rows["sampling_j"] = (
        owned.energy_uj[:count] / UJ_PER_J,
        Z_95 * owned.sigma_uj[:count] / UJ_PER_J,
    )
    rows["net_j"] = nan if idle_w is None else owned.net_uj[:count] / UJ_PER_J
    rows["prefill_j"] = np.where(has_first, parts.energy_uj[:count] / UJ_PER_J, nan)
    rows["decode_j"] = np.where(has_first, parts.energy_uj[count : 2 * count] / UJ_PER_J, nan)
    unfinished = (int(owned.energy_uj[count]), int(owned.net_uj[count]))
    sums_uj = (curve.whole_uj, parts.rest_uj, unfinished[0], parts.idle_uj, parts.net_rest_uj, unfinished[1])
    return tuple(one / UJ_PER_J for one in sums_uj)


class Spread:
    """A quantity over requests: mean with its 95 % bound, and percentiles."""

    __slots__ = ("bound", "mean", "p50", "p95", "p99", "symbol")

    def __init__(self, values: Column, bound: float, symbol: str) -> None:
        self.symbol = symbol
        self.bound = bound
        known = values[~np.isnan(values)]
        self.mean = float(known.mean()) if len(known) else nan
        self.p50, self.p95, self.p99 = (
            (float(one) for one in np.percentile(known, (50, 95, 99))) if len(known) else ((nan,) * 3)
        )

    def __repr__(self) -> str:
        bound = f" ± {si(self.bound, self.symbol, 2)}" if self.bound == self.bound else ""
        percentiles = ", ".join(f"{name} {si(getattr(self, name), self.symbol)}" for name in ("p50", "p95", "p99"))
        return f"{si(self.mean, self.symbol)}{bound} ({percentiles})"


class Plan:
    """How many more repeats a precision needs, at the variance seen so far."""

    __slots__ = ("more", "needed", "precision", "reached")

    def __init__(self, precision: float, reached: float, needed: int, done: int) -> None:
        self.precision = precision
        self.reached = reached
        self.needed = needed
        self.more = max(0, needed - done)

    def __repr__(self) -> str:
        goal, now = f"{plain(100 * self.precision, 2)} %", f"{plain(100 * self.reached, 2)} %"
        if not self.more:
            return f"<{goal} is reached: the mean is known to {now}>"
        return f"<for {goal} at this variance: {self.more} more repeats, started at random phase (now {now})>"


class Report:
    """Requests, and what they cost.

    Attributes:
        rows: one for each request in the order of their begins (FIELDS). counted: which of them the figures are over:
            no failed ones, and none before the steady state begins at row `steady_from`.
        energy_j, net_j: a `Spread` of joules per request; prefill_j, decode_j: before and after the first output.
        latency_s, first_output_s: a `Spread` of seconds.
        units, per_unit_j, per_unit_bound_j, net_per_unit_j, units_per_j, units_per_s: over those whose units are known.
        whole_j: all energy from the first begin to the last end. rest_j: what was used while no request ran.
            unfinished_j: the part of requests that have not ended. With rows["energy_j"] they add up to whole_j.
        idle_w, idle_j, net_rest_j, unfinished_net_j: with an idle power; with rows["net_j"] they add up to whole_j.
        requests, failed, warmup: how many counted, failed, and came before the steady state.
    """

    def __init__(
        self,
        rows: Column,
        whole: tuple[float, ...],
        idle_w: float | None,
        sensor_rel: float,
        unit: str,
        warmup: int | None,
    ) -> None:
        self.rows, self.unit, self.idle_w, self.sensor_rel = rows, unit, idle_w, sensor_rel
        self.whole_j, self.rest_j, self.unfinished_j, self.idle_j, self.net_rest_j, self.unfinished_net_j = whole
        self.failed = int(rows["failed"].sum())
        self.steady_from = settled_from(rows["energy_j"]) if warmup is None else min(warmup, len(rows))
        self.warmup = self.steady_from
        self.counted = ~rows["failed"] & (np.arange(len(rows)) >= self.steady_from)
        self._count(rows[self.counted])

    def _count(self, rows: Column) -> None:
        self.requests = len(rows)
        self.energy_j = Spread(rows["energy_j"], self._bound(rows, "energy_j"), "J")
        self.net_j = Spread(rows["net_j"], self._bound(rows, "net_j"), "J")
        self.prefill_j = Spread(rows["prefill_j"], self._bound(rows, "prefill_j"), "J")
        self.decode_j = Spread(rows["decode_j"], self._bound(rows, "decode_j"), "J")
        self.p95_bound_j = percentile_bound(rows["energy_j"], rows["sampling_j"], 95) if len(rows) else nan
        seconds = (rows["t1_ns"] - rows["t0_ns"]) / NS_PER_S
        self.latency_s = Spread(seconds, nan, "s")
        until_first = np.where(rows["first_ns"] > 0, (rows["first_ns"] - rows["t0_ns"]) / NS_PER_S, nan)
        self.first_output_s = Spread(until_first, nan, "s")
        self._count_units(rows)

    def _count_units(self, rows: Column) -> None:
        """Over the requests whose units are known."""
        rows = rows[~np.isnan(rows["units"])]
        used_j = float(rows["energy_j"].sum())
        self.units = float(rows["units"].sum()) if len(rows) else nan
        self.per_unit_j = _ratio(used_j, self.units)
        self.net_per_unit_j = _ratio(float(rows["net_j"].sum()), self.units)
        self.per_unit_bound_j = _ratio(self.energy_j.bound * len(rows), self.units)
        self.units_per_j = _ratio(self.units, used_j)
        span_s = (int(rows["t1_ns"].max()) - int(rows["t0_ns"].min())) / NS_PER_S if len(rows) else 0.0
        self.units_per_s = _ratio(self.units, span_s)

    def _bound(self, rows: Column, field: str) -> float:
        """95 % half-width of a mean: its scatter (in which the sampling errors show already) or the sampling errors,
        whichever is greater, and the sensors' own error."""
        values = rows[field][~np.isnan(rows[field])]
        if not len(values):
            return nan
        scatter_j = (
            t_95(len(values) - 1) * float(values.std(ddof=1)) / effective_size(values) ** 0.5
            if len(values) > 1
            else 0.0
        )
        sampling_j = float(np.sqrt((rows["sampling_j"] ** 2).sum())) / len(rows)
        return float(np.hypot(max(scatter_j, sampling_j), Z_95 * self.sensor_rel * abs(values.mean())))

    def plan(self, precision: float = 0.01) -> Plan:
        """How many repeats the mean energy per request needs to be known to `precision` (95 %), sensor error aside.

        Raises ValueError with less than two counted requests, or for a precision that is not above 0.
        """
        values = self.rows["energy_j"][self.counted]
        if len(values) < 2 or not precision > 0:
            raise ValueError("a plan needs two counted requests at least, and a precision above 0")
        spread = float(values.std(ddof=1)) / float(values.mean())
        correlated = len(values) / effective_size(values)
        needed = ceil((Z_95 * spread / precision) ** 2 * correlated)
        if needed <= len(values) + 30:
            # Few repeats: Student's distribution is wider than the normal one.
            needed = ceil((t_95(max(needed - 1, 1)) * spread / precision) ** 2 * correlated)
        reached = t_95(len(values) - 1) * spread / effective_size(values) ** 0.5
        return Plan(precision, reached, needed, len(values))

    def __repr__(self) -> str:
        lines = [
            f"{self.requests} requests, {'unknown' if self.units != self.units else f'{self.units:g}'} {self.unit}s"
            f" ({self.warmup} before the steady state, {self.failed} failed)",
            f"per request: {self.energy_j!r}",
            f"per {self.unit}: {si(self.per_unit_j, 'J')} ± {si(self.per_unit_bound_j, 'J', 2)}, "
            f"{plain(self.units_per_j)} {self.unit}s per joule, {plain(self.units_per_s)} per second",
            f"latency: {self.latency_s!r}",
        ]
        if self.prefill_j.mean == self.prefill_j.mean:
            lines.insert(2, f"to the first output: {self.prefill_j!r}; after it: {self.decode_j!r}")
        if self.idle_w is not None:
            lines.insert(
                2, f"net of {self.idle_w:.3g} W idle: {self.net_j!r}, {si(self.net_per_unit_j, 'J')} per {self.unit}"
            )
        used = float(self.rows["energy_j"].sum())
        others = f" + unfinished {si(self.unfinished_j, 'J')}" if self.unfinished_j else ""
        rest = si(self.rest_j, "J")
        lines.append(f"all requests {si(used, 'J')}{others} + nobody's {rest} = {si(self.whole_j, 'J')}")
        return "\n".join(lines)


def _ratio(value: float, count: float) -> float:
    return value / count if count > 0 else nan
