"""A started meter on GPUs: readings, spans, arrays, series, trace files. Real processes whose NVML is the fake."""

from __future__ import annotations

from typing import Any

import pytest

# Two cards on a varying load, and 64 requests that overlap on it. The sleep lets the round learn the meters' rhythm.
VARYING = {"wave": {"shape": "telegraph", "low_w": 100, "high_w": 650, "mean_s": 0.08, "seed": 4711}}
HEAD = """
import ctypes, json, os, threading, time
import numpy as np
import eco2ai_fast as eco
meter = eco.Meter().start()
time.sleep(2.0)
def begin(count):
    ends = [threading.Event() for _ in range(count)]
    def work(number):
        with meter.span("request", number=number):
            ends[number].wait()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for number, thread in enumerate(threads):
        thread.start()
        time.sleep(0.01)
    for end in ends:
        time.sleep(0.02)
        end.set()
    for thread in threads:
        thread.join()
def watts(m):
    known = [d for d in m.domains.values() if d.kind == "gpu" and d.energy_j is not None]
    return {d.id: d.energy_j / m.duration_s for d in known}
"""


def test_64_overlapping_requests_on_a_varying_load_add_up_to_the_counter(python_on_fake: Any) -> None:
    source = """
library = ctypes.CDLL("libnvidia-ml.so.1")
begin(64)
parts = {split: meter.spans(split=split, domain="gpu-0") for split in ("share", "self")}
all_parts = meter.spans(split="share")
apart = {}
for split, spans in (*parts.items(), ("all", all_parts)):
    total_uj = sum(round(1e6 * float(one)) for one in spans["energy_j"]) + round(1e6 * spans.rest_j)
    apart[split] = total_uj - round(1e6 * spans.whole_j)
t_ns, energy_j = meter.trace("gpu-0")
t0_ns, t1_ns = int(parts["share"]["t0_ns"].min()), int(parts["share"]["t1_ns"].max())
counted_j = float(np.interp(t1_ns, t_ns, energy_j) - np.interp(t0_ns, t_ns, energy_j))
library.fake_nvml_energy_j.restype = ctypes.c_double
library.fake_nvml_energy_j.argtypes = [ctypes.c_uint, ctypes.c_uint64, ctypes.c_uint64]
true_j = library.fake_nvml_energy_j(0, t0_ns, t1_ns)
library.fake_nvml_calls_on_thread.restype = ctypes.c_uint64
library.fake_nvml_calls_on_thread.argtypes = [ctypes.c_uint64]
own = library.fake_nvml_calls_on_thread(threading.get_native_id())
print(json.dumps([apart, float(parts["share"]["energy_j"].sum()), counted_j, true_j, own, list(parts["share"].notes)]))
"""
    apart, parts_j, counted_j, true_j, own, notes = python_on_fake({"devices": [VARYING, {}]}, HEAD + source)
    assert apart == {"share": 0, "self": 0, "all": 0}
    assert abs(parts_j / counted_j - 1) < 0.005 and abs(parts_j / true_j - 1) < 0.02
    assert own == 0
    assert any("linear" in note for note in notes)


def test_four_gpus_at_300_watts_are_1200_watts_through_every_door(python_on_fake: Any) -> None:
    source = """
t0_ns = time.perf_counter_ns()
first = meter.read()
begin(4)
time.sleep(0.5)
last = meter.read()
t1_ns = time.perf_counter_ns()
seconds = (t1_ns - t0_ns) / 1e9
gpus = [place for place in range(len(meter.domains), len(last.t_ns))]
ages_s = [(t1_ns - last.t_ns[place]) / 1e9 for place in gpus]
read_w = [
    (last.energy_uj[place] - first.energy_uj[place]) / 1e6 / ((last.t_ns[place] - first.t_ns[place]) / 1e9)
    for place in gpus
]
window = meter.energy_between(t0_ns, t1_ns)
row = meter.energy_between(np.array([t0_ns]), np.array([t1_ns]))[0]
others_j = sum(d.energy_j for d in window.domains.values() if d.kind != "gpu" and d.counted)
between = meter.between(first, last)
power = [float(meter.power(0.2, f"gpu-{number}")[1][-2]) for number in range(4)]
print(json.dumps({
    "read": sum(read_w), "shown": sum(last.power_w[place] for place in gpus), "ages": ages_s,
    "window": sum(watts(window).values()), "between": sum(watts(between).values()),
    "array": (row["energy_j"] - others_j) / seconds, "power": sum(power), "coverage": row["coverage"],
    "gpus": [[one.id, one.uuid, one.condition["temperature_c"]] for one in meter.gpus],
}))
"""
    told = python_on_fake({"devices": [{}] * 4}, HEAD + source)
    for door in ("read", "shown", "window", "between", "array", "power"):
        assert abs(told[door] - 1200) < 24, (door, told)
    assert all(-0.01 < age_s < 0.5 for age_s in told["ages"]), told
    assert told["coverage"] == 1.0
    assert [one[0] for one in told["gpus"]] == [f"gpu-{number}" for number in range(4)]
    assert len({one[1] for one in told["gpus"]}) == 4


FAULTS = {
    "lost": {"kind": "error", "code": 15, "from_s": 3.2},
    "refused": {"kind": "error", "code": 3, "from_s": 3.2, "to_s": 3.3},
    "reset": {"kind": "counter_reset", "from_s": 3.2},
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_one_gpu_leaves_the_other_exact_and_is_flagged(python_on_fake: Any, name: str) -> None:
    source = """
t0_ns = time.perf_counter_ns()
with meter.span("request"):
    time.sleep(2.0)
t1_ns = time.perf_counter_ns()
time.sleep(0.5)
rows = meter.energy_between(np.array([t0_ns]), np.array([t1_ns]))
window = meter.energy_between(t0_ns, t1_ns)
spans = {split: meter.spans(split=split) for split in ("whole", "share")}
good = meter.spans(split="share", domain="gpu-1")
bad = window.domains["gpu-0"]
print(json.dumps({
    "good": float(good["energy_j"][0] / good["duration_s"][0]), "window": watts(window)["gpu-1"],
    "flags": [bad.coverage < 1, bad.resets > 0, bad.rule != "idle-anchored", bad.modelled_j > 0],
    "coverage": [float(one["coverage"][0]) for one in spans.values()], "rows": float(rows["coverage"][0]),
    "finite": all(bool(np.isfinite(one["energy_j"]).all()) for one in spans.values()),
}))
"""
    told = python_on_fake({"devices": [{"faults": [FAULTS[name]]}, {}]}, HEAD + source)
    assert abs(told["good"] - 300) < 6 and abs(told["window"] - 300) < 6, told
    assert told["finite"]
    if name != "refused":  # what was refused for a tenth of a second broke no interval
        assert any(told["flags"]), told
    if name == "lost":
        assert all(coverage < 0.9 for coverage in (*told["coverage"], told["rows"])), told


def test_a_trace_file_has_the_gpus_and_a_reader_gets_what_the_meter_told(python_on_fake: Any, tmp_path: Any) -> None:
    source = f"""
path = {str(tmp_path / "gpu.trace")!r}
t0_ns = time.perf_counter_ns()
time.sleep(0.35)
t1_ns = time.perf_counter_ns()
time.sleep(0.3)
told = meter.energy_between(t0_ns, t1_ns)
meter.save_trace(path)
from eco2ai_fast.traces import load_trace
trace = load_trace(path)
gpus = [one for one in trace.domains if one.kind == "gpu"]
row = trace.energy_between([t0_ns], [t1_ns])[0]
print(json.dumps([
    [[one.id, one.uuid, one.provenance, one.counted, one.tick_s] for one in gpus],
    float(row["energy_j"]) / told.energy_j, len(trace.curves["gpu-0"]["t_ns"]), [one.uuid for one in meter.gpus],
]))
"""
    gpus, ratio, updates, uuids = python_on_fake({"devices": [{}, {}]}, HEAD + source)
    assert [one[0] for one in gpus] == ["gpu-0", "gpu-1"] and [one[1] for one in gpus] == uuids
    assert all(one[2:4] == ["measured", True] and abs(one[4] - 0.1) < 0.002 for one in gpus)
    assert abs(ratio - 1) < 0.02 and updates > 20


def test_join_gives_a_burst_what_exceeds_the_idle_power_around_it(python_on_fake: Any, tmp_path: Any) -> None:
    # 700 W from 3.0 to 3.15 s: less than two updates of a 100 ms meter.
    source = f"""
path, log = {str(tmp_path / "gpu.trace")!r}, {str(tmp_path / "requests.jsonl")!r}
library = ctypes.CDLL("libnvidia-ml.so.1")
library.fake_nvml_epoch_ns.restype = ctypes.c_uint64
epoch_ns = library.fake_nvml_epoch_ns()
while time.perf_counter_ns() < epoch_ns + 4_200_000_000:
    time.sleep(0.05)
meter.save_trace(path)
with open(log, "w") as file:
    file.write(json.dumps({{"start": epoch_ns + 3_000_000_000, "end": epoch_ns + 3_150_000_000, "units": 1}}) + "\\n")
from eco2ai_fast.joining import join
from eco2ai_fast.traces import load_trace
trace = load_trace(path)
joined = join(log, trace)
others_w = sum(np.ptp(trace.curves[one.id]["energy_uj"]) for one in trace.domains if one.kind != "gpu") / 1e6
others_w /= (trace.end_ns - trace.start_ns) / 1e9
print(json.dumps(float(joined.rows["energy_j"][0]) - 0.15 * float(others_w)))
"""
    wave = {"shape": "points", "points": [[0, 90], [3.0, 90], [3.0, 700], [3.15, 700], [3.15, 90]]}
    gpu_j = python_on_fake({"devices": [{"wave": wave}]}, HEAD + source)
    assert abs(gpu_j / 105 - 1) < 0.05


def test_spans_before_a_stop_of_the_meter_keep_their_gpu_energy(python_on_fake: Any) -> None:
    source = """
def span():
    with meter.span("request"):
        time.sleep(0.4)
span()
time.sleep(0.5)
meter.stop()
before = meter.spans(domain="gpu-0")["energy_j"].tolist()
meter.start()
time.sleep(0.3)
span()
time.sleep(0.5)
after = meter.spans(domain="gpu-0")
print(json.dumps([before, after["energy_j"].tolist(), after["duration_s"].tolist()]))
"""
    before, after, seconds = python_on_fake({}, HEAD + source)
    assert len(before) == 1 and len(after) == 2
    assert all(abs(joules / length / 300 - 1) < 0.02 for joules, length in zip(after, seconds, strict=True))


def test_a_forked_child_has_gpus_of_its_own_in_its_spans(python_on_fake: Any) -> None:
    source = """
reader, writer = os.pipe()
if os.fork() == 0:
    with meter.span("warm"):
        time.sleep(1.0)
    meter.spans()
    time.sleep(1.0)
    with meter.span("childs"):
        time.sleep(0.5)
    time.sleep(0.5)
    rows = meter.spans(name="childs", domain="gpu-0")
    os.write(writer, json.dumps((rows["energy_j"] / rows["duration_s"]).tolist()).encode())
    os._exit(0)
os.wait()
print(os.read(reader, 1000).decode())
"""
    (power_w,) = python_on_fake({}, HEAD + source)
    assert abs(power_w - 300) < 6


def test_a_calibrated_card_reads_true_power_and_says_so(python_on_fake: Any) -> None:
    source = """
t0_ns = time.perf_counter_ns()
time.sleep(0.5)
m = meter.energy_between(t0_ns, time.perf_counter_ns())
gpu = m.domains["gpu-0"]
kept = m.to_record()["domains"][-1]["calibration"]
print(json.dumps([watts(m)["gpu-0"], gpu.detail, gpu.calibration, gpu.sensor_rel, kept]))
"""
    head = "import os; os.environ['ECO2AI_FAST_GPU_CALIBRATION'] = 'GPU-aaaa=0.9,12'\n"
    power_w, detail, pair, sensor_rel, kept = python_on_fake(
        {"devices": [{"uuid": "GPU-aaaabbbb", "gain": 0.9, "offset_w": 12}]}, head + HEAD + source
    )
    assert abs(power_w - 300) < 6
    assert "calibrated: gain 0.9000, offset +12.00 W" in detail
    assert pair == kept == [0.9, 12.0] and sensor_rel < 0.025


def test_a_meter_of_models_has_gpus_only_where_a_library_is_named(python_on_fake: Any) -> None:
    # The setting `sources` and the argument mean the same; on_fake names the library.
    source = """
import json, os, time
import eco2ai_fast as eco
def cards(**options):
    with eco.Meter(sources="estimate", **options) as meter:
        time.sleep(2.0)
        return len(meter.gpus)
found = [cards(gpus="all"), cards(gpus="off")]
del os.environ["ECO2AI_FAST_NVML"]
print(json.dumps([*found, cards(gpus="all")]))
"""
    assert python_on_fake({"devices": [{}, {}]}, source) == [2, 0, 0]
