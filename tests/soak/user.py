"""What the random user does in his own process: one function for each thing, each with the luck of the draw."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import eco2ai_fast as eco

from .cards import with_cards
from .tree import Tree

# A child of a fork that is not done by then hangs.
FORK_LIMIT_S = 20
# Changes that a meter's fine history keeps, and some.
HISTORY = 16_500
# Memory goes up and down with what is kept, so that the user keeps about as much at all times.
MOST_SPANS = 4_000


class User:
    """A program that goes on and on: one meter for its whole life, and all the rest as it comes.

    Attributes:
        chance: where every choice comes from.
    """

    def __init__(self, folder: Path, seed: int, gpus: bool = False) -> None:
        self.chance = random.Random(seed)
        self.folder = folder
        self._has_gpus = gpus
        if gpus:
            with_cards()
        self.tree = Tree(folder / "tree")
        self.meter = eco.Meter(sources="powercap", sysroot=self.tree.root, rate_hz=100)
        self.meter.record()
        # Its history is full from the start: what it takes to fill it is no leak, and would look like one for minutes.
        for _ in range(HISTORY):
            self.tree.move()
            self.meter.tick()
        self.meter.start()
        self._spans_kept = 0

    def actions(self) -> dict[str, Callable[[], None]]:
        return {
            "windows": self.windows,
            "spans": self.spans,
            "reads from threads": self.reads,
            "meter started and stopped": self.other_meter,
            "tracker": self.tracker,
            "training": self.training,
            "fork": self.fork,
            "questions of the past": self.questions,
            "trace": self.trace,
            **({"gpus": self.gpus} if self._has_gpus else {}),
        }

    def windows(self) -> None:
        """Nested windows on the machine's meters and on the tree's, a precise one among them."""
        mode = self.chance.choice(("direct", "precise"))
        with eco.measure("outer") as outer, eco.measure("inner", mode=mode, meter=self.meter) as inner:
            time.sleep(self.chance.uniform(0, 0.01))
        assert outer.energy_j >= 0 and inner.energy_j >= 0
        assert str(outer) and outer.to_record()["energy_j"] == outer.energy_j

    def spans(self) -> None:
        """Spans of several threads, taken and forgotten once there are some thousand, as a server does."""
        count, threads = self.chance.randrange(1, 1000), self.chance.randrange(1, 5)

        def work() -> None:
            for number in range(count):
                with self.meter.span("step", number=number) as span:
                    span.set(kind="soak")

        _together([work] * threads)
        self._spans_kept += count * threads
        if self._spans_kept > MOST_SPANS:
            table = self.meter.spans(self.chance.choice(("whole", "share", "self")))
            assert (len(table), table.dropped) == (self._spans_kept, 0), f"{len(table)} rows, {table.dropped} dropped"
            assert str(table.summary())
            self.meter.forget_spans()
            self._spans_kept = 0

    def reads(self) -> None:
        """Threads that read the running meter: nothing ever runs backwards."""
        backwards: list[int] = []

        def work() -> None:
            last = self.meter.read()
            for _ in range(500):
                now = self.meter.read()
                backwards.append(sum(b < a for a, b in zip(last.energy_uj, now.energy_uj, strict=True)))
                last = now

        _together([work] * self.chance.randrange(1, 5))
        assert not sum(backwards), f"{sum(backwards)} readings ran backwards"

    def other_meter(self) -> None:
        """A second meter, at any rate, with or without spans, dropped without a stop one time in four."""
        rate_hz = self.chance.choice(("auto", 10, 100, 1000))
        meter = eco.Meter(sources="powercap", sysroot=self.tree.root, rate_hz=rate_hz).start()
        if self.chance.random() < 0.5:
            with meter.span("x"):
                time.sleep(self.chance.uniform(0, 0.02))
        self.tree.move()
        meter.read()
        if self.chance.random() < 0.75:
            meter.stop()

    def gpus(self) -> None:
        """A meter over two GPUs with a window and a span, dropped without a stop one time in four."""
        meter = eco.Meter(sources="powercap", sysroot=self.tree.root, gpus="all").start()
        with eco.measure(meter=meter) as m, meter.span("x"):
            time.sleep(self.chance.uniform(0, 0.05))
        self.tree.move()
        if self.chance.random() < 0.5:
            gpus = [domain.energy_j for domain in m.domains.values() if domain.kind == "gpu"]
            assert len(gpus) == 2 and None not in gpus and m.energy_j >= 0, f"{m.energy_j} J: {m.domains}, {m.missing}"
            assert len(meter.spans()) == 1, f"{len(meter.spans())} spans"
        if self.chance.random() < 0.75:
            meter.stop()

    def tracker(self) -> None:
        with eco.Tracker("p", "d", str(self.folder / "own.csv"), alpha_2_code="RU", ignore_warnings=True) as tracker:
            time.sleep(self.chance.uniform(0, 0.02))
            tracker.consumption()

    def training(self) -> None:
        tracker = eco.Tracker("p", "d", str(self.folder / "own.csv"), alpha_2_code="RU", ignore_warnings=True)
        tracker.start_training()
        for epoch in range(self.chance.randrange(1, 4)):
            tracker.new_epoch({"loss": epoch})
        tracker.stop_training()

    def fork(self) -> None:
        """A child, forked while the meter samples, that measures for itself and ends."""
        window = eco.measure(meter=self.meter) if self.chance.random() < 0.5 else None
        if window:
            window.__enter__()
        child = os.fork()
        if child == 0:
            os._exit(_status_of(self._in_child))
        status = _waited(child)
        if window:
            window.__exit__(None, None, None)
        assert status == 0, f"the child ended with {status}"

    def _in_child(self) -> None:
        with eco.measure() as m:
            pass
        with self.meter.span("child"):
            self.meter.read()
        assert m.energy_j >= 0
        assert list(self.meter.spans().labels("name")) == ["child"]
        self.meter.stop()

    def questions(self) -> None:
        now_ns = time.perf_counter_ns()
        m = self.meter.energy_between(now_ns - 50_000_000, now_ns)
        assert m.energy_j >= 0
        self.meter.trace("package-0")
        self.meter.power(0.01)

    def trace(self) -> None:
        path = self.folder / "own.trace"
        self.meter.save_trace(path)
        assert eco.load_trace(path).domains
        path.unlink()


def _together(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _status_of(work: Callable[[], None]) -> int:
    """Of a forked child, which must neither return nor run its parent's exit."""
    try:
        work()
    except BaseException:
        import traceback

        traceback.print_exc()
        return 1
    return 0


def _waited(child: int) -> int:
    """Exit code of a child; -9 if it hung and was killed."""
    deadline = time.monotonic() + FORK_LIMIT_S
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
