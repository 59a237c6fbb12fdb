"""How far sampled windows are from the truth in real time, on an emulated counter (needs root and /dev/fuse).

    python benches/bench_accuracy.py [--seconds 8] [--seed 11]

Prints the root mean square of the relative error of random windows, how many lie within their stated bound, and what
sampling cost. The emulator answers a read in about 10 us when it shares a CPU with the reader, far above real sysfs.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import eco2ai_fast as eco
from emulator.machine import Machine
from emulator.shapes import constant, square, telegraph

WINDOWS = 400
ZONES = [{"zone": "intel-rapl:0", "name": "package-0"}]


def loads(seed: int) -> dict[str, Any]:
    return {
        "telegraph 20/180 W, 10 ms": telegraph(20, 180, 0.010, seed),
        "square 20/180 W, 100 ms": square(20, 180, 0.1),
        "constant 65 W": constant(65),
    }


def errors(machine: Machine, meter: eco.Meter, length_s: float, seed: int) -> tuple[float, float]:
    """Relative rms error in %, and the share of windows within their bound."""
    dice = random.Random(seed)
    t_ns, _ = meter.trace("package-0")
    first, last, length_ns = int(t_ns[50]), int(t_ns[-50]), round(length_s * 1e9)
    starts = np.array([dice.randrange(first, max(first + 1, last - length_ns)) for _ in range(WINDOWS)], "u8")
    rows = meter.energy_between(starts, starts + np.uint64(length_ns))
    pairs = zip(rows["t0_ns"].tolist(), rows["t1_ns"].tolist(), strict=True)
    truth_j = np.array([machine.energy_uj("package-0", t0, t1) / 1e6 for t0, t1 in pairs])
    error_j = rows["energy_j"] - truth_j
    inside = np.abs(error_j) <= rows["sampling_j"]
    return float(100 * np.sqrt(np.mean((error_j / truth_j) ** 2))), float(inside.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    for name, power in loads(options.seed).items():
        spec = {
            "domains": [{"id": "package-0", "power": power, "zones": ZONES}],
            "jitter": "client",
            "seed": options.seed,
        }
        with Machine(spec) as machine, eco.Meter(sources="powercap", sysroot=machine.root, rate_hz=1000) as meter:
            time.sleep(options.seconds)
            meter.stop()
            stats = meter.stats()
            cells = [(length_s, *errors(machine, meter, length_s, options.seed)) for length_s in (0.01, 0.05, 0.5, 5.0)]
        figures = "; ".join(
            f"{length_s * 1e3:g} ms: {rms:.3f} %, {inside:.0%} inside" for length_s, rms, inside in cells
        )
        print(f"{name}: {figures} (missed {stats['missed']:g} of {stats['wakeups']:g}, {stats['cpu_s']:.2f} s CPU)")


if __name__ == "__main__":
    main()
