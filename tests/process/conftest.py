"""The command line, started as a process of its own in a clean environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

EXECUTABLE = [sys.executable, "-m", "eco2ai_fast.cli"]


class CommandLine:
    """Starts `eco2ai-fast ARGS`; `environment` has no setting of the user's."""

    def __init__(self, home: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ECO2AI_FAST_")}
        self.environment = kept | {"XDG_CONFIG_HOME": str(home)}
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *args: str, **options: Any) -> subprocess.Popen[str]:
        """A process with pipes for its streams; ended with the test."""
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen([*EXECUTABLE, *args], **{"env": self.environment, "text": True} | pipes | options)
        self.started.append(process)
        return process

    def ready(self, *args: str, **options: Any) -> subprocess.Popen[str]:
        """As `start`, when CMD has written its line `ready`."""
        process = self.start(*args, **options)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def run(self, *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        defaults = {"env": self.environment, "capture_output": True, "text": True, "timeout": 60}
        return subprocess.run([*EXECUTABLE, *args], check=False, **defaults | options)


@pytest.fixture(autouse=True)
def keys_of_the_terminal() -> Iterator[None]:
    """A shell's background job ignores them, and so would all that the tests start."""
    before = {one: signal.signal(one, signal.SIG_DFL) for one in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    line = CommandLine(tmp_path / "config")
    with patience():
        yield line
    for process in line.started:
        end(process)


@contextmanager
def patience(seconds: int = 120) -> Iterator[None]:
    """What waits in vain fails instead of hanging."""

    def give_up(number: int, frame: object) -> None:
        raise TimeoutError(f"nothing happened for {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def end(process: subprocess.Popen[str]) -> None:
    """Ends what a failed test left: CMD first, which would live on and hold the pipes."""
    if process.poll() is None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for pid in [*map(int, children), process.pid]:
            os.kill(pid, signal.SIGKILL)
    process.communicate()
