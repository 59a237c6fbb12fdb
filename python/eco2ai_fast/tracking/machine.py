"""What a row says about the machine: processor, GPU, operating system."""

from __future__ import annotations

import os
import sys
import warnings

from .. import settings
from .._core import Processor, processor
from ..gpus import keeper
from .errors import NoGPUWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .. import _core
    from ..measurement import Measurement

# eco2AI's words.
_SYSTEMS = {"linux": "Linux", "win32": "Windows", "darwin": "MacOS"}

# Updates whose mean power is shown: half a second of a 100 ms meter, so that no single uncertain edge shows.
POWER_UPDATES = 6

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


def gpus() -> list[str]:
    """Names of the GPUs that are measured. Waits for a driver that is only being started, some seconds at most."""
    return [one.name for one in _curves()]


def conditions() -> list[dict[str, Any]]:
    """How each GPU was when last looked at, once a second (`_core.GpuCurve.condition`), and its `power_w`."""
    told = []
    for curve in _curves():
        span_ns = curve.span_ns
        power_w = None
        if span_ns is not None and span_ns[1] > span_ns[0]:
            rows = curve.changes_since(0)[1][-POWER_UPDATES:]
            power_w = float(rows[-1][1] - rows[0][1]) / float(rows[-1][0] - rows[0][0]) * 1e3
        told.append((curve.condition or {}) | {"power_w": power_w})
    return told


def _curves() -> list[_core.GpuCurve]:
    found = keeper()
    window = found.begin() if found else None
    if window is None:
        return []
    window.wait(False)
    return window.curves


def gpus_of(measurement: Measurement) -> list[str]:
    """Names of the GPUs in a measurement; of one whose energy is not there, the name all the same."""
    return [one.device or one.detail for one in measurement.domains.values() if one.kind == "gpu"]


def gpu_cell(names: Sequence[str]) -> str:
    """`NAME 2 device(s)`; without a GPU the blank before the number stays, as in eco2AI's files."""
    return f"{names[0] if names else ''} {len(names)} device(s)"


def operating_system() -> str:
    return _SYSTEMS.get(sys.platform, sys.platform)


def warn_of_unmeasured_gpu(*, is_followed: bool) -> None:
    """A GPU that the kernel shows and no meter covers would be a silent zero in every row. is_followed: whether a
    driver is asked; what it then does not tell stands in `measurement.missing`."""
    shown = f"{settings.resolve('sysroot')[0] or ''}/proc/driver/nvidia/gpus"
    if not is_followed and os.path.isdir(shown):  # noqa: PTH112 (pathlib costs more than this module)
        message = "this machine has an NVIDIA GPU that is not measured: its energy is in no figure"
        warnings.warn(message, NoGPUWarning, stacklevel=4)
