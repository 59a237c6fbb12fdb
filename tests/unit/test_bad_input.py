"""What cannot be is refused in words that say what and where, and nothing becomes a silent 0."""

from __future__ import annotations

import re

import numpy as np
import pytest

import eco2ai_fast as eco
from eco2ai_fast.carbon import UnknownZoneError
from eco2ai_fast.testing import ManualClock, ScriptedDomain, meter

S = 1_000_000_000


@pytest.fixture
def recorded() -> eco.Meter:
    """Ten seconds of 5 W, read ten times a second."""
    clock = ManualClock()
    readings = [(step * S // 1000, 7 + step * 5_000) for step in range(10_000)]
    machine = meter([ScriptedDomain("package", readings)], clock)
    machine.start()
    for _ in range(99):
        clock.advance(0.1)
        machine.tick()
    return machine


def test_interval_that_ends_before_it_begins_has_no_energy_and_not_0_joules(recorded: eco.Meter) -> None:
    assert recorded.energy_between(2 * S, 4 * S).energy_j == pytest.approx(10, abs=0.01)
    with pytest.raises(ValueError, match=r"t1_ns = 2000000000 lies before t0_ns = 4000000000"):
        recorded.energy_between(4 * S, 2 * S)
    with pytest.raises(ValueError, match=r"before 0"):
        recorded.energy_between(-1, 2 * S)
    with pytest.raises(ValueError, match=r"row 1, and in 2 rows in all"):
        recorded.energy_between([S, 4 * S, 3 * S], [2 * S, 2 * S, 1 * S])
    for wrong in (-1.0, np.nan, -1):
        with pytest.raises(ValueError, match="from 0 on"):
            recorded.energy_between([wrong], [2 * S])


def test_0_joules_of_a_model_are_not_said_to_be_measured() -> None:
    clock = ManualClock()
    machine = meter([ScriptedDomain("package", [(0, 5)], modelled=True)], clock)
    with eco.measure(meter=machine) as m:
        clock.advance(1.0)
    assert m.energy_j == 0
    assert "(modelled)" in repr(m) and "(measured)" not in repr(m)


def test_zone_that_is_no_text_is_an_unknown_zone() -> None:
    with pytest.raises(UnknownZoneError, match="'5'"):
        eco.measure(zone=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("cpu", [-1, 9_999, "0", 1.5])
def test_cpu_that_the_machine_cannot_have_is_named(cpu: object) -> None:
    with pytest.raises(ValueError, match=re.escape(f"none is number {cpu!r}")):
        eco.Meter(cpus=[0, cpu])  # type: ignore[list-item]
