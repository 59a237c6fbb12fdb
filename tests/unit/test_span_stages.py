"""Stages of a model's life: measured without gap or overlap, carried by spans, rolled up over records."""

from __future__ import annotations

import json

import pytest

import eco2ai_fast as eco
from eco2ai_fast import stages
from eco2ai_fast.testing import ManualClock, ScriptedDomain

MS = 1_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """A machine at 100 W whose meter is the process's own."""
    clock = ManualClock()
    package = ScriptedDomain("package", [(k * MS, 100_000 * k) for k in range(10_001)])
    meter = eco.testing.meter([package], clock)
    monkeypatch.setattr("eco2ai_fast.stopwatch.implicit_meter", lambda: meter)
    monkeypatch.setattr(stages, "_ledger", stages._Ledger())
    return clock


def test_each_stage_has_its_energy_and_nesting_counts_nothing_twice(clock: ManualClock) -> None:
    with eco.stage("preprocessing"):
        clock.advance(0.5)
    clock.advance(1.0)  # nobody's
    with eco.stage("training"):
        clock.advance(1.0)
        with eco.stage("evaluation"):
            clock.advance(0.25)
        clock.advance(1.0)
    with eco.stage("preprocessing"):
        clock.advance(0.5)
    life = eco.life_cycle()
    assert {name: one.energy_j for name, one in life.stages.items()} == pytest.approx(
        {"preprocessing": 100, "training": 200, "evaluation": 25}
    )
    assert {name: one.duration_s for name, one in life.stages.items()} == pytest.approx(
        {"preprocessing": 1, "training": 2, "evaluation": 0.25}
    )
    assert life.entries == {"preprocessing": 2, "training": 1, "evaluation": 1}
    assert "training" in repr(life)


def test_an_open_stage_is_told_up_to_now(clock: ManualClock) -> None:
    with eco.stage("serving"):
        clock.advance(1.0)
        assert eco.life_cycle().stages["serving"].energy_j == pytest.approx(100)
        clock.advance(1.0)
    assert eco.life_cycle().stages["serving"].energy_j == pytest.approx(200)


def test_a_stage_is_a_decorator_and_ends_with_an_exception(clock: ManualClock) -> None:
    @eco.stage("training")
    def train() -> None:
        clock.advance(0.1)
        raise KeyError("of the user")

    for _ in range(2):
        with pytest.raises(KeyError):
            train()
    clock.advance(1.0)
    assert eco.life_cycle().stages["training"].energy_j == pytest.approx(20)
    assert stages.current_stage() == ""


def test_spans_carry_the_stage_they_began_in(clock: ManualClock) -> None:
    meter = eco.testing.meter([ScriptedDomain("package", [(0, 0)])], ManualClock()).start()
    with meter.span("x"):
        pass
    with eco.stage("training"), meter.span("y"):
        pass
    with meter.span("z"):
        pass
    assert list(meter.spans().labels("stage")) == ["", "training", ""]
    assert meter.spans().summary(by="stage")["training"]["count"] == 1


def test_records_of_several_runs_roll_up_by_stage(clock: ManualClock) -> None:
    with eco.stage("training"):
        clock.advance(1.0)
    record = json.loads(json.dumps(eco.life_cycle().to_record()))
    total = eco.roll_up([record, record, eco.life_cycle()])
    assert total["stages"]["training"]["energy_j"] == pytest.approx(300)
    assert total["stages"]["training"]["entries"] == 3
    assert total["stages"]["training"]["co2e_g"] == pytest.approx(3 * record["stages"]["training"]["co2e_g"])
    with pytest.raises(ValueError, match="schema_version 1"):
        eco.roll_up([{"schema_version": 2, "stages": {}}])


def test_a_stage_needs_a_name() -> None:
    with pytest.raises(ValueError, match="preprocessing, training"):
        eco.stage("")


def test_switched_off_a_stage_does_nothing(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECO2AI_FAST_DISABLE", "1")
    with eco.stage("training"):
        clock.advance(1.0)
    assert eco.life_cycle().stages == {}
