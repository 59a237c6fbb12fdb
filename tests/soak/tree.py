"""A machine whose powercap counters move: a small tree in a temporary directory, brought up to date by hand."""

from __future__ import annotations

import time
from pathlib import Path

ZONES = {"0": "package-0", "0:0": "core", "0:1": "dram", "1": "package-1", "1:0": "dram"}
RANGE_UJ = 262_143_328_850
# Twelve digits at every moment, so that a counter is overwritten in one write and never read half.
LEAST_UJ = 100_000_000_000


class Tree:
    """Each zone draws 50 W by the monotonic clock; `move()` writes what the counters show now."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files = []
        (root / "proc").mkdir(parents=True)
        (root / "proc/cpuinfo").write_text("processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\n")
        for zone, name in ZONES.items():
            folder = root / f"sys/class/powercap/intel-rapl:{zone}"
            folder.mkdir(parents=True)
            (folder / "name").write_text(f"{name.partition('-')[0] if ':' in zone else name}\n")
            (folder / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
            self._files.append(folder / "energy_uj")
        self.move()

    def move(self) -> None:
        count_uj = LEAST_UJ + time.monotonic_ns() // 1000 * 50 % (RANGE_UJ - LEAST_UJ)
        for path in self._files:
            with open(path, "r+b" if path.exists() else "wb", buffering=0) as file:
                file.write(b"%d\n" % count_uj)
