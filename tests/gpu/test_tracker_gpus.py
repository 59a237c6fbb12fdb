"""The tracker, stages, inference and `eco2ai-fast run` on GPUs: real processes whose NVML is the fake."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HEAD = """
import csv, json, os, time
import eco2ai_fast as eco
with eco.measure():
    time.sleep(1.0)
"""


def test_the_trackers_sum_and_its_gpu_column_hold_the_gpus(python_on_fake: Any, tmp_path: Path) -> None:
    source = f"""
tracker = eco.Tracker(file_name={str(tmp_path / "emission.csv")!r}, alpha_2_code="FR", ignore_warnings=True)
tracker.start()
time.sleep(1.0)
so_far_j = tracker.consumption() * 3.6e6
record = tracker.stop()
tracker.start_training()
time.sleep(0.5)
epoch = tracker.new_epoch({{"loss": 0.5}})
tracker.stop_training()
with open({str(tmp_path / "emission.csv")!r}) as file:
    rows = list(csv.DictReader(file))
gpus = [one for one in record.measurement.domains.values() if one.kind == "gpu"]
print(json.dumps([
    sum(one.energy_j for one in gpus) / record.duration_s, record.energy_j / record.duration_s, so_far_j,
    epoch.energy_j / epoch.duration_s, [row["GPU_name"] for row in rows],
    float(rows[0]["power_consumption(kWh)"]) * 3.6e6 / record.energy_j,
]))
"""
    config = {"devices": [{"name": "NVIDIA H100"}, {"name": "NVIDIA H100"}]}
    gpus_w, sum_w, so_far_j, epoch_w, names, ratio = python_on_fake(config, HEAD + source)
    assert abs(gpus_w - 600) < 12 and 590 < sum_w < 660 and 590 < epoch_w < 660
    assert 550 < so_far_j < 900
    assert names == ["NVIDIA H100 2 device(s)"] * 2
    assert abs(ratio - 1) < 1e-9


def test_starting_a_tracker_does_not_wait_for_a_driver_that_hangs(python_on_fake: Any, tmp_path: Path) -> None:
    source = f"""
import eco2ai_fast as eco, json
tracker = eco.Tracker(file_name={str(tmp_path / "emission.csv")!r}, alpha_2_code="FR", ignore_warnings=True)
tracker.start()
stand = tracker._run._gpu_window.stand[0]
record = tracker.stop()
print(json.dumps([stand, record.energy_j == record.energy_j, dict(record.measurement.missing).get("gpu")]))
"""
    stand, is_number, reason = python_on_fake({"init": {"hangs": True}}, source)
    assert stand == "starting" and is_number and "did not come back" in reason


def test_stages_and_inference_hold_the_gpus(python_on_fake: Any) -> None:
    source = """
for name in ("training", "evaluation", "training"):
    with eco.stage(name):
        time.sleep(0.4)
stages = eco.life_cycle().stages
def watts(m):
    return m.domains["gpu-0"].energy_j / m.duration_s
with eco.Meter() as meter:
    requests = eco.inference(meter, unit="token")
    time.sleep(1.0)
    for _ in range(4):
        with requests.request() as request:
            time.sleep(0.2)
            request.output(10)
    report = requests.report()
both = [watts(stages[name]) for name in ("training", "evaluation")]
print(json.dumps([*both, stages["training"].duration_s, report.energy_j.mean]))
"""
    training_w, evaluation_w, seconds, mean_j = python_on_fake({}, HEAD + source)
    assert abs(training_w - 300) < 9 and abs(evaluation_w - 300) < 9 and 0.78 < seconds < 1.1
    assert 57 < mean_j < 75


def test_the_record_of_a_run_names_each_gpu_by_its_uuid_rule_and_bound(on_fake: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    command = [sys.executable, "-m", "eco2ai_fast.cli", "run", "-o", path, "--", "sleep", "1"]
    on_fake({"devices": [{"uuid": "GPU-aaaa"}]}, *command)
    record = json.loads(path.read_text())
    (gpu,) = [one for one in record["domains"] if one["kind"] == "gpu"]
    assert gpu["uuid"] == "GPU-aaaa" and gpu["provenance"] in ("measured", "mixed") and gpu["rule"]
    assert gpu["sampling_j"] > 0 and abs(gpu["energy_j"] / record["duration_s"] / 300 - 1) < 0.05
    assert record["bins"]["energy_j"]["gpu-0"] == [gpu["energy_j"]]
    assert record["hardware"]["gpus"] == ["Fake GPU"]


def test_bins_of_a_run_with_laps_add_up_to_the_gpus_energy(python_on_fake: Any) -> None:
    source = """
from eco2ai_fast import bins
window = eco.measure("run")
laps = []
with window as m:
    for _ in range(3):
        time.sleep(0.4)
        laps.append(window._lap())
found = bins.of(m, laps)
print(json.dumps([found["method"], found["energy_j"]["gpu-0"], m.domains["gpu-0"].energy_j]))
"""
    method, steps_j, whole_j = python_on_fake({}, HEAD + source)
    assert method == "laps" and len(steps_j) == 4 and abs(sum(steps_j) - whole_j) < 1e-6
    assert all(abs(step_j / 120 - 1) < 0.1 for step_j in steps_j[:3])


def test_eco2ais_gpu_object_tells_what_the_driver_tells(python_on_fake: Any) -> None:
    source = """
from eco2ai_fast.compat.eco2ai_devices import GPU
gpu = GPU()
time.sleep(1.0)
kwh = gpu.calculate_consumption()
told = [gpu.name(), gpu.gpu_num(), gpu.gpu_power(), gpu.gpu_power_limit(), gpu.gpu_temperature()]
print(json.dumps([*told, kwh * 3.6e6]))
"""
    name, count, power_mw, limit_mw, temperature_c, joules = python_on_fake({"devices": [{}, {}]}, HEAD + source)
    assert (name, count, limit_mw, temperature_c) == ("Fake GPU", 2, [700_000] * 2, [45, 45])
    assert all(abs(one / 300_000 - 1) < 0.05 for one in power_mw) and 570 < joules < 700
