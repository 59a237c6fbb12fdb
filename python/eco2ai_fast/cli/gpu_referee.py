"""NVIDIA's own Python binding as the referee of our reader: both on the same energy counters over one window."""

from __future__ import annotations

import time
from importlib import import_module

from ..gpus import keeper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Long against a period of 100 ms, whose counter the binding is read from at both ends.
WINDOW_S = 2.0
PERIOD_S = 0.1
# Beyond their bounds the two may differ by so much.
TOLERATED = 0.02


def compare() -> list[dict[str, Any]]:
    """Rows as those of doctor's routes; none where no GPU answers or nvidia-ml-py (pynvml) is not installed."""
    found = keeper()
    window = None if found is None else found.begin()
    if found is None or window is None:
        return []
    window.wait(False)
    try:
        theirs: Any = import_module("pynvml")
        theirs.nvmlInit()
    except Exception:  # not installed, or it finds no driver: then there is no referee
        return []
    begin = {curve.uuid: _counter(theirs, curve.uuid) for curve in window.curves}
    mine = found.begin()
    time.sleep(WINDOW_S)
    end = {uuid: _counter(theirs, uuid) for uuid in begin}
    theirs.nvmlShutdown()
    if mine is None:
        return []
    end_ns = time.perf_counter_ns()
    mine.end(end_ns)
    mine.wait(True)
    seconds = (end_ns - mine.t0_ns) / 1e9
    rows = [_row(one, seconds, begin.get(one.uuid), end.get(one.uuid)) for one in mine.energies()]
    return [row for row in rows if row]


def _counter(theirs: Any, uuid: str) -> tuple[float, int] | None:
    """When the counter was read, and its millijoules; None for a card without one."""
    try:
        handle = theirs.nvmlDeviceGetHandleByUUID(uuid)
        return time.perf_counter(), int(theirs.nvmlDeviceGetTotalEnergyConsumption(handle))
    except Exception:  # a binding's own errors: a card without a counter
        return None


def _row(
    one: Any, seconds: float, begin: tuple[float, int] | None, end: tuple[float, int] | None
) -> dict[str, Any] | None:
    if begin is None or end is None or one.energy_uj is None:
        return None
    their_w = (end[1] - begin[1]) / 1e3 / (end[0] - begin[0])
    our_w, our_bound_w = one.energy_uj / 1e6 / seconds, one.sampling_uj / 1e6 / seconds
    their_bound_w = their_w * PERIOD_S / WINDOW_S
    agrees = one.calibration is not None or abs(our_w - their_w) <= our_bound_w + their_bound_w + TOLERATED * their_w
    routes = [
        {"source": "nvml", "power_w": our_w, "bound_w": our_bound_w, "detail": one.detail},
        {"source": "nvidia-ml-py", "power_w": their_w, "bound_w": their_bound_w, "detail": "its counter at both ends"},
    ]
    return {"id": one.id, "agrees": agrees, "routes": routes}
