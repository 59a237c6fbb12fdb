"""A machine that sleeps, as a process sees it: CLOCK_BOOTTIME jumps ahead, CLOCK_MONOTONIC does not.

A process with one thread may move itself into another time namespace, whose clocks are ahead by what its file says.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

MOVE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWTIME = 0x80
def sleep_machine(seconds):
    if libc.unshare(CLONE_NEWTIME):
        raise OSError(ctypes.get_errno(), "unshare")
    with open("/proc/self/timens_offsets", "w") as offsets:
        offsets.write(f"boottime {seconds} 0")
    if libc.setns(os.open("/proc/self/ns/time_for_children", os.O_RDONLY), CLONE_NEWTIME):
        raise OSError(ctypes.get_errno(), "setns")
"""


def python(script: str, *prefix: str) -> list[str]:
    environment = os.environ | {"ECO2AI_FAST_SOURCES": "estimate"}  # models do not wrap, so no thread follows them
    command = [*prefix, sys.executable, "-c", script]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split("\n")


@pytest.fixture(autouse=True)
def time_namespaces() -> None:
    if subprocess.run(["unshare", "--time", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no time namespaces here, or no right to make one")


@pytest.mark.root
def test_window_over_a_sleep_of_the_machine_tells_it_and_does_not_last_so_long() -> None:
    script = f"""{MOVE}
import eco2ai_fast as eco
with eco.measure() as m:
    sleep_machine(100)
print(round(m.suspended_s), m.duration_s < 50, m.to_record()["suspended_s"] == m.suspended_s)
print([note for note in m.notes if "slept for 100 s" in note] != [], "slept" in repr(m))
with eco.measure() as m: pass
print(m.suspended_s, "slept" in repr(m))
"""
    assert python(script)[:3] == ["100 True True", "True True", "0.0 False"]


@pytest.mark.root
def test_machine_that_slept_before_is_not_said_to_have_slept_meanwhile() -> None:
    script = "import eco2ai_fast as eco\nwith eco.measure() as m: pass\nprint(m.suspended_s)"
    assert python(script, "unshare", "--time", "--boottime", "86400", "--fork")[0] == "0.0"
