"""How is anything run here? With a timeout, in a process group of its own, and never so that a failure ends the run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

Figures = dict[str, Any]


class Failed(Exception):
    """A tool's call that gave no figure; the message is what it said."""


def run(
    command: Sequence[str | Path],
    timeout_s: float,
    folder: Path | None = None,
    extra: Mapping[str, str] | None = None,
) -> str:
    """Standard output of a command; raises Failed with its last words otherwise. Its process group ends with it."""
    # Files, not pipes: a helper that a tool leaves behind would keep a pipe open.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            [*map(str, command)],
            cwd=folder,
            env=environment(extra),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise Failed(f"no answer within {timeout_s:g} s") from None
        finally:
            end(process)
        said, complained = _text(out), _text(err)
    if process.returncode != 0:
        raise Failed(f"exit code {process.returncode}: {last_line(complained) or last_line(said)}")
    return said


def end(process: subprocess.Popen[Any]) -> None:
    """Ends a process and what it started: its group is its own, so nobody else is in it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what would change how a tool loads."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "VIRTUAL_ENV")
    kept = {k: v for k, v in os.environ.items() if k not in dropped and not k.startswith("ECO2AI_FAST_")}
    return kept | dict(extra or {})


def marked(out: str, mark: str) -> Any:
    """The JSON after the last mark in an output."""
    _, found, text = out.rpartition(mark)
    if not found:
        raise Failed(last_line(out) or "it said nothing")
    return json.loads(text.splitlines()[0])


def last_line(text: str) -> str:
    """The last line that says something, cut to a table's cell."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


def cell(tries: Sequence[float | Failed]) -> Figures:
    """A figure over repeats: median and spread of those that gave one, count and message of those that did not."""
    values = [value for value in tries if not isinstance(value, Failed)]
    failures = [str(value) for value in tries if isinstance(value, Failed)]
    found: Figures = {"tries": len(tries), "failed": len(failures)}
    if values:
        found |= {"median": statistics.median(values), "least": min(values), "most": max(values)}
    if failures:
        found["message"] = failures[0]
    return found


def cells(tries: Sequence[Mapping[str, float] | Failed]) -> dict[str, Figures]:
    """The same for each figure of repeated records; a record that failed counts as a failure of each."""
    names = {name: None for one in tries if not isinstance(one, Failed) for name in one} or {"all": None}
    return {name: cell([one if isinstance(one, Failed) else one[name] for one in tries]) for name in names}
