"""The fake in a process's life: forks, threads, slow and failing starts."""

from __future__ import annotations

import sys
from typing import Any

import pytest

pytest.importorskip("pynvml")


def test_a_forked_child_is_not_initialised_until_it_does_so_itself(python_on_fake: Any) -> None:
    source = """
import json, os, pynvml
pynvml.nvmlInit()
before = pynvml.nvmlDeviceGetCount()
reader, writer = os.pipe()
if os.fork() == 0:
    try:
        pynvml.nvmlDeviceGetCount()
        answer = "initialised"
    except pynvml.NVMLError as error:
        answer = str(error)
    pynvml.nvmlInit()
    os.write(writer, json.dumps([answer, pynvml.nvmlDeviceGetCount()]).encode())
    os._exit(0)
os.wait()
print(json.dumps([before, json.loads(os.read(reader, 1000)), pynvml.nvmlDeviceGetCount()]))
"""
    assert python_on_fake({}, source) == [1, ["Uninitialized", 1], 1]


def test_calls_are_counted_on_the_thread_that_makes_them(python_on_fake: Any) -> None:
    source = """
import ctypes, json, threading, pynvml
pynvml.nvmlInit()
library = ctypes.CDLL("libnvidia-ml.so.1")
library.fake_nvml_calls_on_thread.restype = ctypes.c_uint64
library.fake_nvml_calls_on_thread.argtypes = [ctypes.c_uint64]
found = []
def work():
    for _ in range(5):
        pynvml.nvmlDeviceGetCount()
    found.append(library.fake_nvml_calls_on_thread(threading.get_native_id()))
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(json.dumps([found[0], library.fake_nvml_calls_on_thread(threading.get_native_id())]))
"""
    assert python_on_fake({}, source) == [5, 1]


def test_a_start_can_be_slow_and_can_fail(python_on_fake: Any) -> None:
    source = """
import json, time, pynvml
start = time.monotonic()
try:
    pynvml.nvmlInit()
    answer = "started"
except pynvml.NVMLError as error:
    answer = error.value
print(json.dumps([answer, time.monotonic() - start >= 0.3]))
"""
    assert python_on_fake({"init": {"delay_ms": 300}}, source) == ["started", True]
    assert python_on_fake({"init": {"code": 18}}, source) == [18, False]


def test_a_wrong_configuration_is_named_on_standard_error(on_fake: Any) -> None:
    with pytest.raises(AssertionError, match="devises"):
        on_fake({"devises": []}, sys.executable, "-c", "import pynvml; pynvml.nvmlInit()")
