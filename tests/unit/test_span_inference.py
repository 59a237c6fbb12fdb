"""Requests: prefill and decode, overlap, idle, warm-up, repeats; sync and async, functions and generators."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest

import eco2ai_fast as eco
from eco2ai_fast.requests import evaluate
from eco2ai_fast.shares import Curve
from eco2ai_fast.testing import ManualClock, ScriptedDomain

MS = 1_000_000


class World:
    """A machine at 100 W, read every millisecond of simulated time."""

    def __init__(self) -> None:
        readings = [(k * MS, 100_000 * k) for k in range(5_001)]
        self.clock = ManualClock()
        self.meter = eco.testing.meter([ScriptedDomain("package", readings, tick_s=1e-6)], self.clock).start()
        self.run(5)

    def run(self, milliseconds: int) -> None:
        for _ in range(milliseconds):
            self.clock.set(self.clock.now_ns + MS)
            self.meter.tick()


@pytest.fixture
def world() -> World:
    return World()


def test_prefill_and_decode_are_told_apart_by_the_first_output(world: World) -> None:
    requests = eco.inference(world.meter, "token", warmup=0)
    for _ in range(4):
        with requests.request() as request:
            world.run(20)
            for _ in range(10):
                request.output()
                world.run(3)
    world.run(5)
    report = requests.report()
    assert (report.requests, report.units) == (4, 40)
    assert report.prefill_j.mean == pytest.approx(2, abs=0.01)
    assert report.decode_j.mean == pytest.approx(3, abs=0.01)
    assert report.energy_j.mean == pytest.approx(5, abs=0.01)
    assert (report.per_unit_j, report.units_per_j) == pytest.approx((0.5, 2), abs=0.01)
    assert report.latency_s.p95 == pytest.approx(0.05) and report.first_output_s.mean == pytest.approx(0.02)
    assert report.per_unit_bound_j > 0
    assert "2.00 tokens per joule" in repr(report) and "to the first output" in repr(report)


def test_overlapping_tasks_with_token_weights_add_up_to_the_meters_total(world: World) -> None:
    requests = eco.inference(world.meter, "token", warmup=0)

    async def one(tokens: int, milliseconds: int) -> None:
        async with requests.request() as request:
            for _ in range(milliseconds):
                await asyncio.sleep(0)
                world.run(1)
            request.units = tokens

    async def main() -> None:
        await asyncio.gather(*(one(tokens, 20 + tokens) for tokens in (5, 10, 20, 40)))

    asyncio.run(main())
    world.run(5)
    report = requests.report(weights="units")
    first, last = int(report.rows["t0_ns"].min()), int(report.rows["t1_ns"].max())
    total = world.meter.energy_between(first, last)
    parts_uj = int(np.rint(report.rows["energy_j"] * 1e6).sum())
    assert parts_uj + round(report.rest_j * 1e6) == round(report.whole_j * 1e6)
    assert report.whole_j == pytest.approx(total.energy_j, abs=2e-6)
    # All four began together: a greater weight takes more, and the longest one is alone at the end.
    energies = report.rows["energy_j"][np.argsort(report.rows["units"])]
    assert (np.diff(energies) > 0).all()


def test_gross_and_net_of_idle_stand_side_by_side(world: World) -> None:
    requests = eco.inference(world.meter, idle=60.0, warmup=0)
    for _ in range(3):
        with requests.request():
            world.run(50)
        world.run(50)
    world.run(5)
    report = requests.report()
    assert report.energy_j.mean == pytest.approx(5, abs=0.01)
    assert report.net_j.mean == pytest.approx(2, abs=0.01)
    assert report.idle_j == pytest.approx(15, abs=0.05)
    net_j = report.rows["net_j"].sum() + report.idle_j + report.net_rest_j + report.unfinished_net_j
    assert net_j == pytest.approx(report.whole_j, abs=1e-6)
    assert "net of 60 W idle" in repr(report)


def test_warming_up_does_not_count_and_is_found(world: World) -> None:
    found, told = eco.inference(world.meter), eco.inference(world.meter, name="told", warmup=3)
    for number in range(40):
        for requests in (found, told):
            with requests.request():
                world.run(40 if number < 3 else 10)
    world.run(5)
    for report in (found.report(), told.report()):
        assert report.warmup == 3 and report.requests == 37
        assert report.energy_j.mean == pytest.approx(1, abs=0.01)
        assert len(report.rows) == 40


def test_failed_requests_are_counted_apart_and_keep_their_energy(world: World) -> None:
    requests = eco.inference(world.meter, warmup=0)
    with pytest.raises(KeyError), requests.request():
        world.run(30)
        raise KeyError("of the user")
    with requests.request():
        world.run(10)
    world.run(5)
    report = requests.report()
    assert (report.requests, report.failed) == (1, 1)
    assert report.rows["energy_j"].sum() + report.rest_j == pytest.approx(report.whole_j, abs=1e-6)


def test_a_stream_that_its_reader_left_has_not_failed(world: World) -> None:
    requests = eco.inference(world.meter, "token", warmup=0)
    closed: list[bool] = []

    async def agenerate() -> AsyncIterator[int]:
        try:
            for word in range(5):
                world.run(10)
                yield word
        finally:
            closed.append(True)

    async def read_two() -> None:
        stream = requests.wrap(agenerate)()
        async for word in stream:
            if word == 1:
                break
        await stream.aclose()
        assert closed == [True]

    asyncio.run(read_two())
    world.run(5)
    report = requests.report()
    assert (report.requests, report.failed, report.units) == (1, 0, 2)


def test_requests_that_have_not_ended_take_their_share(world: World) -> None:
    requests = eco.inference(world.meter, warmup=0)
    open_request = requests.request().__enter__()
    with requests.request():
        world.run(100)
    world.run(5)
    report = requests.report()
    assert report.energy_j.mean == pytest.approx(5, abs=0.01)
    assert report.unfinished_j == pytest.approx(5, abs=0.01)
    open_request.__exit__(None, None, None)
    assert requests.report().requests == 2


def test_any_callable_can_be_wrapped(world: World) -> None:
    requests = eco.inference(world.meter, "item", warmup=0)

    def plain(text: str) -> str:
        world.run(5)
        return text

    def stream(text: str) -> Iterator[str]:
        for letter in text:
            world.run(2)
            yield letter

    async def later(text: str) -> str:
        world.run(5)
        return text

    async def later_stream(text: str) -> AsyncIterator[str]:
        for letter in text:
            world.run(2)
            yield letter

    async def main() -> None:
        await requests.wrap(later, units=len)("abcd")
        assert [item async for item in requests.wrap(later_stream)("abc")] == ["a", "b", "c"]

    assert requests.wrap(plain, units=len)("abcde") == "abcde"
    assert list(requests.wrap(stream)("ab")) == ["a", "b"]
    asyncio.run(main())
    world.run(5)
    report = requests.report()
    assert sorted(report.rows["units"]) == [2, 3, 4, 5]
    assert list(report.rows["first_ns"] > 0) == [False, True, False, True]


def test_a_run_reports_and_plans_repeats() -> None:
    requests = eco.inference(eco.Meter(sources="estimate", rate_hz=500).start(), "letter", warmup=0)
    report = requests.run(lambda text: text, ["a", "bb", "ccc"] * 4, units=len)
    assert (report.requests, report.units) == (12, 24)
    requests.meter.stop()


def report_of(joules: list[float]) -> object:
    """A report on requests of so many joules, one after the other."""
    edges = np.arange(len(joules) + 1, dtype="u8") * np.uint64(MS)
    heights = np.concatenate([[0], np.cumsum(np.rint(np.array(joules) * 1e6))]).astype("u8")
    curve = Curve(edges, heights, np.zeros_like(heights), np.zeros(len(edges)))
    none = np.zeros(len(joules), "u8")
    return evaluate(curve, edges[:-1], none, edges[1:], np.ones(len(joules)), warmup=0)


def test_a_plan_says_how_many_more_repeats_a_precision_needs() -> None:
    chance = np.random.default_rng(4)
    report = report_of(list(10 + chance.normal(scale=0.5, size=60)))
    plan = report.plan(0.01)
    # (1.96 x 5 % / 1 %)^2 is about 96.
    assert 70 <= plan.needed <= 125 and plan.more == plan.needed - 60
    assert "for 1.0 % at this variance" in repr(plan) and "random phase" in repr(plan)
    assert report.plan(0.05).more == 0 and "reached" in repr(report.plan(0.05))
    with pytest.raises(ValueError, match="two counted requests"):
        report_of([1.0]).plan()


def test_words_for_what_cannot_be(world: World) -> None:
    requests = eco.inference(world.meter)
    with pytest.raises(ValueError, match="no request has begun"):
        requests.report()
    with requests.request():
        with pytest.raises(ValueError, match="no request has ended"):
            requests.report()
        world.run(5)
    with pytest.raises(ValueError, match='weights are "units"'):
        requests.report(weights="tokens")
    with pytest.raises(ValueError, match='sync is "auto", "torch"'):
        eco.inference(world.meter, sync="rocm")


def test_a_gpu_is_waited_for_at_begin_first_output_and_end(world: World) -> None:
    calls: list[int] = []
    requests = eco.inference(world.meter, sync=lambda: calls.append(len(calls)))
    with requests.request() as request:
        assert len(calls) == 1
        request.output()
        assert len(calls) == 2
        request.output()
    assert len(calls) == 3


def test_switched_off_requests_do_nothing_and_report_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECO2AI_FAST_DISABLE", "1")
    requests = eco.inference(eco.Meter(sources="estimate"), "token")
    with requests.request() as request:
        request.output()
    report = requests.report()
    assert report.requests == 0 and np.isnan(report.per_unit_j) and "0 requests" in repr(report)
