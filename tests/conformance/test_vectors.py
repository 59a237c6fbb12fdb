"""This project held to the vectors that the conformance runner ships."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import eco2ai_fast as eco
from eco2ai_fast.testing import ManualClock, ScriptedDomain, meter

VECTORS = Path(__file__).resolve().parents[2] / "conformance" / "eco2ai_fast_conformance" / "vectors"
CASES = [case for path in sorted(VECTORS.glob("*.json")) for case in json.loads(path.read_text())]
NS_PER_S = 1_000_000_000


def ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def machine(case: dict[str, Any], clock: ManualClock) -> eco.Meter:
    def raw(value: float | str) -> int | str:
        return value if isinstance(value, str) else round(value * 1e6)

    readings = [(ns(t), raw(value)) for t, value in case["shows"]]
    range_j = case.get("range_j")
    return meter(
        [
            ScriptedDomain(
                "package",
                readings,
                range_uj=None if range_j is None else round(range_j * 1e6),
                max_power_w=case["max_power_w"],
                tick_s=case["tick_s"],
                signal=case["signal"],
            )
        ],
        clock,
    )


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_vector(case: dict[str, Any]) -> None:
    first, *between, last = case["read_at_s"]
    clock = ManualClock(ns(first))
    machine_meter = machine(case, clock)
    with eco.measure(meter=machine_meter) as m:
        for t in between:
            clock.set(ns(t))
            machine_meter.tick()
        clock.set(ns(last))
    if case["energy_j"] is None:
        assert m.energy_j != m.energy_j and m.missing
        return
    tolerance_j = case.get("tolerance_j", 1e-6 * case["energy_j"] + 1e-6)
    assert m.energy_j == pytest.approx(case["energy_j"], abs=tolerance_j)
    if case.get("flagged"):
        assert m.notes and m.coverage < 1
    else:
        assert not m.notes and m.coverage == 1
