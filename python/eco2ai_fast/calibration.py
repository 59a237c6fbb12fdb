"""The user's own figures of a machine at rest and at full load, kept per machine beside the config file.

`calibration/<host name>.toml` in the directory of the config file, in the same flat part of TOML as that. Models take
them wherever no meter can be read and no setting says otherwise, and say so in their detail.
"""
# os.path, since pathlib would cost the import of the package more than this module does:
# ruff: noqa: PTH110, PTH118, PTH120

from __future__ import annotations

import os
import time

from . import settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import Any

    from ._core import Meter

SCOPES = ("wall", "package")
# A load shorter than this says more about the begin of a turbo than about the machine.
LEAST_S = 1.0
LONGEST_S = 3600.0
# Busier than this at rest, the figure is no figure of rest.
QUIET_LOAD = 0.05
NS_PER_S = 1e9
UJ_PER_J = 1e6


class CalibrationError(ValueError):
    """A calibration that cannot be made or used; the message says what to do."""


class Calibration:
    """Power at rest and at full load.

    Attributes:
        idle_w, full_w: watts of all packages together, or of the whole computer.
        scope: "package": as their meters show it; "wall": as a wattmeter shows the computer.
        method: what measured it: "wattmeter", "perf", "powercap", ...
        date: the day, as 2026-08-20.
    """

    __slots__ = ("date", "full_w", "idle_w", "method", "scope")

    def __init__(self, idle_w: float, full_w: float, scope: str, method: str, date: str | None = None) -> None:
        if not (0 <= idle_w < full_w < float("inf")):
            raise CalibrationError(
                f"the power at rest ({idle_w:g} W) must be below that at full load ({full_w:g} W), and neither below 0"
            )
        if scope not in SCOPES:
            raise CalibrationError(f"scope must be one of {', '.join(SCOPES)}, not {scope!r}")
        self.idle_w = float(idle_w)
        self.full_w = float(full_w)
        self.scope = scope
        self.method = method
        self.date = date or time.strftime("%Y-%m-%d")

    def describe(self) -> str:
        """As it is shown wherever it is used."""
        return f"calibrated on {self.date} by {self.method} ({self.scope} power)"

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("idle_w", "full_w", "scope", "method", "date")}

    def figures(self) -> dict[str, Any]:
        """As arguments of the core's meter."""
        return {
            "cpu_idle_w": self.idle_w,
            "cpu_max_w": self.full_w,
            "calibration": self.describe(),
            "is_wall_power": self.scope == "wall",
        }


def path() -> str:
    """Where this machine's calibration is or would be."""
    folder = os.path.join(os.path.dirname(settings.config_path()), "calibration")
    return os.path.join(folder, f"{os.uname().nodename}.toml")


def load() -> Calibration | None:
    """This machine's calibration; None if there is none. Raises CalibrationError for a file that is none."""
    where = path()
    if not os.path.exists(where):
        return None
    try:
        with open(where, encoding="utf-8") as file:
            pairs = [line.partition("=")[::2] for line in file if "=" in line and not line.lstrip().startswith("#")]
        values = {name.strip(): value.strip().strip('"') for name, value in pairs}
        idle_w, full_w = float(values["idle_w"]), float(values["full_w"])
        return Calibration(idle_w, full_w, values["scope"], values["method"], values["date"])
    except (OSError, ValueError, KeyError) as error:
        raise CalibrationError(
            f"{where} is no calibration ({error!r}): `eco2ai-fast calibrate --forget` removes it"
        ) from None


def save(calibration: Calibration) -> str:
    """Keeps a calibration for this machine and returns the file's path. Raises CalibrationError if it cannot."""
    lines = [
        f'{name} = "{value}"\n' if isinstance(value, str) else f"{name} = {value!r}\n"
        for name, value in calibration.as_dict().items()
    ]
    head = "# power of this machine at rest and at full load, in watts; written by `eco2ai-fast calibrate`\n"
    try:
        settings.replace_file(path(), head + "".join(lines))
    except OSError as error:
        raise CalibrationError(f"the calibration cannot be kept in {path()}: {error}") from None
    return path()


def forget() -> bool:
    """Removes this machine's calibration; False if there was none."""
    try:
        os.unlink(path())  # noqa: PTH108
    except FileNotFoundError:
        return False
    return True


def measure(
    meter: Meter,
    load: Callable[[], AbstractContextManager[None]],
    seconds: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Calibration:
    """Measures the packages at rest, then under `load()`, for `seconds` each; a quarter of that goes by before each.

    Raises CalibrationError where no package has a meter, or the machine does not rest.
    """
    places = [place for place, domain in enumerate(meter.domains) if _is_measured_package(domain)]
    if not places:
        raise CalibrationError(
            "no meter of a processor can be read here: give what a wattmeter shows, `--idle 52 --full 210`, or see "
            "`eco2ai-fast doctor`"
        )
    if not LEAST_S <= seconds <= LONGEST_S:
        raise CalibrationError(f"{seconds:g} s is no time to calibrate: take {LEAST_S:g} to {LONGEST_S:g}")
    methods = sorted({meter.domains[place].source for place in places})
    idle_w = _mean_power_w(meter, places, seconds, sleep, must_rest=True)
    with load():
        full_w = _mean_power_w(meter, places, seconds, sleep, must_rest=False)
    return Calibration(idle_w, full_w, "package", "+".join(methods))


def full_load() -> AbstractContextManager[None]:
    """A context in which every CPU that this process may use is busy with products of matrices."""
    from contextlib import contextmanager

    @contextmanager
    def busy() -> Iterator[None]:
        import subprocess
        import sys

        command = [sys.executable, "-c", _BURN, str(os.getpid())]
        environment = os.environ | dict.fromkeys(_ONE_THREAD, "1")
        workers = []
        try:
            for _ in os.sched_getaffinity(0):
                workers.append(subprocess.Popen(command, env=environment))
            yield
        finally:
            for worker in workers:
                worker.kill()
            for worker in workers:
                worker.wait()

    return busy()


# A worker: ends with its parent, whatever becomes of that.
_BURN = """
import os, sys
import numpy
matrix = numpy.random.default_rng(0).random((256, 256))
while os.getppid() == int(sys.argv[1]):
    matrix @ matrix
"""
# One thread for each worker, whichever library multiplies.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")


def _is_measured_package(domain: Any) -> bool:
    return bool(domain.kind == "package" and domain.counted and domain.provenance == "measured")


def _mean_power_w(
    meter: Meter, places: list[int], seconds: float, sleep: Callable[[float], None], *, must_rest: bool
) -> float:
    from . import process_tree

    sleep(seconds / 4)
    window = meter.window()
    busy_s = process_tree.busy_s()
    window.begin()
    sleep(seconds)
    readout = window.end()
    busy_end_s = process_tree.busy_s()
    duration_s = (readout.t1_ns - readout.t0_ns) / NS_PER_S
    if must_rest and busy_s is not None and busy_end_s is not None:
        load = (busy_end_s - busy_s) / duration_s / (os.cpu_count() or 1)
        if load > QUIET_LOAD:
            raise CalibrationError(
                f"the machine was {100 * load:.0f} % busy and should rest: stop what runs, and calibrate again"
            )
    energies_uj = [readout.domains[place].energy_uj for place in places]
    if None in energies_uj:
        raise CalibrationError("a package could not be read: `eco2ai-fast doctor` says why")
    return sum(energy_uj or 0 for energy_uj in energies_uj) / UJ_PER_J / duration_s
