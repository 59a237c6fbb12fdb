"""Where the tests of compat/ find the original, and how they run a script as its user would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ORIGINAL = "ECO2AI_FAST_ORIGINAL_PYTHON"
RunScript = Callable[..., "subprocess.CompletedProcess[str]"]


def no_network() -> list[str]:
    """What to put before a command so that it has no network at all; nothing where that is not permitted."""
    unshare = shutil.which("unshare")
    if unshare and subprocess.run([unshare, "-n", "true"], capture_output=True).returncode == 0:
        return [unshare, "-n"]
    return []


@pytest.fixture
def original_python() -> str:
    """A Python that has eco2AI; tests of likeness skip where there is none. Never run with a network."""
    python = os.environ.get(ORIGINAL)
    if not python:
        pytest.skip(f"set {ORIGINAL} to a Python that has eco2ai, pandas<3 and setuptools<80")
    if not no_network():
        pytest.skip("the original is run only without a network, which needs the right to unshare it")
    return python


@pytest.fixture
def run_original(original_python: str, tmp_path: Path) -> RunScript:
    """Runs a script with the original in an empty folder."""

    def run(script: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "original.py").write_text(script)
        command = [*no_network(), original_python, "original.py"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120)

    return run


@pytest.fixture
def run_shimmed(tmp_path: Path) -> RunScript:
    """Runs a script that was written for the original, unedited, without a network, in an empty folder and home."""

    def run(script: str, *options: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
        (tmp_path / "old.py").write_text(script)
        environment = os.environ | {"XDG_CONFIG_HOME": str(tmp_path / "config"), "HOME": str(tmp_path)}
        shim = [sys.executable, "-c", "from eco2ai_fast.cli.shim import command; command()", *options]
        command = [*no_network(), *shim, "--", python, "old.py"]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    return run
