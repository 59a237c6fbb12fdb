"""On a machine of known power, 200 requests that overlap: parts and rest are the closed form and the trace."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import eco2ai_fast as eco
from emulator.shapes import constant, square

if TYPE_CHECKING:
    from emulator.machine import Machine

SECONDS = 8.0
OVERLAPPING = 200
ALONE = 20


def record(machine: Machine, folder: Path) -> Path:
    """The trace of `eco2ai-fast record` on the machine."""
    environment = os.environ | {"ECO2AI_FAST_SYSROOT": str(machine.root), "XDG_CONFIG_HOME": str(folder)}
    out = folder / "trace"
    command = [sys.executable, "-m", "eco2ai_fast.cli", "record", "--rate", "200", "--out", str(out)]
    subprocess.run([*command, "--seconds", str(SECONDS)], env=environment, check=True)
    return out


def requests(start_ns: int) -> list[tuple[float, float, int]]:
    """Begin and time to first token in seconds and tokens: 200 that overlap in 4 s, then 20 one at a time."""
    chance = random.Random(8)
    begin_s = start_ns / 1e9 + 0.5
    forms = (lambda: chance.uniform(0, 3.5), lambda: chance.uniform(0.01, 0.1), lambda: chance.randint(2, 40))
    drawn = (tuple(one() for one in forms) for _ in range(OVERLAPPING))
    crowd = [(begin_s + late_s, first_s, tokens) for late_s, first_s, tokens in drawn]
    alone = [(begin_s + 4.5 + 0.12 * number, 0.02, 8) for number in range(ALONE)]
    return crowd + alone


def result(path: Path, told: list[tuple[float, float, int]]) -> Path:
    """vLLM's form, 10 ms for each further token."""
    columns = {
        "start_times": [begin_s for begin_s, _, _ in told],
        "ttfts": [first_s for _, first_s, _ in told],
        "itls": [[0.01] * (tokens - 1) for _, _, tokens in told],
        "output_lens": [tokens for _, _, tokens in told],
        "input_lens": [100 for _ in told],
        "errors": ["" for _ in told],
    }
    path.write_text(json.dumps(columns))
    return path


@pytest.mark.parametrize("split", ["equal", "tokens"])
def test_parts_and_rest_are_the_truth_and_one_alone_is_within_its_bound(
    emulated: Callable[[dict[str, Any]], Machine], tmp_path: Path, split: str
) -> None:
    package = {"id": "package-0", "power": square(40, 160, 0.7), "zones": [{"zone": "intel-rapl:0"}]}
    dram = {"id": "dram-0", "power": constant(12), "zones": [{"zone": "intel-rapl:0:0", "name": "dram"}]}
    machine = emulated({"domains": [package, dram], "jitter": "icelake"})
    trace = eco.load_trace(record(machine, tmp_path))
    assert {one.id: one.source for one in trace.domains} == {"package-0": "powercap", "dram-0": "powercap"}

    def truth_j(t0_ns: int, t1_ns: int) -> float:
        return sum(machine.energy_uj(name, int(t0_ns), int(t1_ns)) for name in ("package-0", "dram-0")) / 1e6

    joined = eco.join(result(tmp_path / "r.json", requests(trace.start_ns)), trace, split=split)
    rows, report = joined.rows, joined.report
    assert joined.flagged() == {} and len(rows) == OVERLAPPING + ALONE

    parts_uj = int(np.rint(rows["energy_j"] * 1e6).sum()) + round(report.rest_j * 1e6)
    ends = np.array([trace.start_ns, trace.end_ns], "u8")
    assert parts_uj == sum(int(np.diff(trace.heights(place, ends)[0])[0]) for place in range(2))
    assert parts_uj / 1e6 == pytest.approx(truth_j(trace.start_ns, trace.end_ns), rel=0.005)

    # Stated are 95 %: fewer than 15 of 20 have a chance of 1 in 3000 where it holds.
    is_within = [
        abs(row["energy_j"] - truth_j(row["t0_ns"], row["t1_ns"])) <= row["sampling_j"] for row in rows[OVERLAPPING:]
    ]
    assert sum(is_within) >= 15
    # A reading that came late widens the bound of the request that it falls into, and of no other.
    assert np.median(rows["sampling_j"][OVERLAPPING:] / rows["energy_j"][OVERLAPPING:]) < 0.3
