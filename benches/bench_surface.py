"""What the Python surface costs beside `time.perf_counter_ns()` and beside the counter reads it makes, in one run.

    python benches/bench_surface.py [--keep benches/results/surface.json] [pytest options]

pytest-benchmark times the calls of `test_surface.py`; ratios are the figures to quote. `--keep` writes them to a file,
with the machine and the versions.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CLOCK, LAST_CLOCK, EMPTY = "clock", "clock_again", "empty_function"
NAMES = {
    CLOCK: "time.perf_counter_ns()",
    EMPTY: "an empty function of Python",
    "two_clocks": "a context manager of Python, two clocks",
    "read": "meter.read(), 8 domains sampled at 1 kHz",
    "span": "with meter.span(name)",
    "span_with_integer": "with meter.span(name, tokens=128)",
    "energy_between": "meter.energy_between(t0, t1), 8 domains",
    "bare_window": "the counter reads of a window, this machine",
    "measure": "an empty `with measure()`, reused",
    "measured_function": "an empty function under @measure()",
    LAST_CLOCK: "time.perf_counter_ns(), at the end",
}


def timed(options: list[str]) -> dict[str, dict[str, float]]:
    """What pytest-benchmark says of each call, in ns."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "surface.json"
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", "--benchmark-quiet", "-o", f"pythonpath={HERE}"]
        command += [f"--benchmark-json={out}", *options, str(HERE / "test_surface.py")]
        subprocess.run(command, check=True, stdout=sys.stderr)
        told = json.loads(out.read_text())["benchmarks"]
    return {one["name"].removeprefix("test_"): in_ns(one["stats"]) for one in told}


def in_ns(stats: dict[str, Any]) -> dict[str, float]:
    times = {f"{name}_ns": round(stats[name] * 1e9, 1) for name in ("median", "iqr", "min")}
    return times | {"rounds": stats["rounds"], "iterations": stats["iterations"]}


def machine() -> dict[str, object]:
    """What the figures were taken on: no name of the host."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_1min": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    names = ("eco2ai-fast", "pytest-benchmark", "numpy")
    return {"python": platform.python_version()} | {name: version(name) for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--keep", type=Path, help="where to write the figures")
    arguments, options = parser.parse_known_args()
    rows = timed(options)
    clock_ns = rows[CLOCK]["median_ns"]
    for name, row in rows.items():
        row["over_clock"] = round(row["median_ns"] / clock_ns, 2)
        print(f"{NAMES[name]:45} {row['median_ns']:9.0f} ns (iqr {row['iqr_ns']:.0f}), {row['over_clock']:.2f} clocks")
    # What is called in a function of Python has that call in its time.
    own_ns = {name: row["median_ns"] - rows[EMPTY]["median_ns"] for name, row in rows.items()}
    print(f"an empty measure beyond its reads: {(own_ns['measure'] - own_ns['bare_window']) / 1e3:.2f} us")
    print(f"a span / two clocks in Python, both less an empty call: {own_ns['span'] / own_ns['two_clocks']:.2f}")
    if arguments.keep:
        kept = {"machine": machine(), "versions": versions(), "calls": {NAMES[name]: row for name, row in rows.items()}}
        arguments.keep.write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    main()
