"""Fixtures that give a test an emulated machine, or skip it where there cannot be one.

A test that asks for `emulated` is marked `fuse` and `root` by itself.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .machine import Machine, binary
from .truth import Spec

FIXTURE = "emulated"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what uses the emulator."""
    for item in items:
        if FIXTURE in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.fuse)
            item.add_marker(pytest.mark.root)


@pytest.fixture(scope="session")
def emulator_binary() -> str:
    """Path of the emulator; skips the test where it cannot run."""
    if why := _missing():
        pytest.skip(why)
    return binary()


@pytest.fixture
def emulated(emulator_binary: str) -> Iterator[Callable[[Spec], Machine]]:
    """Starts a machine from a spec; all of them end with the test."""
    with ExitStack() as machines:
        yield lambda spec: machines.enter_context(Machine(spec))


def _missing() -> str | None:
    if os.geteuid() != 0:
        return "the emulator needs root to mount"
    if not Path("/dev/fuse").exists():
        return "the emulator needs /dev/fuse"
    if "ECO2AI_FAST_EMULATOR" not in os.environ and shutil.which("cargo") is None:
        return "the emulator needs cargo, or ECO2AI_FAST_EMULATOR=PATH of a built one"
    return None
