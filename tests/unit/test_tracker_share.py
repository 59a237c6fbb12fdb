"""The share of a process tree in the machine's busy time."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eco2ai_fast.testing import ManualClock, ScriptedDomain, meter
from eco2ai_fast.tracking import run
from eco2ai_fast.tracking.tree import CpuTimes, cpu_times, share_between

seconds = st.floats(0, 1e6)


@given(seconds, seconds, seconds, seconds)
def test_share_is_never_below_nothing_nor_above_all(tree0: float, tree1: float, busy0: float, busy1: float) -> None:
    share = share_between(CpuTimes(tree0, busy0), CpuTimes(tree1, busy1))
    assert share is not None and 0 <= share <= 1


@given(own=st.floats(0.1, 1e4), others=st.floats(0, 1e4))
def test_what_others_computed_is_not_ours(own: float, others: float) -> None:
    share = share_between(CpuTimes(1, 1), CpuTimes(1 + own, 1 + own + others))
    assert share is not None and abs(share - own / (own + others)) < 1e-9


def test_machine_that_does_not_tell_its_busy_time_has_no_shares() -> None:
    assert share_between(CpuTimes(0, None), CpuTimes(1, 1.0)) is None


def test_own_time_is_counted_finer_than_in_ticks() -> None:
    first = cpu_times().tree_s
    while (step_s := cpu_times().tree_s - first) == 0:
        pass
    assert 0 < step_s < 0.01


class World:
    """A machine of 100 W on which others compute as long as they are told to, and we a tenth of the time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = ManualClock()
        self.now = CpuTimes(0.0, 0.0)
        monkeypatch.setattr(run, "cpu_times", lambda: self.now)
        own = SimpleNamespace(perf_counter_ns=lambda: self.clock.now_ns, time=time.time, localtime=time.localtime)
        monkeypatch.setattr(run, "time", own)
        readings = [(t * run.NS_PER_S, t * 100_000_000) for t in range(400)]
        self.run = run.Run(
            meter([ScriptedDomain("package", readings, tick_s=1.0)], self.clock), None, whole_machine=False
        )
        self.run.begin()

    def advance(self, seconds: int, others_s: float, own_s: float | None = None) -> None:
        self.clock.advance(seconds)
        own_s = seconds / 10 if own_s is None else own_s
        self.now = CpuTimes(self.now.tree_s + own_s, (self.now.busy_s or 0.0) + own_s + others_s)


def test_what_others_compute_later_takes_nothing_from_what_was_drawn_before(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    world.advance(100, others_s=0)
    assert world.run.lap().energy_j == pytest.approx(10_000)
    world.advance(100, others_s=90)  # we are one of ten
    figures = world.run.end()
    assert figures.energy_j == pytest.approx(10_000 + 1_000)
    assert figures.share == pytest.approx(11 / 20)


@pytest.mark.parametrize("every_s", [1, 2, 5, 10])
def test_energy_is_the_same_however_often_it_is_read(every_s: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    seen = [0.0]
    for second in range(every_s, 101, every_s):
        world.advance(every_s, others_s=0 if second <= 50 else 9 * every_s / 10)
        seen.append(world.run.lap().energy_j)
    assert world.run.end().energy_j == pytest.approx(5_000 + 500)
    assert seen == sorted(seen)


def test_few_ticks_of_an_idle_machine_do_not_make_its_energy_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    for number in range(30):  # we compute 1 ms of 10 s, somebody else 10 ms of every third
        world.advance(10, others_s=0.0 if number % 3 else 0.01, own_s=0.001)
        world.run.lap()
    assert world.run.end().share == pytest.approx(0.003 / 0.013, rel=0.02)
