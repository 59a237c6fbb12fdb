"""What an emulated machine has really drawn: the closed forms of its spec, in exact integers.

A second statement of what the emulator computes, written from the field list in README.md and importing
nothing of it. Powers are microwatts and times nanoseconds, so energies are whole femtojoules. Absolute times
are CLOCK_MONOTONIC nanoseconds, what `time.perf_counter_ns()` reads on Linux.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any

Spec = dict[str, Any]
ClosedForm = Callable[[int], int]

FJ_PER_UJ = 10**9
FJ_PER_J = 10**15
_MASK = 2**64 - 1
_TELEGRAPH_SLOTS = 16
_BLOCK_TICKS = 64

# What a spec leaves out.
_MACHINE: Spec = {"tick_ns": 1_000_000, "jitter": "none", "seed": 0}
_DOMAIN: Spec = {"esu": 14, "range_units": 2**32, "start_units": 0, "phase_ns": 0, "faults": []}

# Inverse distribution functions of the intervals between updates:
# probability x 65536, interval / tick x 10^6.
# "icelake" follows the package counter of an Ice Lake-SP: 1st percentile 0.68 ms, median 0.884, 99th 1.65,
# maximum 2.83, mean 1.000, standard deviation 0.271 ms; "client" is uniform with 0.02 ms.
_JITTER = {
    "none": [(0, 1_000_000), (65_536, 1_000_000)],
    "client": [(0, 965_359), (65_536, 1_034_641)],
    "icelake": [
        (0, 660_000),
        (655, 680_000),
        (32_768, 884_000),
        (55_706, 1_280_000),
        (64_881, 1_650_000),
        (65_536, 2_830_000),
    ],
}


class Truth:
    """The truth of one running machine: its spec and the epoch it printed when it was ready."""

    def __init__(self, spec: Spec, epoch_ns: int = 0) -> None:
        self.epoch_ns = epoch_ns
        self.meters = {d["id"]: Meter(spec, i, d) for i, d in enumerate(spec["domains"])}

    def energy_uj(self, domain: str, t0_ns: int, t1_ns: int) -> float:
        """Energy drawn from t0_ns to t1_ns in microjoules; exact up to the last rounding to a float."""
        return self.energy_fj(domain, t0_ns, t1_ns) / FJ_PER_UJ

    def energy_fj(self, domain: str, t0_ns: int, t1_ns: int) -> int:
        """Energy drawn from t0_ns to t1_ns in femtojoules, exact."""
        meter = self.meters[domain]
        return meter.energy_fj(t1_ns - self.epoch_ns) - meter.energy_fj(t0_ns - self.epoch_ns)

    def counter_uj(self, domain: str, t_ns: int) -> int:
        """What `energy_uj` shows to a read at t_ns when no fault acts."""
        return self.meters[domain].counter_uj(t_ns - self.epoch_ns)

    def fault_ns(self, domain: str, t0_ns: int, t1_ns: int, kinds: Iterable[str]) -> int:
        """How much of [t0_ns, t1_ns] lies inside faults of these kinds, overlaps once."""
        return self.meters[domain].fault_ns(t0_ns - self.epoch_ns, t1_ns - self.epoch_ns, set(kinds))


class Meter:
    """The truth of one domain; all times are nanoseconds after the epoch."""

    def __init__(self, spec: Spec, index: int, domain: Spec) -> None:
        spec = _MACHINE | spec
        domain = _DOMAIN | {"tick_ns": spec["tick_ns"]} | domain
        self.domain = domain
        self.energy_fj = closed_form(domain["power"])
        self.tick_ns: int = domain["tick_ns"]
        self.quantiles = _JITTER[spec["jitter"]]
        self.seed = random(spec["seed"], index)
        self.esu: int = domain["esu"]
        self.unit_nj: int = domain.get("unit_nj", 10**9 >> self.esu)
        self.range_units: int = domain["range_units"]
        self.start_units: int = domain["start_units"]
        self.phase_ns: int = domain["phase_ns"]

    def counter_uj(self, t_ns: int) -> int:
        """The text of `energy_uj` without faults: kernel units of whole nanojoules, fraction dropped."""
        return self.counter_units(t_ns) * self.unit_nj // 1000

    def counter_units(self, t_ns: int) -> int:
        """The register: energy at the last update, in 1 / 2^esu J, wrapped."""
        units = (self.energy_fj(self.updated_ns(t_ns)) << self.esu) // FJ_PER_J
        return (units + self.start_units) % self.range_units

    def updated_ns(self, t_ns: int) -> int:
        """The last update of the counter at or before t_ns."""
        if t_ns < self.phase_ns:
            return 0
        block_ns = _BLOCK_TICKS * self.tick_ns
        block, within_ns = divmod(t_ns - self.phase_ns, block_ns)
        sums = self._sums(block)
        edges_ns = [sum_ * block_ns // sums[-1] for sum_ in sums]
        return self.phase_ns + block * block_ns + edges_ns[bisect.bisect_right(edges_ns, within_ns) - 1]

    def fault_ns(self, t0_ns: int, t1_ns: int, kinds: set[str]) -> int:
        """Length of the part of [t0_ns, t1_ns] that faults of these kinds cover."""
        covered_ns, reached_ns = 0, t0_ns
        faults = [f for f in self.domain["faults"] if f["kind"] in kinds]
        for fault in sorted(faults, key=lambda f: f["start_ns"]):
            end_ns = t1_ns if fault.get("end_ns") is None else min(fault["end_ns"], t1_ns)
            start_ns = max(fault["start_ns"], reached_ns)
            covered_ns += max(0, end_ns - start_ns)
            reached_ns = max(reached_ns, end_ns)
        return covered_ns

    def _sums(self, block: int) -> list[int]:
        sums = [0]
        for i in range(_BLOCK_TICKS):
            place = random(self.seed, block * _BLOCK_TICKS + i) >> 48
            sums.append(sums[-1] + _quantile(self.quantiles, place))
        return sums


def closed_form(power: Spec) -> ClosedForm:
    """The function t_ns -> femtojoules since the epoch of the power in a spec."""
    fields = {name: value for name, value in power.items() if name != "shape"}
    if power["shape"] == "telegraph":
        return Telegraph(**fields).energy_fj
    return functools.partial(_FORMS[power["shape"]], **fields)


def _constant(t_ns: int, power_uw: int) -> int:
    return power_uw * t_ns


def _square(t_ns: int, low_uw: int, high_uw: int, period_ns: int, high_ns: int) -> int:
    periods, rest_ns = divmod(t_ns, period_ns)
    in_high_ns = periods * high_ns + min(rest_ns, high_ns)
    return high_uw * in_high_ns + low_uw * (t_ns - in_high_ns)


def _ramp(t_ns: int, from_uw: int, to_uw: int, duration_ns: int) -> int:
    slope_ns = min(t_ns, duration_ns)
    rise_fj = (to_uw - from_uw) * slope_ns**2 // (2 * duration_ns)
    return from_uw * slope_ns + rise_fj + to_uw * (t_ns - slope_ns)


def _burst(
    t_ns: int, base_uw: int, peak_uw: int, at_ns: int, width_ns: int, every_ns: int | None = None
) -> int:
    since_ns = max(0, t_ns - at_ns)
    bursts, rest_ns = divmod(since_ns, every_ns) if every_ns else (0, since_ns)
    in_burst_ns = bursts * width_ns + min(rest_ns, width_ns)
    return base_uw * (t_ns - in_burst_ns) + peak_uw * in_burst_ns


def _points(t_ns: int, points: list[tuple[int, int]]) -> int:
    energy_fj = points[0][1] * min(t_ns, points[0][0])
    for (from_ns, from_uw), (to_ns, to_uw) in itertools.pairwise(points):
        if from_ns < min(t_ns, to_ns):
            within_ns = min(t_ns, to_ns) - from_ns
            energy_fj += from_uw * within_ns + (to_uw - from_uw) * within_ns**2 // (2 * (to_ns - from_ns))
    return energy_fj + points[-1][1] * max(0, t_ns - points[-1][0])


def _sine(t_ns: int, mean_uw: int, amplitude_uw: int, period_ns: int) -> int:
    swing_fj = amplitude_uw * period_ns / math.tau * (1 - math.cos(math.tau * (t_ns % period_ns) / period_ns))
    return mean_uw * t_ns + round(swing_fj)


_FORMS: dict[str, Callable[..., int]] = {
    "constant": _constant,
    "square": _square,
    "ramp": _ramp,
    "burst": _burst,
    "sine": _sine,
    "points": _points,
}


class Telegraph:
    """Two powers; at each slot boundary of dwell_ns / 16 the level switches with probability 1/16."""

    def __init__(self, low_uw: int, high_uw: int, dwell_ns: int, seed: int) -> None:
        self.levels_uw = (low_uw, high_uw)
        self.slot_ns = dwell_ns // _TELEGRAPH_SLOTS
        self.seed = seed
        self.next_slot = 1
        self.switch_ns = [0]
        self.switch_fj = [0]

    def energy_fj(self, t_ns: int) -> int:
        """Femtojoules since the epoch."""
        self._extend(t_ns)
        last = bisect.bisect_right(self.switch_ns, t_ns) - 1
        return self.switch_fj[last] + self.levels_uw[last % 2] * (t_ns - self.switch_ns[last])

    def _extend(self, t_ns: int) -> None:
        while self.next_slot * self.slot_ns <= t_ns:
            if random(self.seed, self.next_slot) % _TELEGRAPH_SLOTS == 0:
                self._switch(self.next_slot * self.slot_ns)
            self.next_slot += 1

    def _switch(self, t_ns: int) -> None:
        level_uw = self.levels_uw[(len(self.switch_ns) - 1) % 2]
        self.switch_fj.append(self.switch_fj[-1] + level_uw * (t_ns - self.switch_ns[-1]))
        self.switch_ns.append(t_ns)


def random(seed: int, k: int) -> int:
    """The k-th number of a seeded series, uniform over 64 bits: SplitMix64 (Steele et al., OOPSLA 2014)."""
    z = (seed + 0x9E3779B97F4A7C15 * (k + 1)) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def _quantile(points: list[tuple[int, int]], place: int) -> int:
    upper = next(i for i, (p, _) in enumerate(points) if p > place)
    (p0, x0), (p1, x1) = points[upper - 1], points[upper]
    return x0 + (x1 - x0) * (place - p0) // (p1 - p0)
