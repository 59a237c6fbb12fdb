"""One play: starts a tool's driver on a stage, gives the cues, and keeps what came of it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .scenarios import Scenario
from .staging import Set, command, standing

DRIVER = Path(__file__).parent / "driver.py"
# A first import on a busy machine, a start() that waits for a network that is not there.
ANSWER_TIMEOUT_S = 90
# At its end a tool may write something; a helper process that never ends is not waited for.
ENDING_TIMEOUT_S = 4
NS_PER_S = 1_000_000_000


@dataclass
class Outcome:
    """What a tool did with a scenario.

    Attributes:
        joules, true_j: its answer, and the energy between start() returning and stop() being called.
        window_s: between the same two; setup_s: from the machine's beginning to the return of start().
        raised: an exception out of the tool; died: how its process ended before it answered.
        remarks: what its interface says besides the number; printed: the lines of its standard error and output.
        reads: how often which meter was read.
    """

    version: str | None = None
    joules: float | None = None
    true_j: float | None = None
    window_s: float = 0.0
    setup_s: float = 0.0
    raised: str | None = None
    died: str | None = None
    remarks: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    reads: dict[str, int] = field(default_factory=dict)
    is_late: bool = False


class Died(Exception):
    """The process ended, or did not answer."""


def play(scenario: Scenario, python: str, adapter: Sequence[str], lead_s: float, seed: int) -> Outcome:
    """The scenario, beginning `lead_s` after its machine; is_late if the tool was not started by then."""
    outcome = Outcome()
    with standing(scenario.stage(lead_s), seed) as set_:
        errors = set_.folder / "stderr"
        process = _start(set_, python, adapter, errors)
        try:
            _perform(process, set_, scenario, lead_s, outcome)
        except Died as error:
            outcome.died = str(error)
        finally:
            _end(process)
        outcome.printed = errors.read_text(errors="replace").splitlines()
        outcome.reads = set_.asked()
    return outcome


def _start(set_: Set, python: str, adapter: Sequence[str], errors: Path) -> subprocess.Popen[str]:
    with errors.open("w") as stderr:
        return subprocess.Popen(
            command(set_, python, DRIVER, adapter),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=set_.folder,
            env=set_.environment,
            start_new_session=True,
        )


def _perform(process: subprocess.Popen[str], set_: Set, scenario: Scenario, lead_s: float, outcome: Outcome) -> None:
    ready = _answer(process, "import")
    outcome.version = ready.get("version")
    started = ready if ready["event"] == "failed" else _cue(process, {"do": "start", "meter": scenario.meter})
    outcome.setup_s = (time.monotonic_ns() - set_.epoch_ns) / NS_PER_S
    if started["event"] == "failed":
        outcome.raised = f"{started['where']}: {started['error']}"
        return
    play_ns = set_.epoch_ns + round(lead_s * NS_PER_S)
    outcome.is_late = started["returned_ns"] > play_ns
    end_ns = max(play_ns, started["returned_ns"]) + round(scenario.window_s * NS_PER_S)
    stopped = _cue(process, {"do": "stop", "meter": scenario.meter, "at_ns": end_ns}, end_ns)
    if stopped["event"] == "failed":
        outcome.raised = f"{stopped['where']}: {stopped['error']}"
        return
    outcome.joules, outcome.remarks = stopped["joules"], stopped["doubts"]
    outcome.true_j = set_.energy_j(started["returned_ns"], stopped["called_ns"])
    outcome.window_s = (stopped["called_ns"] - started["returned_ns"]) / NS_PER_S


def _cue(process: subprocess.Popen[str], cue: dict[str, Any], not_before_ns: int = 0) -> dict[str, Any]:
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(cue) + "\n")
        process.stdin.flush()
    except BrokenPipeError as error:
        raise Died(_how_it_ended(process, cue["do"])) from error
    return _answer(process, cue["do"], max(0, not_before_ns - time.monotonic_ns()) / NS_PER_S)


def _answer(process: subprocess.Popen[str], doing: str, wait_s: float = 0.0) -> dict[str, Any]:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], wait_s + ANSWER_TIMEOUT_S)
    if not readable:
        raise Died(f"{doing}: no answer within {ANSWER_TIMEOUT_S} s")
    line = process.stdout.readline()
    if not line:
        raise Died(_how_it_ended(process, doing))
    answer: dict[str, Any] = json.loads(line)
    return answer


def _how_it_ended(process: subprocess.Popen[str], doing: str) -> str:
    code = process.wait(ANSWER_TIMEOUT_S)
    return f"{doing}: the process ended with " + (signal.Signals(-code).name if code < 0 else f"exit code {code}")


def _end(process: subprocess.Popen[str]) -> None:
    """By the end of its input, and with all that it started, since tools leave helpers behind."""
    assert process.stdin is not None
    try:
        process.stdin.close()
        process.wait(ENDING_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        pass
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        time.sleep(0.2)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
