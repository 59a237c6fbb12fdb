"""Inference: joules per request and per unit of output, of any Python callable, one at a time or many at once."""

from __future__ import annotations

import time
from itertools import count

import numpy as np

from . import settings
from .measurement import NS_PER_S
from .requests import Report, evaluate
from .shares import Curve
from .span_columns import LOST, curve_of, named, numbers
from .span_gpus import with_gpus
from .spans import idle_power
from .synchronise import synchroniser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ._core import Span
    from .measurement import Measurement
    from .meter import Meter

# Numbers of requests, and of their lanes, in this process.
_numbers = count(1)


class inference:
    """Measures requests on a started meter.

        requests = eco2ai_fast.inference(meter, unit="token")
        with requests.request() as r:              # or `async with`
            for token in generate(prompt):
                r.output()                         # the first one ends the prefill
        print(requests.report())

    Args:
        meter: a Meter; at 100 Hz a request of some 50 ms is resolved on machines with a counter, see each one's bound.
        unit: what a request puts out: "token", "image", "row".
        name: of the spans; two helpers on one meter need two names.
        idle: power of the idle machine in watts, or a Measurement of it; `measure_idle()` takes one.
        warmup: how many requests at the begin do not count; None: found from their energies.
        sync: waits for a GPU at begin, first output and end: "torch", "jax", "cupy" or a function.
    """

    def __init__(
        self,
        meter: Meter,
        unit: str = "unit",
        *,
        name: str = "request",
        idle: float | Measurement | None = None,
        warmup: int | None = None,
        sync: str | Callable[[], object] | None = None,
    ) -> None:
        self.meter = meter
        self.unit = unit
        self.idle_w = idle_power(idle)
        self.warmup = warmup
        self._phases = (f"{name}: prefill", f"{name}: decode")
        self._sync = synchroniser(sync)

    def request(self) -> Request:
        """One request, for `with` or `async with`."""
        return Request(self.meter, self._phases, self._sync)

    def wrap(self, function: Callable[..., Any], units: Callable[[Any], float] | None = None) -> Callable[..., Any]:
        """`function` (also async, or a generator) as one request for each call.

        units: how many units a result holds, such as `len`; without, one. What a generator yields is a unit each, and
        the first one ends the prefill.
        """
        from .streams import as_request

        return as_request(self.request, function, units)

    def run(
        self, function: Callable[..., Any], inputs: Iterable[Any], units: Callable[[Any], float] | None = None
    ) -> Report:
        """Calls a plain function or generator function once for each input, each time at a random phase of the meters'
        ticks, and reports."""
        from random import uniform

        call = self.wrap(function, units)
        tick_s = max((one.tick_s for one in self.meter.domains if one.counted), default=0.0)
        for one in inputs:
            time.sleep(uniform(0, tick_s))
            result = call(one)
            if hasattr(result, "__next__"):
                for _ in result:
                    pass
        return self.report()

    def measure_idle(self, seconds: float = 2.0) -> float:
        """Measures the power of the machine as it is now, in watts, and takes it for that of the idle machine."""
        start_ns = self.meter.now_ns
        time.sleep(seconds)
        measured: Measurement = self.meter.energy_between(start_ns, self.meter.now_ns)
        self.idle_w = measured.energy_j / measured.duration_s
        return self.idle_w

    def report(self, weights: str | tuple[float, float] | None = None) -> Report:
        """What the requests that have ended cost. Raises ValueError if there is none; switched off by
        ECO2AI_FAST_DISABLE, a report of none.

        weights: how requests that overlap share the energy: equally; "units", by what each puts out in all; or a pair
        of numbers, of a request before and after its first output.
        """
        if settings.disabled():
            nothing = np.zeros(0, "u8")
            curve = Curve(nothing, nothing, nothing, np.zeros(0))
            return evaluate(curve, nothing, nothing, nothing, np.zeros(0), unit=self.unit)
        table, gpus = with_gpus(self.meter, None, None)
        if self._phases[0] not in table["names"]:
            raise ValueError("no request has begun yet")
        table = named(table, [one for one in self._phases if one in table["names"]])
        gpus.mark(table)
        curve, table = curve_of(table)
        curve = gpus.add_to(curve, table)
        gpus.tell(table, table, curve, is_by_curve=True)
        told, unfinished = _requests(table, self._phases)
        if not len(told["t0_ns"]):
            raise ValueError("no request has ended yet, or the history of all of them is lost")
        return evaluate(
            curve,
            *(told[key] for key in ("t0_ns", "first_ns", "t1_ns", "units")),
            weights=_weights(told["units"], weights),
            unfinished=unfinished,
            idle_w=self.idle_w,
            sensor_rel=_sensor_rel(table),
            failed=told["failed"],
            unit=self.unit,
            warmup=self.warmup,
        )


class Request:
    """One request. Set `units` before its end, or count with `output()`."""

    __slots__ = ("_meter", "_number", "_phases", "_span", "_sync", "has_output", "units")

    def __init__(self, meter: Meter, phases: tuple[str, str], sync: Callable[[], object] | None) -> None:
        self._meter = meter
        self._phases = phases
        self._sync = sync
        self._number = next(_numbers)
        self._span: Span | None = None
        self.has_output = False
        self.units: float | None = None

    def _begin(self, phase: str) -> None:
        self._span = self._meter.begin(phase, lane=self._number, request=self._number)

    def first_output(self) -> None:
        """The first output is there: from here on it is decoding. Further calls do nothing."""
        if self._span is not None and not self.has_output:
            self.has_output = True
            if self._sync is not None:
                self._sync()
            self._span.__exit__(None, None, None)
            self._begin(self._phases[1])

    def output(self, units: float = 1) -> None:
        """So many units more are there."""
        self.first_output()
        self.units = (self.units or 0) + units

    def __enter__(self) -> Request:
        if self._sync is not None:
            self._sync()
        self._begin(self._phases[0])
        return self

    def __exit__(self, *error: Any) -> None:
        if self._span is not None:
            if self._sync is not None:
                self._sync()
            self._span.set(units=1 if self.units is None else self.units, ended=1)
            self._span.__exit__(*error)
            self._span = None

    async def __aenter__(self) -> Request:
        return self.__enter__()

    async def __aexit__(self, *error: Any) -> None:
        self.__exit__(*error)


def _requests(table: dict[str, Any], phases: tuple[str, str]) -> tuple[dict[str, Any], tuple[Any, Any]]:
    """Requests that have ended and whose marks all have an energy, from the spans of their phases, as columns; begins
    and ends of the phases of all others."""
    number, ended = numbers(table, "request", 0), numbers(table, "ended", 0) > 0
    is_usable = (table["status"] < LOST) & (number > 0)
    is_decode = table["name"] == (table["names"].index(phases[1]) if phases[1] in table["names"] else -1)
    prefills = np.flatnonzero(is_usable & ~is_decode)
    prefills = prefills[np.argsort(number[prefills])]
    last = np.flatnonzero(is_usable & ended & np.isin(number, number[prefills]))
    first = prefills[np.searchsorted(number[prefills], number[last])]
    told = {
        "t0_ns": table["t0_ns"][first],
        "first_ns": np.where(is_decode[last], table["t0_ns"][last], 0).astype("u8"),
        "t1_ns": table["t1_ns"][last],
        "units": numbers(table, "units", np.nan)[last],
        "failed": table["failed"][last],
    }
    others = (table["status"] != LOST) & ~np.isin(number, number[last])
    return told, (table["t0_ns"][others], table["t1_ns"][others])


def _weights(units: Any, weights: str | tuple[float, float] | None) -> tuple[Any, Any] | None:
    if weights is None:
        return None
    if weights == "units":
        return units, units
    if isinstance(weights, str) or len(weights) != 2:
        raise ValueError(f'weights are "units", a pair of numbers, or None, not {weights!r}')
    before, after = weights
    return np.full(len(units), float(before)), np.full(len(units), float(after))


def _sensor_rel(table: dict[str, Any]) -> float:
    """The sensors' relative error over all requests: that of each by its time."""
    seconds = (table["t1_ns"] - table["t0_ns"]) / NS_PER_S
    return float((table["sensor_rel"] * seconds).sum() / seconds.sum()) if seconds.sum() else 0.0
