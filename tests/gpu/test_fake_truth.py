"""The fake says of itself how many joules it drew: held against formulas of their own."""

from __future__ import annotations

import json
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

WAVES: dict[str, dict[str, object]] = {
    "constant": {"shape": "constant", "power_w": 300},
    "square": {"shape": "square", "low_w": 100, "high_w": 600, "period_s": 0.37},
    "narrow square": {"shape": "square", "low_w": 90, "high_w": 700, "period_s": 0.1, "duty": 0.25},
    "ramp": {"shape": "ramp", "from_w": 100, "to_w": 600, "start_s": 2, "duration_s": 10},
    "burst": {"shape": "burst", "base_w": 90, "peak_w": 700, "start_s": 3, "duration_s": 0.15},
    "telegraph": {"shape": "telegraph", "low_w": 100, "high_w": 500, "mean_s": 0.05, "seed": 42},
    "points": {"shape": "points", "points": [[0, 50], [1, 50], [1, 400], [2.5, 100]]},
    "repeated points": {"shape": "points", "points": [[0, 50], [0.7, 250]], "repeat_s": 0.9},
}
EPOCH_NS = 10_000_000_000

ASK = """
import ctypes, json, os, pynvml
pynvml.nvmlInit()
library = ctypes.CDLL("libnvidia-ml.so.1")
library.fake_nvml_energy_j.restype = ctypes.c_double
library.fake_nvml_energy_j.argtypes = [ctypes.c_uint, ctypes.c_uint64, ctypes.c_uint64]
spans = json.loads(os.environ["SPANS"])
devices = range(pynvml.nvmlDeviceGetCount())
print(json.dumps([[library.fake_nvml_energy_j(device, *span) for span in spans] for device in devices]))
"""


def test_every_wave_has_the_energy_of_its_closed_form(
    python_on_fake: Any, fake_nvml: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(5)
    spans_s = [sorted((chance.uniform(-4, 90), chance.uniform(-4, 90))) for _ in range(50)]
    spans_ns = [[EPOCH_NS + round(t_s * 1e9) for t_s in span] for span in spans_s]
    monkeypatch.setenv("SPANS", json.dumps(spans_ns))
    pytest.importorskip("pynvml")
    config = {"epoch_ns": EPOCH_NS, "devices": [{"wave": wave} for wave in WAVES.values()]}
    answers = python_on_fake(config, ASK)
    for (name, wave), answer in zip(WAVES.items(), answers, strict=True):
        for (from_ns, to_ns), found_j in zip(spans_ns, answer, strict=True):
            expected_j = fake_nvml.energy_j(wave, (from_ns - EPOCH_NS) / 1e9, (to_ns - EPOCH_NS) / 1e9)
            assert found_j == pytest.approx(expected_j, rel=1e-9, abs=1e-6), name


def test_a_recorded_power_has_the_energy_of_its_trapezoids(
    python_on_fake: Any, fake_nvml: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pynvml")
    trace = tmp_path / "trace.csv"
    trace.write_text("# made up\nt_ms,power_w\n0,100\n500,300\n1000,50\n")
    monkeypatch.setenv("SPANS", json.dumps([[EPOCH_NS, EPOCH_NS + 1_500_000_000]]))
    wave = {"shape": "trace", "file": str(trace)}
    answers = python_on_fake({"epoch_ns": EPOCH_NS, "devices": [{"wave": wave}]}, ASK)
    assert answers[0][0] == pytest.approx(100 + 87.5 + 25)
    assert fake_nvml.energy_j(wave, 0, 1.5) == pytest.approx(100 + 87.5 + 25)


def test_the_counter_shows_the_truth_of_its_last_update(python_on_fake: Any) -> None:
    pytest.importorskip("pynvml")
    source = """
import ctypes, json, time, pynvml
pynvml.nvmlInit()
handle = pynvml.nvmlDeviceGetHandleByIndex(0)
t0_ns = time.monotonic_ns()
first = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
time.sleep(1)
last = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
t1_ns = time.monotonic_ns()
library = ctypes.CDLL("libnvidia-ml.so.1")
library.fake_nvml_energy_j.restype = ctypes.c_double
library.fake_nvml_energy_j.argtypes = [ctypes.c_uint, ctypes.c_uint64, ctypes.c_uint64]
print(json.dumps([(last - first) / 1e3, library.fake_nvml_energy_j(0, t0_ns, t1_ns)]))
"""
    counted_j, true_j = python_on_fake({"devices": [{"wave": WAVES["square"]}]}, source)
    assert counted_j == pytest.approx(true_j, abs=2 * 0.101 * 600)
