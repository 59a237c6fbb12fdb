"""Beginning and ending leaves nothing behind: the short form of `make leaks`, each kind in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from soak.cycles import CYCLES
from soak.flat import ALLOWED, Usage, lines, usage

TESTS = Path(__file__).resolve().parent.parent
# A leak of one object of Python a cycle, 50 bytes, would stay within what memory is allowed to move: a leaked
# descriptor, thread, ring or segment would not. `make leaks` has the cycles for the rest.
COUNT = {"measure": 20_000, "restart": 2_000, "meter": 150, "tracker": 500, "spans": 150, "gpus": 60}


@pytest.mark.parametrize("kind", CYCLES)
def test_cycles_leave_memory_threads_and_descriptors_as_they_were(kind: str) -> None:
    if kind == "gpus" and shutil.which("cargo") is None:
        pytest.skip("needs cargo to build the fake libnvidia-ml")
    command = [sys.executable, "-m", "soak.leaks", f"--cycles={COUNT[kind]}", "--minutes=1", kind]
    paths = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" flat\n") == len(Usage._fields)


@pytest.mark.parametrize("quantity", Usage._fields)
def test_a_line_that_rises_is_told_from_one_that_jitters(quantity: str) -> None:
    at = [float(number) for number in range(100)]

    def series(rise: float) -> list[Usage]:
        quiet = dict.fromkeys(Usage._fields, 0)
        return [Usage(**quiet | {quantity: round(100 + rise * number + number % 3)}) for number in range(100)]

    # Twice what is allowed over the part that is judged, and a tenth of it.
    steep = 2 * ALLOWED[quantity] / 75
    verdicts = [{line.name: line.is_flat for line in lines(at, series(rise))} for rise in (steep, steep / 20)]
    expected = dict.fromkeys(Usage._fields, True)
    assert verdicts == [expected | {quantity: False}, expected]


def test_what_a_process_holds_is_seen(tmp_path: Path) -> None:
    before = usage()
    with (tmp_path / "file").open("w"):
        held = bytearray(50_000_000)
        during = usage()
    assert during.descriptors == before.descriptors + 1
    assert during.rss_kib - before.rss_kib > 40_000
    assert len(held) == 50_000_000


def test_a_meter_that_is_restarted_for_ever_keeps_one_ledger_of_the_past_with_all_that_was_done() -> None:
    import eco2ai_fast as eco
    from eco2ai_fast.testing import ScriptedDomain

    meter = eco.Meter(sources=[ScriptedDomain("package", [(0, 1)])], rate_hz=1000)
    polls = 0.0
    for _ in range(50):
        with meter:
            pass
        assert len(meter.ledgers) == 1
        assert meter.stats()["polls"] >= polls
        polls = meter.stats()["polls"]
