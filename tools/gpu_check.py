"""What one GPU's meters really do: `python tools/gpu_check.py [-o FILE]`, under five minutes, one JSON.

Finds out on the card itself what public material leaves open: how often each meter is updated and whether they are
updated together, what a reading costs, whether the energy counter looks at all of the time or only at part of each
period, whether counter and gauges agree, what the driver's own sample buffer holds, and what polling does to the
latency of kernel launches. Needs nvidia-ml-py; the sections with a load need a CUDA driver, and say so where there is
none. A section that fails says why, and the others go on.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pynvml as nvml  # type: ignore[import-untyped]
from gpu_load import Absent, Load

# Fields by the names they have in the answer: NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION, _POWER_INSTANT, _POWER_AVERAGE.
FIELDS = {"counter": 83, "instant": 186, "average": 185}
TICK_S = 0.1  # where no period was found
PHASES = 10
DUTY = 0.25
# A period next to the counter's own, at which a part-time counter averages out.
CONTROL = 1.037
POLL_HZ = (0, 10, 100, 1000)


class Meter:
    """One GPU through NVML."""

    def __init__(self, index: int) -> None:
        self.handle = nvml.nvmlDeviceGetHandleByIndex(index)
        self.fields = {name: field for name, field in FIELDS.items() if self._answers(field)}

    def _answers(self, field: int) -> bool:
        return bool(nvml.nvmlDeviceGetFieldValues(self.handle, [field])[0].nvmlReturn == 0)

    def read(self) -> dict[str, Any]:
        """All fields that the card has, in one call."""
        values = nvml.nvmlDeviceGetFieldValues(self.handle, list(self.fields.values()))
        return dict(zip(self.fields, values, strict=True))

    def counter_j(self) -> float:
        """The energy counter."""
        return number(nvml.nvmlDeviceGetFieldValues(self.handle, [FIELDS["counter"]])[0]) / 1e3

    def edge(self) -> tuple[float, float]:
        """Waits for the counter's next update: its time and the joules it then shows."""
        if "counter" not in self.fields:
            raise RuntimeError("this card has no energy counter")
        before_j, end_s = self.counter_j(), time.monotonic() + 2
        while (now_j := self.counter_j()) == before_j:
            if time.monotonic() > end_s:
                raise RuntimeError("the energy counter did not move for two seconds")
        return time.monotonic(), now_j


def number(value: Any) -> float:
    """The value of a field, whatever its type."""
    wide = value.valueType == nvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG
    return float(value.value.ullVal if wide else value.value.uiVal)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 5 and 95 per cent, and number."""
    ordered = sorted(values)
    pick = {"p5": 0.05, "median": 0.5, "p95": 0.95, "p99": 0.99}
    shares = {name: ordered[min(int(share * len(ordered)), len(ordered) - 1)] for name, share in pick.items()}
    return {**{name: round(value, 4) for name, value in shares.items()}, "count": len(ordered)}


def changes(meter: Meter, seconds: float) -> tuple[dict[str, list[float]], list[float], list[int]]:
    """Spins on all fields: when each changed, what each call took in us, and the fields' own latencies."""
    last: dict[str, float] = {}
    seen: dict[str, list[float]] = {name: [] for name in meter.fields}
    calls_us, latencies_us = [], []
    end_s = time.monotonic() + seconds
    while (before_s := time.monotonic()) < end_s:
        values = meter.read()
        after_s = time.monotonic()
        calls_us.append((after_s - before_s) * 1e6)
        for name, value in values.items():
            shown = number(value)
            if last.get(name, shown) != shown:
                seen[name].append((before_s + after_s) / 2)
                latencies_us.append(value.latencyUsec)
            last[name] = shown
    return seen, calls_us, latencies_us


def updates(meter: Meter, seconds: float) -> dict[str, Any]:
    """(a) Update periods, whether the meters are updated together, what a call costs."""
    seen, calls_us, latencies_us = changes(meter, seconds)
    periods = {name: [(b - a) * 1e3 for a, b in pairwise(times)] for name, times in seen.items()}
    answer: dict[str, Any] = {"call_us": spread(calls_us), "fields": sorted(meter.fields)}
    answer["period_ms"] = {name: spread(values) for name, values in periods.items() if values}
    answer["field_latency_us"] = spread(latencies_us) if latencies_us else None
    answer["instant_after_counter_ms"] = apart_ms(seen.get("counter", []), seen.get("instant", []))
    return answer


def apart_ms(first: Sequence[float], second: Sequence[float]) -> dict[str, float] | None:
    """How long after the nearest update of one meter the other is updated, in ms."""
    if not first or not second:
        return None
    return spread([min((b - a for a in first), key=abs) * 1e3 for b in second])


def loaded_power_w(meter: Meter, load: Load, period_s: float, phase_s: float, seconds: float) -> float:
    """Mean power by the counter under a square load, begun at a phase after one of its updates."""
    start_s, start_j = meter.edge()
    rounds = max(int(seconds / period_s), 1)
    for k in range(rounds):
        time.sleep(max(start_s + phase_s + k * period_s - time.monotonic(), 0))
        load.run(DUTY * period_s)
    end_s, end_j = meter.edge()
    return (end_j - start_j) / (end_s - start_s)


def sweep(meter: Meter, load: Load, period_s: float, tick_s: float, seconds: float) -> dict[str, Any]:
    """(b, c) Mean power of a square load of 25 % at ten phases against the counter's updates."""
    powers_w = [loaded_power_w(meter, load, period_s, k * tick_s / PHASES, seconds) for k in range(PHASES)]
    return {"period_ms": round(period_s * 1e3, 3), "power_w": [round(w, 2) for w in powers_w], "swing": swing(powers_w)}


def swing(powers_w: Sequence[float]) -> float:
    """Highest over lowest, minus one: about 0 for a counter that misses nothing, above 1 for one of 25 %."""
    return round(max(powers_w) / min(powers_w) - 1, 4)


def samples(meter: Meter) -> dict[str, Any]:
    """(d) The driver's own buffer of powers."""
    _, found = nvml.nvmlDeviceGetSamples(meter.handle, nvml.NVML_TOTAL_POWER_SAMPLES, 0)
    stamps = [sample.timeStamp / 1e3 for sample in found]
    apart = [b - a for a, b in pairwise(stamps)]
    return {"count": len(found), "apart_ms": spread(apart) if apart else None}


def slopes(meter: Meter, seconds: float) -> dict[str, Any]:
    """(e) Mean power by the counter from update to update, and by the gauges over the same time."""
    sums: dict[str, list[float]] = {name: [] for name in meter.fields if name != "counter"}
    start_s, start_j = meter.edge()
    while time.monotonic() < start_s + seconds:
        values = meter.read()
        for name, powers_w in sums.items():
            powers_w.append(number(values[name]) / 1e3)
        time.sleep(0.005)
    end_s, end_j = meter.edge()
    answer = {f"{name}_w": round(statistics.fmean(powers_w), 3) for name, powers_w in sums.items()}
    return {**answer, "counter_w": round((end_j - start_j) / (end_s - start_s), 3)}


def under(work: Load | None, measure: Callable[[], dict[str, Any]], seconds: float) -> dict[str, Any]:
    """A measurement while the GPU is busy."""
    if work is None:
        raise Absent("no load")
    thread = threading.Thread(target=work.run_until, args=[time.monotonic() + seconds])
    thread.start()
    time.sleep(0.2 * seconds)
    try:
        return measure()
    finally:
        thread.join()


def poller(index: int, rate_hz: int, seconds: float) -> subprocess.Popen[bytes]:
    """A process that polls like a meter does."""
    command = [sys.executable, __file__, "--index", str(index), "--poll", str(rate_hz), "--seconds", str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def poll(index: int, rate_hz: int, seconds: float) -> None:
    """What that process does."""
    meter, end_s = Meter(index), time.monotonic() + seconds
    while time.monotonic() < end_s:
        meter.read()
        time.sleep(1 / rate_hz)


def beside_pollers(
    index: int, rates_hz: Sequence[int], seconds: float, once_us: Callable[[], float]
) -> dict[str, float]:
    """How long something takes while others poll."""
    pollers = [poller(index, rate_hz, 3 * seconds) for rate_hz in rates_hz if rate_hz]
    try:
        time.sleep(0.5 * seconds)
        end_s, taken_us = time.monotonic() + seconds, []
        while time.monotonic() < end_s:
            taken_us.append(once_us())
        return spread(taken_us)
    finally:
        for process in pollers:
            process.terminate()
            process.wait()


def call_us(meter: Meter) -> float:
    """What one batched reading takes."""
    start_ns = time.perf_counter_ns()
    meter.read()
    return (time.perf_counter_ns() - start_ns) / 1e3


def card(meter: Meter) -> dict[str, Any]:
    """Which card and driver this is about."""
    return {
        "name": nvml.nvmlDeviceGetName(meter.handle),
        "architecture": nvml.nvmlDeviceGetArchitecture(meter.handle),
        "driver": nvml.nvmlSystemGetDriverVersion(),
        "nvml": nvml.nvmlSystemGetNVMLVersion(),
        "limit_w": nvml.nvmlDeviceGetEnforcedPowerLimit(meter.handle) / 1e3,
    }


def load_for(meter: Meter) -> tuple[Load | None, str]:
    """A load for this GPU, or why there is none."""
    bus_id = nvml.nvmlDeviceGetPciInfo(meter.handle).busIdLegacy
    try:
        return Load(bus_id if isinstance(bus_id, str) else bus_id.decode()), ""
    except Absent as reason:
        return None, str(reason)


def plan(meter: Meter, load: Load | None, index: int, scale: float) -> dict[str, Callable[[], dict[str, Any]]]:
    """The sections by name, in their order; idle first, before any load warms the card."""
    tick_s = TICK_S

    def found(answer: dict[str, Any]) -> dict[str, Any]:
        nonlocal tick_s
        tick_s = answer["period_ms"].get("counter", {}).get("median", TICK_S * 1e3) / 1e3
        return answer

    def busy() -> Load:
        if load is None:
            raise Absent("no load")
        return load

    return {
        "idle": lambda: slopes(meter, 10 * scale),
        "updates_idle": lambda: found(updates(meter, 10 * scale)),
        "samples": lambda: samples(meter),
        "two_pollers": lambda: {
            str(count): beside_pollers(index, [100] * count, 5 * scale, lambda: call_us(meter)) for count in (0, 1, 2)
        },
        "updates_load": lambda: under(load, lambda: found(updates(meter, 20 * scale)), 26 * scale),
        "load": lambda: under(load, lambda: slopes(meter, 10 * scale), 14 * scale),
        "part_time": lambda: sweep(meter, busy(), tick_s, tick_s, 3 * scale),
        "part_time_control": lambda: sweep(meter, busy(), CONTROL * tick_s, tick_s, 3 * scale),
        "launch_us": lambda: {
            f"{rate_hz} Hz": beside_pollers(index, [rate_hz], 5 * scale, busy().launch_us) for rate_hz in POLL_HZ
        },
    }


def check(index: int, scale: float) -> dict[str, Any]:
    """Every section; those that cannot be had stand under `skipped` with the reason."""
    start_s, meter = time.monotonic(), Meter(index)
    load, reason = load_for(meter)
    utc = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    answer: dict[str, Any] = {"utc": utc, "card": card(meter), "scale": scale, "skipped": {}}
    for name, section in plan(meter, load, index, scale).items():
        try:
            answer[name] = section()
        except (Absent, RuntimeError, KeyError, nvml.NVMLError) as error:
            answer["skipped"][name] = reason if isinstance(error, Absent) and reason else str(error)
    answer["seconds"] = round(time.monotonic() - start_s, 1)
    return answer


def main() -> None:
    """Check a GPU, or be one of the pollers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--index", type=int, default=0, help="which GPU, in NVML's order")
    parser.add_argument("-o", "--output", type=Path, help="write the JSON there (default: standard output)")
    parser.add_argument("--scale", type=float, default=1.0, help="shorten every section: figures get coarser")
    parser.add_argument("--poll", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=0.0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    nvml.nvmlInit()
    if options.poll:
        poll(options.index, options.poll, options.seconds)
        return
    text = json.dumps(check(options.index, options.scale), indent=1) + "\n"
    if options.output:
        options.output.write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
