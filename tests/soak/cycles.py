"""What is begun and ended a hundred thousand times and should leave nothing: one function for each kind of cycle.

Each takes a directory, makes what it needs there, and returns the cycle.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import eco2ai_fast as eco

from .cards import until, with_cards
from .tree import Tree

Cycle = Callable[[], object]


def measure(folder: Path) -> Cycle:
    """`with measure()` on the machine's own meters, a new object each time."""

    def cycle() -> None:
        with eco.measure("window") as m:
            pass
        assert m.domains

    return cycle


def restart(folder: Path) -> Cycle:
    """One meter, started and stopped: a sampling thread each time."""
    meter = eco.Meter(sources="powercap", sysroot=Tree(folder / "tree").root)

    def cycle() -> None:
        meter.start()
        meter.stop()

    return cycle


def meter(folder: Path) -> Cycle:
    """A meter made, started, read, given a span, stopped and dropped: descriptors, threads, a curve for each domain."""
    tree = Tree(folder / "tree")

    def cycle() -> None:
        with eco.Meter(sources="powercap", sysroot=tree.root) as meter:
            meter.read()
            with meter.span("x", number=1):
                pass
        assert len(meter.spans()) == 1

    return cycle


def tracker(folder: Path) -> Cycle:
    """A tracker from its constructor to its row in one CSV file."""
    path = str(folder / "emission.csv")

    def cycle() -> None:
        one = eco.Tracker("p", "d", path, alpha_2_code="RU", ignore_warnings=True)
        one.start()
        one.stop()

    return cycle


def spans(folder: Path) -> Cycle:
    """A thousand spans in a thread that comes and goes, then taken and forgotten: a server's way to live for ever."""
    long_lived = eco.Meter(sources="powercap", sysroot=Tree(folder / "tree").root).start()

    def work() -> None:
        for number in range(1000):
            with long_lived.span("request", tokens=number, kind="chat"):
                pass

    def cycle() -> None:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        long_lived.spans("share", weights="tokens")
        long_lived.forget_spans()

    return cycle


def gpus(folder: Path) -> Cycle:
    """A meter over GPUs, read, given a window, dropped; the library and the thread that asks it stay between them."""
    with_cards()
    tree = Tree(folder / "tree")
    with eco.Meter(sources="powercap", sysroot=tree.root, gpus="all") as first:
        until(lambda: len(first.gpus) == 2)

    def cycle() -> None:
        with eco.Meter(sources="powercap", sysroot=tree.root, gpus="all") as meter, eco.measure(meter=meter) as m:
            meter.read()
            assert len(meter.gpus) == 2
        assert m.t1_ns > m.t0_ns

    return cycle


CYCLES: dict[str, Callable[[Path], Cycle]] = {
    "measure": measure,
    "restart": restart,
    "meter": meter,
    "tracker": tracker,
    "spans": spans,
    "gpus": gpus,
}
