"""What doctor says of NVIDIA GPUs: absent, available with devices, or failed, and why."""

from __future__ import annotations

import os

from .. import settings
from ..gpus import OFF, keeper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._core import GpuEnergy, GpuWindow

Row = dict[str, "Any"]
NO_LIBRARY = "no libnvidia-ml.so.1 and no NVIDIA device file: no NVIDIA driver here"


def examine() -> tuple[list[Row], list[Row]]:
    """Rows of sources and of domains. Starts the driver, and waits for it a few seconds at most."""
    found = keeper()
    window = None if found is None else found.begin()
    if window is None:
        return [_source(None, "absent", _why_none())], []
    window.end()
    window.wait(False)
    stand, reason = window.stand
    if stand != "ready":
        return [_source(None, "failed" if stand == "starting" else stand, reason)], []
    return _of_devices(window)


def _of_devices(window: GpuWindow) -> tuple[list[Row], list[Row]]:
    energies = window.energies()
    sources = [_source(one.id, "available", "; ".join([_named(one), *one.remarks])) for one in energies]
    sources += [_source(domain, "failed", reason) for domain, reason in window.failed]
    sources += [_source(None, "available", doubt) for doubt in window.doubts]
    if not sources:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        chosen = "" if visible is None else f" among those that CUDA_VISIBLE_DEVICES={visible!r} leaves"
        sources = [_source(None, "absent", f"the driver answers and shows no GPU{chosen}")]
    return sources, [_domain(one) for one in energies]


def _why_none() -> str:
    if settings.resolve("gpus")[0] in OFF:
        return "switched off by the setting gpus"
    library = settings.resolve("nvml")[0]
    if library is not None:
        return f"{library}: no such file (setting nvml)"
    if settings.resolve("sysroot")[0] is not None or settings.resolve("sources")[0] == "estimate":
        return "not looked for: the settings ask for another machine, or for models"
    return NO_LIBRARY


def _named(one: GpuEnergy) -> str:
    cuda = "" if one.cuda_index is None else f", CUDA {one.cuda_index}"
    return f"{one.detail}, {one.uuid}{cuda}"


def _source(domain: str | None, availability: str, detail: str) -> Row:
    return {"source": "nvml", "domain": domain, "availability": availability, "detail": detail}


def _domain(one: GpuEnergy) -> Row:
    keys = ("id", "kind", "source", "provenance", "counted", "parent", "detail", "sensor_rel")
    return {key: getattr(one, key) for key in keys} | {"reason": "the driver's own meter", "uuid": one.uuid}
