"""What a tracker costs a program: constructor + start + stop, cold and warm, here and with the original.

    python benches/bench_tracker.py [--original PYTHON] [--repeats 7]

PYTHON has eco2ai, pandas<3 and setuptools<80 (default: $ECO2AI_FAST_ORIGINAL_PYTHON); it is run without a network, by
`unshare -n`. Each repeat is a fresh process; both sides alternate. Children and sockets are counted by strace where it
is there, in a run of its own that is not timed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

WORK = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
t0 = time.perf_counter()
import {module} as eco2ai
t1 = time.perf_counter()

def once():
    begin = time.perf_counter()
    tracker = eco2ai.Tracker("p", "d", "e.csv", alpha_2_code="RU", ignore_warnings=True)
    tracker.start()
    tracker.stop()
    return 1e3 * (time.perf_counter() - begin)

cold = once()
warm = [once() for _ in range({warm})]
print("BENCH" + json.dumps({{"import": 1e3 * (t1 - t0), "cold": cold, "warm": sorted(warm)[len(warm) // 2]}}))
"""
ONCE = WORK.replace("warm = [once() for _ in range({warm})]", "warm = [0]")
FIGURES = ("import", "cold", "warm")


class Side:
    """One of the two packages, in a folder and home of its own."""

    def __init__(self, name: str, module: str, command: list[str], warm: int, folder: Path) -> None:
        self.name = name
        self.module = module
        self.command = command
        self.warm = warm
        self.folder = folder / name.replace(" ", "-")
        self.folder.mkdir()
        self.found: list[dict[str, float]] = []

    def run(self, before: list[str], script: str) -> subprocess.CompletedProcess[str]:
        # Compiled files are what a user has, whatever this shell says.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        environment["XDG_CONFIG_HOME"] = str(self.folder)
        command = [*before, *self.command, "-c", script.format(module=self.module, warm=self.warm)]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=True)

    def time(self) -> None:
        self.found.append(json.loads(self.run([], WORK).stdout.rpartition("BENCH")[2]))

    def spawns(self) -> str:
        """Processes started and sockets opened by one tracker."""
        if not shutil.which("strace"):
            return "no strace"
        log = self.folder / "strace"
        self.run(["strace", "-f", "-qq", "-o", str(log), "-e", "trace=execve,socket"], ONCE)
        calls = [line.split(None, 1)[1] for line in log.read_text().splitlines() if "= -1" not in line]
        own = 2 if "unshare" in self.command[0] else 1  # the command itself
        started = sum(call.startswith("execve(") for call in calls) - own
        return f"{started} children, {sum(call.startswith('socket(') for call in calls)} sockets"

    def line(self) -> str:
        cells = []
        for figure in FIGURES:
            values = [one[figure] for one in self.found]
            cells.append(f"{statistics.median(values):9.2f} ({min(values):.2f} .. {max(values):.2f})")
        return f"{self.name:14} {' '.join(f'{cell:>28}' for cell in cells)}   {self.spawns()}"


def sides(original: str | None, folder: Path) -> list[Side]:
    ours = Side("eco2ai_fast", "eco2ai_fast", [sys.executable], 50, folder)
    if not original:
        print("no original: set ECO2AI_FAST_ORIGINAL_PYTHON or --original to compare", file=sys.stderr)
        return [ours]
    return [ours, Side("eco2AI", "eco2ai", ["unshare", "-n", original], 2, folder)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--original", default=os.environ.get("ECO2AI_FAST_ORIGINAL_PYTHON"))
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        both = sides(options.original, Path(folder))
        for side in both:
            side.run([], ONCE)  # compiles, fills the page cache
        for _ in range(options.repeats):
            for side in both:
                side.time()
        print(f"milliseconds, median (least .. most) of {options.repeats} processes")
        print(f"{'':14} {'import':>28} {'cold: new + start + stop':>28} {'warm: the same again':>28}")
        for side in both:
            print(side.line())
        if len(both) == 2:
            pairs = list(zip(both[0].found, both[1].found, strict=True))
            ratios = [statistics.median(theirs[f] / ours[f] for ours, theirs in pairs) for f in FIGURES]
            print(f"{'ratio':14} {' '.join(f'{ratio:>28.0f}' for ratio in ratios)}")


if __name__ == "__main__":
    main()
