"""A minute at 1 kHz with every core busy: missed deadlines are counted, and the total is exact all the same.

    python benches/bench_busy.py [--seconds 60]

An emulated counter of known power (needs root and /dev/fuse) beside one spinning process for each CPU. Between updates
the counter stands still, half a millisecond on average: what is missing at the end and was missing at the begin stands
beside the error.
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

TICK_NS = 1_000_000
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
        missing_j = [machine.energy_uj("package-0", t_ns - TICK_NS // 2, t_ns) / 1e6 for t_ns in (m.t0_ns, m.t1_ns)]
        package = m.domains["package-0"]
        stats = meter.stats()
    assert package.energy_j is not None
    error_j = package.energy_j - truth_j
    print(f"{package.energy_j:.3f} J of {truth_j:.3f} J: {error_j:+.3f} J, bound {package.sampling_j:.3f} J")
    print(f"half an update, at the begin {missing_j[0]:.3f} J, at the end {missing_j[1]:.3f} J: not in it yet")
    print(f"notes {m.notes}; {stats['wakeups']:g} wake-ups, {stats['missed']:g} missed, {stats['late']:g} late")


if __name__ == "__main__":
    main()
