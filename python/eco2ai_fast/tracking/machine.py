"""What a row says about the machine: processor, GPU, operating system."""

from __future__ import annotations

import os
import sys
import warnings

from .. import settings
from .._core import Processor, processor
from .errors import NoGPUWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .. import _core

# eco2AI's words.
_SYSTEMS = {"linux": "Linux", "win32": "Windows", "darwin": "MacOS"}

_processors: dict[str | None, Processor] = {}


def this_processor() -> Processor:
    """The processor below the sysroot that holds; looked up once."""
    root = settings.resolve("sysroot")[0]
    if root not in _processors:
        _processors[root] = processor(sysroot=root)
    return _processors[root]


def tdp_w() -> float:
    """TDP of one package: the user's setting, else by its name; not a number for a name that no table knows.

    No energy depends on it where the processor has a meter.
    """
    configured = settings.resolve("cpu_tdp_w")[0]
    known = configured if configured is not None else this_processor().tdp_w
    return float("nan") if known is None else float(known)


def brand() -> str:
    return this_processor().brand or os.uname().machine


def cpu_cell() -> str:
    return f"{brand()}/{this_processor().packages} device(s), TDP:{tdp_w()}"


def gpus(meter: _core.Meter | None) -> list[str]:
    """Names of the GPUs that are measured."""
    domains = meter.domains if meter else ()
    return [domain.detail for domain in domains if str(domain.kind) == "gpu"]


def gpu_cell(meter: _core.Meter | None) -> str:
    """`NAME 2 device(s)`; without a GPU the blank before the number stays, as in eco2AI's files."""
    names = gpus(meter)
    return f"{names[0] if names else ''} {len(names)} device(s)"


def operating_system() -> str:
    return _SYSTEMS.get(sys.platform, sys.platform)


def warn_of_unmeasured_gpu(meter: _core.Meter | None) -> None:
    """A GPU that the kernel shows and no meter covers would be a silent zero in every row."""
    shown = f"{settings.resolve('sysroot')[0] or ''}/proc/driver/nvidia/gpus"
    if not gpus(meter) and os.path.isdir(shown):  # noqa: PTH112 (pathlib costs more than this module)
        message = "this machine has an NVIDIA GPU that is not measured: its energy is in no figure"
        warnings.warn(message, NoGPUWarning, stacklevel=4)
