"""Where are the emulator and the fake libnvidia-ml? Named by a variable, or built by cargo from this checkout."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent


class EmulatorError(RuntimeError):
    """The emulator could not be built or started; the message says why and what to do."""


@functools.cache
def emulator() -> str:
    """Path of the emulator's program, built once per process."""
    return os.environ.get("ECO2AI_FAST_EMULATOR") or _built("eco2ai-fast-emulator", "ECO2AI_FAST_EMULATOR")


@functools.cache
def fake_nvml() -> str:
    """Path of the fake's shared library, built once per process."""
    variable = "ECO2AI_FAST_FAKE_NVML_LIBRARY"
    return os.environ.get(variable) or _built("eco2ai-fast-fake-nvml", variable)


def _built(package: str, variable: str) -> str:
    if shutil.which("cargo") is None:
        raise EmulatorError(f"cargo not found: install Rust, or let {variable} name what another machine built")
    # The workspace's release profile is tuned for the wheel; here a fast build matters more.
    profile = ["--config", "profile.release.lto=false", "--config", "profile.release.codegen-units=16"]
    command = ["cargo", "build", "--release", "-p", package, "--message-format=json", *profile]
    built = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
    if built.returncode != 0:
        raise EmulatorError(
            f"cargo could not build {package}; {variable} may name a built one:\n{built.stderr[-2000:]}"
        )
    artifacts = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
    files: list[str] = [name for a in artifacts for name in [a.get("executable"), *a.get("filenames", [])] if name]
    # The package's own artifact comes last; of a library's two forms the shared one is meant.
    return next(name for name in reversed(files) if not name.endswith((".rlib", ".rmeta", ".d")))
