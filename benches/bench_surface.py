"""What the Python surface costs beside `time.perf_counter_ns()` and beside the counter reads it makes, in one run.

    python benches/bench_surface.py [--rounds 15]

Nanoseconds a call, medians over interleaved rounds, the empty loop taken off; the ratio is the figure to quote.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import eco2ai_fast as eco
from eco2ai_fast.testing import ScriptedDomain

CALLS = 20_000
KINDS = ("package", "dram", "core", "uncore")


def timed(call: Callable[[], object]) -> float:
    begin_ns = time.perf_counter_ns()
    for _ in range(CALLS):
        call()
    return (time.perf_counter_ns() - begin_ns) / CALLS


def empty_loop() -> float:
    begin_ns = time.perf_counter_ns()
    for _ in range(CALLS):
        pass
    return (time.perf_counter_ns() - begin_ns) / CALLS


def calls() -> dict[str, Callable[[], object]]:
    domains = [ScriptedDomain(kind, [(0, 1)], package=package) for package in (0, 1) for kind in KINDS]
    sampled = eco.Meter(sources=domains, rate_hz=1000).start()
    machine = eco.Meter()
    stopwatch, window = eco.measure(meter=machine), machine.window()

    def empty_measure() -> None:
        with stopwatch:
            pass

    def bare_window() -> None:
        window.begin()
        window.end()

    return {
        "time.perf_counter_ns()": time.perf_counter_ns,
        "meter.read(), 8 domains, sampled at 1 kHz": sampled.read,
        "the counter reads of a window on this machine": bare_window,
        "an empty `with measure()`, reused": empty_measure,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    table = calls()
    rows: dict[str, list[float]] = {name: [] for name in table}
    for _ in range(rounds):
        loop_ns = empty_loop()
        for name, call in table.items():
            rows[name].append(timed(call) - loop_ns)
    clock, read, window, measure = (statistics.median(values) for values in rows.values())
    for name, values in rows.items():
        print(f"{name}: {statistics.median(values):.0f} ns ({min(values):.0f} to {max(values):.0f})")
    print(f"read / clock: {read / clock:.2f}; an empty measure beyond its reads: {(measure - window) / 1e3:.2f} us")


if __name__ == "__main__":
    main()
