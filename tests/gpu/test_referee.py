"""NVIDIA's own Python binding and our reader on one library: they must agree on all that both can read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pynvml")

# Counters that do not move during the test, so that two readers at two instants see the same.
STILL = {"period_ms": 1e9, "jitter_ms": 0}
CONFIG = {
    "epoch_ns": 0,
    "driver": "580.95.05",
    "devices": [
        {
            "name": "NVIDIA H100 80GB HBM3",
            "counter": STILL,
            "memory_share": 0.2,
            "vitals": {"temperature_c": 61, "throttle": 4, "memory_used_mib": 12_345, "gpu_percent": 97},
        },
        {"name": "NVIDIA RTX A6000", "architecture": 7, "counter": None, "pci_bus": 193, "uuid": "GPU-one"},
        {"name": "NVIDIA GH200", "counter": STILL, "module": {"extra_w": 150, "in_counter": True, "has_energy": True}},
        {"name": "NVIDIA A100", "architecture": 7, "counter": STILL, "mig": [{"uuid": "MIG-x"}, {"uuid": "MIG-y"}]},
        {"name": "V100", "architecture": 5, "counter": STILL, "average": None, "power_usage": "instant", "mig": []},
        {"name": "vGPU", "counter": None, "instant": None, "average": None, "power_usage": "none"},
    ],
}

REFEREE = """
import json
import pynvml as nvml

nvml.nvmlInit()

def text(value):
    return value.decode() if isinstance(value, bytes) else value

def ask(function, *arguments):
    try:
        return function(*arguments)
    except nvml.NVMLError as error:
        return {"code": error.value}

def field(handle, number, scope):
    value = nvml.nvmlDeviceGetFieldValues(handle, [(number, scope)])[0]
    if value.nvmlReturn:
        return {"code": value.nvmlReturn}
    return value.value.ullVal if value.valueType == nvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG else value.value.uiVal

def slices(handle):
    if ask(nvml.nvmlDeviceGetMigMode, handle) not in ([1, 1], (1, 1)):
        return []
    places = range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle))
    found = (ask(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, place) for place in places)
    return [text(nvml.nvmlDeviceGetUUID(slice_)) for slice_ in found if not isinstance(slice_, dict)]

def mode(handle):
    answer = ask(nvml.nvmlDeviceGetMigMode, handle)
    return answer if isinstance(answer, dict) else answer[0]

def device(index):
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    use = nvml.nvmlDeviceGetUtilizationRates(handle)
    return {
        "index": index,
        "uuid": text(nvml.nvmlDeviceGetUUID(handle)),
        "name": text(nvml.nvmlDeviceGetName(handle)),
        "pci": text(nvml.nvmlDeviceGetPciInfo(handle).busId),
        "slices": slices(handle),
        "architecture": nvml.nvmlDeviceGetArchitecture(handle),
        "energy_mj": ask(nvml.nvmlDeviceGetTotalEnergyConsumption, handle),
        "power_mw": ask(nvml.nvmlDeviceGetPowerUsage, handle),
        "mig": mode(handle),
        "field_energy_mj": field(handle, 83, 0),
        "instant_mw": field(handle, 186, 0),
        "average_mw": field(handle, 185, 0),
        "memory_mw": field(handle, 186, 2),
        "module_mw": field(handle, 186, 1),
        "module_mj": field(handle, 191, 1),
        "gpu_percent": use.gpu,
        "memory_percent": use.memory,
        "memory_used_bytes": nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2).used,
        "temperature_c": nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
        "sm_mhz": nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM),
        "memory_mhz": nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM),
        "limit_mw": nvml.nvmlDeviceGetEnforcedPowerLimit(handle),
        "throttle_reasons": nvml.nvmlDeviceGetCurrentClocksEventReasons(handle),
    }

print(json.dumps({
    "driver": text(nvml.nvmlSystemGetDriverVersion()),
    "devices": [device(index) for index in range(nvml.nvmlDeviceGetCount())],
}))
"""


@pytest.fixture
def both(on_fake: Any, python_on_fake: Any, snapshot_binary: Path) -> tuple[Any, Any]:
    """What our reader and the referee see."""
    return json.loads(on_fake(CONFIG, snapshot_binary)), python_on_fake(CONFIG, REFEREE)


def test_both_readers_agree_on_every_value(both: tuple[Any, Any]) -> None:
    ours, referee = both
    assert ours["driver"] == referee["driver"]
    assert len(ours["devices"]) == len(referee["devices"]) == len(CONFIG["devices"])  # type: ignore[arg-type]
    for own, other in zip(ours["devices"], referee["devices"], strict=True):
        assert own == other, own["name"]


def test_what_one_cannot_read_the_other_cannot_either_and_the_rest_is_no_zero(both: tuple[Any, Any]) -> None:
    ours, _ = both
    h100, a6000, gh200, a100, v100, vgpu = ours["devices"]
    assert a6000["energy_mj"] == a6000["field_energy_mj"] == {"code": 3}
    assert h100["memory_mw"] == 60_000 and gh200["module_mw"] == 450_000
    assert a100["slices"] == ["MIG-x", "MIG-y"] and v100["mig"] == 0 and h100["mig"] == {"code": 3}
    # The reader takes nvmlDeviceGetPowerUsage for the gauge that it is on this chip, and not for the other.
    assert v100["instant_mw"] == v100["power_mw"] and v100["average_mw"] == {"code": 3}
    assert vgpu["energy_mj"] == vgpu["power_mw"] == vgpu["instant_mw"] == {"code": 3}
