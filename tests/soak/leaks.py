"""Start and stop, a hundred thousand times: memory, threads and descriptors must stay as they are.

    PYTHONPATH=tests python -m soak.leaks [--cycles 100000] [--minutes 5] [KIND ...]

Each kind runs in a process of its own, until it has done its cycles or its time is up; the number done is printed.
Exit code 1 where a line is not flat.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .cycles import CYCLES
from .flat import Line, Usage, lines, shown, usage

SAMPLES = 40


def settled(threads: int) -> Usage:
    """The process when what has just ended is gone: a joined thread may stay in the kernel's list for a moment."""
    gc.collect()
    deadline = time.monotonic() + 5
    while usage().threads > threads and time.monotonic() < deadline:
        time.sleep(0.002)
    return usage()


def quiet_threads() -> int:
    """Threads that stay: one that was told to end may still be there."""
    counts = []
    for _ in range(100):
        counts.append(usage().threads)
        time.sleep(0.005)
    return min(counts)


def run(kind: str, cycles: int, limit_s: float) -> tuple[int, list[Line]]:
    """Cycles done, and how the process went on meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CONFIG_HOME"] = folder
        cycle = CYCLES[kind](Path(folder))
        at, samples, begin = [], [], time.monotonic()
        for _ in range(max(10, cycles // 100)):
            cycle()
        idle = quiet_threads()
        done = 0
        for part in range(1, SAMPLES + 1):
            while done < cycles * part // SAMPLES and time.monotonic() - begin < limit_s * part / SAMPLES:
                cycle()
                done += 1
            at.append(float(done))
            samples.append(settled(idle))
    return done, lines(at, samples)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("kinds", nargs="*", default=list(CYCLES), help=", ".join(CYCLES))
    parser.add_argument("--cycles", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=5.0, help="at most, for each kind")
    arguments = parser.parse_args()
    if len(arguments.kinds) > 1:
        command = [sys.executable, "-m", "soak.leaks", f"--cycles={arguments.cycles}", f"--minutes={arguments.minutes}"]
        return max(subprocess.run([*command, kind], check=False).returncode for kind in arguments.kinds)
    (kind,) = arguments.kinds
    begin = time.monotonic()
    done, found = run(kind, arguments.cycles, arguments.minutes * 60)
    print(f"{kind}: {done:,} of {arguments.cycles:,} cycles in {time.monotonic() - begin:.0f} s")
    for line in found:
        print(shown(line, 1000, "1000 cycles"))
    return 0 if all(line.is_flat for line in found) else 1


if __name__ == "__main__":
    sys.exit(main())
