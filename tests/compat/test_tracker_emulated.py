"""On a machine of known power a tracker's figure is the truth, whatever its measure_period."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from emulator.machine import Machine

MACHINE = {
    "domains": [
        {
            "id": "package-0",
            "power": {
                "shape": "square",
                "low_uw": 30_000_000,
                "high_uw": 180_000_000,
                "period_ns": 70_000_000,
                "high_ns": 20_000_000,
            },
            "zones": [{"zone": "intel-rapl:0", "name": "package-0"}],
        }
    ]
}

SCRIPT = """
import json, sys, time
import eco2ai_fast as eco2ai
tracker = eco2ai.Tracker(
    "p", "d", "e.csv", measure_period=float(sys.argv[1]), alpha_2_code="RU", cpu_processes="all", ignore_warnings=True
)
tracker.start()
time.sleep(float(sys.argv[2]))
record = tracker.stop()
package = record.measurement.domains["package-0"]
print(json.dumps([record.measurement.t0_ns, record.measurement.t1_ns, package.energy_j, package.source]))
"""


def tracked(machine: Machine, folder: Path, period_s: float, length_s: float) -> tuple[float, float]:
    """Joules of the package by the tracker, and in truth, over the same time."""
    environment = os.environ | {"ECO2AI_FAST_SYSROOT": str(machine.root), "XDG_CONFIG_HOME": str(folder)}
    command = [sys.executable, "-c", SCRIPT, str(period_s), str(length_s)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    t0_ns, t1_ns, energy_j, source = json.loads(done.stdout)
    assert source == "powercap"
    return energy_j, machine.energy_uj("package-0", t0_ns, t1_ns) / 1e6


@pytest.mark.parametrize("period_s", [10, 1, 0.01])
def test_figure_is_within_1_percent_from_1_s_on(
    emulated: Callable[[dict[str, Any]], Machine], tmp_path: Path, period_s: float
) -> None:
    machine = emulated(MACHINE)
    for length_s in (1.0, 2.5):
        energy_j, truth_j = tracked(machine, tmp_path, period_s, length_s)
        print(f"measure_period {period_s:g} s, {length_s:g} s: {energy_j:.3f} J, truth {truth_j:.3f} J")
        assert energy_j == pytest.approx(truth_j, rel=0.01)
