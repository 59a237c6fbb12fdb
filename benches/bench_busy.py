"""A minute at 1 kHz with every core busy: missed deadlines are counted, and the total is exact all the same.

    python benches/bench_busy.py [--seconds 60]

An emulated counter of known power (needs root and /dev/fuse) beside one spinning process for each CPU.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import eco2ai_fast as eco
from emulator.machine import Machine
from emulator.shapes import square

SPIN = "import time\nend = time.monotonic() + float({seconds!r})\nwhile time.monotonic() < end: pass"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    zones = [{"zone": "intel-rapl:0", "name": "package-0"}]
    spec = {"domains": [{"id": "package-0", "power": square(20, 180, 0.037), "zones": zones}]}
    with (
        Machine(spec) as machine,
        eco.Meter(sources="powercap", sysroot=machine.root, rate_hz=1000, edges=False) as meter,
    ):
        spin = [sys.executable, "-c", SPIN.format(seconds=seconds + 2)]
        busy = [subprocess.Popen(spin) for _ in range(os.cpu_count() or 1)]
        time.sleep(0.5)
        with eco.measure(meter=meter) as m:
            time.sleep(seconds)
        meter.stop()
        for process in busy:
            process.terminate()
            process.wait()
        truth_j = machine.energy_uj("package-0", m.t0_ns, m.t1_ns) / 1e6
        package = m.domains["package-0"]
        stats = meter.stats()
    assert package.energy_j is not None
    error_j = package.energy_j - truth_j
    print(f"{package.energy_j:.3f} J of {truth_j:.3f} J: {error_j:+.3f} J, bound {package.sampling_j:.3f} J")
    print(f"notes {m.notes}; {stats['wakeups']:g} wake-ups, {stats['missed']:g} missed, {stats['late']:g} late")


if __name__ == "__main__":
    main()
