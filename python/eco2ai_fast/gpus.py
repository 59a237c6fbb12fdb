"""The NVIDIA GPUs of this process: which are wanted, and the keeper that all measurements of them share."""

from __future__ import annotations

import os

from . import settings
from ._core import Gpus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._core import GpuEnergy, GpuWindow

# `gpus="off"`: none is looked for.
OFF = ("off", "none")

# One for each choice of GPUs; None where there is no sign of a driver.
_keepers: dict[tuple[str | None, str | None, str | None, tuple[tuple[str, float, float], ...]], Gpus | None] = {}


def keeper(wanted: str | None = None, is_elsewhere: bool = False) -> Gpus | None:
    """The keeper of the GPUs that are wanted; None where there is no sign of a driver, or GPUs are switched off.

    wanted: a list as in CUDA_VISIBLE_DEVICES, "all" or "off"; None: the setting `gpus`, else CUDA_VISIBLE_DEVICES.
    is_elsewhere: the caller was given a sysroot, which is another machine, or models, which replace meters (settings
    may say so too): there are no GPUs then unless the setting `nvml` names a library.

    Loads no library and starts no thread.
    """
    library = settings.resolve("nvml")[0]
    wanted = settings.resolve("gpus", wanted)[0]
    is_elsewhere |= settings.resolve("sysroot")[0] is not None or settings.resolve("sources")[0] == "estimate"
    if wanted in OFF or (is_elsewhere and library is None):
        return None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES") if wanted is None else None if wanted == "all" else wanted
    text = settings.resolve("gpu_calibration")[0]
    calibrations = () if text is None else settings.gpu_calibrations(text)
    key = (library, visible, os.environ.get("CUDA_DEVICE_ORDER"), calibrations)
    if key not in _keepers:
        _keepers[key] = Gpus.find(library=library, visible=visible, device_order=key[2], calibrations=calibrations)
        if _keepers[key] is not None:
            _stop_at_exit()
    return _keepers[key]


def _stop_at_exit() -> None:
    """The driver's library tidies up when the process ends: no thread of ours may be in it then."""
    import atexit

    atexit.unregister(_stop)
    atexit.register(_stop)


def _stop() -> None:
    for one in _keepers.values():
        if one is not None:
            one.stop()


def missing(window: GpuWindow) -> tuple[tuple[str, str], ...]:
    """GPUs that are wanted and not measured, with reasons. No NVIDIA library is no gap: most machines have none."""
    stand, reason = window.stand
    if stand == "ready":
        return tuple(window.failed)
    return () if stand == "absent" else (("gpu", f"{stand}: {reason}"),)


def notes(window: GpuWindow, energies: list[GpuEnergy]) -> tuple[str, ...]:
    """How the windows were closed, with bounds, and what is doubtful, each a sentence."""
    from .quantity import si

    by_rule: dict[str, list[str]] = {}
    for one in energies:
        if one.rule is not None:
            by_rule.setdefault(one.rule, []).append(f"{one.id} ± {si(one.sampling_uj / 1e6, 'J', 2)}")
    rules = tuple(f"GPU windows closed {rule}: {', '.join(ids)}" for rule, ids in by_rule.items())
    remarks = tuple(f"{one.id}: {remark}" for one in energies for remark in one.remarks)
    return rules + remarks + tuple(window.doubts)
