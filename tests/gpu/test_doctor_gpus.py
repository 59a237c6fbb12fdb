"""doctor on GPUs, and a started Meter: real processes whose NVML is the fake."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

DOCTOR = (sys.executable, "-m", "eco2ai_fast.cli", "doctor", "--json")


def nvml(report: str) -> list[dict[str, Any]]:
    return [one for one in json.loads(report)["sources"] if one["source"] == "nvml"]


def test_doctor_lists_the_gpus_with_their_meters(on_fake: Any) -> None:
    report = on_fake({"devices": [{"uuid": "GPU-aaaa"}, {"counter": None, "uuid": "GPU-bbbb"}]}, *DOCTOR)
    first, second = nvml(report)
    assert (first["domain"], first["availability"]) == ("gpu-0", "available")
    assert "energy counter" in first["detail"] and "GPU-aaaa" in first["detail"]
    assert "no energy counter" in second["detail"]
    domains = {one["id"]: one for one in json.loads(report)["domains"]}
    assert domains["gpu-0"]["counted"] and domains["gpu-0"]["uuid"] == "GPU-aaaa"


def test_doctor_tells_a_failed_driver_a_lost_gpu_and_an_empty_choice_apart(on_fake: Any) -> None:
    (failed,) = nvml(on_fake({"init": {"code": 18}}, *DOCTOR))
    assert failed["availability"] == "failed" and "reboot" in failed["detail"]
    lost = nvml(on_fake({"devices": [{}, {"faults": [{"kind": "error", "code": 15}]}]}, *DOCTOR))
    assert [(one["domain"], one["availability"]) for one in lost if one["domain"]] == [
        ("gpu-0", "available"),
        ("gpu-1", "failed"),
    ]
    (none,) = nvml(on_fake({}, "env", "CUDA_VISIBLE_DEVICES=", *DOCTOR))
    assert none["availability"] == "absent" and "CUDA_VISIBLE_DEVICES" in none["detail"]


def test_doctor_says_that_a_named_library_is_not_there(on_fake: Any) -> None:
    (absent,) = nvml(on_fake({}, "env", "ECO2AI_FAST_NVML=/nowhere/libnvidia-ml.so.1", *DOCTOR))
    assert absent["availability"] == "absent" and "/nowhere" in absent["detail"]


def test_a_started_meter_tells_the_gpus_between_instants_and_readings(python_on_fake: Any) -> None:
    source = """
import json, time
import eco2ai_fast as eco
with eco.Meter() as meter:
    time.sleep(1.0)
    first, t0_ns = meter.read(), time.perf_counter_ns()
    time.sleep(0.4)
    t1_ns = time.perf_counter_ns()
    m = meter.energy_between(t0_ns, t1_ns)
    watts = [m.domains["gpu-0"].energy_j / m.duration_s]
    off = eco.Meter(gpus="off")
m = meter.energy_between(t0_ns, t1_ns)
watts.append(m.domains["gpu-0"].energy_j / m.duration_s)
print(json.dumps([watts, "gpu-0" in meter.between(first, meter.read()).domains, off._gpus]))
"""
    watts, is_between, off = python_on_fake({}, source)
    assert all(abs(power_w - 300) < 6 for power_w in watts)
    assert is_between and off is None


def test_cross_check_holds_nvidias_own_binding_against_ours(on_fake: Any) -> None:
    pytest.importorskip("pynvml")
    command = [sys.executable, "-m", "eco2ai_fast.cli", "doctor", "--cross-check", "--json"]
    rows = json.loads(on_fake({"devices": [{}, {}]}, *command))["cross_check"]
    gpus = [one for one in rows if one["id"].startswith("gpu")]
    assert [one["id"] for one in gpus] == ["gpu-0", "gpu-1"] and all(one["agrees"] for one in gpus)
    for one in gpus:
        assert [route["source"] for route in one["routes"]] == ["nvml", "nvidia-ml-py"]
        assert abs(one["routes"][0]["power_w"] - 300) < 9
