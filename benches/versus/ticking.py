"""A machine whose counter files cost what files cost: plain ones in memory, counted on by a thread every millisecond.

For what reading costs a tool. How right it is, is asked on the emulated machine, where a read is a round trip to the
emulator and costs ten times as much.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from .environments import REPO

FIXTURE = REPO / "tests" / "fixtures" / "server-2s-dram"
START_UJ = 10_000_000_000  # so many digits now and for the 20 minutes until a package's counter has one more
WATTS = {"intel-rapl:0": 65, "intel-rapl:1": 50, "intel-rapl:0:0": 8, "intel-rapl:1:0": 6}
PERIOD_S = 0.001
PR_SET_TIMERSLACK = 29  # include/uapi/linux/prctl.h


class Ticking:
    """Context manager: two sockets with memory, in a folder that namespace.sh puts over /sys."""

    def __enter__(self) -> Ticking:
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(prefix="eco2ai-fast-ticking-", dir=memory if memory.is_dir() else None))
        self.root, self.scratch = self.folder / "root", self.folder / "host"
        for part in ("class/powercap", "devices/virtual/powercap"):
            shutil.copytree(FIXTURE / "sys" / part, self.root / "sys" / part, symlinks=True)
        # As in a kernel; codecarbon looks through it.
        (self.root / "sys/class/powercap/intel-rapl/subsystem").symlink_to("../../../../class/powercap")
        # A processor of its own: in a guest, meters move once a second and are read no faster.
        shutil.copytree(FIXTURE / "proc", self.root / "proc")
        self.scratch.mkdir()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._count)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        shutil.rmtree(self.folder, ignore_errors=True)

    def namespace(self, command: Sequence[str | Path]) -> list[str]:
        """The command where these meters are the machine's, and no network is."""
        script = REPO / "conformance" / "eco2ai_fast_conformance" / "emulated" / "namespace.sh"
        inside = ["sh", "-eu", script, self.root, self.scratch, *command]
        return ["unshare", "--mount", "--net", *map(str, inside)]

    def _count(self) -> None:
        files = {}
        for zone in WATTS:
            path = self.root / "sys/class/powercap" / zone / "energy_uj"
            path.chmod(0o644)
            path.write_text(f"{START_UJ}\n")
            files[zone] = os.open(path, os.O_WRONLY)
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1)  # or the ticks come 50 us late, each by another amount
        begin, ticks = time.monotonic(), 0
        while not self._ended.is_set():
            ticks += 1
            time.sleep(max(0.0, begin + ticks * PERIOD_S - time.monotonic()))
            spent_s = time.monotonic() - begin
            for zone, file in files.items():
                os.pwrite(file, b"%d\n" % (START_UJ + int(spent_s * WATTS[zone] * 1e6)), 0)
        for file in files.values():
            os.close(file)
