"""Whose energy: whole, shared and self, by hand-computed figures."""

from __future__ import annotations

import numpy as np
import pytest

import eco2ai_fast as eco
from eco2ai_fast.spans import Spans
from eco2ai_fast.testing import ManualClock, ScriptedDomain

MS = 1_000_000


class World:
    """Two packages and a core domain that is not counted, at constant powers, read every millisecond."""

    def __init__(self, package_w: tuple[float, float] = (60.0, 40.0)) -> None:
        def script(kind: str, power_w: float, package: int) -> ScriptedDomain:
            readings = [(k * MS, round(power_w * k * 1000)) for k in range(2001)]
            return ScriptedDomain(kind, readings, package=package, tick_s=1e-6, sensor_rel=0.1)

        domains = [script("package", package_w[0], 0), script("package", package_w[1], 1), script("core", 30.0, 0)]
        self.clock = ManualClock()
        self.meter = eco.testing.meter(domains, self.clock).start()
        self.run(10)

    def run(self, milliseconds: int) -> None:
        for _ in range(milliseconds):
            self.clock.set(self.clock.now_ns + MS)
            self.meter.tick()


def overlapping() -> World:
    """a: 0 to 200 ms, b: 100 to 300 ms, nobody until 400 ms, c: 400 to 500 ms. 100 W throughout."""
    world = World()
    a = world.meter.begin("a", tokens=1)
    world.run(100)
    b = world.meter.begin("b", tokens=3)
    world.run(100)
    world.meter.end(a)
    world.run(100)
    world.meter.end(b)
    world.run(100)
    with world.meter.span("c"):
        world.run(100)
    world.run(10)
    return world


def joules(spans: Spans) -> dict[str, float]:
    return dict(zip(spans.labels("name"), spans["energy_j"], strict=True))


def test_whole_gives_each_span_all_the_energy_of_its_time_and_says_so() -> None:
    spans = overlapping().meter.spans()
    assert joules(spans) == pytest.approx({"a": 20, "b": 20, "c": 10}, abs=0.01)
    assert spans.whole_j == pytest.approx(50, abs=0.01) and spans.rest_j == pytest.approx(10, abs=0.01)
    assert "exceeds" in spans.notes[0] and "overlap" in repr(spans)


def test_share_divides_each_instant_among_those_active() -> None:
    spans = overlapping().meter.spans("share")
    assert joules(spans) == pytest.approx({"a": 15, "b": 15, "c": 10}, abs=0.01)
    assert spans.rest_j == pytest.approx(10, abs=0.01) and not spans.notes


def test_shares_follow_weights() -> None:
    meter = overlapping().meter
    by_tokens = joules(meter.spans("share", weights="tokens"))
    assert by_tokens == pytest.approx({"a": 12.5, "b": 17.5, "c": 0}, abs=0.01)
    by_rule = joules(meter.spans("share", weights=lambda rows: np.where(rows["tokens"] == 1, 9, 1)))
    assert by_rule == pytest.approx({"a": 19, "b": 11, "c": 10}, abs=0.01)


def test_idle_power_is_a_share_of_its_own() -> None:
    spans = overlapping().meter.spans("share", idle=40.0)
    net = dict(zip(spans.labels("name"), spans["net_j"], strict=True))
    assert net == pytest.approx({"a": 9, "b": 9, "c": 6}, abs=0.01)
    assert joules(spans) == pytest.approx({"a": 15, "b": 15, "c": 10}, abs=0.01)
    assert (spans.idle_j, spans.net_rest_j) == pytest.approx((20, 6), abs=0.01)
    whole = overlapping().meter.spans("whole", idle=40.0)
    assert list(whole["net_j"]) == pytest.approx([12, 12, 6], abs=0.01)


def test_idle_power_may_be_a_measurement() -> None:
    world = overlapping()
    idle = world.meter.energy_between(10 * MS, 20 * MS)
    spans = world.meter.spans("share", idle=idle)
    assert spans["net_j"].sum() == pytest.approx(0, abs=0.02)
    with pytest.raises(ValueError, match="idle must be"):
        world.meter.spans("share", idle=-1.0)


def test_self_leaves_a_parent_what_its_children_do_not_use() -> None:
    world = World()
    with world.meter.span("epoch"):
        world.run(10)
        for _ in range(2):
            with world.meter.span("step"):
                world.run(20)
                with world.meter.span("kernel"):
                    world.run(30)
        world.run(5)
    world.run(10)
    summary = world.meter.spans("self").summary()
    assert summary["epoch"]["energy_j"] == pytest.approx(1.5, abs=0.01)
    assert summary["step"]["energy_j"] == pytest.approx(4, abs=0.01)
    assert summary["kernel"]["energy_j"] == pytest.approx(6, abs=0.01)


def test_self_divides_among_lanes() -> None:
    world = World()
    outer = world.meter.begin("outer", lane="left")
    inner = world.meter.begin("inner", lane="left")
    other = world.meter.begin("other", lane="right")
    world.run(100)
    for span in (inner, outer, other):
        world.meter.end(span)
    world.run(10)
    assert joules(world.meter.spans("self")) == pytest.approx({"outer": 0, "inner": 5, "other": 5}, abs=0.01)


def test_open_spans_take_their_share() -> None:
    world = World()
    world.meter.begin("open")
    world.run(50)
    with world.meter.span("x"):
        world.run(100)
    world.run(10)
    spans = world.meter.spans("share")
    assert joules(spans) == pytest.approx({"x": 5}, abs=0.01)
    assert (spans.open_j, spans.whole_j) == pytest.approx((5, 10), abs=0.01)


def test_only_spans_of_some_names_share() -> None:
    meter = overlapping().meter
    assert joules(meter.spans("share", name="a")) == pytest.approx({"a": 20}, abs=0.01)
    spans = meter.spans("share", name=["a", "b"])
    assert joules(spans) == pytest.approx({"a": 15, "b": 15}, abs=0.01)
    assert list(spans["tokens"]) == [1, 3]
    with pytest.raises(ValueError, match="no span is called 'd': there are a, b, c"):
        meter.spans(name="d")


def test_one_domain_can_be_asked_for() -> None:
    meter = overlapping().meter
    assert joules(meter.spans(domain="package-1")) == pytest.approx({"a": 8, "b": 8, "c": 4}, abs=0.01)
    assert joules(meter.spans(domain="core-0"))["a"] == pytest.approx(6, abs=0.01)
    with pytest.raises(ValueError, match="no domain is called"):
        meter.spans(domain="gpu-0")


def test_words_for_what_cannot_be() -> None:
    meter = overlapping().meter
    with pytest.raises(ValueError, match="split must be one of whole, share, self"):
        meter.spans("half")
    with pytest.raises(ValueError, match="no span has the attribute 'rows'"):
        meter.spans("share", weights="rows")
    with pytest.raises(ValueError, match="one number for each of 3 spans"):
        meter.spans("share", weights=lambda rows: [1.0])
    for weight in (-1.0, float("inf")):
        with pytest.raises(ValueError, match="from 0 on"):
            meter.spans("share", weights=lambda rows, one=weight: np.full(len(rows), one))


def test_sensor_errors_add_up_within_a_source() -> None:
    row = overlapping().meter.spans()[0]
    assert row["uncertainty_j"] == pytest.approx(1.96 * 0.1 * row["energy_j"], rel=0.05)


def test_a_span_shorter_than_the_sensor_resolves_has_its_bound_and_the_word_for_it() -> None:
    readings = [(k * 20 * MS, k * 2_000_000) for k in range(100)]
    clock = ManualClock()
    meter = eco.testing.meter([ScriptedDomain("package", readings, tick_s=0.02)], clock).start()

    def run(milliseconds: int) -> None:
        for _ in range(milliseconds):
            clock.set(clock.now_ns + MS)
            meter.tick()

    run(205)
    with meter.span("short"):
        clock.set(clock.now_ns + 20_000)
    with meter.span("long"):
        run(500)
    run(100)
    short, long = meter.spans()
    labels = list(meter.spans().labels("status"))
    assert labels == ["below resolution", "resolved"]
    assert 0 < short["energy_j"] <= short["sampling_j"]
    assert long["sampling_j"] < 0.1 * long["energy_j"]
    assert "below resolution" in meter.spans().notes[-1]


def test_a_span_without_history_has_no_number() -> None:
    clock = ManualClock(5 * MS)
    meter = eco.testing.meter([ScriptedDomain("package", [(0, 0), (50 * MS, 1000)], tick_s=1e-6)], clock)
    meter._prepare_spans = lambda: 100  # nothing is recorded yet
    early = meter.begin("early")
    clock.set(100 * MS)
    meter.record()
    for _ in range(10):
        clock.set(clock.now_ns + MS)
        meter.tick()
    meter.end(early)
    with meter.span("late"):
        clock.set(clock.now_ns + MS)
    spans = meter.spans("share")
    assert list(spans.labels("status")) == ["history lost", "below resolution"]
    assert np.isnan(spans["energy_j"][0]) and np.isnan(spans["uncertainty_j"][0]) and np.isnan(spans["coverage"][0])
    assert spans.lost == 1 and spans.summary()["early"]["lost"] == 1
