"""The fake libnvidia-ml for tests: built once, its Python side, and machines of it for child processes."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

REPO = Path(__file__).resolve().parent.parent.parent
CRATE = REPO / "rust" / "fake-nvml"


def built(*cargo: str) -> Path:
    """Build with cargo; the folder of what it built."""
    if shutil.which("cargo") is None:
        pytest.skip("needs cargo to build the fake libnvidia-ml")
    subprocess.run(["cargo", "build", "--quiet", *cargo], cwd=REPO, check=True)
    metadata = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version=1"], cwd=REPO, check=True, capture_output=True
    )
    return Path(json.loads(metadata.stdout)["target_directory"]) / "debug"


@pytest.fixture(scope="session")
def fake_library() -> Path:
    """The fake's shared library."""
    return built("-p", "eco2ai-fast-fake-nvml") / "libfake_nvml.so"


@pytest.fixture(scope="session")
def snapshot_binary() -> Path:
    """The example that prints what our own reader sees."""
    return built("-p", "eco2ai-fast-core", "--example", "nvml_snapshot") / "examples" / "nvml_snapshot"


@pytest.fixture(scope="session")
def fake_nvml() -> ModuleType:
    """The fake's Python side, rust/fake-nvml/python/fake_nvml.py."""
    spec = importlib.util.spec_from_file_location("fake_nvml", CRATE / "python" / "fake_nvml.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Run = Callable[..., Any]


@pytest.fixture
def on_fake(fake_library: Path, tmp_path: Path) -> Run:
    """Run a command on a machine whose NVML is the fake: `on_fake(config, *command)` is what it printed."""
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "libnvidia-ml.so.1").symlink_to(fake_library)

    def run(config: Mapping[str, object], *command: str | Path) -> str:
        environment = os.environ | {
            "ECO2AI_FAST_FAKE_NVML": json.dumps(config),
            "ECO2AI_FAST_NVML": str(fake_library),
            "LD_LIBRARY_PATH": str(folder),
        }
        done = subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def python_on_fake(on_fake: Run) -> Run:
    """Run a Python program on such a machine: `python_on_fake(config, source)` is the JSON that it printed."""

    def run(config: Mapping[str, object], source: str) -> Any:
        return json.loads(on_fake(config, sys.executable, "-c", source))

    return run
