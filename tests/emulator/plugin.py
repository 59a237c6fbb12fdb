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
    """Path of the emulator, built if need be; skips the test where it cannot be."""
    if "ECO2AI_FAST_EMULATOR" not in os.environ and shutil.which("cargo") is None:
        pytest.skip("the emulator needs cargo, or ECO2AI_FAST_EMULATOR=PATH of a built one")
    return binary()


@pytest.fixture
def emulated(request: pytest.FixtureRequest) -> Iterator[Callable[[Spec], Machine]]:
    """Starts a machine from a spec; all of them end with the test."""
    if os.geteuid() != 0:
        pytest.skip("the emulator needs root to mount")
    if not Path("/dev/fuse").exists():
        pytest.skip("the emulator needs /dev/fuse")
    request.getfixturevalue("emulator_binary")
    with ExitStack() as machines:
        yield lambda spec: machines.enter_context(Machine(spec))
