"""Spans as their users write them: with, decorators, begin and end; threads, tasks, attributes, bounds of memory."""

from __future__ import annotations

import asyncio
import functools
import pickle
import threading
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest

import eco2ai_fast as eco
from eco2ai_fast.testing import ManualClock, ScriptedDomain

MS = 1_000_000


class World:
    """A machine at a constant power, read every millisecond of simulated time."""

    def __init__(self, power_w: float = 50.0, seconds: float = 3.0) -> None:
        readings = [(k * MS, round(power_w * k * 1000)) for k in range(int(seconds * 1000) + 1)]
        self.clock = ManualClock()
        self.meter = eco.testing.meter([ScriptedDomain("package", readings, tick_s=1e-6)], self.clock).start()

    def run(self, milliseconds: int) -> None:
        for _ in range(milliseconds):
            self.clock.set(self.clock.now_ns + MS)
            self.meter.tick()


@pytest.fixture
def world() -> World:
    return World()


def test_a_span_tells_the_energy_between_its_ends(world: World) -> None:
    world.run(10)
    with world.meter.span("step"):
        world.run(100)
    world.run(10)
    spans = world.meter.spans()
    assert list(spans.labels("name")) == ["step"]
    assert spans["duration_s"][0] == pytest.approx(0.1)
    assert spans["energy_j"][0] == pytest.approx(5.0, abs=1e-3)
    assert spans["measured_j"][0] + spans["modelled_j"][0] == pytest.approx(spans["energy_j"][0])
    assert spans.labels("status")[0] == "resolved"
    assert isinstance(spans, np.ndarray)


def test_the_end_of_a_span_is_provisional_until_changes_lie_behind_it(world: World) -> None:
    world.run(10)
    with world.meter.span("step"):
        world.run(10)
    assert list(world.meter.spans().labels("status")) == ["provisional"]
    world.run(10)
    assert list(world.meter.spans().labels("status")) == ["resolved"]


def test_a_span_that_has_not_ended_is_not_told(world: World) -> None:
    world.run(10)
    open_span = world.meter.begin("long")
    with world.meter.span("short"):
        world.run(10)
    assert list(world.meter.spans().labels("name")) == ["short"]
    world.meter.end(open_span)
    assert sorted(world.meter.spans().labels("name")) == ["long", "short"]


def test_begin_and_end_need_not_nest_and_may_be_in_different_threads(world: World) -> None:
    world.run(1)
    first = world.meter.begin("a")
    world.run(10)
    second = world.meter.begin("b")
    world.run(10)
    world.meter.end(first)
    world.run(10)
    thread = threading.Thread(target=lambda: world.meter.end(second, tokens=3))
    thread.start()
    thread.join()
    world.run(5)
    spans = world.meter.spans()
    assert list(spans["duration_s"]) == pytest.approx([0.02, 0.02])
    assert spans["tokens"][1] == 3 and np.isnan(spans["tokens"][0])


def test_a_span_is_a_decorator_of_any_function(world: World) -> None:
    @world.meter.span("call", kind="plain")
    def double(number: int) -> int:
        world.run(1)
        return 2 * number

    @world.meter.span("generator")
    def count() -> Iterator[int]:
        yield from range(3)

    @world.meter.span("coroutine")
    async def later() -> int:
        await asyncio.sleep(0)
        return 7

    @world.meter.span("stream")
    async def stream() -> AsyncIterator[int]:
        for number in range(3):
            yield number

    async def main() -> list[int]:
        return [await later(), *[item async for item in stream()]]

    assert [double(1), double(2)] == [2, 4]
    assert list(count()) == [0, 1, 2]
    assert asyncio.run(main()) == [7, 0, 1, 2]
    assert double.__name__ == "double"
    summary = world.meter.spans().summary()
    assert {row["key"]: row["count"] for row in summary} == {"call": 2, "generator": 1, "coroutine": 1, "stream": 1}


def test_a_generator_that_is_closed_early_has_not_failed_and_ends_within_its_span(world: World) -> None:
    ended: list[str] = []

    @world.meter.span("items")
    def items() -> Iterator[int]:
        try:
            yield from range(3)
        finally:
            ended.append(f"{len(world.meter.spans())} spans had ended")

    @world.meter.span("more")
    async def more() -> AsyncIterator[int]:
        try:
            for item in range(3):
                yield item
        finally:
            ended.append(f"{len(world.meter.spans())} spans had ended")

    async def some() -> None:
        stream = more()
        assert [await anext(stream), await anext(stream)] == [0, 1]
        await stream.aclose()  # type: ignore[attr-defined]

    stream = items()
    assert next(stream) == 0
    stream.close()  # type: ignore[attr-defined]
    asyncio.run(some())
    assert ended == ["0 spans had ended", "1 spans had ended"]
    assert world.meter.spans()["failed"].tolist() == [False, False]


def test_what_is_sent_and_thrown_into_an_async_generator_arrives(world: World) -> None:
    @world.meter.span("echo")
    async def echo() -> AsyncIterator[object]:
        sent: object = None
        while True:
            try:
                sent = yield sent
            except KeyError as error:
                sent = f"caught {error}"

    async def talk() -> list[object]:
        stream = echo()
        told = [await anext(stream), await stream.asend(7), await stream.athrow(KeyError("a"))]  # type: ignore[attr-defined]
        await stream.aclose()  # type: ignore[attr-defined]
        return told

    assert asyncio.run(talk()) == [None, 7, "caught 'a'"]


def test_a_partial_and_an_object_that_is_awaited_have_spans_as_long_as_their_work(world: World) -> None:
    class Model:
        async def __call__(self, milliseconds: int) -> None:
            await asyncio.sleep(0)
            world.run(milliseconds)

    for function in (functools.partial(Model().__call__, 20), functools.partial(functools.partial(Model()), 20)):
        asyncio.run(world.meter.span("work")(function)())
    asyncio.run(world.meter.span("work")(Model())(20))
    assert world.meter.spans()["duration_s"] == pytest.approx([0.02] * 3)


def test_spans_that_were_pickled_keep_their_names(world: World) -> None:
    world.run(10)
    with world.meter.span("step", tokens=3):
        world.run(10)
    spans = world.meter.spans()
    again = pickle.loads(pickle.dumps(spans))
    assert repr(again.summary(unit="tokens")) == repr(spans.summary(unit="tokens"))
    assert again.whole_j == spans.whole_j and list(again.labels("name")) == ["step"]


@pytest.mark.parametrize("kind", [int, float, np.int64, np.uint64, np.float64])
def test_two_numbers_of_any_kind_give_one_measurement(world: World, kind: type) -> None:
    world.run(50)
    assert world.meter.energy_between(kind(10 * MS), kind(30 * MS)).energy_j == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("t0_ns", "t1_ns"),
    [(20 * MS, 10 * MS), ([20 * MS], [10 * MS]), ([float("nan")], [1]), ([-5], [1]), ([1e30], [1e31])],
)
def test_an_interval_that_ends_before_it_begins_and_what_is_no_instant_are_refused(
    world: World, t0_ns: object, t1_ns: object
) -> None:
    world.run(50)
    with pytest.raises(ValueError, match=r"lies before|nanoseconds"):
        world.meter.energy_between(t0_ns, t1_ns)


def test_tasks_are_lanes_of_their_own(world: World) -> None:
    async def request() -> None:
        async with world.meter.aspan("request", tokens=2) as span:
            await asyncio.sleep(0)
            span.set(more=1)

    async def main() -> None:
        await asyncio.gather(*(request() for _ in range(5)))

    asyncio.run(main())
    spans = world.meter.spans()
    assert len(np.unique(spans["lane"])) == 5
    assert set(spans["tokens"]) == {2} and set(spans["more"]) == {1}


def test_a_lane_is_the_thread_unless_it_is_named(world: World) -> None:
    for lane in (None, "gpu stream", 12, None):
        with world.meter.span("x", lane=lane):
            pass
    lanes = list(world.meter.spans().labels("lane"))
    assert lanes[1:3] == ["gpu stream", "12"]
    assert lanes[0] == lanes[3] and lanes[0].startswith("thread ")


def test_attributes_are_numbers_or_words_and_may_come_later(world: World) -> None:
    with world.meter.span("x", tokens=5, model="small", big=2**40, share=0.25, flag=True, wide=np.int32(3)) as span:
        span.set(tokens=9, late=1.5)
    row = world.meter.spans()[0]
    assert (row["tokens"], row["model"], row["big"], row["share"]) == (9, "small", 2**40, 0.25)
    assert (row["flag"], row["wide"], row["late"]) == (1, 3, 1.5)


def test_an_attribute_named_like_a_field_stands_beside_it(world: World) -> None:
    with world.meter.span("x", name="y", energy_j=5):
        pass
    row = world.meter.spans()[0]
    assert (row["name_"], row["energy_j_"]) == ("y", 5)


def test_what_is_no_number_and_no_word_is_counted_and_does_not_raise(world: World) -> None:
    with world.meter.span("x", tokens=None, shape=[1, 2], **{f"a{n}": n for n in range(10)}):
        pass
    spans = world.meter.spans()
    assert spans.unusable_attributes == 3
    assert [field for field in spans.dtype.names if field.startswith("a")] == [f"a{n}" for n in range(8)]
    assert "attributes" in spans.notes[-1]


def test_an_exception_marks_its_span_as_failed_and_passes(world: World) -> None:
    with pytest.raises(KeyError), world.meter.span("x"):
        raise KeyError("of the user")
    with world.meter.span("x"):
        pass
    assert list(world.meter.spans()["failed"]) == [True, False]


def test_a_span_out_of_turn_says_so(world: World) -> None:
    span = world.meter.span("x")
    with pytest.raises(eco.WindowError, match="not open"):
        span.__exit__(None, None, None)
    with span, pytest.raises(eco.WindowError, match="open already"):
        span.__enter__()
    with span:  # and again, once it is closed
        pass
    assert len(world.meter.spans()) == 2


@pytest.mark.parametrize("arguments", [(), ("a", "b"), (5,)])
def test_a_span_has_one_name_which_is_a_str(world: World, arguments: tuple[object, ...]) -> None:
    with pytest.raises(TypeError):
        world.meter.span(*arguments)
    with pytest.raises(TypeError):
        world.meter.span("x", lane=1.5)


def test_names_without_end_are_recorded_as_others(world: World) -> None:
    for number in range(70_000):
        with world.meter.span(f"request {number}"):
            pass
    names = world.meter.spans().names
    assert len(names) <= 65_537 and "(other names)" in names


def test_the_newest_spans_are_kept_and_the_others_counted() -> None:
    world = World()
    world.meter.max_spans = 100
    for number in range(250):
        with world.meter.span("x", number=number):
            pass
    world.run(10)
    spans = world.meter.spans()
    assert list(spans["number"]) == list(range(150, 250))
    assert spans.overwritten == 150 and "made way" in spans.notes[-1]


def test_spans_can_be_taken_in_portions(world: World) -> None:
    for _ in range(3):
        with world.meter.span("x"):
            world.run(5)
        assert len(world.meter.spans()) == 1
        world.meter.forget_spans()
    assert len(world.meter.spans()) == 0


def test_a_meter_without_spans_has_an_empty_array_and_stays_as_it_is() -> None:
    meter = eco.Meter(sources="estimate")
    assert len(meter.spans()) == 0 and len(meter.spans("share").summary()) == 0
    assert not meter.is_sampling


class Spy(eco.Meter):
    """Notes at which rates it was asked to sample."""

    asked: list[float]

    def sample(self, rate_hz: float, *arguments: object) -> None:
        self.asked = [*getattr(self, "asked", []), rate_hz]
        super().sample(rate_hz, *arguments)


def test_the_first_span_raises_an_automatic_rate_to_100_hz() -> None:
    with Spy(sources="estimate") as meter:
        assert meter.asked == [10.0]
        for _ in range(2):
            with meter.span("x"):
                pass
        assert meter.asked == [10.0, 100.0]


def test_a_rate_that_was_asked_for_stays() -> None:
    with Spy(sources="estimate", rate_hz=25) as meter, meter.span("x"):
        assert meter.asked == [25.0]


def test_the_first_span_starts_a_meter_that_nobody_started() -> None:
    meter = Spy(sources="estimate")
    with meter.span("x"):
        assert meter.is_sampling and meter.asked == [100.0]
    meter.stop()
    assert len(meter.spans()) == 1


def test_switched_off_spans_do_nothing_and_keep_their_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECO2AI_FAST_DISABLE", "1")
    meter = eco.Meter(sources="estimate")
    with meter.span("x", tokens=1) as span:
        span.set(more=2)
    assert not meter.is_sampling
    assert len(meter.spans()) == 0
