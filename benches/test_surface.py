"""The calls of the Python surface, for pytest-benchmark; `bench_surface.py` runs them and sets them beside the clock.

The clock comes first and last: how far its two rows differ is how far the machine drifted meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter_ns
from typing import Any

import pytest
from bench_span import TwoClocks

import eco2ai_fast as eco
from eco2ai_fast.testing import ScriptedDomain

Benchmark = Callable[..., Any]
KINDS = ("package", "dram", "core", "uncore")


@pytest.fixture(scope="module")
def meter() -> Iterator[eco.Meter]:
    """Eight domains of 50 W that move every millisecond for a minute, sampled at 1 kHz."""
    start_ns = perf_counter_ns()
    readings = [(start_ns + tick * 1_000_000, tick * 50_000) for tick in range(60_000)]
    domains = [ScriptedDomain(kind, readings, package=package) for package in (0, 1) for kind in KINDS]
    with eco.Meter(sources=domains, rate_hz=1000) as meter:
        yield meter


@pytest.fixture(scope="module")
def machine() -> eco.Meter:
    """The meters of this machine, whatever they are."""
    return eco.Meter()


def test_clock(benchmark: Benchmark) -> None:
    benchmark(perf_counter_ns)


def test_empty_function(benchmark: Benchmark) -> None:
    benchmark(lambda: None)


def test_two_clocks(benchmark: Benchmark) -> None:
    def block() -> None:
        with TwoClocks("request"):
            pass

    benchmark(block)


def test_read(benchmark: Benchmark, meter: eco.Meter) -> None:
    benchmark(meter.read)


def test_span(benchmark: Benchmark, meter: eco.Meter) -> None:
    def block() -> None:
        with meter.span("request"):
            pass

    benchmark(block)


def test_span_with_integer(benchmark: Benchmark, meter: eco.Meter) -> None:
    def block() -> None:
        with meter.span("request", tokens=128):
            pass

    benchmark(block)


def test_energy_between(benchmark: Benchmark, meter: eco.Meter) -> None:
    now_ns = perf_counter_ns()
    benchmark(meter.energy_between, now_ns - 50_000_000, now_ns - 10_000_000)


def test_bare_window(benchmark: Benchmark, machine: eco.Meter) -> None:
    window = machine.window()

    def block() -> None:
        window.begin()
        window.end()

    benchmark(block)


def test_measure(benchmark: Benchmark, machine: eco.Meter) -> None:
    stopwatch = eco.measure(meter=machine)

    def block() -> None:
        with stopwatch:
            pass

    benchmark(block)


def test_measured_function(benchmark: Benchmark, machine: eco.Meter) -> None:
    benchmark(eco.measure(meter=machine)(lambda: None))


def test_clock_again(benchmark: Benchmark) -> None:
    benchmark(perf_counter_ns)
