"""The energy of a run from its begin on: what the machine drew, the share that is ours, and what that cost."""

from __future__ import annotations

import time

from .._core import EnergyError
from ..attribution import RESOLUTION_S, SHARED_KINDS
from ..measurement import Measurement
from .tree import CpuTimes, cpu_times, share_between

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .. import _core
    from ..carbon.tariff import Tariff

NAN = float("nan")
NS_PER_S = 1_000_000_000
# The share is taken anew this often, so that what others do later changes nothing of what was drawn before. A busy
# machine has a thousand ticks of /proc/stat per CPU in it; on an idle one it takes longer.
SHARE_TICK_S = 10
# What a reading in between waits for an update of GPUs' meters, which move every 20 or 100 ms.
GPU_PATIENCE_S = 0.25


class Figures:
    """What a run or an epoch came to, before PUE.

    Attributes:
        measurement: the machine's energy, by domain, with provenance and error.
        share: what of the energy of processors and memory is ours, 0 to 1: our share of the machine's busy time, taken
            every SHARE_TICK_S; 1 where the whole machine is asked for.
        energy_j: the share of processors and memory, and every other counted domain whole. Not a number, never 0,
            where nothing could be read.
        price: money for energy_j; 0 without a tariff.
        duration_s: by the monotonic clock.
    """

    __slots__ = ("duration_s", "energy_j", "measurement", "price", "share")

    def __init__(
        self, measurement: Measurement, share: float, energy_j: float, price: float, duration_s: float
    ) -> None:
        self.measurement = measurement
        self.share = share
        self.energy_j = energy_j
        self.price = price
        self.duration_s = duration_s


class Run:
    """One window over the whole run; a lap reads it in between and changes nothing.

    How often laps are taken therefore changes no energy, as long as there is one every SHARE_TICK_S.
    """

    __slots__ = (
        "_cost",
        "_cpu0",
        "_cpu1",
        "_gpu_window",
        "_gpus",
        "_meter",
        "_priced_j",
        "_priced_s",
        "_shared_j",
        "_t0_ns",
        "_tariff",
        "_tick_ns",
        "_taken_j",
        "_whole_machine",
        "_window",
    )

    def __init__(
        self,
        meter: _core.Meter | None,
        tariff: Tariff | None,
        *,
        whole_machine: bool,
        gpus: _core.Gpus | None = None,
    ) -> None:
        self._meter = meter
        self._tariff = tariff
        self._whole_machine = whole_machine
        self._window = meter.window() if meter else None
        self._gpus = gpus if meter else None
        self._gpu_window: _core.GpuWindow | None = None

    def begin(self) -> None:
        """Raises EnergyError where the meter cannot be read."""
        self._restart(cpu_times())
        self._gpu_window = self._gpus.begin() if self._gpus else None
        if self._window:
            self._window.begin()

    def lap(self, patience_s: float = GPU_PATIENCE_S) -> Figures:
        """From the begin until now. Of GPUs what is known after one update of their meters, for which it waits; for a
        driver that is only being started it does not."""

        def lapped(t1_ns: int) -> _core.GpuWindow | None:
            window = self._gpu_window and self._gpu_window.lap(t1_ns)
            if window is not None:
                window.wait(False, patience_s if window.stand[0] == "ready" else 0.0)
            return window

        return self._figures(self._window.lap if self._window else None, lapped, is_final=False)

    def split(self) -> Figures:
        """From the begin until now, and a new begin on the same reading."""
        figures = self._figures(self._window.split if self._window else None, self._turned)
        self._restart(self._cpu1)
        return figures

    def skip(self) -> None:
        """A new begin now: what came before is nobody's, and nothing is waited for."""
        self._restart(cpu_times())
        if self._window:
            self._window.split()
        self._turned(time.perf_counter_ns())

    def end(self) -> Figures:
        """From the begin until now; there is nothing after it."""
        return self._figures(self._window.end if self._window else None, self._ended)

    def _turned(self, t1_ns: int) -> _core.GpuWindow | None:
        window, self._gpu_window = self._gpu_window, self._gpus.begin() if self._gpus else None
        if window is not None:
            window.end(t1_ns)
        return window

    def _ended(self, t1_ns: int) -> _core.GpuWindow | None:
        if self._gpu_window is not None:
            self._gpu_window.end(t1_ns)
        return self._gpu_window

    def _restart(self, cpu: CpuTimes) -> None:
        self._t0_ns = self._tick_ns = time.perf_counter_ns()
        self._cpu1 = cpu
        # At the last tick: CPU times, the energy that is shared, and what of it is ours.
        self._cpu0, self._shared_j, self._taken_j = cpu, 0.0, 0.0
        self._cost = 0.0
        self._priced_j = 0.0
        self._priced_s = _second_of_day()

    def _figures(
        self,
        read: Callable[[], _core.Readout] | None,
        gpus: Callable[[int], _core.GpuWindow | None],
        *,
        is_final: bool = True,
    ) -> Figures:
        measurement = Measurement(None, self._meter)
        try:
            measurement._close(read()) if read else measurement._fail("no meter")
            measurement._gpus = gpus(measurement.t1_ns) if read else None
            if not is_final:  # what is not known yet is not waited for any longer
                measurement = measurement._as_known()
        except EnergyError as error:
            measurement._fail(str(error))
        self._cpu1 = cpu_times()
        if measurement._failure:
            return Figures(measurement, NAN, NAN, NAN, (time.perf_counter_ns() - self._t0_ns) / NS_PER_S)
        share = self._share(_sum_j(measurement, is_shared=True))
        energy_j = _attributed_j(measurement, share)
        return Figures(measurement, share, energy_j, self._price(measurement, energy_j), measurement.duration_s)

    def _share(self, shared_j: float) -> float:
        """Our part of the energy that is shared: what it was at the last tick, and what was drawn since."""
        if self._whole_machine:
            return 1.0
        now = share_between(self._cpu0, self._cpu1)
        # A machine that does not tell its busy time: its whole energy is the bound that there is.
        now = 1.0 if now is None else now
        taken_j = self._taken_j + now * max(0.0, shared_j - self._shared_j)
        t_ns = time.perf_counter_ns()
        if t_ns - self._tick_ns >= SHARE_TICK_S * NS_PER_S and _tells_share(self._cpu0, self._cpu1):
            self._tick_ns, self._cpu0 = t_ns, self._cpu1
            self._taken_j, self._shared_j = taken_j, shared_j
        return min(1.0, taken_j / shared_j) if shared_j > 0 else now

    def _price(self, measurement: Measurement, energy_j: float) -> float:
        """What the machine drew since the last lap is priced by the time of day; of that we pay our part."""
        if self._tariff is None:
            return 0.0
        machine_j = measurement.energy_j
        if not machine_j > 0:
            return 0.0 if machine_j == 0 else NAN
        now_s = _second_of_day()
        now_s += 86_400 if now_s < self._priced_s else 0
        self._cost += self._tariff.cost(max(0.0, machine_j - self._priced_j), self._priced_s, now_s)
        self._priced_j = machine_j
        self._priced_s = now_s % 86_400
        return self._cost * energy_j / machine_j


def _tells_share(first: CpuTimes, last: CpuTimes) -> bool:
    """Whether the machine was busy for long enough: on an idle one, a few ticks of /proc/stat tell no share."""
    return first.busy_s is None or last.busy_s is None or last.busy_s - first.busy_s >= RESOLUTION_S


def _attributed_j(measurement: Measurement, share: float) -> float:
    if not any(one.counted and one.energy_j is not None for one in measurement.domains.values()):
        return NAN
    return share * _sum_j(measurement, is_shared=True) + _sum_j(measurement, is_shared=False)


def _sum_j(measurement: Measurement, *, is_shared: bool) -> float:
    counted = (one for one in measurement.domains.values() if one.counted)
    return sum(one.energy_j or 0.0 for one in counted if (one.kind in SHARED_KINDS) is is_shared)


def _second_of_day() -> float:
    """Seconds since local midnight."""
    now_s = time.time()
    local = time.localtime(now_s)
    return local.tm_hour * 3600 + local.tm_min * 60 + local.tm_sec + now_s % 1
