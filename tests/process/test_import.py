"""What importing the package does to a process: nothing but a little time and memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

# Audit events that an import must not raise; opening for writing is judged by its mode.
FORBIDDEN = (
    "socket.",
    "subprocess.Popen",
    "os.fork",
    "os.posix_spawn",
    "os.exec",
    "os.mkdir",
    "os.remove",
    "os.rename",
)

SPY = f"""
import json, os, sys
seen = []
def spy(event, args):
    if event.startswith({FORBIDDEN!r}):
        seen.append(event)
    if event == "open" and args[2] is not None and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        seen.append("write " + str(args[0]))
sys.dont_write_bytecode = True
sys.addaudithook(spy)
before = set(sys.modules)
%s
threads = len(os.listdir("/proc/self/task"))
print(json.dumps(dict(seen=seen, threads=threads, modules=sorted(set(sys.modules) - before))))
"""

HEAVY = {"numpy", "click", "rich", "pandas", "dataclasses", "typing", "enum", "json", "logging", "importlib.metadata"}
HEAVY |= {"re", "inspect", "subprocess", "threading", "socket"}


def spied(code: str) -> dict[str, object]:
    answer = subprocess.run([sys.executable, "-c", SPY % code], check=True, capture_output=True, text=True)
    result: dict[str, object] = json.loads(answer.stdout)
    return result


def test_importing_starts_nothing_and_writes_nothing() -> None:
    result = spied("import eco2ai_fast")
    assert result["seen"] == []
    assert result["threads"] == 1


def test_importing_brings_no_heavy_module() -> None:
    # json, os and sys are the spy's own.
    modules = set(spied("import eco2ai_fast")["modules"])  # type: ignore[call-overload]
    assert not modules & (HEAVY - {"json", "re", "enum"}), modules & HEAVY


def test_measuring_on_a_machine_without_counters_starts_no_thread(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text("cpu  1 0 0 0 0 0 0 0 0 0\n")
    (tmp_path / "proc/meminfo").write_text("MemTotal: 1000000 kB\n")
    code = f"import eco2ai_fast; eco2ai_fast.configure(sysroot={str(tmp_path)!r})\nwith eco2ai_fast.measure(): pass"
    result = spied(code)
    assert result["seen"] == []
    assert result["threads"] == 1


PROBE = """
import time; t0 = time.perf_counter_ns()
%s
t1 = time.perf_counter_ns()
status = open("/proc/self/status").read().split()
print(t1 - t0, status[status.index("VmRSS:") + 1])
"""


@pytest.mark.parametrize(
    "code",
    ["pass", "import eco2ai_fast", "import eco2ai_fast\nwith eco2ai_fast.measure(): pass"],
    ids=["bare", "import", "first"],
)
def test_the_cost_of_an_import_is_printed(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A figure for the log, not an assertion: these machines are shared. `pytest -s` or -rP shows it."""
    runs = []
    for _ in range(7):
        answer = subprocess.run([sys.executable, "-c", PROBE % code], check=True, capture_output=True, text=True)
        runs.append([int(word) for word in answer.stdout.split()])
    milliseconds = statistics.median(run[0] for run in runs) / 1e6
    megabytes = statistics.median(run[1] for run in runs) / 1024
    with capsys.disabled():
        print(f"\n{code.splitlines()[-1]}: {milliseconds:.1f} ms, {megabytes:.1f} MB resident (median of {len(runs)})")
    assert all(run[0] > 0 for run in runs)


def test_the_package_works_in_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    code = "import eco2ai_fast as eco\nwith eco.measure() as m: sum(range(10))\nprint(m.energy_j >= 0)"
    env = os.environ | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "none")}
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, check=True, capture_output=True, text=True
    )
    assert answer.stdout.strip() == "True"
