"""`CPU`, `GPU` and `RAM`: the parts of the machine's energy, by the meters behind the tracker."""

from __future__ import annotations

import time
import warnings

from .. import _core
from .._core import EnergyError
from ..gpus import keeper
from ..stopwatch import implicit_meter
from ..tracking import machine
from ..tracking.errors import NoCPUinTableWarning
from ..tracking.run import Run
from ..tracking.tree import cpu_times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# Constants of the original, by its modules; nothing here is computed with the last one.
J_PER_KWH = 3_600_000
MJ_PER_KWH = 3_600_000_000
KWH_PER_MWH = 1000
UNKNOWN_TDP_W = 100.1
# How long get_cpu_percent() looks: ten ticks of /proc/stat.
_SNAPSHOT_S = 0.1


class _Device:
    """Energy of some kinds of domains from the making of the object on."""

    _kinds: Sequence[str]

    def __init__(self, cpu_processes: str = "current") -> None:
        self._consumption_kwh = 0.0
        self._whole_machine = cpu_processes == "all"
        try:
            gpus = keeper() if "gpu" in self._kinds else None
            self._run = Run(implicit_meter(), None, whole_machine=self._whole_machine, gpus=gpus)
            self._run.begin()
        except EnergyError:
            self._run = Run(None, None, whole_machine=self._whole_machine)
            self._run.begin()

    def calculate_consumption(self) -> float:
        """kWh since the last call; not a number where nothing could be read."""
        figures = self._run.split()
        counted = [one for one in figures.measurement.domains.values() if one.counted and one.kind in self._kinds]
        energies_j = [one.energy_j for one in counted if one.energy_j is not None]
        share = 1.0 if "gpu" in self._kinds else figures.share
        kwh = share * sum(energies_j) / J_PER_KWH if energies_j else float("nan")
        self._consumption_kwh += kwh
        return kwh

    def get_consumption(self) -> float:
        """kWh since the object was made or set_consumption_zero()."""
        self.calculate_consumption()
        return self._consumption_kwh


class CPU(_Device):
    """The processors: measured energy where there is a meter. `cpu_processes` as for Tracker."""

    _kinds = ("package",)

    def __init__(self, cpu_processes: str = "current", ignore_warnings: bool = False) -> None:
        super().__init__(cpu_processes)
        self._cpu_processes = cpu_processes
        self._tdp_w = machine.tdp_w()
        if self._tdp_w != self._tdp_w and not ignore_warnings:
            warnings.warn(_no_tdp(machine.brand()), NoCPUinTableWarning, stacklevel=2)

    def tdp(self) -> float:
        """Watts of one processor; not a number where no table knows it. No measured figure depends on it."""
        return self._tdp_w

    def name(self) -> str:
        """The kernel's name of the processor."""
        return machine.brand()

    def cpu_num(self) -> int:
        """Packages."""
        return machine.this_processor().packages

    def set_consumption_zero(self) -> None:
        self.calculate_consumption()
        self._consumption_kwh = 0.0

    def get_cpu_percent(self) -> float:
        """Load of the processors, 0 to 1, by this process tree or the machine, over a tenth of a second."""
        return get_cpu_percent(self._cpu_processes)


class RAM(_Device):
    """The memory: measured where there is a meter, else modelled by its size."""

    _kinds = ("dram",)

    def __init__(self, ignore_warnings: bool = False) -> None:
        super().__init__()


class GPU:
    """The GPUs that are measured."""

    def __init__(self, ignore_warnings: bool = False) -> None:
        self._device = _Gpus("all")
        self._names = machine.gpus()
        self.is_gpu_available = bool(self._names)
        if not ignore_warnings:
            machine.warn_of_unmeasured_gpu(is_followed=self.is_gpu_available)

    def calculate_consumption(self) -> float:
        """kWh since the last call; 0 without a GPU."""
        return self._device.calculate_consumption() if self.is_gpu_available else 0

    def get_consumption(self) -> float:
        """kWh since the object was made; 0 without a GPU."""
        return self._device.get_consumption() if self.is_gpu_available else 0

    def name(self) -> str:
        """The first GPU; empty without one."""
        return self._names[0] if self._names else ""

    def gpu_num(self) -> int:
        return len(self._names)

    def gpu_memory(self) -> list[int | None]:
        """Used bytes of each GPU; None for one that does not tell."""
        return [one.get("memory_used_bytes") for one in machine.conditions()]

    def gpu_temperature(self) -> list[int | None]:
        """Degrees Celsius of each GPU."""
        return [one.get("temperature_c") for one in machine.conditions()]

    def gpu_power(self) -> list[int | None]:
        """Milliwatts of each GPU, as eco2AI has them: the mean over the last updates of its meter, half a second."""
        return [_milliwatts(one["power_w"]) for one in machine.conditions()]

    def gpu_power_limit(self) -> list[int | None]:
        """Milliwatts of each GPU."""
        return [_milliwatts(one.get("limit_w")) for one in machine.conditions()]


def _milliwatts(power_w: float | None) -> int | None:
    return None if power_w is None else round(1000 * power_w)


class _Gpus(_Device):
    _kinds = ("gpu",)


def number_of_cpu(ignore_warnings: bool = True) -> int:
    """Packages."""
    return machine.this_processor().packages


def find_tdp_value(
    cpu_name: str, f_table_name: str, constant_value: float = UNKNOWN_TDP_W, ignore_warnings: bool = True
) -> float:
    """Watts of a processor by its name, from our table; constant_value where it does not know the name.

    f_table_name is not looked at.
    """
    known = _core.tdp_w(cpu_name)
    if known is None and not ignore_warnings:
        warnings.warn(_no_tdp(cpu_name), NoCPUinTableWarning, stacklevel=2)
    return constant_value if known is None else known


def get_cpu_percent(cpu_processes: str = "current") -> float:
    """Load of all processors together, 0 to 1, by this process tree ("current") or the machine ("all").

    Looks for a tenth of a second; not a number where /proc/stat cannot be read.
    """
    first, t0_s = cpu_times(), time.perf_counter()
    time.sleep(_SNAPSHOT_S)
    last, t1_s = cpu_times(), time.perf_counter()
    available_s = (t1_s - t0_s) * machine.this_processor().logical
    if cpu_processes == "current":
        return min(1.0, (last.tree_s - first.tree_s) / available_s)
    if first.busy_s is None or last.busy_s is None:
        return float("nan")
    return min(1.0, (last.busy_s - first.busy_s) / available_s)


def is_gpu_available() -> bool:
    """Whether a GPU is measured."""
    return bool(machine.gpus())


def all_available_cpu() -> None:
    """Prints the processors."""
    print(f"CPU: {number_of_cpu()} x {machine.brand()}")


def all_available_gpu() -> None:
    """Prints the GPUs that are measured."""
    names = machine.gpus()
    for name in dict.fromkeys(names):
        print(f"GPU: {names.count(name)} x {name}")
    if not names:
        print("GPU: none is measured")


def available_devices() -> None:
    """Prints the processors and the GPUs that are measured."""
    all_available_cpu()
    all_available_gpu()


def _no_tdp(name: str) -> str:
    return f'no table knows the TDP of {name!r}: set cpu_tdp_w, as in eco2ai_fast.configure(cpu_tdp_w=65)'
