"""Two GPUs for whoever asks for them by name: the fake NVML library, in this process."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable

from emulator.build import fake_nvml

CARDS = {"devices": [{}, {}]}
# The library is loaded on a thread of its own; a busy machine may take a while.
LOADING_S = 20


def with_cards() -> None:
    """From now on `gpus="all"` finds two; without it nothing here measures a GPU."""
    os.environ |= {
        "ECO2AI_FAST_NVML": fake_nvml(),
        "ECO2AI_FAST_FAKE_NVML": json.dumps(CARDS),
        "ECO2AI_FAST_GPUS": "off",
    }


def until(is_there: Callable[[], bool]) -> None:
    """Waits for the driver."""
    deadline = time.monotonic() + LOADING_S
    while not is_there():
        assert time.monotonic() < deadline, f"no GPU within {LOADING_S} s"
        time.sleep(0.01)
