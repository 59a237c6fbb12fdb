"""Sets a scenario's machine up around a process: mounts, a fake libnvidia-ml, an environment, no network."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .emulated import build, perf_stand_in
from .emulated.machine import Machine
from .emulated.truth import FJ_PER_J, Spec, closed_form
from .scenarios import Stage

# A program that only has to be there; what it is asked for, NVML answers.
NVIDIA_SMI = "#!/bin/sh\nexit 0\n"
# Root without these reads files as anybody else.
RIGHTS = "-dac_override,-dac_read_search"


@dataclass
class Set:
    """A stage that stands: how to start a process on it, and what its meters have been asked."""

    epoch_ns: int
    folder: Path
    environment: dict[str, str]
    prefix: list[str]
    machine: Machine | None = None
    powers: tuple[Spec, ...] = ()
    reads: dict[str, int] = field(default_factory=dict)

    def energy_j(self, t0_ns: int, t1_ns: int) -> float:
        """Joules that an answer for this window must contain."""
        forms = [closed_form(power) for power in self.powers]
        return sum(form(t1_ns - self.epoch_ns) - form(t0_ns - self.epoch_ns) for form in forms) / FJ_PER_J

    def asked(self) -> dict[str, int]:
        """How often each meter has been read, after the process has ended."""
        if self.machine is not None:
            self.reads |= self.machine.stop()
        for path in self.folder.glob("nvml-calls-*"):
            for name, count in json.loads(path.read_text())["calls"].items():
                self.reads[name] = self.reads.get(name, 0) + count
        return {name: count for name, count in self.reads.items() if _is_a_reading(name)}


@contextmanager
def standing(stage: Stage, seed: int) -> Iterator[Set]:
    """The stage, and a folder of its own that is the process's home and working directory.

    The seed spreads the instants at which meters move, as they are spread on a client's processor.
    """
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="conformance-", ignore_cleanup_errors=True))
        )
        machine = stack.enter_context(Machine(_spec(stage, folder, seed))) if stage.machine is not None else None
        epoch_ns = time.monotonic_ns() if machine is None else machine.epoch_ns
        environment = os.environ | {"HOME": str(folder), "TMPDIR": str(folder)} | dict(stage.environment)
        if stage.gpus is not None:
            environment |= _gpus(stage, folder, epoch_ns, seed)
        prefix = ["unshare", "--net", "--"]
        if machine is not None:
            prefix += machine.namespace_argv([])
        if stage.without_rights:
            prefix += ["setpriv", "--bounding-set", RIGHTS, "--inh-caps", RIGHTS, "--"]
        yield Set(epoch_ns, folder, environment, prefix, machine, stage.powers)


def missing() -> str | None:
    """What this host lacks for any stage, if it does."""
    if os.geteuid() != 0:
        return "needs root: mount and network namespaces, and a FUSE mount"
    if not Path("/dev/fuse").exists():
        return "needs /dev/fuse"
    absent = [program for program in ("unshare", "setpriv", "mount") if shutil.which(program) is None]
    return f"needs {', '.join(absent)} (util-linux)" if absent else None


def _spec(stage: Stage, folder: Path, seed: int) -> Spec:
    spec = {
        "jitter": "client",
        "seed": seed,
        "files": {"proc/cpuinfo": _cpuinfo(stage.is_guest)},
        **(stage.machine or {}),
    }
    if stage.perf:
        perf_stand_in.write(folder / "tree", {0: [0]}, events={"energy-pkg": perf_stand_in.CPU_CLOCK})
        spec["tree"] = str(folder / "tree")
    return spec


def _cpuinfo(is_guest: bool) -> str:
    """A processor whose counters tick each millisecond, unless `hypervisor` says that another machine fakes them."""
    flags = "fpu msr tsc constant_tsc nonstop_tsc aperfmperf avx2 avx512f" + " hypervisor" * is_guest
    fields = {
        "vendor_id": "GenuineIntel",
        "cpu family": "6",
        "model": "85",
        "model name": "Intel(R) Xeon(R) Gold 6226R CPU @ 2.90GHz",
        "stepping": "7",
        "cpu MHz": "2900.000",
        "physical id": "0",
        "flags": flags,
    }
    body = "".join(f"{name}\t: {value}\n" for name, value in fields.items())
    return "\n".join(f"processor\t: {cpu}\n{body}core id\t\t: {cpu}\n" for cpu in range(os.cpu_count() or 1))


def _gpus(stage: Stage, folder: Path, epoch_ns: int, seed: int) -> dict[str, str]:
    library = folder / "lib"
    library.mkdir()
    (library / "libnvidia-ml.so.1").symlink_to(build.fake_nvml())
    configuration = {
        "epoch_ns": epoch_ns,
        "counts_file": str(folder / "nvml-calls-{pid}"),
        "devices": [_card(card, seed + place) for place, card in enumerate(stage.gpus or ())],
        **stage.nvml,
    }
    (folder / "gpus.json").write_text(json.dumps(configuration))
    environment = {"LD_LIBRARY_PATH": str(library), "ECO2AI_FAST_FAKE_NVML": str(folder / "gpus.json")}
    if not stage.without_nvidia_smi:
        (library / "nvidia-smi").write_text(NVIDIA_SMI)
        (library / "nvidia-smi").chmod(0o755)
        environment["PATH"] = f"{library}:{os.environ.get('PATH', os.defpath)}"
    return environment


def _card(card: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """A GPU with its counter's phase from the seed, where the scenario leaves both to it."""
    counter = {} if "counter" in card else {"counter": {"phase_ms": seed * 37 % 100, "seed": seed}}
    return dict(card) | {"wave": _wave(card["wave"])} | counter


def _wave(shape: Any) -> Spec:
    """A power in the emulator's whole units as the fake libnvidia-ml wants it: watts and seconds."""
    if shape["shape"] == "points":
        return {"shape": "points", "points": [(t_ns / 1e9, power_uw / 1e6) for t_ns, power_uw in shape["points"]]}
    if shape["shape"] == "square":
        duty = shape["high_ns"] / shape["period_ns"]
        levels = {"low_w": shape["low_uw"] / 1e6, "high_w": shape["high_uw"] / 1e6}
        return {"shape": "square", **levels, "period_s": shape["period_ns"] / 1e9, "duty": duty}
    return {"shape": "constant", "power_w": shape["power_uw"] / 1e6}


def _is_a_reading(name: str) -> bool:
    return not name.startswith("nvml") or "Power" in name or "Energy" in name or "Field" in name


def command(set_: Set, python: str, driver: Path, arguments: Sequence[str]) -> list[str]:
    """What starts the driver on a stage."""
    return [*set_.prefix, python, str(driver), *arguments]
