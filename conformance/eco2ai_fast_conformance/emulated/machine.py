"""An emulated machine in a test: started, read through its files, compared with its truth, and gone.

    package = {"id": "package-0", "power": constant(65), "zones": [{"zone": "intel-rapl:0"}]}
    with Machine({"domains": [package]}) as m:
        t0_ns = m.now_ns()
        ...
        m.energy_uj("package-0", t0_ns, m.now_ns())

Needs root and /dev/fuse; builds the emulator with cargo at first use unless ECO2AI_FAST_EMULATOR names one.
"""

from __future__ import annotations

import json
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .build import EmulatorError
from .build import emulator as binary
from .truth import Spec, Truth

__all__ = ["EmulatorError", "Machine", "binary"]

HERE = Path(__file__).resolve().parent
READY_TIMEOUT_S = 10


class Machine:
    """Context manager around one emulator process; `spec` is described in README.md beside this file."""

    def __init__(self, spec: Spec, max_seconds: int = 600) -> None:
        self.spec = spec
        self.max_seconds = max_seconds
        self.reads: dict[str, int] = {}

    def __enter__(self) -> Machine:
        self._dir = Path(tempfile.mkdtemp(prefix="eco2ai-fast-machine-"))
        # Other users may enter: what they may read is for the machine's own modes to say.
        self._dir.chmod(0o755)
        self.root = self._dir / "root"
        self._scratch = self._dir / "host"
        self.root.mkdir()
        self._scratch.mkdir()
        (self._dir / "spec.json").write_text(json.dumps(self.spec))
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def energy_uj(self, domain: str, t0_ns: int, t1_ns: int) -> float:
        """True energy in [t0_ns, t1_ns] (CLOCK_MONOTONIC) in microjoules."""
        return self.truth.energy_uj(domain, t0_ns, t1_ns)

    def now_ns(self) -> int:
        """CLOCK_MONOTONIC, the clock of the machine."""
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC)

    def wait_until(self, seconds: float) -> int:
        """Sleeps until so long after the epoch, at once if that is past; the time then."""
        time.sleep(max(0.0, (self.epoch_ns - self.now_ns()) / 1e9 + seconds))
        return self.now_ns()

    def in_namespace(self, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs an unmodified program that finds this machine's meters in place of the host's."""
        options = {"capture_output": True, "text": True, "check": True} | options
        return subprocess.run(self.namespace_argv(command), **options)

    def namespace_argv(self, command: Sequence[str]) -> list[str]:
        """The command that `in_namespace` runs, for a Popen of one's own."""
        script = str(HERE / "namespace.sh")
        return ["unshare", "--mount", "sh", "-eu", script, str(self.root), str(self._scratch), *command]

    def stop(self) -> dict[str, int]:
        """Ends the emulator; how many reads each domain has answered. A second call changes nothing."""
        if process := self.__dict__.pop("_process", None):
            out, _ = process.communicate()
            lines = (line.split() for line in out.splitlines())
            self.reads = {words[1]: int(words[2]) for words in lines if words[:1] == ["reads"]}
        if self.root.is_mount():
            subprocess.run(["umount", "--lazy", str(self.root)], check=True)
        shutil.rmtree(self._dir, ignore_errors=True)
        return self.reads

    def _start(self) -> None:
        spec = str(self._dir / "spec.json")
        self._process = subprocess.Popen(
            [
                binary(),
                str(self.root),
                "--spec",
                spec,
                "--with-parent",
                "--max-seconds",
                str(self.max_seconds),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.epoch_ns = self._epoch_ns()
        self.truth = Truth(self.spec, self.epoch_ns)

    def _epoch_ns(self) -> int:
        stdout = self._process.stdout
        assert stdout is not None
        readable, _, _ = select.select([stdout], [], [], READY_TIMEOUT_S)
        line = stdout.readline() if readable else ""
        if not line.startswith("ready epoch_ns="):
            self._process.kill()
            _, why = self._process.communicate()
            raise EmulatorError(f"the emulator did not start: {why.strip() or 'no answer'}")
        return int(line.partition("=")[2])
