"""The fake libnvidia-ml from Python: load it into this process, and know the truth it measures against.

Needs nothing but the built library (`cargo build -p eco2ai-fast-fake-nvml`):

    wave = {"shape": "square", "low_w": 100, "high_w": 600, "period_s": 0.37}
    fake = fake_nvml.load("target/debug/libfake_nvml.so", {"devices": [{"wave": wave}]})
    import pynvml                        # finds the fake, since it is loaded under NVML's name
    pynvml.nvmlInit()
    fake.energy_j(0, t0_ns, t1_ns)       # joules that device 0 drew between two time.monotonic_ns()

`energy_j(wave, from_s, to_s)` computes the same from a configuration's wave alone, by formulas of its own: the one
checks the other.
"""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

SETTING = "ECO2AI_FAST_FAKE_NVML"
# Dwells of a telegraph before it repeats, as in the library.
TELEGRAPH_DWELLS = 1024
_MASK = (1 << 64) - 1


class Fake:
    """A loaded fake."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._library = ctypes.CDLL(os.fspath(path))
        self._library.fake_nvml_energy_j.restype = ctypes.c_double
        self._library.fake_nvml_energy_j.argtypes = [ctypes.c_uint, ctypes.c_uint64, ctypes.c_uint64]
        self._library.fake_nvml_epoch_ns.restype = ctypes.c_uint64
        self._library.fake_nvml_calls.restype = ctypes.c_uint64
        self._library.fake_nvml_calls.argtypes = [ctypes.c_char_p]
        self._library.fake_nvml_calls_on_thread.restype = ctypes.c_uint64
        self._library.fake_nvml_calls_on_thread.argtypes = [ctypes.c_uint64]

    def energy_j(self, device: int, from_ns: int, to_ns: int) -> float:
        """Joules that a device drew between two instants of CLOCK_MONOTONIC; nan before NVML was initialised."""
        return float(self._library.fake_nvml_energy_j(device, from_ns, to_ns))

    @property
    def epoch_ns(self) -> int:
        """CLOCK_MONOTONIC at which the waves are at zero; 0 before NVML was initialised."""
        return int(self._library.fake_nvml_epoch_ns())

    def calls(self, name: str | None = None) -> int:
        """Calls of one function of NVML in this process, or of all."""
        return int(self._library.fake_nvml_calls(None if name is None else name.encode()))

    def calls_on_thread(self, native_id: int) -> int:
        """Calls by the thread with this `threading.get_native_id()`."""
        return int(self._library.fake_nvml_calls_on_thread(native_id))


def load(path: str | os.PathLike[str], config: Mapping[str, object] | None = None) -> Fake:
    """Load the fake into this process, under NVML's name, with a configuration for it and for child processes."""
    if config is not None:
        os.environ[SETTING] = json.dumps(config)
    return Fake(path)


def energy_j(wave: Mapping[str, object], from_s: float, to_s: float) -> float:
    """Joules of a configuration's wave between two times in seconds since its epoch."""
    return _until_j(wave, to_s) - _until_j(wave, from_s)


def _until_j(wave: Mapping[str, object], t_s: float) -> float:
    shape = wave["shape"]
    if shape == "constant":
        return _number(wave, "power_w") * t_s
    if shape == "square":
        return _square_j(wave, t_s)
    if shape == "ramp":
        return _ramp_j(wave, t_s)
    if shape == "burst":
        start_s, duration_s = _number(wave, "start_s"), _number(wave, "duration_s")
        extra_w = _number(wave, "peak_w") - _number(wave, "base_w")
        return _number(wave, "base_w") * t_s + extra_w * min(max(t_s - start_s, 0.0), duration_s)
    if shape == "telegraph":
        return _telegraph_j(wave, t_s)
    if shape == "points":
        points = wave["points"]
        assert isinstance(points, Sequence)
        repeat_s = None if wave.get("repeat_s") is None else _number(wave, "repeat_s")
        return _points_j([(float(point_s), float(power_w)) for point_s, power_w in points], t_s, repeat_s)
    if shape == "trace":
        return _points_j(_rows(str(wave["file"])), t_s, None)
    raise ValueError(f"no wave is called {shape!r}")


def _number(wave: Mapping[str, object], name: str, default: float | None = None) -> float:
    value = wave.get(name, default)
    if not isinstance(value, (int, float)):
        raise ValueError(f"a {wave['shape']} needs a number {name!r}")
    return float(value)


def _square_j(wave: Mapping[str, object], t_s: float) -> float:
    period_s, high_s = _number(wave, "period_s"), _number(wave, "period_s") * _number(wave, "duty", 0.5)
    rounds, within_s = divmod(t_s, period_s)
    time_high_s = rounds * high_s + min(within_s, high_s)
    return _number(wave, "high_w") * time_high_s + _number(wave, "low_w") * (t_s - time_high_s)


def _ramp_j(wave: Mapping[str, object], t_s: float) -> float:
    from_w, to_w = _number(wave, "from_w"), _number(wave, "to_w")
    start_s, duration_s = _number(wave, "start_s", 0.0), _number(wave, "duration_s")
    rising_s = min(max(t_s - start_s, 0.0), duration_s)
    after_s = max(t_s - start_s - duration_s, 0.0)
    return from_w * (t_s - after_s) + (to_w - from_w) * rising_s**2 / (2 * duration_s) + to_w * after_s


def _telegraph_j(wave: Mapping[str, object], t_s: float) -> float:
    seed = int(_number(wave, "seed"))
    dwells_s = [_number(wave, "mean_s") * (0.5 + _unit(seed, index)) for index in range(TELEGRAPH_DWELLS)]
    powers_w = [_number(wave, "low_w") if index % 2 else _number(wave, "high_w") for index in range(TELEGRAPH_DWELLS)]
    rounds, rest_s = divmod(t_s, sum(dwells_s))
    energy_j = rounds * sum(power_w * dwell_s for power_w, dwell_s in zip(powers_w, dwells_s, strict=True))
    for power_w, dwell_s in zip(powers_w, dwells_s, strict=True):
        energy_j += power_w * min(rest_s, dwell_s)
        rest_s = max(rest_s - dwell_s, 0.0)
    return energy_j


def _points_j(points: Sequence[tuple[float, float]], t_s: float, repeat_s: float | None) -> float:
    """Trapezoids from the first point, the ends held; negative before it."""
    first_s, first_w = points[0]
    if repeat_s is not None:
        rounds, t_s = divmod(t_s, repeat_s)
        return rounds * _points_j(points, repeat_s, None) + _points_j(points, t_s, None)
    energy_j = first_w * min(t_s - first_s, 0.0)
    for (from_s, from_w), (to_s, to_w) in pairwise(points):
        if t_s > from_s and to_s > from_s:
            until_s = min(t_s, to_s)
            until_w = from_w + (to_w - from_w) * (until_s - from_s) / (to_s - from_s)
            energy_j += (from_w + until_w) / 2 * (until_s - from_s)
    return energy_j + points[-1][1] * max(t_s - max(points[-1][0], first_s), 0.0)


def _rows(path: str) -> list[tuple[float, float]]:
    lines = [line for line in Path(path).read_text().splitlines() if line.strip() and not line.startswith("#")]
    names = [name.strip() for name in lines[0].split(",")]
    time, power = names.index("t_ms"), names.index("power_w")
    cells = [line.split(",") for line in lines[1:]]
    return [(float(row[time]) / 1e3, float(row[power])) for row in cells]


def _unit(seed: int, index: int) -> float:
    """SplitMix64 (Steele, Lea and Flood 2014) of the seed advanced by the index, uniform over 0 to 1."""
    z = (seed + (index + 1) * 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((z ^ (z >> 31)) >> 11) / (1 << 53)
