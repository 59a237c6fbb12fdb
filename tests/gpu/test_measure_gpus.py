"""measure() on GPUs: real processes whose NVML is the fake."""

from __future__ import annotations

from typing import Any

# What every program begins with. The first window starts the round; the sleep lets it learn the meters' rhythm.
HEAD = """
import ctypes, json, os, threading, time
import eco2ai_fast as eco
def tasks():
    return sorted(open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task"))
def warm():
    with eco.measure():
        time.sleep(1.0)
def gpus(m):
    return {d.id: d for d in m.domains.values() if d.kind == "gpu"}
def watts(m):
    return {d.id: d.energy_j / m.duration_s for d in gpus(m).values()}
"""


def test_four_gpus_at_300_watts_read_1200_watts_without_a_call_on_the_users_thread(python_on_fake: Any) -> None:
    source = """
warm()
with eco.measure() as m:
    time.sleep(0.5)
power_w = sum(watts(m).values())
library = ctypes.CDLL("libnvidia-ml.so.1")
library.fake_nvml_calls_on_thread.restype = ctypes.c_uint64
library.fake_nvml_calls_on_thread.argtypes = [ctypes.c_uint64]
own = library.fake_nvml_calls_on_thread(threading.get_native_id())
library.fake_nvml_calls.restype = ctypes.c_uint64
inits = library.fake_nvml_calls(b"nvmlInitWithFlags")
print(json.dumps([power_w, own, inits, m.coverage, [d.counted for d in gpus(m).values()], list(m.notes)]))
"""
    power_w, own, inits, coverage, counted, notes = python_on_fake({"devices": [{}] * 4}, HEAD + source)
    assert abs(power_w - 1200) < 24
    assert (own, inits, coverage, counted) == (0, 1, 1.0, [True] * 4)
    assert any(note.startswith("GPU windows closed idle-anchored: gpu-0 ±") for note in notes), notes


def test_the_sum_holds_the_gpus_beside_processor_and_memory(python_on_fake: Any) -> None:
    source = """
warm()
with eco.measure() as m:
    time.sleep(0.2)
parts = sum(d.energy_uj for d in m.domains.values() if d.counted)
print(json.dumps([round(m.energy_j * 1e6) == parts, gpus(m)["gpu-0"].source, gpus(m)["gpu-0"].provenance]))
"""
    assert python_on_fake({}, HEAD + source) == [True, "nvml", "measured"]


def test_cuda_visible_devices_by_prefix_reads_that_gpu(python_on_fake: Any) -> None:
    source = """
os.environ["CUDA_VISIBLE_DEVICES"] = "GPU-bb"
warm()
with eco.measure() as m:
    time.sleep(0.3)
(one,) = gpus(m).values()
print(json.dumps([one.id, one.uuid, one.cuda_index, watts(m)[one.id]]))
"""
    config = {"devices": [{"uuid": "GPU-aaaa"}, {"uuid": "GPU-bbbb", "wave": {"shape": "constant", "power_w": 500}}]}
    name, uuid, cuda_index, power_w = python_on_fake(config, HEAD + source)
    assert (name, uuid, cuda_index) == ("gpu-1", "GPU-bbbb", 0)
    assert abs(power_w - 500) < 15


def test_the_setting_gpus_outranks_the_variable_and_can_switch_them_off(python_on_fake: Any) -> None:
    source = """
os.environ["CUDA_VISIBLE_DEVICES"] = "0"
found = []
for wanted in ("1", "all", "off"):
    eco.configure(gpus=wanted)
    with eco.measure() as m:
        time.sleep(0.4)
    found.append(sorted(gpus(m)))
print(json.dumps(found))
"""
    assert python_on_fake({"devices": [{}, {}]}, HEAD + source) == [["gpu-1"], ["gpu-0", "gpu-1"], []]


def test_nothing_happens_at_import_and_all_windows_share_one_thread(python_on_fake: Any) -> None:
    source = """
before = tasks()
loaded = "libnvidia-ml" in open("/proc/self/maps").read()
for _ in range(3):
    with eco.measure() as m:
        pass
    m.energy_j
print(json.dumps([len(before), loaded, tasks().count("eco2ai-gpu")]))
"""
    assert python_on_fake({}, HEAD + source) == [1, False, 1]


def test_without_a_library_no_thread_is_started_and_no_gpu_is_missing(python_on_fake: Any) -> None:
    source = """
os.environ["ECO2AI_FAST_NVML"] = "/nowhere/libnvidia-ml.so.1"
with eco.measure() as m:
    time.sleep(0.05)  # a thread that was started would have its name by now
    during = tasks()
print(json.dumps([during.count("eco2ai-gpu"), gpus(m), [domain for domain, _ in m.missing if "gpu" in domain]]))
"""
    assert python_on_fake({}, HEAD + source) == [0, {}, []]


def test_a_cold_first_window_says_so_by_its_coverage_and_its_rule(python_on_fake: Any) -> None:
    source = """
with eco.measure() as m:
    time.sleep(0.05)
one = gpus(m)["gpu-0"]
print(json.dumps([one.coverage < 1, one.rule, one.provenance]))
"""
    is_partial, rule, provenance = python_on_fake({}, HEAD + source)
    assert is_partial and rule.startswith("cold") and provenance in ("modelled", "mixed")


def test_repr_and_provisional_do_not_wait_and_wait_settles(python_on_fake: Any) -> None:
    source = """
import asyncio
with eco.measure() as cold:
    text_open, open_now = repr(cold), cold.provisional
text, provisional = repr(cold), cold.provisional
done = cold.wait()
settled = cold.provisional
first = cold.energy_j
async def later():
    with eco.measure() as m:
        await asyncio.sleep(0.05)
    return await m
m = asyncio.run(later())
facts = [open_now, "provisional" in text, "gpu" in text, provisional, done, settled, cold.energy_j == first]
print(json.dumps([*facts, m.provisional]))
"""
    # The driver takes 0.3 s to start: neither repr nor provisional can have waited for it and still not know.
    expected = [True, True, True, True, True, False, True, False]
    assert python_on_fake({"init": {"delay_ms": 300}}, HEAD + source) == expected


def test_a_lost_gpu_is_missing_and_the_other_exact(python_on_fake: Any) -> None:
    source = """
warm()
time.sleep(0.3)
with eco.measure() as m:
    time.sleep(0.3)
m.energy_j
print(json.dumps([gpus(m)["gpu-0"].energy_j / m.duration_s, gpus(m)["gpu-1"].energy_j, dict(m.missing).get("gpu-1")]))
"""
    config = {"devices": [{}, {"faults": [{"kind": "error", "code": 15, "from_s": 0.6}]}]}
    power_w, lost_j, reason = python_on_fake(config, HEAD + source)
    assert abs(power_w - 300) < 6
    assert lost_j is None and "lost" in reason


def test_an_init_that_hangs_blocks_no_window_and_is_told_as_a_failure(python_on_fake: Any) -> None:
    source = """
with eco.measure() as m:
    pass
stand = m._gpus.stand[0]
is_number = m.energy_j == m.energy_j
print(json.dumps([stand, is_number, dict(m.missing).get("gpu")]))
"""
    # That it prints at all, and ends, is the point: the thread never comes back from the init.
    stand, is_number, reason = python_on_fake({"init": {"hangs": True}}, HEAD + source)
    assert stand == "starting" and is_number
    assert "did not come back" in reason


def test_a_driver_that_fails_leaves_the_rest_measured(python_on_fake: Any) -> None:
    source = """
with eco.measure() as m:
    pass
print(json.dumps([m.energy_j == m.energy_j, dict(m.missing).get("gpu")]))
"""
    is_number, reason = python_on_fake({"init": {"code": 18}}, HEAD + source)
    assert is_number and "reboot" in reason


def test_a_forked_child_initialises_anew_and_does_not_touch_the_parents_window(python_on_fake: Any) -> None:
    source = """
warm()
with eco.measure() as parents:
    time.sleep(0.1)
reader, writer = os.pipe()
if os.fork() == 0:
    with eco.measure() as m:
        time.sleep(0.8)
    with eco.measure() as m:
        time.sleep(0.3)
    facts = [watts(m)["gpu-0"], tasks().count("eco2ai-gpu"), "forked" in dict(parents.missing)["gpu"]]
    os.write(writer, json.dumps(facts).encode())
    os._exit(0)
os.wait()
print(json.dumps([json.loads(os.read(reader, 1000)), watts(parents)["gpu-0"]]))
"""
    (childs_w, threads, is_told), parents_w = python_on_fake({}, HEAD + source)
    assert abs(childs_w - 300) < 6 and abs(parents_w - 300) < 15
    assert threads == 1 and is_told


def test_a_grace_hopper_modules_figure_contains_processor_and_memory(python_on_fake: Any) -> None:
    source = """
warm()
with eco.measure() as m:
    time.sleep(0.3)
inside = [(d.counted, d.parent) for d in m.domains.values() if d.kind in ("package", "dram")]
print(json.dumps([inside, gpus(m)["gpu-0"].detail, m.energy_j == gpus(m)["gpu-0"].energy_j]))
"""
    config = {"devices": [{"name": "NVIDIA GH200 480GB", "module": {"extra_w": 200, "in_counter": True}}]}
    inside, detail, is_all = python_on_fake(config, HEAD + source)
    assert "module" in detail and is_all
    assert inside and all(one == [False, "gpu-0"] for one in inside)


def test_configure_leaves_the_gpus_warm_and_starts_no_driver_again(python_on_fake: Any) -> None:
    source = """
warm()
eco.configure(pue=1.2)
with eco.measure() as m:
    time.sleep(0.3)
library = ctypes.CDLL("libnvidia-ml.so.1")
print(json.dumps([watts(m)["gpu-0"], gpus(m)["gpu-0"].coverage, library.fake_nvml_calls(b"nvmlInitWithFlags")]))
"""
    power_w, coverage, inits = python_on_fake({}, HEAD + source)
    assert abs(power_w - 300) < 6 and coverage == 1.0 and inits == 1
